"""Evaluations: judgings that the jobstore counts itself, keeps, and promotes a version by."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from batch_world import NOBODY, World
from pydantic import ValidationError
from rejudge_world import Validator
from sqlalchemy import text

from contracts.judging.cases import Case, hash_cases, make_case
from contracts.judging.evaluation import Evaluation, Judged
from contracts.judging.policy import JudgePolicy, Verdict
from contracts.judging.versions import Counts
from contracts.resources import NewJudgings
from jobstore.api.judge_service import JudgeService
from jobstore.api.judging_service import JudgingService
from jobstore.engine.scoped import Callers
from jobstore.errors import InvalidError
from jobstore.judging import reads
from jobstore.judging import store as judgings
from jobstore.judging.queue import JudgingQueue
from servicekit.errors import PermanentError
from signoff.jsontext import json_text
from signoff.judging import Ask, CriterionVerdict, StageVerdict
from signoff.status import Outcome
from signoff.types import read_model
from signoff.v1 import judge_service_pb2 as pb
from signoff.v1 import judging_service_pb2
from signoff.wire import write_message
from signoff.worker.v1 import work_service_pb2 as work_pb

#: What a judge says of a result, how often it was asked before: whether it passes.
Say = Callable[[str, int], bool]
CRITERIA = "It rhymes\nnever: It swears"


class Evaluator:
    """Somebody who evaluates versions of a policy on labelled cases, and a judge that says what a test wants."""

    def __init__(self, world: World, validator: Validator) -> None:
        self.name = f"p-{uuid4().hex[:12]}"
        self._validator = validator
        self._database = world.database
        self.judges = JudgeService(Callers(world.database), world.runner, 1 << 20)
        self._judgings = JudgingService(
            Callers(world.database), world.runner, JudgingQueue(world.database, world.runner)
        )

    async def put(self, **fields: Any) -> int:
        request = pb.PutJudgePolicyRequest(policy_json=json_text({"name": self.name, **fields}))
        return (await self.judges.PutJudgePolicy(request, NOBODY)).version

    async def put_two_and_golden(self, **least: float) -> None:
        """Put two versions, of which the second waits, and the golden set."""
        for asks in ("all", "each"):
            await self.put(asks=asks)
        lines = "\n".join(case.write() for case in GOLDEN)
        await self.judges.PutGoldenSet(pb.PutGoldenSetRequest(name=self.name, cases_jsonl=lines, **least), NOBODY)

    async def judge(
        self, evaluation: UUID, version: int, cases: Sequence[Case], say: Say, repeat: int = 1
    ) -> list[Judged | None]:
        """Have cases judged once, and return what was made of them: None where nothing was."""
        await self.ask(evaluation, version, cases, repeat)
        made: dict[str, Judged | None] = {}
        while taken := await self._validator.take():
            for one in taken:
                if one.result_json == '"lost"':
                    outcome = work_pb.JudgingOutcome(lease=self._validator.prove(one.lease), code="judge_timeout")
                    assert await self._validator.finish(outcomes=[outcome]) == ["RECORDED"]
                    made[one.result_json] = None
                    continue
                verdict = self._decide(f"{self.name}@{version}", say(one.result_json.strip('"'), repeat))
                assert await self._validator.say([one], verdict) == ["RECORDED"]
                made[one.result_json] = Judged.of(verdict)
        return [made[json_text(case.result)] for case in cases]

    async def ask(self, evaluation: UUID, version: int, cases: Sequence[Case], repeat: int = 1, **other: Any) -> None:
        asked = [case.ask() | {"labels": case.write_labels()} for case in cases]
        fields = {"kind": "evaluate", "cases": asked, "evaluation": evaluation, "repeat": repeat}
        new = NewJudgings(**fields | {"judge": f"{self.name}@{version}"} | other)
        await self._judgings.CreateJudgings(write_message(judging_service_pb2.CreateJudgingsRequest, new), NOBODY)

    @staticmethod
    def _decide(policy: str, is_met: bool) -> Verdict:
        outcome, letter = (Outcome.PASS, "p") if is_met else (Outcome.FAIL, "f")
        criteria = [CriterionVerdict(text="It rhymes", outcome=outcome)]
        criteria.append(CriterionVerdict(text="It swears", kind="never", outcome=Outcome.PASS))
        asks = [Ask(model=f"{vote}", role="vote", vote=vote, outcomes=f"{letter}p") for vote in (1, 2)]
        asks.append(Ask(model="3", role="vote", vote=3, outcomes="pp"))
        stage = StageVerdict(kind="quorum", outcomes=f"{letter}p", asks=asks)
        return Verdict.of(criteria, "because", judge=policy, stages=[stage])

    async def keep(self, evaluation: UUID) -> list[str]:
        request = pb.KeepEvaluationRequest(evaluation=str(evaluation))
        return list((await self.judges.KeepEvaluation(request, NOBODY)).references)

    async def promote(self, version: int, report: Any) -> int:
        request = pb.PromoteJudgePolicyRequest(name=self.name, version=version, report_json=json_text(report))
        return (await self.judges.PromoteJudgePolicy(request, NOBODY)).policy.current

    async def show(self, version: int) -> Any:
        found = await self.judges.GetJudgePolicy(pb.GetJudgePolicyRequest(name=self.name), NOBODY)
        return next(one for one in read_model(found.policy).versions if one.version == version).evaluation

    async def forget(self) -> None:
        """Let a day pass."""
        async with self._database.session() as session:
            await session.execute(text("UPDATE judgings SET created_at = created_at - interval '25 hours'"))
            while await judgings.forget(session):
                pass
        assert await self.scalar("SELECT count(*) FROM judgings") == 0

    async def scalar(self, query: str) -> Any:
        async with self._database.session() as session:
            return await session.scalar(text(query))


@pytest.fixture
def evaluator(world: World, validator: Validator) -> Evaluator:
    return Evaluator(world, validator)


def make(name: str, *, label: bool | None, labels: list[bool | None] | None = None) -> Case:
    fields = {"id": name, "result": name, "acceptance_criteria": CRITERIA, "label": label, "labels": labels}
    made = make_case(fields)
    assert isinstance(made, Case)
    return made


GOLDEN = [make(f"good {n}", label=True) for n in range(30)] + [make(f"bad {n}", label=False) for n in range(30)]


def is_good(result: str, _repeat: int) -> bool:
    return result.startswith("good")


def lets_four_pass(result: str, _repeat: int) -> bool:
    return result.startswith("good") or result in {"bad 1", "bad 2", "bad 3", "bad 4"}


def report_of(evaluation: UUID, policy: str, cases: Sequence[Case], judged: Sequence[Judged | None]) -> dict[str, Any]:
    """Return the report that the command line writes."""
    counted = Evaluation([policy])
    for case, one in zip(cases, judged, strict=True):
        counted.add(case, {policy: [one or Judged("", False, error="judge_timeout")]})
    return {"evaluation": str(evaluation), **counted.report()}


async def code_of(promotion: Any) -> tuple[str, str]:
    with pytest.raises(PermanentError) as refused:
        await promotion
    return refused.value.code, str(refused.value)


async def test_a_version_takes_over_by_judgings_that_are_kept_and_not_by_what_its_report_says(
    evaluator: Evaluator,
) -> None:
    await evaluator.put_two_and_golden()
    reference, evaluation = f"{evaluator.name}@2", uuid4()
    report = report_of(evaluation, reference, GOLDEN, await evaluator.judge(evaluation, 2, GOLDEN, is_good))
    assert (await code_of(evaluator.promote(2, report)))[0] == "golden_not_kept"
    assert await evaluator.keep(evaluation) == [reference]
    await evaluator.forget()
    assert await evaluator.promote(2, report) == 2, "by what is kept of judgings that are gone"


async def test_a_forged_report_promotes_nothing(evaluator: Evaluator) -> None:
    await evaluator.put_two_and_golden()
    reference, evaluation = f"{evaluator.name}@2", uuid4()
    report = report_of(evaluation, reference, GOLDEN, await evaluator.judge(evaluation, 2, GOLDEN, lets_four_pass))
    await evaluator.keep(evaluation)
    code, message = await code_of(evaluator.promote(2, report))
    assert (code, "26 of 30 bad results are refused" in message) == ("golden_failed", True)
    right = [Judged("pp" if case.label else "fp", case.label is True, version=reference) for case in GOLDEN]
    forged = report_of(evaluation, reference, GOLDEN, right)
    assert (await code_of(evaluator.promote(2, forged)))[0] == "golden_report_differs"
    assert (await code_of(evaluator.promote(2, forged | {"evaluation": str(uuid4())})))[0] == "golden_not_kept"
    assert (await evaluator.show(2)).overall.false_accepts == 4


async def test_a_policy_that_is_not_stored_cannot_judge_in_the_name_of_one_that_is(evaluator: Evaluator) -> None:
    easy = JudgePolicy(name=evaluator.name, version=2)
    with pytest.raises(ValidationError, match="a judge policy that is stored"):
        await evaluator.ask(uuid4(), 2, GOLDEN, judge=None, judge_policy=easy)
    with pytest.raises(ValidationError, match="goes with the kind"):
        await evaluator.ask(uuid4(), 2, GOLDEN, kind="try")


async def test_what_was_judged_first_counts_however_often_it_is_judged_again(evaluator: Evaluator) -> None:
    await evaluator.put_two_and_golden()
    evaluation = uuid4()
    await evaluator.judge(evaluation, 2, GOLDEN, lets_four_pass)
    await evaluator.judge(evaluation, 2, GOLDEN, is_good)
    await evaluator.judge(evaluation, 2, GOLDEN, is_good, repeat=2)
    await evaluator.keep(evaluation)
    code, message = await code_of(evaluator.promote(2, {"evaluation": str(evaluation)}))
    assert (code, "26 of 30 bad results are refused" in message) == ("golden_failed", True)


async def test_a_later_evaluation_of_the_same_cases_takes_the_place_of_one_before_and_of_others_does_not(
    evaluator: Evaluator,
) -> None:
    await evaluator.put_two_and_golden()
    first, second, other = uuid4(), uuid4(), uuid4()
    for evaluation, cases, say in ((first, GOLDEN, is_good), (second, GOLDEN, is_good), (other, GOLDEN[:2], is_good)):
        await evaluator.judge(evaluation, 2, cases, say)
        await evaluator.keep(evaluation)
    assert (await code_of(evaluator.promote(2, {"evaluation": str(first)})))[0] == "golden_not_kept"
    assert (await code_of(evaluator.promote(2, {"evaluation": str(other)})))[0] == "golden_other_cases"
    assert await evaluator.promote(2, {"evaluation": str(second)}) == 2


async def test_what_is_kept_is_what_the_report_says_of_each_version(evaluator: Evaluator) -> None:
    for asks in ("all", "each"):
        await evaluator.put(asks=asks)
    cases = [
        make("good", label=True, labels=[True, True]),
        make("bad", label=False, labels=[False, True]),
        make("good too", label=None, labels=[True, None]),
        make("bad too", label=False),
        make("lost", label=True),
        make("bad twice", label=False, labels=[False, None]),
        make("bad twice", label=False, labels=[False, None]),
    ]
    evaluation, reports = uuid4(), {}
    for version, say in ((1, is_good), (2, lambda result, repeat: result != "bad" or repeat == 2)):
        reference = f"{evaluator.name}@{version}"
        repeats = [await evaluator.judge(evaluation, version, cases, say, repeat) for repeat in (1, 2)]
        reports[version] = report_of(evaluation, reference, cases, repeats[0])["policies"][0]
    assert sorted(await evaluator.keep(evaluation)) == [f"{evaluator.name}@{version}" for version in (1, 2)]
    for version, report in reports.items():
        shown = await evaluator.show(version)
        assert shown.overall.model_dump() == {name: report["overall"][name] for name in Counts.model_fields}
        assert [one.model_dump() for one in shown.quorum] == report["quorum"]
        assert (shown.evaluation, shown.cases_hash) == (str(evaluation), hash_cases(cases))


async def test_an_evaluation_of_many_judgings_is_counted_page_by_page(evaluator: Evaluator) -> None:
    await evaluator.put_two_and_golden(flips_max=0.1)
    evaluation = uuid4()
    for repeat in range(1, reads.PAGE // len(GOLDEN) + 3):
        await evaluator.judge(
            evaluation, 2, GOLDEN, lambda result, at: is_good(result, at) != (result == "bad 7" and at > 1), repeat
        )
    await evaluator.keep(evaluation)
    assert Counts(**dict((await evaluator.show(2)).overall)).total().total == len(GOLDEN)
    assert await evaluator.promote(2, {"evaluation": str(evaluation)}) == 2, "one of sixty flips"


async def test_only_what_is_done_can_be_kept(evaluator: Evaluator) -> None:
    await evaluator.put()
    evaluation = uuid4()
    await evaluator.ask(evaluation, 1, GOLDEN)
    assert (await code_of(evaluator.keep(evaluation)))[0] == "evaluation_unfinished"
    assert (await code_of(evaluator.keep(uuid4())))[0] == "unknown_evaluation"
    with pytest.raises(InvalidError):
        await evaluator.judges.KeepEvaluation(pb.KeepEvaluationRequest(evaluation="x"), NOBODY)


async def test_labels_are_no_part_of_what_a_validator_is_granted(evaluator: Evaluator, validator: Validator) -> None:
    await evaluator.put()
    await evaluator.ask(uuid4(), 1, GOLDEN[:1])
    (taken,) = await validator.take()
    assert "labels" not in str(taken)
    assert "labels" not in await evaluator.scalar("SELECT asked::text FROM judgings")


async def test_labels_are_one_for_the_whole_and_one_for_each_criterion(evaluator: Evaluator) -> None:
    with pytest.raises(ValidationError, match="a letter for the whole and one for each criterion"):
        await evaluator.ask(uuid4(), 1, [dataclasses.replace(GOLDEN[0], labels=[])])
