"""Facts are read fast as pydantic reads them, unless it refuses them: nobody signs such; texts stay what they were."""

import json
import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec import MsgspecError
from pydantic import BaseModel

from contracts.events import JobChanged, Requested
from contracts.resources import Job
from jobstore.recovery.fact_parsing import Fact, parse_fact, read_as_known, read_by_pydantic
from jobstore.recovery.projection import LOG_COLUMNS
from jobstore.schema import tables
from signoff.jsontext import LEVELS_MAX
from signoff.types import JobLog

EXAMPLES = sorted((Path(__file__).parents[3] / "proto" / "examples" / "job-changed.v1").glob("*.json"))
#: What has a member that is seldom given, or that nobody knows yet, is left to pydantic.
LEFT = {"from-a-newer-jobstore", "stub"}
TEXTS = {
    "log": ["request", "payload", "before", "after", "result", "partial", "verdict", "waited"],
    "job": ["payload", "labels", "policy", "waiting", "references", "result", "verdict"],
    "requested": ["policy"],
}

NO_VALUES = {"agent", "before", "log", "job", "requested", *(name for names in TEXTS.values() for name in names)}

Members = list[tuple[str, object]]


class Text(str):
    """JSON that stands as it is."""

    __slots__ = ()


def load(path: Path) -> Members:
    members: Members = json.loads(path.read_text(), object_pairs_hook=list, parse_float=Text)
    return members


NAMES = sorted({name for model in (JobChanged, JobLog, Job, Requested) for name in model.model_fields})
ODD = [
    *("null", "true", "false", "0", "1", "-1", "-0", "1.0", "1.5", "-0.0", "1e3", "1e400", "-1e400", "NaN", "Infinity"),
    *("9" * 19, "9" * 40, "9" * 5000, "01", "1.", '""', '"5"', '"a b"', '"a\\n"', '"1.5"', '"true"', '"\\u0000"'),
    *('"\\ud800"', '"\\ud83e\\uddea"', '"\\q"', f'"{"x" * 129}"', "[]", "{}", "[1,]", '["a"]', '["a",1]', '{"a":"b"}'),
    *('{"a":1,"a":2}', '{"a":1e400}', '{"a":NaN}', '{"max_calls":0}', '{"max_calls":"2"}', '{ "deadline_s" :1.50}'),
    *(f"{'[' * levels}{']' * levels}" for levels in (LEVELS_MAX, LEVELS_MAX + 1, 199, 250, 2000)),
    *('"ASSIGNED"', '"assigned"', '"COMPLETED"', '"PENDING"', '"requested"', '"created"'),
    *(
        '"0192f0c4-9a00-7f11-8b3d-5e2c7a90d1f6"',
        '"0192f0c49a007f118b3d5e2c7a90d1f6"',
        '"{0192f0c4-9a00-7f11-8b3d-5e2c}"',
    ),
    *('"urn:uuid:0192f0c4-9a00-7f11-8b3d-5e2c7a90d1f6"', '"0192F0C4-9A00-7F11-8B3D-5E2C7A90D1F6"'),
    *(
        f'"{time}"'
        for day in ("2026-11-24", "2026-02-29", "0001-01-01", "9999-12-31")
        for time in (
            day,
            f"{day}T09:30:00Z",
            f"{day}t23:59:60z",
            f"{day} 09:30:00.5-23:59",
            f"{day}T09:30",
            f"{day}T09:30:00",
        )
    ),
    *(
        '"2026-11-24T24:00:00Z"',
        '"2026-11-24T09:30:00+24:00"',
        '"2026-11-24T09:30:00,5Z"',
        "1700000000",
        '"1700000000"',
    ),
]


def dump(node: object) -> str:
    if isinstance(node, Text):
        return node
    if isinstance(node, list) and node and isinstance(node[0], tuple):
        return f"{{{','.join(f'{json.dumps(name)}:{dump(value)}' for name, value in node)}}}"
    if isinstance(node, list):
        return f"[{','.join(map(dump, node))}]"
    return json.dumps(node)


