"""Carry out judgings without a job: take some while any wait, judge them, and report their outcomes in batches.

Jobs go first: they have all of the validator's capacity. Judgings without a job have SHARE of it in addition, while the
validator has room for jobs at all; outcomes that are not recorded yet may take as many places again.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from pydantic import JsonValue
from pydantic_core import from_json

from contracts.judging.policy import JudgeModel
from contracts.resources import Usage
from servicekit.errors import PermanentError, TransientError
from servicekit.leasing.worker import Lease, Worker
from servicekit.logs import note_about
from servicekit.retry import backoffs_s
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.status import JudgingKind
from signoff.values import to_nanos
from validator.errors import JudgeAnswerError, JudgeUnavailableError, JudgmentError, PolicyNotSupportedError
from validator.judge_config import JudgeConfig
from validator.judging import JudgingBudget, judge_granted, read_policy
from validator.ports import FindJudge, FreeGrant, FreeJudgings, FreeOutcome, RunChecks
from validator.verdict import to_storable

log = logging.getLogger(__name__)

#: The share of a validator's capacity for judgings without a job; outcomes that are not recorded yet have as much.
SHARE: Final = 0.5
#: Outcomes in one report at most, and seconds for which the first of them, or the first free place, waits for others.
OUTCOMES_MAX: Final = 200
GATHER_S: Final = 0.05
#: Seconds without any judging after which a validator takes none until the jobstore reports some.
LINGER_S: Final = 5.0
#: Seconds until it asks again after it was given fewer than it has room for.
AGAIN_S: Final = 0.1
AGAIN_MAX_S: Final = 1.0
#: Seconds until it watches again, while the jobstore is out of reach or of a version without that call.
WATCH_AGAIN_S: Final = 1.0
WATCH_AGAIN_MAX_S: Final = 30.0
#: Seconds that a validator that stops may take to report, and to give back judgings under way.
STOP_S: Final = 2.0

#: Return the capabilities of the server of a model of a tenant's policy; for None, of the validator's own.
Probe = Callable[[JudgeModel | None, str], Awaitable[JsonValue]]

#: Kinds of judgings whose caller waits for the answer.
_AWAITED: Final = frozenset({JudgingKind.TRY, JudgingKind.TEST})


async def judge_free(
    find_judge: FindJudge,
    config: JudgeConfig,
    grant: FreeGrant,
    budget: JudgingBudget,
    *,
    run_checks: RunChecks | None = None,
    probe: Probe,
    name_own: Callable[[], str | None] = lambda: None,
) -> FreeOutcome:
    """Carry out a judging without a job, within a budget, and return its outcome.

    An absent judge fails a try or a test, whose caller waits; others wait for the judge. A test's verdict has each
    judge's capabilities, as `judges`. `name_own` returns the version of `default` with the own settings.
    """
    started = time.monotonic()
    verdict, code, message = None, "", ""

    absences: list[float] | None = None if grant.kind in _AWAITED else []
    try:
        made = await judge_granted(
            grant, grant.result, config, find_judge, budget, run_checks=run_checks, absences=absences
        )
        made.judge = made.judge or name_own()
        verdict = made.model_dump_json(exclude_defaults=True)
        if grant.kind == JudgingKind.TEST:
            policy = read_policy(grant.policy)
            named = [config.refuter] if policy is None else policy.list_judges()
            models = [None, *filter(None, named)] if policy is None else [*named] or [None]
            judges = [await probe(model, grant.policy_tenant) for model in models]
            verdict = json_text(from_json(verdict) | {"judges": judges})
    except (JudgmentError, JudgeUnavailableError, JudgeAnswerError, PolicyNotSupportedError) as error:
        code, message = error.code, to_storable(str(error))
    usage = budget.usage or Usage()
    cost_nanos = to_nanos(usage.cost_usd or 0)
    return FreeOutcome(verdict, code, message, cost_nanos, usage.tokens, time.monotonic() - started)


class _Held(NamedTuple):
    """A judging under way, its budget, and how many places it takes: a large one takes several."""

    task: asyncio.Task[None]
    budget: JudgingBudget
    weight: int


class FreeJudgingWorker:
    """Take judgings without a job from the jobstore, hold their leases, judge them, and report their outcomes."""

    def __init__(
        self,
        worker: Worker,
        judgings: FreeJudgings,
        judge: Callable[[FreeGrant, JudgingBudget], Awaitable[FreeOutcome]],
        capacity: int,
    ) -> None:
        """Take dependencies; `judge` carries out one judging, and an error in it is reported as VALIDATOR_ERROR."""
        self._worker = worker
        self._judgings = judgings
        self._judge = judge
        self._share = max(1, int(capacity * SHARE))
        self._held: dict[Lease, _Held] = {}
        self._done: dict[Lease, FreeOutcome] = {}
        self._settling = set[asyncio.Task[None]]()
        self._lease_s = 10.0
        self._are_waiting = asyncio.Event()
        self._changed, self._taken = asyncio.Event(), asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to take judgings whenever the jobstore reports that some wait, until `stop` is called."""
        self._worker.on_waiting = self._note_waiting
        loops = (self._watch_for_ever(), self._take_for_ever(), self._report_for_ever())
        self._loops = [asyncio.create_task(loop) for loop in loops]

    def _note_waiting(self, waiting: int) -> None:
        if waiting:
            self._are_waiting.set()

    async def _watch_for_ever(self) -> None:
        """Watch for waiting judgings. Renewals of leases report them, too, but an idle worker makes few renewals."""
        waits = backoffs_s(WATCH_AGAIN_S, WATCH_AGAIN_MAX_S)
        while True:
            try:
                async for waiting in self._judgings.watch():
                    waits = backoffs_s(WATCH_AGAIN_S, WATCH_AGAIN_MAX_S)
                    self._note_waiting(waiting)
            except (TransientError, PermanentError) as error:
                log.debug("waiting judgings are not watched", extra={"code": error.code, "reason": str(error)})
            await asyncio.sleep(next(waits))

    @property
    def _room(self) -> int:
        held = sum(each.weight for each in self._held.values())
        return min(self._share - held, 2 * self._share - held - len(self._done), self._worker.room)

    async def _take_for_ever(self) -> None:
        while True:
            await self._are_waiting.wait()
            taken_at, waits = time.monotonic(), backoffs_s(AGAIN_S, AGAIN_MAX_S)
            while time.monotonic() - taken_at < LINGER_S:
                self._are_waiting.clear()
                self._changed.clear()
                room = self._room
                taken = await self._take(room) if room > 0 else 0
                if taken:
                    taken_at, waits = time.monotonic(), backoffs_s(AGAIN_S, AGAIN_MAX_S)
                if room > 0 and taken < room:
                    await _wait(self._are_waiting, next(waits))
                else:  # until there is more room, or may be: jobs may take it and leave it unseen
                    taken_at = time.monotonic()
                    await _wait(self._changed, AGAIN_MAX_S)
                    await asyncio.sleep(GATHER_S)

    async def _take(self, room: int) -> int:
        """Take and start up to `room` judgings, and return how many were taken: 0 if the jobstore is out of reach."""
        asked_at = time.monotonic()
        try:
            taken = await self._judgings.take(self._worker.owner, room)
        except (TransientError, PermanentError) as error:
            log.warning("no judgings can be taken", extra={"code": error.code, "reason": str(error)})
            return 0
        for grant in taken:
            if time.monotonic() >= asked_at + grant.lease_s:  # another validator has it, or will
                continue
            self._lease_s = grant.lease_s
            budget = JudgingBudget(grant.budget)
            task = asyncio.create_task(self._make(grant, budget, asked_at))
            self._held[grant.lease] = _Held(task, budget, self._worker.weigh(grant.size))
            self._taken.set()
        return len(taken)

    async def _make(self, grant: FreeGrant, budget: JudgingBudget, began_at: float) -> None:
        note_about(judging_id=grant.lease.execution_id)
        try:
            outcome = await self._judge(grant, budget)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("a judging failed by a bug")
            message = f"the validator failed unexpectedly ({type(error).__name__}), and its log says how"
            outcome = FreeOutcome(
                code=ErrorCode.VALIDATOR_ERROR, message=message, duration_s=time.monotonic() - began_at
            )
        if self._held.pop(grant.lease, None) is not None:
            self._done[grant.lease] = outcome
            self._changed.set()

    async def _settle(self, lease: Lease, task: asyncio.Task[None], budget: JudgingBudget) -> None:
        """Stop a judging whose lease the jobstore has ended, and have the cost of its asks, if any, reported."""
        task.cancel()
        await asyncio.wait([task])
        if (usage := await budget.settle()) is not None:
            cost_nanos = to_nanos(usage.cost_usd or 0)
            self._done[lease] = FreeOutcome(code=ErrorCode.CANCELLED, cost_nanos=cost_nanos, tokens=usage.tokens)
            self._taken.set()

    async def _report_for_ever(self) -> None:
        reported_at = time.monotonic()
        while True:
            if not self._held and not self._done:
                self._taken.clear()
                await self._taken.wait()
            await asyncio.sleep(GATHER_S)
            is_due = self._held and time.monotonic() - reported_at >= self._lease_s / 5
            if not self._done and not is_due:
                continue
            try:
                if is_due or time.monotonic() - reported_at >= self._lease_s / 5:
                    reported_at = time.monotonic()
                    await self._report(list(self._held))
                else:
                    await self._report([])
            except (TransientError, PermanentError) as error:
                log.warning("judgings are not reported, trying again", extra={"code": error.code, "reason": str(error)})
                await asyncio.sleep(AGAIN_MAX_S)

    async def _report(self, held: list[Lease], given_back: list[Lease] | None = None) -> None:
        """Report outcomes, renew the leases `held`, give others back, and stop judgings whose leases have ended."""
        outcomes = dict(list(self._done.items())[:OUTCOMES_MAX])
        kept = await self._judgings.finish(self._worker.owner, outcomes, held, given_back or [])
        for lease in outcomes:
            self._done.pop(lease, None)
        for lease in held:
            if lease not in kept and (ended := self._held.pop(lease, None)) is not None:
                settling = asyncio.create_task(self._settle(lease, ended.task, ended.budget))
                self._settling.add(settling)
                settling.add_done_callback(self._settling.discard)
        self._changed.set()

    async def stop(self) -> None:
        """Take no more judgings, report outcomes and give back leases; leases that remain after STOP_S lapse."""
        self._worker.on_waiting = None
        for loop in self._loops:
            loop.cancel()
        given_back = list(self._held)
        tasks = [each.task for each in self._held.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*self._loops, *tasks, return_exceptions=True)
        self._held.clear()
        try:
            async with asyncio.timeout(STOP_S):
                while self._done or given_back:
                    await self._report([], given_back)
                    given_back = []
        except (TimeoutError, TransientError, PermanentError):
            log.warning("judgings are left to lapse", extra={"held": len(given_back), "outcomes": len(self._done)})


async def _wait(event: asyncio.Event, at_most_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(at_most_s):
            await event.wait()
