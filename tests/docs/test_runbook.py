"""The runbook has an entry for each alert and no other, whose commands, paths of the page and metrics are there."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.commands import list_commands
from support.prometheus import need
from test_metrics_page import list_rows

from console.api.pages import PAGES

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs/runbook.md").read_text("utf-8")
RULES = (ROOT / "deploy/helm/signoff/files/alerts.yml").read_text("utf-8")
GROUPS = yaml.safe_load(RULES)["groups"]
ALERTS = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]
#: The anchor, the name and the text of each entry.
ENTRIES = {
    name: (anchor, text)
    for anchor, name, text in re.findall(
        r'^<a id="([\w-]+)"></a>\n## (\w+)\n(.*?)(?=^<a id=|\Z)', RUNBOOK, re.MULTILINE | re.DOTALL
    )
}
PARTS = ["Meaning", "How to look", "What to do", "What not to do"]
COMMANDS = list_commands()
#: A command in a block, or in a line of text.
COMMAND = re.compile(r"^(signoff .+)$|`(signoff [^`]+)`", re.MULTILINE)
METRIC = re.compile(r"\b(?:signoff|process|python)_\w+")
QUERIES = re.compile(r"```promql\n(.*?)```", re.DOTALL)


def to_kebab(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"-\1", name).lower()


def name_families(text: str) -> set[str]:
    """The families of the metrics that a text names; a histogram has parts."""
    families = list_rows()
    named = METRIC.findall(text)
    return {name if name in families else re.sub(r"_(bucket|count|sum)$", "", name) for name in named}


def list_called() -> list[list[str]]:
    lines = {block or inline for block, inline in COMMAND.findall(RUNBOOK)}
    return [shlex.split(line) for line in sorted(lines)]


def test_each_alert_has_an_entry_and_each_entry_an_alert() -> None:
    assert {name: anchor for name, (anchor, _) in ENTRIES.items()} == {
        rule["alert"]: to_kebab(rule["alert"]) for rule in ALERTS
    }


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_an_entry_says_what_to_look_at_what_to_do_and_what_not(name: str) -> None:
    _, text = ENTRIES[name]
    assert re.findall(r"^\*\*([\w ]+)\.\*\*", text, re.MULTILINE) == PARTS
    assert COMMAND.search(text)
    assert QUERIES.search(text)
    pages = {rule["annotations"]["page"] for rule in ALERTS if rule["alert"] == name}
    assert [page for page in pages if f"`{page}`" not in text] == []


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{'-'.join(rule['labels'].values())}")
def test_an_alert_names_its_severity_its_entry_and_a_page_of_the_console(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    told = rule["annotations"]
    assert told["runbook"] == f"docs/runbook.md#{to_kebab(rule['alert'])}"
    assert told["page"] in PAGES
    assert "{{" in told["summary"] or "absent(" in rule["expr"]


def test_each_path_of_the_runbook_is_one_of_the_page() -> None:
    assert set(re.findall(r"`(/(?:system|quality|jobs|agents)[\w/-]*)`", RUNBOOK)) <= set(PAGES)


@pytest.mark.parametrize("words", list_called(), ids=" ".join)
def test_each_command_of_the_runbook_is_there(words: list[str]) -> None:
    rest = words[1:]
    size = next((size for size in range(len(rest), 0, -1) if " ".join(rest[:size]) in COMMANDS), None)
    assert size is not None, f"there is no signoff {' '.join(rest)}"
    known = {option for parameter in COMMANDS[" ".join(rest[:size])].params for option in parameter.opts}
    options = {word.partition("=")[0] for word in rest[size:] if word.startswith("-")}
    assert options <= known, f"{' '.join(words)} has other options"


def test_each_metric_of_rules_and_runbook_is_one_that_the_page_of_metrics_lists() -> None:
    assert name_families(RULES) | name_families("".join(QUERIES.findall(RUNBOOK))) <= set(list_rows())


def test_each_threshold_is_used_and_each_that_is_used_is_there() -> None:
    there = [
        rule["labels"]["of"] for group in GROUPS for rule in group["rules"] if rule.get("record") == "signoff:threshold"
    ]
    assert sorted(there) == sorted(set(re.findall(r'signoff:threshold\{of="(\w+)"\}', RULES)))


def test_promtool_takes_the_rules_and_each_query_of_the_runbook(tmp_path: Path) -> None:
    lines = [line for block in QUERIES.findall(RUNBOOK) for line in block.splitlines()]
    records = [{"record": f"a:query:{number}", "expr": line} for number, line in enumerate(lines)]
    queries = tmp_path / "queries.yml"
    queries.write_text(yaml.safe_dump({"groups": [{"name": "runbook", "rules": records}]}))
    rules = ROOT / "deploy/helm/signoff/files/alerts.yml"
    done = subprocess.run(
        [need("promtool"), "check", "rules", rules, queries], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
