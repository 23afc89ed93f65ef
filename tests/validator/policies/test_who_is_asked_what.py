"""Who is asked about which criteria, how many at once, and whose reasons a verdict gives."""

import asyncio
import threading
from typing import Any

import pytest
from stand_ins import FAIL, LOOP, PASS, RESULT, TRUE, Said, StandIn, judge, letters, policy_of

from contracts.criteria import Criterion
from validator.panel import INLINE_MAX_CHARS, Document
from validator.ports import Reply
from validator.prompt import CRITERIA_MAX, PROMPT_VERSION, PROMPTS, Question

MANY = [Criterion(text=f"It says what bridge number {n} carries") for n in range(2 * CRITERIA_MAX + 1)]
#: A paragraph of a result that is judged in two sections.
PARAGRAPH = "Another sentence of no importance. " * 40


class Counting(StandIn):
    """Keeps how many questions were under way at once, at most and as each began."""

    def __init__(self, *said: Any) -> None:
        super().__init__(*said)
        self.under_way: list[int] = []

    now = most = 0

    async def ask(self, question: Question) -> Reply:
        self.now += 1
        self.under_way.append(self.now)
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        try:
            return await super().ask(question)
        finally:
            self.now -= 1


async def test_where_each_criterion_has_an_ask_of_its_own_one_goes_first_and_then_eight_are_under_way_at_once() -> None:
    judges = Counting(PASS, "a")
    verdict = await judge(policy_of("single", "a", asks="each"), judges, acceptance_criteria=MANY)
    assert verdict.is_valid
    assert [[*question.criteria] for question in judges.asked] == [[one] for one in MANY]
    assert judges.most == 8
    assert judges.under_way[:3] == [1, 1, 2]


async def test_by_default_up_to_five_of_a_kind_are_asked_about_together_and_alone_what_stands_apart() -> None:
    criteria = [Criterion(text=f"It says {n}", kind="never" if n % 4 == 3 else "meets") for n in range(13)]
    judges = Counting(PASS, "a")
    policy = policy_of("single", "a", apart=["It says 2", "It says 3", "It says nothing"])
    assert (await judge(policy, judges, acceptance_criteria=criteria)).is_valid
    asked = [[int(one.text.split()[-1]) for one in question.criteria] for question in judges.asked]
    assert asked == [[0, 1, 4, 5, 6], [8, 9, 10, 12], [2], [3], [7, 11]]
    assert judges.most == 4
    few = Counting(PASS, "a")
    assert (await judge(policy, few, acceptance_criteria=criteria[:6])).is_valid
    assert [[int(one.text.split()[-1]) for one in question.criteria] for question in few.asked] == [
        [0, 1, 4, 5],
        [2],
        [3],
    ]


async def test_asks_about_all_criteria_follow_one_another() -> None:
    judges = Counting(PASS, "a")
    assert (await judge(policy_of("single", "a", asks="all"), judges, acceptance_criteria=MANY)).is_valid
    assert [len(question.criteria) for question in judges.asked] == [CRITERIA_MAX, CRITERIA_MAX, 1]
    assert judges.most == 1


async def test_the_judge_that_a_policy_names_is_asked_and_not_the_validators_own() -> None:
    own, named = StandIn(FAIL, "own"), StandIn(PASS, "named")
    assert (await judge(policy_of("single", "named"), own, named)).is_valid
    assert (len(own.asked), len(named.asked)) == (0, 1)


async def test_a_verdict_gives_what_the_failed_checks_found_and_nothing_of_the_others() -> None:
    criteria = [
        Criterion(text='contains "bridge"', kind="check"),
        Criterion(text="max_words 3", kind="check"),
        Criterion(text="min_words 900", kind="check", required=False),
    ]
    verdict = await judge(None, StandIn(PASS), acceptance_criteria=criteria)
    assert letters(verdict) == "pff"
    assert verdict.reason == f"max_words 3: {verdict.criteria[1].comment}"


@pytest.mark.parametrize(("said", "first"), [(FAIL, "as b sees it\nas a sees it"), (PASS, "as a sees it")])
async def test_whoever_refutes_says_why_before_all_others(said, first) -> None:
    policy = policy_of(
        "single", "a", loop=[LOOP[0].model_copy(update={"judge": policy_of("single", "b").stages[1].judges[0]})]
    )
    verdict = await judge(policy, StandIn(PASS, "a"), StandIn(said, "b"), submission=2)
    assert verdict.reason == first


async def test_what_is_said_of_a_section_names_it() -> None:
    result = {"first": f"{TRUE}. {PARAGRAPH}", "second": PARAGRAPH}
    judges = StandIn(lambda question, _: PASS if TRUE in question.result else FAIL, "a")
    policy = policy_of("single", "a", section_chars=2_000)
    verdict = await judge(
        policy, judges, result=result, acceptance_criteria=[MANY[0].model_copy(update={"kind": "never"})]
    )
    assert len(judges.asked) == 2
    assert verdict.reason.startswith("part 1 of 2: as a sees it")


async def test_to_repeat_a_criterion_shows_nothing() -> None:
    criterion = Criterion(text="It tells in so many words which of the bridges carries what")
    repeats = StandIn(Said("pass", criterion.text), "a")
    verdict = await judge(policy_of("single", "a"), repeats, result=criterion.text, acceptance_criteria=[criterion])
    assert letters(verdict) == "c"


async def test_a_long_result_is_looked_at_beside_the_event_loop() -> None:
    for more, is_beside in ((0, False), (1, True)):
        document = Document("x" * (INLINE_MAX_CHARS + more), [], PROMPTS[PROMPT_VERSION], 10**6)
        assert document.chars == INLINE_MAX_CHARS + more + 2
        assert (await document.compute(threading.get_ident) != threading.get_ident()) == is_beside


async def test_a_short_result_is_no_section_of_anything() -> None:
    verdict = await judge(policy_of("single", "a"), StandIn(PASS, "a"), result=RESULT)
    assert verdict.reason == "as a sees it"
