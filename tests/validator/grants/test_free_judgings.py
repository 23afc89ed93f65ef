"""Judgings without a job: taken while any wait, beside live jobs and behind them, reported together, given back."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from pydantic import JsonValue
from support.factories import lease
from support.fakes import until

from contracts.judging.policy import JudgeModel, JudgePolicy
from contracts.resources import Usage
from contracts.spending import Budget
from servicekit.errors import TransientError
from servicekit.leasing.worker import COPIES, Lease, Worker
from signoff.errors import ErrorCode
from signoff.status import JudgingKind
from signoff.worker.v1 import work_service_pb2 as pb
from validator import free_judgings, judgings
from validator.errors import JudgeUnavailableError
from validator.free_judgings import FreeJudgingWorker, judge_free
from validator.judge_config import JudgeConfig
from validator.judging import JudgingBudget
from validator.judgings import SettingsReport
from validator.ports import FreeGrant, FreeOutcome, Reply
from validator.prompt import Question


class Store:
    """The jobstore: judgings that wait, and what it was told of them."""

    def __init__(self, waiting: int = 0) -> None:
        self.waiting = [lease(uuid4()) for _ in range(waiting)]
        self.taken: list[int] = []
        self.recorded: dict[Lease, FreeOutcome] = {}
        self.given_back: list[Lease] = []
        self.lost: set[Lease] = set()
        self.renewed: list[Lease] = []
        self.is_away = False
        self.owner: UUID | None = None
        self.lease_s = 60.0
        self.size = 0
        self.told: asyncio.Queue[int] = asyncio.Queue()
        self.tells = 0
        self.finishes = asyncio.Event()
        self.finishes.set()

    def _check(self, owner: UUID) -> None:
        assert self.owner in {None, owner}
        self.owner = owner
        if self.is_away:
            raise TransientError("away")

    async def watch(self) -> AsyncIterator[int]:
        self.tells += 1
        while not self.is_away:
            if waiting := await self.told.get():
                yield waiting
            else:
                break
        raise TransientError("away, or too old to tell")

    async def take(self, owner: UUID, room: int) -> Sequence[FreeGrant]:
        self._check(owner)
        self.taken.append(room)
        granted, self.waiting = self.waiting[:room], self.waiting[room:]
        asked = {"kind": JudgingKind.SHADOW, "result": "blue", "acceptance_criteria": "A", "size": self.size}
        return [FreeGrant(lease=each, lease_s=self.lease_s, **asked) for each in granted]

    async def finish(
        self, owner: UUID, outcomes: Mapping[Lease, FreeOutcome], held: Sequence[Lease], given_back: Sequence[Lease]
    ) -> set[Lease]:
        self._check(owner)
        await self.finishes.wait()
        assert not outcomes.keys() & self.recorded.keys(), "an outcome that was taken is not sent again"
        self.recorded |= outcomes
        self.given_back += given_back
        self.renewed += held
        return set(held) - self.lost


class Judge:
    """Judges once it may; `under_way` is how many it has begun and not ended."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.under_way = self.most = self.aborted = 0
        self.usage: Usage | None = None

    async def __call__(self, _: FreeGrant, budget: JudgingBudget) -> FreeOutcome:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        if self.usage is not None:
            budget.spend(self.usage)
        try:
            await self.may.wait()
        except asyncio.CancelledError:
            self.aborted += 1
            raise
        finally:
            self.under_way -= 1
        return FreeOutcome(verdict="{}")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATHER_S", "AGAIN_S", "AGAIN_MAX_S", "WATCH_AGAIN_S", "WATCH_AGAIN_MAX_S"):
        monkeypatch.setattr(free_judgings, name, 0.01)


def make(store: Store, judge: Judge, capacity: int = 10) -> tuple[FreeJudgingWorker, Worker]:
    worker = Worker("validator", None, capacity, 100)  # type: ignore[arg-type] # its leases are not renewed here
    made = FreeJudgingWorker(worker, store, judge, capacity)
    made.start()
    return made, worker


def tell(worker: Worker, waiting: int) -> None:
    """A renewal says that some wait."""
    assert worker.on_waiting is not None
    worker.on_waiting(waiting)


async def test_what_was_granted_so_late_that_its_lease_has_run_out_is_not_begun() -> None:
    store, judge = Store(1), Judge()
    store.lease_s = 0.0
    made, worker = make(store, judge)
    tell(worker, 1)
    await until(lambda: store.taken)
    store.lease_s, store.waiting = 60.0, [lease(uuid4())]
    await until(lambda: judge.under_way)
    assert judge.most == 1
    await made.stop()
    assert len(store.given_back) == 1


