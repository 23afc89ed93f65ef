"""The page of figures says how each was made, its tables can be read, and nothing on it is written by hand."""

import re
from itertools import groupby
from pathlib import Path

import pytest
import scaling
from measuring import figures

MADE = re.compile(
    r"Measured \d{4}-\d\d-\d\d by `make [^`]+` at commit [0-9a-f]+(, with changes)?: "
    r"Python \d[\w.]+, Kafka \d[\w.]+, PostgreSQL \d[\w.]+(, \w+ \d[\w.]+)*; \d+ cores of [^;]+, \d+ GiB, \w+\."
)


def find_faults(body: str) -> list[str]:
    """What is wrong with a section."""
    if body == figures.NOT_MEASURED:
        return []
    lines = body.splitlines()
    faults = [] if MADE.fullmatch(lines[0]) else [lines[0]]
    tables = [[*rows] for is_table, rows in groupby(lines, lambda line: line.startswith("|")) if is_table]
    return faults + [fault for table in tables for fault in _find_torn_rows(table)]


def _find_torn_rows(table: list[str]) -> list[str]:
    rows = [line.strip("|").split(" | ") for line in table]
    return [str(cells) for cells in rows if len(cells) != len(rows[0]) or not all(map(str.strip, cells))]


def test_each_section_of_the_page_says_how_it_was_made() -> None:
    sections = figures.parse(figures.PAGE.read_text("utf-8"))
    assert sections.keys() == figures.SECTIONS.keys()
    assert {name: faults for name, body in sections.items() if (faults := find_faults(body))} == {}


def test_nothing_on_the_page_is_written_by_hand() -> None:
    text = figures.PAGE.read_text("utf-8")
    assert text == figures.render(figures.parse(text))


def test_a_run_replaces_its_own_section_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "PAGE", tmp_path / "page.md")
    table = figures.make_table(("what", "measured"), [("p50 ms", 25.1)])
    figures.write_section("table", ["--rounds", "1"], {"PostgreSQL": "18.4"}, table)
    figures.write_section("growth", [], {"PostgreSQL": "18.4"}, ["| a |", "| --- |", "| 1 |"])
    figures.write_section("growth", [], {"PostgreSQL": "18.4"}, ["| a |", "| --- |", "| 2 |"])
    sections = figures.parse(figures.PAGE.read_text("utf-8"))
    assert sections["table"].endswith("| what | measured |\n| --- | --- |\n| p50 ms | 25.1 |")
    assert sections["growth"].endswith("| 2 |")
    assert sections["peers"] == figures.NOT_MEASURED
    assert not any(find_faults(body) for body in sections.values())


def test_a_section_without_its_making_or_with_a_torn_table_is_found() -> None:
    assert find_faults("Measured by me.\n\n| a | b |\n| --- | --- |\n| 1 |") == ["Measured by me.", "[' 1 ']"]


def test_what_scaling_needs_is_computed_from_what_was_measured() -> None:
    page = scaling.PAGE.read_text("utf-8")
    assert scaling.render(page, scaling.read_measured(figures.PAGE.read_text("utf-8"))) == page
