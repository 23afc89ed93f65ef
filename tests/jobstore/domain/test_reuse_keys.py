"""The keys by which verdicts and results are known for reuse."""

from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from support.jobstore.builders import NOW
from support.jobstore.steps import verdict

from contracts.resources import NewJob, Policy
from jobstore.jobs.model import Reusable, Spec, hash_spec, is_same
from jobstore.judging.rules import Asked, is_overruled, may_reuse, rejudged_key, result_key, verdict_key

RESULT = b"\x01" * 32


ASKED = Asked(RESULT, b"\x03" * 32, "a\nb", "t", None)


def key(judge: str = "m", policy: dict[str, object] | None = None, **fields: Any) -> bytes:
    return verdict_key(ASKED._replace(**fields), judge, policy)


@pytest.mark.parametrize("criteria", ["a\nb", "  a\nb  ", "a\r\nb\r\n", "\n\na\n \t\nb", "\ta \n\n b"])
def test_space_around_criteria_and_empty_lines_are_nothing(criteria: str) -> None:
    assert key(acceptance_criteria=criteria) == key()


def test_everything_else_is_another_verdict() -> None:
    keys = [
        key(),
        key(tenant="another"),
        key(result_hash=b"\x02" * 32),
        key(task_hash=b"\x02" * 32),
        key(task_hash=None),
        key(references='{"1":"a"}'),
        key(references='{"2":"a"}'),
        key(acceptance_criteria="b\na"),
        key(acceptance_criteria="a b"),
        key(acceptance_criteria="A\nb"),
        key(acceptance_criteria="optional: a\nb"),
        key("m (prompt 2)"),
        key("\nbm", acceptance_criteria="a"),
        key("", acceptance_criteria="a\nbm"),
        key(policy={"criteria_set": "house@1"}),
        rejudged_key(ASKED),
        rejudged_key(ASKED, {"criteria_set": "house@1"}),
    ]
    assert all(one != other for one, other in combinations(keys, 2))


def test_everything_that_is_asked_makes_another_result() -> None:
    keys = [
        result_key("t", "writer", NOW, '{"title":"a"}'),
        result_key("another", "writer", NOW, '{"title":"a"}'),
        result_key("t", "other", NOW, '{"title":"a"}'),
        result_key("t", "writer", NOW + timedelta(microseconds=1), '{"title":"a"}'),
        result_key("t", "writer", NOW, '{"title":"b"}'),
    ]
    assert all(one != other for one, other in combinations(keys, 2))
    assert result_key("t", "writer", NOW, "{}") == result_key("t", "writer", NOW, "{}")


def test_keys_never_change() -> None:
    """What is kept is found again after an upgrade."""
    assert key().hex() == "4cbdec4436cd77cc8c5a72f166ee43c6b9a10c6b32050bb7717d09f4d254b318"
    assert rejudged_key(ASKED).hex() == "0e1df1393293b57993c5d97e2b99d9c0035f91feb4173d7a4edb17f65099d314"
    assert (
        result_key("t", "writer", NOW, "{}").hex() == "ffe8be74b70d92580fd6a59391a20b062ba296ad4b91edda3cf69f16003d7e93"
    )


@pytest.mark.parametrize(("judged_again_s", "is_outdated"), [(-1, False), (0, True), (1, True)])
def test_a_verdict_is_overruled_unless_it_is_newer(judged_again_s: int, is_outdated: bool) -> None:
    kept = Reusable("job", 1, kept_at=NOW)
    again = Reusable("job", 1, kept_at=NOW + timedelta(seconds=judged_again_s))
    assert (is_overruled(kept, again), is_overruled(kept, None)) == (is_outdated, False)


def test_a_verdict_that_names_no_submission_is_of_the_first() -> None:
    passed = verdict().model_copy(update={"submission": None})
    assert (may_reuse(passed, 1), may_reuse(passed, 2)) == (True, False)


FORM = 'Says "blue"\noptional: Is kind'
SPELLED = '- Says "blue"\n\n1. optional:Is kind\r\n'
HASH = "0428f0bd86e679c954f5a75f91599446eadfe945fad69f88f6a240d9e931d717"
NO_CRITERIA = "c105da0440bb99a25bca2a0e803a73e6b220f54d959ebaf947783faeffe66352"


def new(criteria: str, **fields: Any) -> NewJob:
    return NewJob(**{"title": "A title", "acceptance_criteria": criteria, "agent_id": "writer", **fields})


def stored(spec_hash: bytes) -> Spec:
    spec = Spec(
        title="A title", description="", acceptance_criteria=FORM, payload="null", priority=5, tenant="default",
        labels={}, policy=Policy(), capabilities=[], not_before=None, spec_hash=b"", created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    return replace(spec, spec_hash=spec_hash)


def test_two_spellings_of_one_list_hash_alike_and_the_text_form_as_ever() -> None:
    listed = new(FORM).criteria
    assert hash_spec(new(SPELLED)) == hash_spec(NewJob(title="A title", criteria=listed, agent_id="writer"))
    assert hash_spec(new(SPELLED)).hex() == hash_spec(new(FORM)).hex() == HASH
    assert hash_spec(new(FORM, id="job-7")) == hash_spec(new(FORM)), "whatever its id"
    assert hash_spec(new("", policy={"criteria_set": "house"})).hex() == NO_CRITERIA, "and none as ever"


def test_other_criteria_are_another_job() -> None:
    present = stored(hash_spec(new(FORM)))
    assert is_same(present, new(SPELLED))
    for other in ('Says "blue"\nIs kind', 'optional: Is kind\nSays "blue"', f"{FORM}\nnever: Is long"):
        assert not is_same(present, new(other))
