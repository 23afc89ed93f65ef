"""Cases become judgings without a job, and their verdicts what is counted."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
import typer

from cli import evaluating
from cli.errors import CommandError
from cli.evaluating import judge_through
from contracts.judging.cases import make_case
from contracts.judging.evaluation import Asked, Judged
from contracts.judging.policy import Verdict
from contracts.resources import NewJudgings
from signoff.judging import CriterionVerdict, Judging
from signoff.status import JudgingState, Outcome

NOW = datetime(2026, 11, 26, tzinfo=UTC)
EVALUATION = uuid4()


def say(case, number):
    """The verdict on a case: what its result says of each of its criteria."""
    made = Judging(item=number, kind="evaluate", state=JudgingState.DONE, created_at=NOW)
    if case.result == "lost":
        return made.model_copy(update={"code": "judge_refused", "message": "no"})
    criteria = [
        CriterionVerdict(text=text, outcome=Outcome(case.result)) for text in case.acceptance_criteria.splitlines()
    ]
    verdict = Verdict.of(criteria, "because").model_copy(update={"judge": "strict@2"})
    return made.model_copy(update={"verdict": verdict})


class FakeJudgings:
    """The part of the jobstore's client that is asked: judgings come back the last ones first."""

    def __init__(self):
        self.asked: list[NewJudgings] = []
        self.forgotten = 0
        self.took = {}

    async def create_judgings(self, new):
        self.asked.append(new)
        return len(self.asked) - 1

    async def watch_judgings(self, group_id):
        yield group_id

    async def iter_judgings(self, group_id, **_page):
        made = [say(case, number) for number, case in enumerate(self.asked[group_id].cases)][self.forgotten :]
        for one in reversed(made):
            yield one.model_copy(update=self.took)


@pytest.fixture
def jobstore():
    return FakeJudgings()


def make(result, name="a"):
    fields = {"acceptance_criteria": "It rhymes\nnever: It swears", "label": True, "title": "a poem"}
    return make_case({"id": name, "result": result, "payload": {"n": 1}, **fields})


async def test_each_case_gets_its_own_verdict(jobstore):
    cases = [make("pass"), make("fail", "b"), make("cannot_assess", "c")] * 20
    judged = await judge_through(jobstore, EVALUATION)(cases, "strict", 1)
    assert [(one.outcomes, one.accepted) for one in judged] == [("pp", True), ("ff", False), ("cc", False)] * 20
    assert {one.version for one in judged} == {"strict@2"}


async def test_a_case_is_sent_with_all_that_checks_and_judges_look_at(jobstore):
    await judge_through(jobstore, EVALUATION, submission=2)([make("pass")], "strict@2", 1)
    (new,) = jobstore.asked
    (case,) = new.cases
    assert (new.kind, new.judge, new.evaluation, new.repeat) == ("evaluate", "strict@2", EVALUATION, 1)
    assert case.labels == "t--"
    assert case.acceptance_criteria == "It rhymes\nnever: It swears"
    assert (case.result, case.title, case.payload, case.submission) == ("pass", "a poem", {"n": 1}, 2)


async def test_default_is_what_validators_are_set_to(jobstore):
    await judge_through(jobstore, EVALUATION)([make("pass")], "default", 1)
    assert jobstore.asked[0].judge is None


async def test_what_was_not_judged_says_why(jobstore):
    judged = await judge_through(jobstore, EVALUATION)([make("lost")], "strict", 1)
    assert judged == [Judged("", False, error="judge_refused", reason="no")]


async def test_calls_hold_no_more_than_is_taken(jobstore, monkeypatch):
    size = len(make("pass").write())
    monkeypatch.setattr(evaluating, "CALL_MAX_BYTES", 2 * size + size // 2)
    judged = await judge_through(jobstore, EVALUATION)([make("pass")] * 6, "strict", 1)
    assert len(judged) == 6
    assert [len(new.cases) for new in jobstore.asked] == [2, 2, 2]
    monkeypatch.setattr(evaluating, "CALL_MAX_BYTES", 1)
    jobstore.asked.clear()
    await judge_through(jobstore, EVALUATION)([make("pass")] * 2, "strict", 1)
    assert [len(new.cases) for new in jobstore.asked] == [1, 1]


async def test_judgings_that_are_gone_end_the_evaluation(jobstore):
    jobstore.forgotten = 1
    with pytest.raises(CommandError, match="2 judgings were asked for, and 1 came back"):
        await judge_through(jobstore, EVALUATION)([make("pass")] * 2, "strict", 1)


async def test_a_name_that_no_policy_can_have_is_a_wrong_option(jobstore):
    with pytest.raises(typer.BadParameter, match="judge: must be"):
        await judge_through(jobstore, EVALUATION)([make("pass")], "Bad Name", 1)
    assert jobstore.asked == []


async def test_what_the_asks_of_a_verdict_without_stages_took_is_known_in_sum(jobstore):
    jobstore.took = {"tokens": 120, "cost_usd": 0.25, "duration_s": 1.5}
    (judged,) = await judge_through(jobstore, EVALUATION)([make("pass")], "strict", 1)
    assert judged.asks == [Asked("judge", "pp", 0.25, 1.5, 120)]
