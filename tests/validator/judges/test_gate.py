"""The way to one server: who may go goes at once, the others in their order, and who leaves keeps no place."""

import asyncio
import json
import random
from typing import Any

import fake_judge as fake
import pytest
from prometheus_client import REGISTRY
from support.fakes import until

from servicekit.models import pace
from servicekit.models.pace import AnswerHeaders, Gate, Quota
from servicekit.models.servers import Servers
from signoff.status import Outcome
from validator.errors import JudgeAnswerError, JudgeUnavailableError, JudgmentError
from validator.judge_config import JudgeConfig
from validator.judges.openai import METRICS
from validator.judging import RetryingJudge, validate_agent_response
from validator.panel import RetryLimit
from validator.ports import Reply
from validator.prompt import Question


async def test_who_may_go_by_what_the_server_said_goes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.0)
    gate = Gate("a server of its own", METRICS)
    async with asyncio.timeout(0):  # which ends whatever waits at all
        gate.note_answer(await gate.enter(1_000), AnswerHeaders(tokens=Quota(1_000, 10_000, 50)))
        gate.note_refusal(await gate.enter(1_000), AnswerHeaders(), 0.0)
        await gate.enter(0)
    assert REGISTRY.get_sample_value("signoff_judge_refusals_total", {"server": "a server of its own"}) == 1


async def test_who_waits_goes_in_order_and_may_leave() -> None:
    gate = Gate("a-server", METRICS)
    turn = await gate.enter(1.0)
    gate.note_refusal(turn, AnswerHeaders(), 0.05)
    went: list[int] = []

    async def go(number: int) -> None:
        mine = await gate.enter(1.0)
        went.append(number)
        await asyncio.sleep(0)
        gate.note_answer(mine, AnswerHeaders())

    tasks = [asyncio.create_task(go(number)) for number in range(6)]
    await asyncio.sleep(0)
    for left in (0, 3):
        tasks[left].cancel()
    await until(lambda: len(went) == 4)
    assert went == [1, 2, 4, 5]


async def test_who_waits_for_the_pace_is_counted_at_all_servers_and_who_left_is_not() -> None:
    servers, waiting = Servers(METRICS), list["asyncio.Task[Any]"]()
    for name in ("a", "b"):
        gate = servers.find_gate(f"http://{name}/v1", "key")
        gate.note_refusal(await gate.enter(1.0), AnswerHeaders(), 60.0)
        waiting += [asyncio.create_task(gate.enter(1.0)) for _ in range(2)]
    assert servers.count_waiting() == 0
    await asyncio.sleep(0)
    assert servers.count_waiting() == 4
    waiting[1].cancel()  # it stands behind another one, and is taken out once that goes
    await asyncio.wait(waiting[1:2])
    assert servers.count_waiting() == 3
    for each in waiting:
        each.cancel()
    await asyncio.wait(waiting)


async def test_who_left_holds_up_nobody_behind() -> None:
    gate = Gate("a-server", METRICS)
    gate.note_refusal(await gate.enter(1.0), AnswerHeaders(), 0.05)
    first, leaving, last = (asyncio.create_task(gate.enter(1.0)) for _ in range(3))
    await asyncio.sleep(0)
    leaving.cancel()
    async with asyncio.timeout(60):
        await asyncio.gather(first, last)


async def test_whoever_is_let_in_as_it_leaves_keeps_no_place() -> None:
    gate = Gate("a-server", METRICS)
    turns = [await gate.enter(1.0) for _ in range(int(pace.WINDOW_FIRST))]
    late = asyncio.create_task(gate.enter(1.0))
    await asyncio.sleep(0)
    gate.leave()  # lets it in
    late.cancel()  # before it runs
    with pytest.raises(asyncio.CancelledError):
        await late
    assert len(turns) == pace.WINDOW_FIRST
    async with asyncio.timeout(60):
        await gate.enter(1.0)