async def test_half_of_the_capacity_is_taken_and_more_as_room_comes() -> None:
    store, judge = Store(12), Judge()
    made, worker = make(store, judge)
    tell(worker, 12)
    await until(lambda: judge.under_way == 5)
    assert store.taken == [5]
    judge.may.set()
    await until(lambda: len(store.recorded) == 12)
    assert judge.most == 5
    await made.stop()


async def test_large_ones_take_more_of_it() -> None:
    store, judge = Store(2), Judge()
    store.size = 2_000
    made, worker = make(store, judge, capacity=20)
    worker.slot_bytes = COPIES * 1_000  # so that each takes three of the ten places
    tell(worker, 2)
    await until(lambda: judge.under_way == 2)
    store.waiting = [lease(uuid4()) for _ in range(12)]
    tell(worker, 12)
    await until(lambda: judge.under_way == 6)
    assert (store.taken[0], {*store.taken[1:]}) == (10, {4})
    judge.may.set()
    await until(lambda: len(store.recorded) == 14)
    await made.stop()


async def test_nothing_is_asked_for_until_some_wait() -> None:
    store, judge = Store(1), Judge()
    made, worker = make(store, judge)
    tell(worker, 0)
    await asyncio.sleep(0.05)
    assert store.taken == []
    tell(worker, 1)
    await until(lambda: judge.under_way == 1)
    await made.stop()


async def test_whoever_is_idle_is_told_before_it_renews_anything_and_after_an_outage_again() -> None:
    store, judge = Store(1), Judge()
    made, _ = make(store, judge)
    store.told.put_nowait(1)
    await until(lambda: judge.under_way == 1)
    store.told.put_nowait(0)  # the jobstore goes, and comes back
    await until(lambda: store.tells == 2)
    store.waiting.append(lease(uuid4()))
    store.told.put_nowait(1)
    await until(lambda: judge.under_way == 2)
    await made.stop()


async def test_what_comes_while_it_looks_for_more_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AGAIN_S", "AGAIN_MAX_S", "LINGER_S"):
        monkeypatch.setattr(free_judgings, name, 3600.0)
    store, judge = Store(1), Judge()
    made, _ = make(store, judge)
    for more in ([], [lease(uuid4())]):
        store.waiting += more
        store.told.put_nowait(1)
        await until(lambda: not store.waiting)
    await until(lambda: judge.under_way == 2)
    await made.stop()


async def test_others_are_judged_while_outcomes_are_reported_and_no_more_than_are_judged_at_once() -> None:
    store, judge = Store(20), Judge()
    store.finishes.clear()
    judge.may.set()
    made, worker = make(store, judge)
    tell(worker, 20)
    await until(lambda: len(store.waiting) == 10)
    await asyncio.sleep(0.05)
    assert len(store.waiting) == 10
    store.finishes.set()
    await until(lambda: len(store.recorded) == 20)
    await made.stop()


async def test_live_jobs_go_first() -> None:
    store, judge = Store(5), Judge()
    made, worker = make(store, judge)
    for _ in range(9):
        worker._slots.take()
    tell(worker, 5)
    await until(lambda: judge.under_way == 1)
    worker._slots.take()
    await asyncio.sleep(0.05)
    assert judge.under_way == 1, "no room is left for jobs, hence none for these"
    for _ in range(10):
        worker._slots.leave()
    await until(lambda: judge.under_way == 5)
    await made.stop()


async def test_what_is_lost_is_aborted_and_what_is_held_renewed() -> None:
    store, judge = Store(2), Judge()
    store.lease_s = 0.1
    made, worker = make(store, judge)
    lost, held = store.waiting
    store.lost = {lost}
    tell(worker, 2)
    await until(lambda: judge.aborted == 1)
    judge.may.set()
    await until(lambda: store.recorded.keys() == {held})
    assert lost in store.renewed
    await made.stop()


async def test_an_outage_is_waited_out_and_no_outcome_is_lost() -> None:
    store, judge = Store(1), Judge()
    made, worker = make(store, judge)
    store.is_away = True
    tell(worker, 1)
    await asyncio.sleep(0.05)
    store.is_away = False
    await until(lambda: judge.under_way == 1)
    store.is_away = True
    judge.may.set()
    await asyncio.sleep(0.05)
    assert not store.recorded
    store.is_away = False
    await until(lambda: len(store.recorded) == 1)
    await made.stop()


