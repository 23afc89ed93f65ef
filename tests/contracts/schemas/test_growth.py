"""Schemas only grow: none breaks a reader or a writer of the last commit."""

import json
import subprocess
from pathlib import Path

import pytest
from schema_growth import breaks

from contracts.schemas import SCHEMAS_DIR, schemas

ROOT = Path(__file__).parents[3]
#: Taken away on purpose: a job has `criteria` or their text form, and only the executor of its own version reads it.
ON_PURPOSE = ["/job/acceptance_criteria: no longer sure to be there"]


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def last_commit():
    """The commit whose readers are still at work: HEAD, or the one before where nothing has changed since."""
    return "HEAD" if git("status", "--porcelain", "--", "proto").stdout else "HEAD~1"


def listed_in_the_last_commit():
    listing = git("ls-tree", "--name-only", last_commit(), "proto/schemas/")
    if listing.returncode:
        pytest.skip("there is no commit to compare with")
    return {Path(line).name for line in listing.stdout.splitlines()}


@pytest.mark.parametrize("name", schemas())
def test_schema_breaks_no_reader_of_the_last_commit(name):
    committed = git("show", f"{last_commit()}:proto/schemas/{name}")
    if committed.returncode:  # nobody reads a new schema yet
        assert name not in listed_in_the_last_commit()
        return
    found = breaks(json.loads(committed.stdout), json.loads(schemas()[name]))
    assert [problem for problem in found if problem not in ON_PURPOSE] == []


def test_schema_of_a_topic_is_never_taken_away():
    assert listed_in_the_last_commit() <= {p.name for p in SCHEMAS_DIR.iterdir()}


def thing(required=(), **properties):
    return {"type": "object", "properties": properties, "required": list(required)}


TEXT, NUMBER, WHOLE = {"type": "string"}, {"type": "number"}, {"type": "integer"}
MAYBE_TEXT = {"anyOf": [TEXT, {"type": "null"}]}


def enum(*words):
    return {"type": "string", "enum": list(words)}


def nested(child):
    return {"$defs": {"Child": child}, **thing(child={"$ref": "#/$defs/Child"})}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (thing(a=TEXT, b=TEXT), thing(a=TEXT), "/b: removed"),
        (thing(a=TEXT), thing(["b"], a=TEXT, b=TEXT), "/b: required from now on"),
        (thing(a=TEXT), thing(["a"], a=TEXT), "/a: required from now on"),
        (thing(["a"], a=TEXT), thing(a=TEXT), "/a: no longer sure to be there"),
        (thing(a=TEXT), thing(a=WHOLE), "/a: type string became integer"),
        (thing(a=NUMBER), thing(a=WHOLE), "/a: type number became integer"),
        (thing(a={}), thing(a=TEXT), "/a: type any became string"),
        (thing(a=MAYBE_TEXT), thing(a=TEXT), "/a: type null became string"),
        (thing(a=enum("x", "y")), thing(a=enum("x")), "/a: enum lost y"),
        (thing(a=TEXT), thing(a=enum("x")), "/a: enum lost all other values"),
        (thing(a=WHOLE), thing(a=WHOLE | {"minimum": 1}), "/a: minimum None became 1"),
        (thing(a=WHOLE | {"maximum": 9}), thing(a=WHOLE | {"maximum": 8}), "/a: maximum 9 became 8"),
        (thing(a=TEXT), thing(a=TEXT | {"pattern": "^a"}), "/a: pattern None became ^a"),
        (thing(a={"items": TEXT}), thing(a={"items": WHOLE}), "/a/items: type string became integer"),
        (thing(), thing() | {"additionalProperties": False}, "/additionalProperties: enum lost all other values"),
        (nested(thing(b=TEXT)), nested(thing()), "/child/b: removed"),
        (nested(thing(b=TEXT)), thing(child=thing()), "/child/b: removed"),
        (thing(a={"anyOf": [TEXT, thing(b=TEXT)]}), thing(a={"anyOf": [TEXT, thing()]}), "/a/b: removed"),
    ],
)
def test_what_takes_something_away_is_named(old, new, problem):
    assert breaks(old, new) == [problem]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (thing(a=TEXT), thing(a=TEXT, b=TEXT)),
        (thing(a=TEXT), thing(a=MAYBE_TEXT)),
        (thing(a=WHOLE), thing(a=NUMBER)),
        (thing(a=TEXT), thing(a={})),
        (thing(a=enum("x")), thing(a=enum("x", "y"))),
        (thing(a=enum("x")), thing(a=TEXT)),
        (thing(a=TEXT | {"maxLength": 9}), thing(a=TEXT | {"maxLength": 10})),
        (thing(a=WHOLE | {"minimum": 1, "title": "A"}), thing(a=WHOLE | {"minimum": 0, "title": "B"})),
        (nested(thing(b=TEXT)), thing(child=thing(b=TEXT, c=TEXT))),
        (thing() | {"additionalProperties": TEXT}, thing() | {"additionalProperties": True}),
    ],
)
def test_what_only_adds_is_let_through(old, new):
    assert breaks(old, new) == []
