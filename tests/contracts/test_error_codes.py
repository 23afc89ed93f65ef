"""One enumeration has every code: none stands in the source as a text, and none is listed that nothing uses."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from signoff.errors import ErrorCode, find_http_status, is_retryable

ROOT = Path(__file__).parents[2]
DECLARED = ROOT / "proto/signoff/errors.py"
FOLDERS = ("proto/contracts", "proto/signoff", "services", "deploy/local/localstack")
SOURCES = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if path != DECLARED]
#: Calls whose argument at this place is a code.
MAKERS = {
    **dict.fromkeys(("Refusal", "GoldenRefusal", "StreamRefusedError", "SignoffError", "_reject", "_answer_queued"), 0),
    **dict.fromkeys(("ProblemError", "ClaimAnswer"), 1),
}
CODE = re.compile(r"[a-z][a-z0-9_]*")


def test_no_code_is_a_text_of_its_own() -> None:
    assert [f"{path.relative_to(ROOT)}: {code}" for path in SOURCES for code in texts_for_codes(path)] == []


def test_every_code_is_used() -> None:
    used = {
        node.attr
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ErrorCode"
    }
    assert {code.name for code in ErrorCode} == used


def texts_for_codes(path: Path) -> Iterator[str]:
    """What stands as a text where a code does: an argument, a class's code, or what a code is compared with."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                yield from (text for each in node.keywords if each.arg == "code" for text in literals(each.value))
                if name in MAKERS and len(node.args) > MAKERS[name]:
                    yield from literals(node.args[MAKERS[name]])
            case ast.Assign(targets=[ast.Name(id="code")], value=value):
                yield from literals(value)
            case ast.Compare(left=ast.Attribute(attr="code"), comparators=[value]):
                yield from (text for text in literals(value) if text in set(ErrorCode))


def literals(value: ast.expr) -> Iterator[str]:
    match value:
        case ast.Constant(value=str(text)) if CODE.fullmatch(text):
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from literals(one)
            yield from literals(other)
        case ast.BoolOp(values=values) | ast.Set(elts=values) | ast.Tuple(elts=values):
            for each in values:
                yield from literals(each)


@pytest.mark.parametrize("code", list(ErrorCode), ids=str)
def test_a_code_says_what_it_means_and_has_statuses_that_fit(code: ErrorCode) -> None:
    assert code.sentence.endswith((".", ")"))
    assert code == code.name.lower()
    answer = code.answer
    assert answer.grpc is None or grpc.StatusCode[answer.grpc]
    assert answer.grpc is None or answer.http is not None
    if answer.grpc == "UNAVAILABLE":
        assert answer.is_retryable
    if answer.http is not None and answer.is_retryable:
        assert answer.http in {408, 429, 503}


def test_a_code_that_is_not_known_is_what_its_status_says() -> None:
    assert (is_retryable("of_tomorrow", "UNAVAILABLE"), find_http_status("of_tomorrow", "UNAVAILABLE")) == (True, 503)
    assert (is_retryable("of_tomorrow", "NOT_FOUND"), find_http_status("of_tomorrow", "NOT_FOUND")) == (False, 404)
    assert find_http_status("of_tomorrow", "FAILED_PRECONDITION") == 409
    assert (is_retryable("of_tomorrow", "DATA_LOSS"), find_http_status("of_tomorrow", "DATA_LOSS")) == (False, 502)
