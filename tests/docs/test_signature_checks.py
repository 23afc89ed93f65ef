"""The code of docs/agents.md that checks signatures accepts what the executor signs, and nothing else."""

import base64
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from support.installed import BIN

from executor.signing import parse_secrets, sign

PAGE = (Path(__file__).parents[2] / "docs/agents.md").read_text()
OLD, NEW, OTHER = (base64.b64encode(os.urandom(32)).decode() for _ in range(3))
#: Reads requests, a line each, and prints a line for each: whether it is signed.
DRIVERS = {
    "python": """
import json
import sys

for line in sys.stdin:
    case = json.loads(line)
    print(json.dumps(is_signed(case["secrets"], case["headers"], base64.b64decode(case["body"]))))
""",
    "typescript": """
import { readFileSync } from "node:fs";

for (const line of readFileSync(0, "utf8").trim().split("\\n")) {
  const { secrets, headers, body } = JSON.parse(line);
  console.log(isSigned(secrets, headers, Buffer.from(body, "base64")));
}
""",
    "go": """
import (
	"encoding/json"
	"fmt"
	"os"
)

type request struct {
	Secrets []string
	Headers map[string]string
	Body    []byte
}

func main() {
	decoder := json.NewDecoder(os.Stdin)
	for decoder.More() {
		var read request
		if err := decoder.Decode(&read); err != nil {
			panic(err)
		}
		headers := http.Header{}
		for name, value := range read.Headers {
			headers.Set(name, value)
		}
		fmt.Println(IsSigned(read.Secrets, headers, read.Body))
	}
}
""",
}


def find_code(language: str) -> str:
    section = PAGE.partition("## Check that a call is Signoff's")[2]
    (code,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return code


def request(*, by=(OLD,), body=b'{"title": "t\xc3\xa4"}', age_s=0, secrets=(OLD, f"whsec_{NEW}"), **headers):
    signed = sign(parse_secrets(" ".join(by)), "a-key", int(time.time()) - age_s, body)
    changed = {f"webhook-{name}": value for name, value in headers.items()}
    kept = {name: value for name, value in (signed | changed).items() if value is not None}
    return {"secrets": secrets, "headers": kept, "body": base64.b64encode(body).decode()}


def changed_request():
    return request() | {"body": base64.b64encode(b"{}").decode()}


def make_cases() -> dict[str, tuple[dict[str, Any], bool]]:
    """Requests as of now: five minutes later they are old."""
    return {
        "signed": (request(), True),
        "by the next secret": (request(by=[NEW]), True),
        "by both, of which one is known": (request(by=[OTHER, NEW]), True),
        "without a body": (request(body=b""), True),
        "a body that is no text": (request(body=b"\xff\0"), True),
        "by another secret": (request(by=[OTHER]), False),
        "another body": (changed_request(), False),
        "another id": (request(id="a-key_delete"), False),
        "too old": (request(age_s=400), False),
        "of the future": (request(age_s=-400), False),
        "another time": (request(timestamp=str(int(time.time()) + 5)), False),
        "no time": (request(timestamp="now"), False),
        "a huge time": (request(timestamp="9" * 5000), False),
        "no signature": (request(signature=None), False),
        "nothing": (request(signature=None, id=None, timestamp=None), False),
        "a signature without a comma": (request(signature="v1"), False),
        "a signature of another version": (request(signature="v1a,AAAA"), False),
        "a signature that is no ASCII": (request(signature="v1,\u00e4\u20ac"), False),
        "no secrets": (request(secrets=[]), False),
    }


def check(*command: object, cwd: Path) -> None:
    cases = make_cases()
    output = run(*command, cwd=cwd, lines="\n".join(json.dumps(case) for case, _ in cases.values()))
    said = dict(zip(cases, map(json.loads, output.split()), strict=True))
    assert said == {name: is_signed for name, (_, is_signed) in cases.items()}


def run(*command: object, cwd: Path, lines: str = "") -> str:
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        input=lines,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize(("language", "program"), [("python", "python"), ("typescript", "node")])
def test_the_check_of_the_page_accepts_what_is_signed_and_nothing_else(tmp_path, language, program):
    file = tmp_path / {"python": "check.py", "typescript": "check.ts"}[language]
    file.write_text(find_code(language) + DRIVERS[language])
    check(BIN / program, file, cwd=tmp_path)


@pytest.mark.clients  # it needs Go
def test_the_check_in_go_accepts_what_is_signed_and_nothing_else(tmp_path):
    head, _, body = find_code("go").partition("func IsSigned")
    imports, _, main = DRIVERS["go"].partition("type request")
    code = f"{head}{imports}func IsSigned{body}type request{main}".replace("package agent", "package main")
    (tmp_path / "main.go").write_text(code)
    (tmp_path / "go.mod").write_text("module agent\n\ngo 1.22\n")
    go = shutil.which("go")
    assert go is not None, "there is no Go here"
    assert run(go, "vet", ".", cwd=tmp_path) == ""
    check(go, "run", ".", cwd=tmp_path)
