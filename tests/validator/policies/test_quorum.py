"""A quorum: a majority of all votes passes, and nothing less does."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from stand_ins import (
    BARE_FAIL,
    FAIL,
    INVENTED,
    INVENTED_FAIL,
    LOOP,
    MEETS,
    PASS,
    TRUE,
    UNSURE,
    StandIn,
    is_harmless,
    judge,
    letters,
    policy_of,
)

from contracts.criteria import Criterion
from contracts.judging.policy import JudgeModel
from contracts.spending import Budget
from signoff.judging import CriterionVerdict
from signoff.status import Outcome
from validator.errors import BudgetExhaustedError, JudgeUnavailableError, JudgmentError
from validator.judging import BudgetedJudge, JudgingBudget, validate_agent_response
from validator.ports import Reply
from validator.prompt import PLAIN, Question
from validator.verdict import TEXT_MAX, Vote, count_votes, is_settled, join_sections

THREE = policy_of("quorum", "a", "b", "c")


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ([PASS, PASS, PASS], "p"),
        ([PASS, PASS, FAIL], "p"),
        ([PASS, FAIL, FAIL], "f"),
        ([PASS, PASS, UNSURE], "p"),
        ([PASS, FAIL, UNSURE], "c"),
        ([PASS, UNSURE, UNSURE], "c"),
        ([PASS, PASS, INVENTED], "p"),
        ([PASS, INVENTED, INVENTED], "c"),
        ([INVENTED, INVENTED, INVENTED], "c"),
        ([BARE_FAIL, BARE_FAIL, PASS], "f"),
    ],
)
async def test_the_majority_decides_and_a_pass_that_does_not_count_is_none(said, outcome) -> None:
    judges = [StandIn(one, name) for one, name in zip(said, "abc", strict=True)]
    verdict = await judge(THREE, *judges)
    assert letters(verdict) == outcome * 3
    assert verdict.is_valid == (outcome == "p")
    assert {tuple(one.evidence) for one in verdict.criteria} == (
        {(TRUE,)} if outcome == "p" else {tuple(one.evidence) for one in verdict.criteria}
    )
    assert {one.by for one in verdict.criteria} == {"quorum"}


async def test_a_tie_is_no_pass() -> None:
    verdict = await judge(policy_of("quorum", "a", "b"), StandIn(PASS, "a"), StandIn(FAIL, "b"))
    assert letters(verdict) == "ccc"
    assert verdict.judge_error is None
    assert "1 of 2 votes pass, 1 fail" in verdict.criteria[0].comment


async def test_each_criterion_has_its_own_majority() -> None:
    def rule_of(number: int):
        return lambda _, criterion: FAIL if criterion == MEETS[number] else PASS

    verdict = await judge(THREE, *(StandIn(rule_of(number), name) for number, name in enumerate("abc")))
    assert letters(verdict) == "ppp"
    assert sorted(ask.outcomes for ask in verdict.stages[0].asks) == ["fpp", "pfp", "ppf"]
    assert [(ask.model, ask.role, ask.vote) for ask in verdict.stages[0].asks] == [
        ("a", "vote", 1),
        ("b", "vote", 2),
        ("c", "vote", 3),
    ]
    assert verdict.model == "a, b, c (prompt 3)"


async def test_votes_of_one_model_come_in_other_orders_and_words() -> None:
    own = StandIn(PASS)
    assert (await judge(policy_of("quorum", votes=9), own)).is_valid
    questions = {one.request.partition("\n")[2] for one in own.asked}
    assert len({one.instructions for one in own.asked}) == 1
    assert (len(own.asked), len(questions)) == (9, 9)


async def test_whoever_votes_with_the_majority_says_why() -> None:
    verdict = await judge(THREE, StandIn(FAIL, "a"), StandIn(PASS, "b"), StandIn(PASS, "c"))
    assert verdict.reason == "as b sees it"


async def test_each_model_has_its_own_plain_vote() -> None:
    judges = [StandIn(PASS, name) for name in "ab"]
    await judge(policy_of("quorum", "a", "b", votes=3), *judges)
    assert [[question.manner == PLAIN for question in one.asked] for one in judges] == [[True, False], [True]]


async def test_a_judge_that_answers_nothing_sound_has_no_vote_and_stops_nobody() -> None:
    broken = StandIn(None, "c")
    verdict = await judge(THREE, StandIn(PASS, "a"), StandIn(PASS, "b"), broken)
    assert verdict.is_valid
    assert verdict.judge_error is None
    asks_of_it = [ask for ask in verdict.stages[0].asks if ask.model == "c"]
    assert [(ask.outcomes, ask.vote) for ask in asks_of_it] == [(None, 3)] * 5
    # Two votes that differ are no majority of three, and it is not the result's fault.
    verdict = await judge(THREE, StandIn(PASS, "a"), StandIn(FAIL, "b"), broken)
    assert letters(verdict) == "ccc"


@pytest.mark.parametrize("names", ["abc", "bc"])
async def test_half_of_the_judges_broken_decide_nothing(names) -> None:
    working, *broken = names
    with pytest.raises(JudgmentError) as error:
        await judge(policy_of("quorum", *names), StandIn(FAIL, working), *(StandIn(None, name) for name in broken))
    assert error.value.code == "judge_refused"


async def test_a_result_that_silences_most_judges_is_not_assessed_and_marked() -> None:
    def silenced(question: Question, _):
        return PASS if is_harmless(question) else None

    verdict = await judge(THREE, StandIn(PASS, "a"), StandIn(silenced, "b"), StandIn(silenced, "c"))
    assert (letters(verdict), verdict.judge_error) == ("ccc", "judge_refused")


async def test_a_judge_that_is_away_delays_and_never_decides() -> None:
    class Away:
        name = "c"

        async def ask(self, _: Question) -> Reply:
            raise JudgeUnavailableError("away", code="judge_unreachable")

    with pytest.raises(JudgeUnavailableError):
        await judge(THREE, StandIn(PASS, "a"), StandIn(PASS, "b"), Away())


async def test_where_one_vote_fails_by_a_bug_the_others_are_stopped() -> None:
    stopped = []

    class Slow:
        name = "b"

        async def ask(self, question: Question) -> Reply:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.append(question)
            raise AssertionError

    def fail(_, __):
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        await judge(THREE, StandIn(fail, "a"), Slow(), StandIn(PASS, "c"))
    assert len(stopped) == 1


async def test_all_votes_are_within_one_budget_and_each_says_its_cost() -> None:
    budget = JudgingBudget(Budget(nanos=50_000_000))
    models = {name: JudgeModel(model=name, input_usd=100.0, output_usd=200.0) for name in "ab"}
    judges = {name: StandIn(PASS, name) for name in "ab"}
    policy = policy_of("quorum", "a", "b").model_copy(update={"loop": LOOP})

    def judge_of(model: JudgeModel | None) -> BudgetedJudge:
        return BudgetedJudge(judges[model.model], budget, models[model.model])

    terms = {"result": {"text": TRUE}, "acceptance_criteria": MEETS, "policy": policy, "judge_of": judge_of}
    verdict = await validate_agent_response(**terms)
    assert [ask.cost_usd for ask in verdict.stages[0].asks] == [Decimal("0.012")] * 2
    assert budget.usage.cost_usd == Decimal("0.024")
    await validate_agent_response(**terms)
    with pytest.raises(BudgetExhaustedError):
        await validate_agent_response(**terms, submission=2)


CASCADE = policy_of("cascade", "cheap", "strong")


@pytest.mark.parametrize(("said", "outcome"), [(PASS, "p"), (FAIL, "f"), (BARE_FAIL, "f")])
async def test_what_the_cheap_judge_is_sure_of_stands(said, outcome) -> None:
    own, cheap, strong = StandIn(UNSURE), StandIn(said, "cheap"), StandIn(UNSURE, "strong")
    verdict = await judge(CASCADE, own, cheap, strong)
    assert letters(verdict) == outcome * 3
    assert (len(cheap.asked), len(strong.asked)) == (1, 0)
    assert verdict.model == "cheap (prompt 3)"


@pytest.mark.parametrize("said", [UNSURE, INVENTED, INVENTED_FAIL, None])
@pytest.mark.parametrize(("strongly", "outcome"), [(PASS, "p"), (FAIL, "f"), (UNSURE, "c"), (INVENTED, "c")])
async def test_a_cheap_judge_that_doubts_lies_or_rambles_decides_nothing(said, strongly, outcome) -> None:
    cheap, strong = StandIn(said, "cheap"), StandIn(strongly, "strong")
    verdict = await judge(CASCADE, cheap, strong)
    assert letters(verdict) == outcome * 3
    assert len(cheap.asked) == 1
    assert [ask.role for ask in verdict.stages[0].asks][:2] == ["cheap", "strong"]


async def test_the_strong_judge_is_asked_about_those_criteria_alone() -> None:
    cheap = StandIn(lambda _, criterion: UNSURE if criterion == MEETS[1] else PASS, "cheap")
    strong = StandIn(FAIL, "strong")
    verdict = await judge(CASCADE, cheap, strong)
    assert letters(verdict) == "pfp"
    assert [list(question.criteria) for question in strong.asked] == [[MEETS[1]]]
    assert [ask.outcomes for ask in verdict.stages[0].asks] == ["pcp", "-f-"]
    assert verdict.reason.startswith("as strong sees it")


async def test_whoever_decided_says_why() -> None:
    check = Criterion(text="max_words 3", kind="check")
    policy = CASCADE.model_copy(update={"judge_after_checks": True})
    cheap, strong = StandIn(lambda _, one: UNSURE if one == MEETS[1] else PASS, "cheap"), StandIn(PASS, "strong")
    verdict = await judge(policy, cheap, strong, acceptance_criteria=[*MEETS, check])
    failed = f"max_words 3: {verdict.criteria[3].comment}"
    assert verdict.reason == f"{failed}\nas strong sees it\nas cheap sees it"
    verdict = await judge(CASCADE, StandIn(UNSURE, "cheap"), strong)
    assert verdict.reason == "as strong sees it"


async def test_a_strong_judge_that_answers_nothing_sound_is_a_failure() -> None:
    with pytest.raises(JudgmentError):
        await judge(CASCADE, StandIn(UNSURE, "cheap"), StandIn(None, "strong"))


LETTERS = {
    "p": Outcome.PASS,
    "f": Outcome.FAIL,
    "c": Outcome.CANNOT_ASSESS,
    "s": Outcome.CANNOT_ASSESS,
    "u": Outcome.CANNOT_ASSESS,
}


def vote(letter: str, number: int = 0, kind: str = "meets", evidence: str | None = "", **fields: Any) -> Vote:
    """A vote with words of its own; `s` is a judge that was silent, `u` one that proved nothing."""
    verdict = CriterionVerdict(
        text="It rhymes",
        outcome=LETTERS[letter],
        kind=kind,
        evidence=[f"quote {number}"] if evidence == "" else [] if evidence is None else [evidence],
        comment=f"said {number}",
        unproven=letter == "u",
    )
    return Vote(verdict, judge_error="judge_refused" if letter == "s" else None, **fields)


@pytest.mark.parametrize(
    ("said", "votes", "outcome", "is_sure", "is_silent"),
    [
        ("p", 1, "p", True, False),
        ("ppp", 3, "p", True, False),
        ("ppf", 3, "p", False, False),
        ("fpp", 3, "p", False, False),
        ("pp", 3, "p", False, False),  # of one judge there was no answer
        ("fff", 3, "f", True, False),
        ("ffc", 3, "f", False, False),
        ("pf", 2, "c", False, False),
        ("ppff", 4, "c", False, False),
        ("ppcc", 4, "c", False, False),
        ("ccc", 3, "c", False, False),
        ("p", 2, "c", False, False),  # nobody was silent here: whoever was away failed otherwise
        ("ps", 2, "c", False, True),
        ("fs", 2, "c", False, True),
        ("cs", 2, "c", False, False),  # it could not have decided
        ("pfs", 3, "c", False, True),
        ("ccs", 3, "c", False, False),
        ("pfcs", 4, "c", False, False),
        ("ppfs", 4, "c", False, True),
        ("ss", 3, "c", False, True),
        ("cs", 3, "c", False, True),
        ("ffcss", 5, "c", False, True),
    ],
)
def test_a_majority_decides_and_silence_counts_where_it_could_have(
    said: str, votes: int, outcome: str, *, is_sure: bool, is_silent: bool
) -> None:
    counted = count_votes([vote(letter, n) for n, letter in enumerate(said)], votes)
    assert (counted.outcome, counted.is_sure) == (LETTERS[outcome], is_sure)
    assert counted.judge_error == ("judge_refused" if is_silent else None)


@pytest.mark.parametrize(
    ("said", "votes", "is_unproven"),
    [
        ("p", 2, True),  # of one judge there was no answer, and it could have decided
        ("pf", 3, True),
        ("pf", 2, False),
        ("pu", 2, True),
        ("cu", 2, False),
        ("uu", 3, True),
        ("ppcu", 4, True),
        ("pfcu", 4, False),
        ("ps", 2, True),
        ("ppu", 3, False),
    ],
)
def test_votes_that_are_missing_are_the_judges_failure_where_they_could_have_decided(
    said: str, votes: int, *, is_unproven: bool
) -> None:
    counted = count_votes([vote(letter, n) for n, letter in enumerate(said)], votes)
    assert counted.verdict.unproven == is_unproven


@pytest.mark.parametrize(
    ("kind", "one", "other", "is_unproven"),
    [("meets", "f", "u", True), ("never", "p", "u", True), ("meets", "c", "u", False), ("meets", "p", "u", False)],
)
def test_a_section_that_proves_nothing_leaves_the_whole_unproven_unless_another_leaves_it_open(
    kind: str, one: str, other: str, *, is_unproven: bool
) -> None:
    for first, second in ((one, other), (other, one)):
        assert join_sections(vote(first, 1, kind), vote(second, 2, kind)).verdict.unproven == is_unproven


def test_whoever_speaks_for_the_majority_has_evidence_and_the_tally_stands_before() -> None:
    bare, quoting = vote("p", 1, evidence=None), vote("p", 2, fault="doubtful")
    counted = count_votes([vote("f", 0), bare, quoting], 3)
    assert counted.verdict.evidence == ["quote 2"]
    assert counted.verdict.comment == "2 of 3 votes pass, 1 fail; said 2"
    assert counted.fault == "doubtful"
    assert count_votes([bare, vote("p", 3, evidence=None)], 2).verdict.comment == "2 of 2 votes pass, 0 fail; said 1"


def test_without_a_majority_nobodys_evidence_counts_but_of_who_could_not_say() -> None:
    split = count_votes([vote("p", 0, fault="doubtful"), vote("f", 1)], 2)
    assert (split.verdict.evidence, split.fault) == ([], None)
    assert split.verdict.comment == "1 of 2 votes pass, 1 fail; said 0"
    unsure = count_votes([vote("p", 0), vote("c", 1, fault="doubtful"), vote("f", 2)], 3)
    assert (unsure.verdict.evidence, unsure.fault) == (["quote 1"], "doubtful")
    assert unsure.verdict.comment == "1 of 3 votes pass, 1 fail; said 1"


def test_a_tally_can_be_stored_and_stands_alone_where_nothing_was_said() -> None:
    words = vote("p")
    loud = words._replace(verdict=words.verdict.model_copy(update={"comment": "x\x00" * TEXT_MAX}))
    assert len(count_votes([loud], 1).verdict.comment) <= TEXT_MAX
    mute = words._replace(verdict=words.verdict.model_copy(update={"comment": ""}))
    assert count_votes([mute], 1).verdict.comment == "1 of 1 votes pass, 0 fail"


#: What is held of a criterion by two sections: presence is shown by one, absence by all.
JOINED = {
    "meets": {"pp": "p", "pf": "p", "pc": "p", "fp": "p", "cp": "p", "ff": "f", "fc": "c", "cf": "c", "cc": "c"},
    "never": {"pp": "p", "pf": "f", "pc": "c", "fp": "f", "cp": "c", "ff": "f", "fc": "f", "cf": "f", "cc": "c"},
}


@pytest.mark.parametrize("kind", JOINED)
@pytest.mark.parametrize("sure", ["", "first", "second"])
def test_two_sections(kind: str, sure: str) -> None:
    settling = {"meets": "p", "never": "f"}[kind]
    for (one, other), outcome in JOINED[kind].items():
        before = vote(one, 1, kind, is_sure=sure != "first")
        here = vote(other, 2, kind, is_sure=sure != "second")
        joined = join_sections(before, here)
        assert joined.outcome is LETTERS[outcome]
        assert is_settled(joined) == (outcome == settling)
        speaks = before if one == outcome else here
        assert joined.verdict is speaks.verdict
        # What one section shows needs no other.
        assert joined.is_sure == (speaks.is_sure if outcome == settling else not sure)


@pytest.mark.parametrize(
    ("kind", "said", "is_silent"),
    [("meets", "sf", True), ("meets", "fs", True), ("meets", "sp", False), ("meets", "ps", False),
     ("meets", "sc", True), ("meets", "cs", True), ("meets", "fc", False),
     ("never", "sf", False), ("never", "fs", False), ("never", "sp", True), ("never", "ps", True)],
)  # fmt: skip
def test_a_section_that_silenced_a_judge_is_told_where_it_leaves_a_doubt(
    kind: str, said: str, *, is_silent: bool
) -> None:
    before, here = (vote(letter, n, kind) for n, letter in enumerate(said))
    assert join_sections(before, here).judge_error == ("judge_refused" if is_silent else None)