async def test_a_small_question_does_not_overtake_a_large_one_that_waits_for_tokens() -> None:
    gate = Gate("a-server", METRICS)
    gate.note_answer(await gate.enter(1.0), AnswerHeaders(tokens=Quota(100, 10_000, 600)))
    large, small = (asyncio.create_task(gate.enter(tokens)) for tokens in (5_000.0, 1.0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not small.done()
    large.cancel()
    async with asyncio.timeout(60):
        await small


GOOD = fake.answer(2, evidence="Hello, world")
DOUBTFUL = fake.answer(2, evidence="Goodbye, all of you")
LIMITS = JudgeConfig(asks_within_s=30)


class SlowJudge:
    """Says what it is told to, each in its time."""

    def __init__(self, *says: tuple[float, dict[str, Any] | None]) -> None:
        self.says = list(says)
        self.asked = 0

    async def ask(self, question: Question) -> Reply:
        del question
        latency_s, said = self.says[min(self.asked, len(self.says) - 1)]
        self.asked += 1
        if said is None:
            error = JudgeAnswerError("it was cut off", code="judge_incomplete")
            error.latency_s = latency_s
            raise error
        return Reply(json.dumps(said), latency_s=latency_s)


async def judge(slow: SlowJudge) -> Any:
    return await validate_agent_response({"text": "Hello, world"}, "It greets\nIt is kind", LIMITS, judge=slow)


@pytest.mark.parametrize(("latency_s", "asked"), [(0.1, 4), (7.5, 4), (9, 3), (14, 2), (16, 1), (90, 1)])
async def test_what_is_doubtful_is_asked_about_while_there_is_time(latency_s: float, asked: int) -> None:
    slow = SlowJudge((latency_s, DOUBTFUL))
    verdict = await judge(slow)
    assert slow.asked == asked
    assert {one.outcome for one in verdict.criteria} == {Outcome.CANNOT_ASSESS}


async def test_the_first_sound_answer_decides_however_long_it_takes() -> None:
    slow = SlowJudge((500, GOOD))
    assert (await judge(slow)).is_valid


async def test_one_pass_after_a_doubt_is_no_pass_where_there_is_no_time_for_a_second() -> None:
    slow = SlowJudge((12, DOUBTFUL), (12, GOOD))
    assert not (await judge(slow)).is_valid
    assert slow.asked == 2


async def test_without_any_answer_in_time_the_judgement_fails() -> None:
    slow = SlowJudge((31, None))
    with pytest.raises(JudgmentError) as error:
        await judge(slow)
    assert (error.value.code, slow.asked) == ("judge_incomplete", 1)
    assert str(error.value).startswith("the judge's answers took 31 s, and it is not asked again: it was cut off")


async def test_many_criteria_are_all_asked_about_once() -> None:
    counts = []

    class Counting:
        async def ask(self, question: Question) -> Reply:
            counts.append(question.count)
            return Reply(json.dumps(fake.answer(question.count, evidence="Hello, world")), latency_s=60)

    criteria = "\n".join(f"It is criterion {number}" for number in range(45))
    assert (await validate_agent_response({"text": "Hello, world"}, criteria, LIMITS, judge=Counting())).is_valid
    assert counts == [5] * 9


async def test_a_judge_that_is_away_is_waited_for_and_its_absence_is_told_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("servicekit.retry.BACKOFF_FIRST_S", 0.001)
    absences: list[float] = []
    told: list[int] = []

    class Away:
        async def ask(self, question: Question) -> Reply:
            told.append(len(absences))
            if len(told) < 4:
                raise JudgeUnavailableError("away")
            return Reply(str(question.count))

    patient, question = RetryingJudge(Away(), absences), Question("", "", "", 1, "")
    reply = await patient.ask(question)
    assert (reply.text, told, absences) == ("1", [0, 1, 1, 1], [])
    assert (reply.refused, reply.last_refusal) == (3, "judge_unavailable")
    assert await patient.ask(question) == Reply("1"), "which was not refused"


async def test_what_refused_an_ask_before_nonsense_came_is_told_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("servicekit.retry.BACKOFF_FIRST_S", 0.001)
    refusal = JudgeUnavailableError("slower", code="judge_rate_limited")
    refusal.status = 429
    answers = [JudgeUnavailableError("no answer", code="judge_timeout"), refusal, JudgeAnswerError("nonsense")]

    class Odd:
        async def ask(self, _: Question) -> Reply:
            raise answers.pop(0)

    with pytest.raises(JudgeAnswerError) as error:
        await RetryingJudge(Odd(), []).ask(Question("", "", "", 1, ""))
    assert (error.value.refused, error.value.last_refusal) == (2, "429")


def test_answers_that_nobody_measured_take_no_time() -> None:
    retry_limit = RetryLimit(0.5)
    for _ in range(9):
        retry_limit.spend(None)
    assert retry_limit.may_retry
