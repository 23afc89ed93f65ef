"""The page of contracts has each code as it is declared; SIGNOFF_WRITE_EXPECTED=1 writes the table anew."""

import os
import re
from pathlib import Path

from contracts.waiting import Owner, WaitCode
from servicekit.deprecations import DEPRECATIONS, EARLIER_NAMES
from signoff.errors import ErrorCode

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/contracts.md"
#: By the row of the page's table of doors, what its lines in the catalogue begin with.
DOORS = {
    "gRPC": {"grpc"},
    "REST": {"rest"},
    "topics": {"topic", "group"},
    "events": {"event"},
    "codes": {"code"},
    "Python": {"python"},
    "command line": {"cli"},
    "settings": {"variable"},
}
TABLE = re.compile(r"\| code \|.*?(?=\n\n|\Z)", re.DOTALL)


def test_the_table_of_errors_is_the_enumeration() -> None:
    rows = ["| code | gRPC | HTTP | again | |", "|---|---|---|---|---|"]
    for code in ErrorCode:
        answer = code.answer
        again = "yes" if answer.is_retryable else ""
        rows.append(f"| `{code}` | {answer.grpc or ''} | {answer.http or ''} | {again} | {code.sentence} |")
    table, text = "\n".join(rows), PAGE.read_text()
    if "SIGNOFF_WRITE_EXPECTED" in os.environ:
        text = TABLE.sub(lambda _: table, text) if TABLE.search(text) else f"{text.rstrip()}\n\n{table}\n"
        PAGE.write_text(text)
    found = TABLE.search(text)
    assert found is not None
    assert found[0].rstrip() == table


def test_the_table_of_what_an_execution_waits_for_is_the_enumeration() -> None:
    """Codes of `explain`, of lists, of operations and of what was waited for are all of it."""
    text = (PAGE.parent / "protocol/waiting.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| `")]
    assert sorted(row[0].strip("`") for row in rows) == sorted(WaitCode)
    assert {row[3] for row in rows} == set(Owner)


def test_each_door_of_the_catalogue_is_on_the_page() -> None:
    table = PAGE.read_text().partition("## What is promised")[2].partition("## What may")[0]
    assert re.findall(r"^\| ([A-Za-z ]+) \| (?!what holds)", table, re.MULTILINE) == list(DOORS)
    lines = (ROOT / "proto/catalogue.txt").read_text().splitlines()
    found = {re.split(r"[. ]", line)[0] for line in lines} - {"product"}
    assert found - set().union(*DOORS.values()) == set()


def test_what_is_deprecated_is_on_the_page_with_the_day_from_which_it_may_be_gone() -> None:
    table = PAGE.read_text().partition("| what | takes its place | may be gone |")[2].partition("\n\n")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ") and "---" not in row]
    assert len(rows) == 1 + len(DEPRECATIONS)
    for name, dates in {"x-earlier-names": EARLIER_NAMES, **DEPRECATIONS}.items():
        assert any(f"`{name}`" in row and dates.sunset.date().isoformat() in row for row in rows), name
