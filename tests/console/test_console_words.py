"""Whatever is wrong with a field is told in our words: where, what it must be, and nothing of pydantic or patterns."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from support.words import UNCLEAR

from console.api import schemas
from console.describe import describe
from contracts import events, resources
from contracts.fields import describe_problem, explain

#: What a caller, an agent or an older client might send in the place of anything.
HOSTILE: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        1.5,
        10**30,
        math.nan,
        math.inf,
        "",
        "\0",
        "x" * 10_001,
        "a b",
        "5",
        "true",
        "ftp://a",
        "nonsense",
    ),
    *(
        "2026-01-01T00:00:00",
        "2026-13-01T00:00:00Z",
        b"\xff",
        [],
        [None],
        ["a", 1],
        [[]],
        list(range(70)),
        {},
        {"a": None},
    ),
    *({"a" * 300: "b"}, {"b": {"c": []}}, {"text": "a", "kind": 1}, [{"text": 5}], [{"text": "a", "required": "no"}]),
]
MODELS = [
    *(resources.NewJob, resources.JobPatch, resources.JobFilter, resources.Policy),
    *(resources.NewAgent, resources.NewLimit),
    *(schemas.JobsQuery, schemas.LogsQuery, schemas.JobAssignment, schemas.NewExecution, schemas.Resubmission),
    *(schemas.Resubmission, schemas.JobCancellation, schemas.NewBatch, schemas.OperationRetry, events.ExecuteRequested),
    events.JobStatusReported,
]
FOREIGN = re.compile(
    r"^[A-Z](?!TF)|: [A-Z][a-z]+ (?:should|error|required)|should (?:be|have|match)|Field required|pattern|\^"
)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_words_of_the_library_reach_whoever_sent_it(model: type[BaseModel]) -> None:
    told = set()
    for name, field in model.model_fields.items():
        for value in HOSTILE:
            try:
                model.model_validate({field.alias or name: value})
            except ValidationError as error:
                told |= {describe_problem(problem) for problem in error.errors()}
    assert len(told) > 1
    assert [words for words in told if FOREIGN.search(words)] == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"title": "a", "policy": {"attempt_timeout_s": 1e99}}, "policy.attempt_timeout_s: must be at most 86400"),
        (
            {"title": "a", "id": "a b"},
            "id: must begin with a letter or digit, and have only letters, digits and . _ : - in it",
        ),
        ({"title": "a" * 501}, "title: must have at most 500 characters, not 501"),
        ({"title": "a", "capabilities": ["a"] * 65}, "capabilities: must have at most 64 items, not 65"),
        ({"title": "a", "policy": {"retry_codes": []}}, "policy.retry_codes: must not be empty"),
    ],
)
def test_bounds_are_told_as_people_write_them(value: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as raised:
        resources.NewJob.model_validate({"acceptance_criteria": "a", **value})
    assert explain(raised.value) == (None, words)


def list_descriptions(part: Any) -> Iterator[str]:
    """List what an OpenAPI document says in words, wherever it stands."""
    for name, value in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        if name in {"description", "summary"} and isinstance(value, str):
            yield value
        yield from list_descriptions(value)


async def test_the_api_is_described_in_plain_words() -> None:
    descriptions = list(list_descriptions(json.loads(await describe())))
    assert len(descriptions) > 300
    assert [words for words in descriptions if UNCLEAR.search(words)] == []


def test_what_nobody_has_words_for_keeps_those_of_the_library() -> None:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(bytes).validate_python(5)
    assert explain(raised.value) == (None, "Input should be a valid bytes")
