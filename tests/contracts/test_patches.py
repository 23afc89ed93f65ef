"""Merge patches (RFC 7396), as REST has them and as messages with a mask: one meaning for jobs, agents and limits."""

from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from pydantic import ValidationError

from contracts.fields import Patch, merge
from contracts.resources import (
    AgentPatch,
    JobPatch,
    LimitPatch,
    NewAgent,
    NewJob,
    NewLimit,
    NewRetention,
    RetentionPatch,
    patch_of,
)
from signoff.types import Agent
from signoff.v1 import keeping_service_pb2 as keeping_pb
from signoff.v1 import resources_pb2 as pb
from signoff.wire import split_patch, write_message

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KINDS: list[tuple[type[Patch], Any, type[Any]]] = [
    (JobPatch, pb.NewJob, NewJob),
    (AgentPatch, pb.NewAgent, NewAgent),
    (LimitPatch, pb.Limit, NewLimit),
    (RetentionPatch, keeping_pb.Retention, NewRetention),
]
#: Fields of what is new that no patch has, and why.
FIXED = {
    "id": "an id is for ever",
    "agent_id": "an assignment is an action of its own",
    "tenant": "keys, limits and shares are of the tenant",
}


@pytest.mark.parametrize(("patch", "message", "new"), KINDS)
def test_a_patch_has_the_fields_of_what_is_new_and_the_message_has_them_too(
    patch: type[Patch], message: Any, new: type[Any]
) -> None:
    assert new.model_fields.keys() - FIXED.keys() == patch.model_fields.keys()
    assert patch.model_fields.keys() <= set(message.DESCRIPTOR.fields_by_name)


@pytest.mark.parametrize(
    ("kind", "message", "changes"),
    [
        (JobPatch, pb.NewJob, {"title": "Another", "priority": 0, "capabilities": [], "description": ""}),
        (JobPatch, pb.NewJob, {"policy": {"max_calls": 3, "judge": None, "delivery": "at_most_once"}}),
        (JobPatch, pb.NewJob, {"labels": {"team": "red", "a.b": None, "": "x"}, "policy": None}),
        (JobPatch, pb.NewJob, {"labels": None, "payload": {"n": 9007199254740993, "m": None}}),
        (JobPatch, pb.NewJob, {"payload": None, "not_before": None, "references": {"1": "Oslo", "2": None}}),
        (JobPatch, pb.NewJob, {"not_before": "2100-01-01T00:00:00.000000Z", "policy": {"retry_codes": ["429"]}}),
        (AgentPatch, pb.NewAgent, {"enabled": False, "protocol": "http_async", "headers": {"X-Key": "file:a"}}),
        (AgentPatch, pb.NewAgent, {"enabled": None, "deterministic": True, "headers": {"X-Key": None}}),
        (LimitPatch, pb.Limit, {"concurrency": 0, "rate": None, "rate_period_s": None, "paused": None}),
        (RetentionPatch, keeping_pb.Retention, {"completed_s": 60.0, "failed_s": None}),
    ],
)
def test_a_patch_goes_over_grpc_as_it_is(kind: type[Patch], message: Any, changes: dict[str, Any]) -> None:
    patch = kind.model_validate(changes, extra="forbid")
    values, paths = split_patch(message, patch)
    read = patch_of(kind, write_message(message, values), FieldMask(paths=paths))
    assert read == patch
    assert read.model_dump(mode="json", exclude_unset=True) == changes


def test_a_member_that_a_mask_names_and_the_message_does_not_set_is_removed() -> None:
    message = pb.NewJob(labels={"team": "red", "other": "x"}, policy=pb.Policy(max_calls=3))
    mask = FieldMask(paths=["labels.team", "labels.a.b", "policy.judge", "description"])
    patch = patch_of(JobPatch, message, mask)
    assert patch.labels == {"team": "red", "a.b": None}
    assert patch.policy is not None
    assert (patch.policy.model_fields_set, patch.policy.judge, patch.description) == ({"judge"}, None, "")


@pytest.mark.parametrize(
    "path", ["status", "tenant", "title.x", "payload.x", "not_before.seconds", "policy.nonsense", ""]
)
def test_a_path_of_nothing_that_changes_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be|not permitted"):
        patch_of(JobPatch, pb.NewJob(title="t"), FieldMask(paths=[path]))


def test_null_makes_a_field_what_it_is_in_a_new_resource_and_members_are_merged() -> None:
    agent = Agent(
        id="a", name="a", url="http://a/", enabled=False, capabilities=["x"], created_at=NOW, updated_at=NOW,
        policy={"max_calls": 3, "judge": "strict"}, headers={"X-Key": "file:a", "X-Other": "file:b"},
    )  # fmt: skip
    patch = AgentPatch(
        enabled=None, policy={"judge": None, "deadline_s": 9}, headers={"X-Key": None, "X-New": "file:c"}
    )
    changes = merge(agent, patch, NewAgent)
    assert (changes["enabled"], changes["headers"]) == (True, {"X-Other": "file:b", "X-New": "file:c"})
    assert changes["policy"].model_dump(exclude_none=True) == {"max_calls": 3, "deadline_s": 9}
    assert changes.keys() == {"enabled", "policy", "headers"}
    assert merge(agent, AgentPatch(capabilities=None, policy=None), NewAgent)["capabilities"] == []


@pytest.mark.parametrize(
    ("patch", "where"), [({"X-KEY": "file:z"}, "headers"), ({f"X-{n}": "file:z" for n in range(16)}, "headers")]
)
def test_what_a_patch_makes_of_a_map_is_checked_as_a_new_one(patch: dict[str, str], where: str) -> None:
    agent = Agent(id="a", name="a", url="http://a/", headers={"X-Key": "file:a"}, created_at=NOW, updated_at=NOW)
    with pytest.raises(ValidationError) as error:
        merge(agent, AgentPatch(headers=patch), NewAgent)
    assert error.value.errors()[0]["loc"][0] == where


@pytest.mark.parametrize(("kind", "name"), [(JobPatch, "title"), (AgentPatch, "name"), (AgentPatch, "url")])
def test_what_has_no_default_is_not_removed(kind: type[Patch], name: str) -> None:
    with pytest.raises(ValidationError):
        kind.model_validate({name: None})
