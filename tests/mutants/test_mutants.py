"""The tool that changes code: what it makes of a small module, and that it finds what no test notices."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from mutants.__main__ import EXPLAINED, explained
from mutants.making import Source
from mutants.parts import PARTS, ROOT
from mutants.type_check import find_refused

TOY = '''"""A module."""

from dataclasses import dataclass
from enum import Enum

LIMIT: int = 3
NOTHING = None
LIMITS = {"all": LIMIT}


class Colour(Enum):
    RED = "red"


@dataclass
class Queue:
    length: int = 7
    is_open = True

    @property
    def is_full(self) -> bool:
        return self.is_open and self.length > LIMITS["all"]


def describe(queue: Queue) -> str:
    if queue.is_full:
        return "not a word is changed: " + Colour.RED.value
    return "room"
'''
SEES = """
from toy import Queue, describe

def test_a_long_queue_is_full():
    assert Queue().is_full and not Queue(1).is_full
    assert describe(Queue(9)) == "not a word is changed: red"
"""
SCRIPT = """
import json, sys, pytest
from pathlib import Path
from mutants.making import Source
from mutants.running import MutantRunner

source = Source("toy.py", "toy", Path("toy.py").read_text())
runner = MutantRunner([source], list(source.mutants()), 2)
assert pytest.main(["-q", "-s", "-p", "no:cacheprovider", "test_toy.py"], plugins=[runner]) == 0
Path("survivors.json").write_text(json.dumps([one.change for one in runner.survivors]))
assert runner.misplaced == []
"""


def changes(text: str = TOY) -> list[tuple[str, str]]:
    return [one.change for one in Source("toy.py", "toy", text).mutants()]


def test_constants_defaults_properties_and_functions_are_changed_and_no_words_for_people() -> None:
    made = changes()
    assert {
        ("LIMIT: int = 3", "LIMIT: int = 4"),
        ("length: int = 7", "length: int = 8"),
        ('return self.is_open and self.length > LIMITS["all"]', 'return self.is_open and self.length >= LIMITS["all"]'),
        ('return "room"', 'return "XXroomXX"'),
        ('return "not a word is changed: " + Colour.RED.value', 'return "not a word is changed: " - Colour.RED.value'),
    } <= set(made)
    assert not [one for one in made if "RED" in one[0] and "return" not in one[0]], "members of enumerations are fixed"
    assert not [one for one in made if one[0] == "NOTHING = None"], "nothing is no change of nothing"


def test_types_and_fields_of_models_are_fixed_and_lengths_are_checked_whatever_zip_is_told() -> None:
    assert changes('Short = Annotated[str, Field(max_length=3)]\nclass Spec(Model):\n    name: str = "x"\n') == []
    assert not [
        one for one in changes("PAIRS = zip(ONE, OTHER, strict=True)\n") if "strict" not in one[1] and "(" in one[1]
    ]


def test_a_mutant_is_found_by_what_it_changes_when_lines_have_moved() -> None:
    (before,) = (one for one in Source("toy.py", "toy", TOY).mutants() if one.change[1] == "LIMIT: int = 4")
    (after,) = (one for one in Source("toy.py", "toy", f"\n\n{TOY}").mutants() if one.change[1] == "LIMIT: int = 4")
    assert (before.lines, after.lines, before.change == after.change) == (range(6, 7), range(8, 9), True)
    assert str(after) == "toy.py:8 in LIMIT\n    - LIMIT: int = 3\n    + LIMIT: int = 4"


@pytest.mark.real
def test_what_no_test_notices_survives_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "toy.py").write_text(TOY)
    (tmp_path / "test_toy.py").write_text(SEES)
    path = {"PYTHONPATH": f"{ROOT / 'tests'}:{tmp_path}"}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, env=path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    survivors = {tuple(one) for one in json.loads((tmp_path / "survivors.json").read_text())}
    assert survivors == {
        ("LIMIT: int = 3", "LIMIT: int = 4"),
        ("length: int = 7", "length: int = 8"),
        ('return self.is_open and self.length > LIMITS["all"]', 'return self.is_open and self.length >= LIMITS["all"]'),
        ('return "room"', 'return "XXroomXX"'),
    }, "not LIMIT = None, of which LIMITS is made"


@pytest.mark.real
def test_what_the_type_checker_refuses_is_told_from_what_it_lets_through(tmp_path: Path) -> None:
    (tmp_path / "toy.py").write_text(TOY)
    (tmp_path / "services").mkdir()
    mutants = {one.change[1]: one for one in Source("toy.py", "toy", TOY).mutants()}
    refused, let_through = mutants["length: int = None"], mutants["length: int = 8"]
    assert refused.apply(TOY) == TOY.replace("length: int = 7", "length: int = None")
    assert find_refused(tmp_path, [refused, let_through]) == {refused}
    assert find_refused(tmp_path, []) == set()


def test_each_explanation_is_of_lines_that_there_are() -> None:
    """`make mutants` finds the explanations that no mutant needs."""
    known = explained(EXPLAINED)
    texts = {file: " ".join((ROOT / file).read_text("utf-8").split()) for file, _, _ in known}
    assert [key for key in known if " ".join(key[1].split()) not in texts[key[0]]] == []
    assert all(known.values())


def test_what_is_changed_and_what_has_to_see_it_is_there() -> None:
    assert all(find_spec(source.module_name) for part in PARTS for source in part.read_sources())
    assert all(list(ROOT.glob(pattern)) for part in PARTS for pattern in part.changed)
    assert all((ROOT / path).exists() for part in PARTS for path in part.tests)
