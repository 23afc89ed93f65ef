"""A judgement that fails by an error that nobody expected is reported, with what it cost."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from support.factories import incoming, lease, result_produced
from support.fakes import FakeLeases, FakePublisher, until, working

from contracts.events import ResultProduced
from contracts.resources import Usage
from contracts.signing import KeyUse
from servicekit.leasing.worker import Worker
from signoff.jsontext import json_text
from signoff.status import ReportKind
from validator.errors import JudgeAnswerError
from validator.handlers import Handlers
from validator.judge_config import JudgeConfig
from validator.ports import Claim, Grant, Reply
from validator.prompt import Question


class BuggyJudge:
    """Charges for nonsense, and then meets a bug."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self, question: Question) -> Reply:
        del question
        self.asked += 1
        if self.asked > 1:
            raise KeyError("a secret")
        nonsense = JudgeAnswerError("nonsense")
        nonsense.usage = Usage(input_tokens=5)
        raise nonsense


class Judgings:
    async def claim(self, owner: UUID, room: int, claims: Sequence[Claim]) -> list[Grant]:
        del owner, room
        event = ResultProduced.model_validate_json(claims[0].result)
        key = lease(event.execution_id, 7, KeyUse.JUDGING)
        asked = {"acceptance_criteria": event.acceptance_criteria, "result_hash": event.result_hash}
        return [Grant(lease=key, lease_s=60.0, **asked)]


class Newer(Judgings):
    """Grants a result under a policy of a later version."""

    async def claim(self, owner: UUID, room: int, claims: Sequence[Claim]) -> list[Grant]:
        (grant,) = await super().claim(owner, room, claims)
        return [replace(grant, policy=json_text({"name": "later", "stages": [{"kind": "oracle"}]}))]


async def test_a_policy_of_a_later_version_is_left_to_a_newer_validator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("servicekit.leasing.worker.LEFT_AFTER_S", 0.01)
    leases, publisher, judge = FakeLeases(), FakePublisher(), BuggyJudge()
    worker = Worker("test", leases, capacity=10, outcomes_max=100)
    handlers = Handlers(worker, Newer(), lambda *_: judge, JudgeConfig(api_key="sk-test"), publisher)  # type: ignore[arg-type]
    await handlers.on_result_produced([incoming(result_produced())])
    await until(lambda: leases.given_back)
    await worker.stop(0.0)
    assert (publisher.events, judge.asked, worker.room) == ([], 0, 0)


async def test_an_unexpected_error_is_reported_as_misjudged_with_its_cost() -> None:
    publisher, worker = FakePublisher(), Worker("test", FakeLeases(), capacity=10, outcomes_max=100)
    judge, config = BuggyJudge(), JudgeConfig(api_key="sk-test")
    handlers = Handlers(worker, Judgings(), lambda *_: judge, config, publisher)  # type: ignore[arg-type]
    async with working(worker):
        await handlers.on_result_produced([incoming(result_produced())])
        await until(lambda: publisher.events)
    report = publisher.events[0]
    assert (report.kind, report.code, report.lease) == (ReportKind.MISJUDGED, "validator_error", 7)
    assert report.usage.input_tokens == 5
    assert "KeyError" in report.message
    assert "secret" not in report.message