def objects(node: object) -> list[Members]:
    """An object, and those within it; an empty list may have been one."""
    if not isinstance(node, list):
        return []
    values = [item[1] if isinstance(item, tuple) else item for item in node]
    own = [node] if node and isinstance(node[0], tuple) else []
    return own + [found for value in values for found in objects(value)]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A fact of which members are another value, are missing, stand twice or are new; or bytes are others."""
    fact = load(draw(st.sampled_from(EXAMPLES)))
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.sampled_from(objects(fact)))
        number, what = draw(st.integers(0, len(place) - 1)), draw(st.sampled_from(["set", "drop", "add"]))
        value = Text(draw(st.sampled_from(ODD)))
        if what == "set":
            place[number] = (place[number][0], value)
        elif what == "add":
            place.insert(number, (draw(st.sampled_from([*NAMES, "new"])), value))
        elif len(place) > 1:
            del place[number]
    body = dump(fact).encode()
    if draw(st.integers(0, 3)):
        return body
    at, byte = (
        draw(st.integers(0, len(body))),
        draw(st.sampled_from([b"", *(bytes([n]) for n in b' ",:{}[]09.e\\\n\0\xff')])),
    )
    return body[:at] + byte + body[at + draw(st.integers(0, 1)) :]


def values(part: object, model: type[BaseModel]) -> dict[str, object]:
    """What was read of a model, without what is kept as text, and what is looked at by itself."""
    return {name: getattr(part, name) for name in model.model_fields.keys() - NO_VALUES}


def texts(fact: Fact) -> dict[str, dict[str, str]]:
    parts = {part: getattr(fact, part) for part in TEXTS}
    return {part: {name: parts[part][name] for name in names if name in parts[part]} for part, names in TEXTS.items()}


@settings(max_examples=500)
@given(mutated())
def test_what_is_read_fast_is_what_pydantic_reads(body: bytes) -> None:
    # Of a time with more than six digits of a second, which nobody writes, the one rounds what the other cuts off.
    assume(not re.search(rb":\d\d[.,]\d{7}", body))
    try:
        fact = read_as_known(body)
    except (MsgspecError, RecursionError, ValueError):
        with suppress(ValueError, KeyError):
            assert parse_fact(body).body == body
        return
    try:
        same = read_by_pydantic(body)
    except (ValueError, KeyError):
        return
    assert values(fact.event, JobChanged) == values(same.event, JobChanged)
    assert values(fact.event.log, JobLog) == values(same.event.log, JobLog)
    assert values(fact.event.job, Job) == values(same.event.job, Job)
    assert (fact.event.requested is None) == (same.event.requested is None)
    if fact.event.requested is not None:
        assert values(fact.event.requested, Requested) == values(same.event.requested, Requested)
    assert (texts(fact), fact.request) == (texts(same), same.request)
    assert fact.is_whole == same.is_whole


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_only_what_is_seldom_given_or_not_known_is_left_to_pydantic(path: Path) -> None:
    if path.stem in LEFT:
        with pytest.raises(MsgspecError, match="unknown field"):
            read_as_known(path.read_bytes())
    else:
        read_as_known(path.read_bytes())


@pytest.mark.parametrize(
    ("member", "is_taken"),
    [
        ("1.50", True),
        ('{"a":1,"a":"\\u0000"}', True),
        ("9" * 5000, True),
        ("1e400", True),
        ("[" * 151 + "]" * 151, True),
        (f'["{"[" * 151}"]', True),
        ("NaN", False),
        ('"\\ud800"', False),
    ],
)
def test_a_text_of_a_fact_is_json_and_was_checked_at_the_door(member: str, is_taken: bool) -> None:
    fact = load(next(path for path in EXAMPLES if path.stem == "requested"))
    log = dict(fact)["log"]
    log[:] = [(name, value) for name, value in log if name != "partial"] + [("partial", Text(member))]
    body = dump(fact).encode()
    if is_taken:
        assert parse_fact(body).log["partial"] == member
    else:
        with pytest.raises(ValueError, match="validation error"):
            parse_fact(body)


def test_a_row_of_the_log_has_all_its_columns() -> None:
    assert set(LOG_COLUMNS) == set(tables.job_logs.columns.keys())
