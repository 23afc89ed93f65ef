"""What a validator says of its settings, how often, and what becomes of it while nobody hears it."""

import asyncio
from typing import Any
from uuid import uuid4

import grpc
import pytest

from contracts.judging.policy import JudgePolicy
from signoff.worker.v1 import work_service_pb2 as pb
from validator import judgings
from validator.judge_config import JudgeConfig
from validator.judgings import SettingsReport

METADATA = (("authorization", "Bearer a-validators"),)


class Jobstore:
    """A jobstore that answers with these policies in turn, and then with the last; None: it is away."""

    def __init__(self, *answers: str | None) -> None:
        self.answers = list(answers)
        self.requests: list[pb.ReportJudgeRequest] = []
        self.enough, self.until = asyncio.Event(), 0

    async def ReportJudge(self, request: pb.ReportJudgeRequest, **_: Any) -> pb.ReportJudgeResponse:  # noqa: N802
        self.requests.append(request)
        if len(self.requests) > self.until:
            self.enough.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            none = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNIMPLEMENTED, none, none)
        return pb.ReportJudgeResponse(policy=answer)


async def reported(jobstore: Jobstore, report: SettingsReport, times: int) -> None:
    jobstore.until = times
    running = asyncio.create_task(report.run())
    async with asyncio.timeout(10):
        await jobstore.enough.wait()
    running.cancel()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judgings, "REPORT_EVERY_S", 0)
    monkeypatch.setattr(judgings, "REPORT_AGAIN_S", 0)


async def test_settings_are_told_again_and_again_and_their_version_is_known() -> None:
    jobstore, owner = Jobstore(None, "default@1", None, "default@2"), uuid4()
    config = JudgeConfig(model="m", api_key="sk-SECRET", base_url="http://user:s3cret@127.0.0.1:1/v1?key=s3cret")
    stub: Any = jobstore
    report = SettingsReport(stub, METADATA, owner, config.policy, {"main": ["https://api.openai.com/v1"]})
    assert report.policy is None
    await reported(jobstore, report, 5)
    assert report.policy == "default@2"
    (told,) = {request.SerializeToString() for request in jobstore.requests}
    assert b"SECRET" not in told
    assert b"s3cret" not in told
    request = jobstore.requests[0]
    settings = JudgePolicy.model_validate_json(request.policy_json)
    assert [(judge.model, judge.base_url) for judge in settings.stages[1].judges] == [("m", "http://127.0.0.1:1/v1")]
    assert (request.owner, request.keys[0].name) == (str(owner), "main")


def test_whatever_a_validator_may_be_set_to_can_be_told() -> None:
    config = JudgeConfig(timeout_s=10**9, thinking_tokens=10**9)
    assert config.policy.stages[1].judges[0].timeout_s == 3_600
