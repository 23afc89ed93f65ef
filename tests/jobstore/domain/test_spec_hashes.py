"""The hash by which a job is known again: of its criteria's one text form."""

from dataclasses import replace
from typing import Any

from support.jobstore.builders import NOW

from contracts.resources import NewJob, Policy
from jobstore.jobs.model import Spec, hash_spec, is_same

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
