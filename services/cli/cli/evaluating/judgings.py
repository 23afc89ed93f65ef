"""Have cases judged through the jobstore: as judgings without a job, which validators make and which reuse nothing."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import Final
from uuid import UUID

from cli.errors import CommandError, ExitStatus
from cli.evaluating.run import JudgeCases
from cli.options import validate_model
from contracts.judging.cases import Case
from contracts.judging.evaluation import Asked, Judged
from contracts.judging.policy import DEFAULT_POLICY
from contracts.resources import CASES_MAX, NewJudgings
from signoff import AsyncClient
from signoff.errors import ErrorCode
from signoff.judging import Judging
from signoff.status import JudgingKind

#: Bytes of JSON that one call sends, at most: less than gRPC takes, unless a single case has more.
CALL_MAX_BYTES: Final = 2 << 20
#: Verdicts that one call returns.
PAGE: Final = 50


def judge_through(jobstore: AsyncClient, evaluation: UUID, submission: int = 1) -> JudgeCases:
    """Return what judges cases of an evaluation through a jobstore, each as if it were this submission of its job."""

    async def judge(cases: Sequence[Case], policy: str, repeat: int) -> Sequence[Judged]:
        judged: list[Judged] = []
        for some in _divide(cases):
            named = None if policy == DEFAULT_POLICY else policy
            asked = {
                "kind": JudgingKind.EVALUATE,
                "cases": [case.ask(submission) | {"labels": case.write_labels()} for case in some],
                "judge": named,
                "evaluation": evaluation,
                "repeat": repeat,
            }
            judged += [_read(made) for made in await _make(jobstore, validate_model(NewJudgings, asked, "--judge"))]
        return judged

    return judge


def _divide(cases: Sequence[Case]) -> list[list[Case]]:
    """Return the cases in calls that are not too large."""
    calls: list[list[Case]] = []
    room = 0
    for case in cases:
        size = len(case.write())
        if size > room or len(calls[-1]) == CASES_MAX:
            calls.append([])
            room = CALL_MAX_BYTES
        calls[-1].append(case)
        room -= size
    return calls


async def _make(jobstore: AsyncClient, new: NewJudgings) -> list[Judging]:
    group_id = await jobstore.create_judgings(new)
    async with aclosing(jobstore.watch_judgings(group_id)) as progress:
        async for _ in progress:
            pass
    made: list[Judging] = []
    token: str | None = ""
    while token is not None:
        page, following = await jobstore.get_judgings(group_id, page_size=PAGE, page_token=token)
        made += page
        token = following or None
    if len(made) != len(new.cases):
        message = f"{len(new.cases)} judgings were asked for, and {len(made)} came back: are they older than a day?"
        raise CommandError(message, code=ErrorCode.JUDGINGS_LOST, status=ExitStatus.NOT_MET)
    return sorted(made, key=lambda one: one.item)


def _read(made: Judging) -> Judged:
    if made.verdict is None:
        return Judged("", False, error=made.code or ErrorCode.NO_VERDICT, reason=made.message or "")
    judged = Judged.of(made.verdict)
    if judged.asks:
        return judged
    # A verdict without stages says nothing of its asks; what they took together is known.
    asked = Asked("judge", judged.outcomes, made.cost_usd or None, made.duration_s, made.tokens or None)
    return judged._replace(asks=[asked]) if made.tokens else judged