async def test_an_unexpected_error_is_an_outcome() -> None:
    store = Store(1)

    async def fail(_: FreeGrant) -> FreeOutcome:
        raise ZeroDivisionError

    made, worker = make(store, fail)  # type: ignore[arg-type]
    tell(worker, 1)
    await until(lambda: store.recorded)
    assert [one.code for one in store.recorded.values()] == [ErrorCode.VALIDATOR_ERROR]
    await made.stop()


async def test_a_validator_that_stops_gives_back_what_is_under_way() -> None:
    store, judge = Store(3), Judge()
    leases = set(store.waiting)
    made, worker = make(store, judge)
    tell(worker, 3)
    await until(lambda: judge.under_way == 3)
    await made.stop()
    assert set(store.given_back) == leases
    assert judge.aborted == 3
    assert worker.on_waiting is None


async def test_what_was_spent_is_told_of_what_the_jobstore_has_ended() -> None:
    store, judge = Store(1), Judge()
    judge.usage, store.lease_s = Usage(input_tokens=3, cost_usd=0.5), 0.1
    (ended,) = store.waiting
    made, worker = make(store, judge)
    tell(worker, 1)
    await until(lambda: judge.under_way)
    store.lost.add(ended)
    await until(lambda: ended in store.recorded)
    told = store.recorded[ended]
    assert (told.verdict, told.code, told.cost_nanos, told.tokens, judge.aborted) == (
        None,
        "cancelled",
        500_000_000,
        3,
        1,
    )
    await made.stop()


class AwayJudge:
    """Is away once, and then says what it is asked nothing of."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self, question: Question) -> Reply:
        self.asked += 1
        if self.asked == 1:
            raise JudgeUnavailableError("away", code="judge_unreachable")
        names = [f"c{number}" for number in range(1, question.count + 1)]
        failed = {"evidence": None, "comment": "", "outcome": "fail"}
        return Reply(
            json.dumps(dict.fromkeys(names, failed) | {"reason": "no"}), "m", Usage(input_tokens=3, cost_usd=0.5)
        )


async def judged(kind: JudgingKind, **fields: Any) -> FreeOutcome:
    grant = FreeGrant(
        lease=lease(uuid4()), lease_s=10.0, kind=kind, **{"result": "blue", "acceptance_criteria": "A\nB", **fields}
    )
    away = AwayJudge()
    budget = JudgingBudget(grant.budget)
    return await judge_free(lambda *_: away, JudgeConfig(), grant, budget, probe=_probe, name_own=lambda: "default@4")


async def _probe(model: JudgeModel | None, _: str) -> JsonValue:
    return {"model": model and model.model}


async def test_no_judge_is_asked_for_a_job_whose_budget_is_used_up() -> None:
    spent = await judged(JudgingKind.REJUDGE, budget=Budget(nanos=1_000_000_000, spent_nanos=1_000_000_000))
    assert (spent.verdict, spent.code, spent.cost_nanos) == (None, "budget_exhausted", 0)


async def test_whoever_waits_is_told_that_the_judge_is_away_and_a_shadow_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNOFF_BACKOFF_FIRST_S", "0.01")
    tried = await judged(JudgingKind.TRY)
    assert (tried.verdict, tried.code) == (None, "judge_unreachable")
    shadow = await judged(JudgingKind.SHADOW)
    assert not json.loads(shadow.verdict or "")["is_valid"]
    assert (shadow.cost_nanos, shadow.tokens, shadow.code) == (500_000_000, 3, "")


@pytest.mark.parametrize("kind", [JudgingKind.SHADOW, JudgingKind.REJUDGE, JudgingKind.EVALUATE])
async def test_a_verdict_names_the_policy_also_where_it_is_the_validators_own(kind: JudgingKind) -> None:
    named = JudgePolicy(name="strict", version=3).model_dump_json()
    for policy, reference in (("", "default@4"), (named, "strict@3")):
        made = await judged(kind, result="", policy=policy)
        assert json.loads(made.verdict or "")["judge"] == reference


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"acceptance_criteria": "optional: A"}, "no_required_criterion"),
        ({"policy": "{}"}, "judge_policy_not_supported"),
    ],
)
async def test_what_cannot_be_judged_says_why(fields: dict[str, Any], code: str) -> None:
    assert (await judged(JudgingKind.SHADOW, **fields)).code == code


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
