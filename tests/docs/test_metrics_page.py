"""The page of metrics has every family that a process has, with its type and labels, and no other."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/metrics.md"
SERVICES = {"j": "jobstore", "e": "executor", "v": "validator", "c": "console"}
ROW = re.compile(r"\| `(?P<name>\w+)` \| (?P<type>\w+) \|(?P<labels>[^|]*)\| (?P<of>[jevc]+)(?:, (?P<one>one))? \| ")
#: Prints the families of a service, each with its type, its labels, and whether one process alone shows it.
LIST = """
import importlib, json, sys
importlib.import_module(f"{sys.argv[1]}.app")
from servicekit.metrics import NAMED, REGISTRY, Sampled
SUFFIX = {"counter": "_total", "info": "_info"}
for registry in (REGISTRY, NAMED):
    for collector in {*registry._names_to_collectors.values()}:
        families = {each.name: each.labels for each in getattr(collector, "_families", ())}
        for each in collector.collect() if not hasattr(collector, "describe") else collector.describe():
            labels = families.get(each.name, getattr(collector, "_labelnames", ()))
            one = isinstance(collector, Sampled)
            print(json.dumps([each.name + SUFFIX.get(each.type, ""), each.type, [*labels], one, registry is NAMED]))
"""


def list_families() -> dict[str, list[object]]:
    """By name, the type, the labels, of which services, whether one shows it, and whether it names somebody."""
    running = {
        letter: subprocess.Popen([sys.executable, "-c", LIST, name], stdout=subprocess.PIPE, text=True)
        for letter, name in SERVICES.items()
    }
    found: dict[str, list[object]] = {}
    for letter, process in running.items():
        out, _ = process.communicate(timeout=240)
        assert process.returncode == 0
        for line in out.splitlines():
            name, kind, labels, one, named = json.loads(line)
            of = found.get(name, [kind, labels, "", one, named])[2]
            found[name] = [kind, labels, f"{of}{letter}", one, named]
    return found


def list_rows() -> dict[str, list[object]]:
    text, found = PAGE.read_text("utf-8"), {}
    begin, end = text.index("## By name"), text.index("## Labels")
    for row in ROW.finditer(text):
        labels = re.findall(r"`(\w+)`", row["labels"])
        is_named = begin < row.start() < end
        assert row["name"] not in found, row["name"]
        found[row["name"]] = [row["type"], labels, row["of"], row["one"] == "one", is_named]
    return found


@pytest.mark.timeout(300)  # of a machine that has much else to do
def test_the_page_has_every_family_and_no_other() -> None:
    assert list_rows() == list_families()


def test_each_row_can_be_read() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert len(rows) == len(list_rows())


def test_of_each_label_the_page_says_what_bounds_its_values() -> None:
    _, _, section = PAGE.read_text("utf-8").partition("\n## Labels\n")
    begins = re.findall(r"^- ((?:`\w+`(?:, )?)+): ", section, re.MULTILINE)
    bounded = [name for each in begins for name in re.findall(r"`(\w+)`", each)]
    assert sorted(bounded) == sorted({label for row in list_rows().values() for label in row[1]})


@pytest.mark.parametrize("name", sorted(list_rows()))
def test_names_are_as_prometheus_has_them(name: str) -> None:
    kind = list_rows()[name][0]
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+", name)
    assert name.endswith("_total") == (kind == "counter")
    assert not re.search(r"_(ms|milliseconds|minutes|hours|kilobytes|percent)(_|$)", name)
    assert not name.endswith(("_count", "_sum", "_bucket"))
