"""A long result is judged in full, by sections that overlap."""

import json
import re
from itertools import pairwise

import pytest
from fake_judge import read_data
from hypothesis import given
from hypothesis import strategies as st
from stand_ins import FAIL, LOOP, UNSURE, Said, StandIn, judge, letters, policy_of

from contracts.criteria import Criterion
from contracts.judging.policy import JudgeModel, LoopStep
from validator.errors import JudgmentError
from validator.sections import OVERLAP_CHARS, cut_result, cut_text, take_excerpt

CHARS = 2_000
SECTIONED = policy_of("single", "a", section_chars=CHARS)
FORBIDDEN = "the secret recipe of the house"
MEETS, NEVER = Criterion(text="It thanks the reader"), Criterion(text="It tells the secret recipe", kind="never")
FILLER = "Here is another sentence of no importance. "


def look(question, criterion: Criterion) -> Said:
    """Say what stands in the section that it reads."""
    text = question.result
    words = "Thanks for reading all of it" if criterion == MEETS else FORBIDDEN
    is_there = words in text
    if criterion == MEETS:
        return Said("pass", words) if is_there else Said("fail", None)
    return Said("fail", words) if is_there else Said("pass", FILLER.strip())


def document(words: str, at: int, length: int = 12_000) -> str:
    text = FILLER * (length // len(FILLER))
    return f"{text[:at]} {words} {text[at:]}"


@given(st.text(alphabet="ab \n", min_size=1, max_size=20_000), st.integers(2_000, 9_000), st.data())
def test_any_passage_no_longer_than_the_overlap_stands_whole_in_a_section(text: str, chars: int, data) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    passage = text[start : start + OVERLAP_CHARS]
    sections = list(cut_text(text, chars))
    assert any(passage in section for section in sections)
    assert all(len(section) <= chars for section in sections)
    assert sections[0] == text[: len(sections[0])]
    assert text.endswith(sections[-1])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3_000),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=10), inner, max_size=8),
    max_leaves=40,
)


def list_words(value) -> set[str]:
    if isinstance(value, dict):
        return {*value, *(word for item in value.values() for word in list_words(item))}
    if isinstance(value, list):
        return {word for item in value for word in list_words(item)}
    return {value if isinstance(value, str) else json.dumps(value)}


@given(values)
def test_sections_of_json_have_all_of_it_under_its_names(result) -> None:
    sections = cut_result(result, CHARS)
    if len(json.dumps(result)) <= CHARS // 2:
        assert sections == [result]
    assert all(type(section) is type(result) for section in sections)
    short = {word for word in list_words(result) if len(word) <= OVERLAP_CHARS}
    assert short <= {word for section in sections for word in list_words(section)}


def test_a_section_of_json_keeps_the_path_to_what_it_has() -> None:
    result = {"chapters": [{"title": f"Number {n}", "text": "x" * 900} for n in range(6)], "end": True}
    sections = cut_result(result, CHARS)
    assert len(sections) > 2
    assert all(set(section) <= {"chapters", "end"} for section in sections)
    assert sections[-1]["end"] is True
    assert {"title": "Number 3", "text": "x" * 900} in [item for section in sections for item in section["chapters"]]


def test_what_stands_across_two_long_texts_of_json_stands_whole_in_a_section() -> None:
    words = [f"{letter}{number}" for letter in "abcd" for number in range(1_000, 1_300)]
    texts = [" ".join(words[start : start + 300]) for start in range(0, 1_200, 300)]
    sections = cut_result(texts, CHARS)
    assert len(sections) > 2
    for text, after in pairwise(texts):
        assert any(text[-400:] in " ".join(part) and after[:400] in " ".join(part) for part in sections)
    assert all(len(json.dumps(section)) <= 1.5 * CHARS for section in sections)
    long = cut_result(["x " * 2_900, "y " * 700, 5], CHARS)
    assert [item for section in long for item in section if item == 5] == [5]
    assert sum(item.count("y") for section in long for item in section if isinstance(item, str)) >= 700


@pytest.mark.parametrize(
    "result",
    [{f"{'n' * place}{place}": f"{'x' * 90}{place}" for place in range(12)}, [f"{place:090}" for place in range(12)]],
    ids=["names", "places"],
)
def test_a_section_is_as_long_as_it_may_be(result) -> None:
    """A member counts as its text, its name or place, and four more for what is around."""
    named = result.items() if isinstance(result, dict) else enumerate(result)
    size = sum(len(text) + len(str(name)) + 4 for name, text in named)
    assert cut_result(result, size) == [result]
    first, _ = cut_result(result, size - 1)
    assert len(first) == len(result) - 1


def name_all(*texts: str) -> dict[str, str]:
    return {f"{place:03}": text for place, text in enumerate(texts)}


def test_the_last_members_of_a_section_come_again_and_of_a_longer_one_its_end() -> None:
    """Each member of 300 characters counts 307: seven are in the first section, and the last three come again."""
    words = "word " * 60
    first, second, *_ = cut_result(name_all(*[words] * 20), 2_300)
    assert list(first) == [f"{place:03}" for place in range(7)]
    assert list(second) == [f"{place:03}" for place in range(3, 11)]
    assert second["003"] == words[-75:], "72 characters, and whole words"


def test_what_comes_again_counts_as_what_is_new_does() -> None:
    """Members count 107 each: 21 are in the first section; of these nine come again, and 30 characters of a tenth."""
    first, second, *_ = cut_result(name_all(*["word " * 20] * 60), 2_340)
    assert list(first) == [f"{place:03}" for place in range(21)]
    assert list(second) == [f"{place:03}" for place in range(11, 33)]
    assert len(second["011"]) == 30


def test_numbers_count_as_long_as_they_are() -> None:
    numbers = [10**89 + place for place in range(10)]
    assert cut_result(numbers, 950) == [numbers]
    assert len(cut_result(numbers, 949)) == 2


@pytest.mark.parametrize(
    ("texts", "again"),
    [
        (["x" * 193] * 5, {"000": 193, "001": 193, "002": 193, "003": 193, "004": 193}),  # 1,000 in all
        (["a word", "x" * 324, "x" * 324, "x" * 324], {"001": 324, "002": 324, "003": 324}),  # 993: no room for a text
        (["a word", "x" * 323, "x" * 324, "x" * 324], {"000": 4, "001": 323, "002": 324, "003": 324}),  # 992
        ([" " + "w" * 399, "x" * 693], {"000": 399, "001": 693}),
    ],
    ids=["exactly", "no room", "room for one", "a text of one word"],
)
def test_what_comes_again_is_no_longer_than_the_overlap_but_for_a_word(texts, again) -> None:
    chars = sum(len(text) + 7 for text in texts)
    _, second = cut_result(name_all(*texts, "end"), chars)
    assert {name: len(text) for name, text in second.items() if text != "end"} == again


def test_a_text_that_fits_is_one_section() -> None:
    assert list(cut_text("x" * 2_000, 2_000)) == ["x" * 2_000]
    assert len(list(cut_text("x" * 2_001, 2_000))) == 2


async def test_a_result_that_only_json_makes_long_is_no_part_of_anything() -> None:
    judges = StandIn(Said("fail", None), "a")
    verdict = await judge(SECTIONED, judges, result="It is\n" * 320, acceptance_criteria=[MEETS])
    assert (len(judges.asked), verdict.reason) == (1, "as a sees it")


@given(st.lists(st.text(alphabet="ab ", min_size=1, max_size=1_200), min_size=3, max_size=30))
def test_sections_of_members_are_full_and_no_longer_than_they_may_be(texts) -> None:
    chars, around = 2_300, len("000") + 4
    sections = cut_result({f"{place:03}": text for place, text in enumerate(texts)}, chars)
    for section, after in pairwise(sections):
        size = sum(len(text) + around for text in section.values())
        first_new = next(text for name, text in after.items() if name not in section)
        assert size <= chars < size + len(first_new) + around
        again = {name: text for name, text in after.items() if name in section}
        assert sum(len(text) + around for text in again.values()) <= OVERLAP_CHARS
        assert all(text and section[name].endswith(text) for name, text in again.items())


def test_sections_end_where_a_word_does() -> None:
    for length in range(3, 12):
        text = f"{'w' * length} " * (9_000 // length)
        sections = list(cut_text(text, 2_000))
        assert len(sections) > 3
        assert {section[:length].strip() for section in sections} == {"w" * length}
        assert all(section.endswith(" ") for section in sections[:-1])
        assert all(len(section) > 2_000 - length - 2 for section in sections[:-1])


async def test_what_two_paragraphs_of_json_say_together_is_found() -> None:
    def look_across(question, _):
        section = read_data(question.result)
        across = all(
            any(word in text for text in section) for word in ("here ends the first", "then begins the second")
        )
        return Said("fail", "here ends the first") if across else Said("pass", FILLER.strip())

    filler = FILLER * 35
    result = [f"{filler}here ends the first", f"then begins the second {filler}", filler]
    verdict = await judge(SECTIONED, StandIn(look_across, "a"), result=result, acceptance_criteria=[NEVER])
    assert letters(verdict) == "f"


@pytest.mark.parametrize("at", range(500, 12_000, 333))
async def test_forbidden_words_are_found_wherever_they_stand_also_at_a_border(at: int) -> None:
    verdict = await judge(SECTIONED, StandIn(look, "a"), result=document(FORBIDDEN, at), acceptance_criteria=[NEVER])
    assert letters(verdict) == "f"
    assert verdict.criteria[0].evidence == [FORBIDDEN]


@pytest.mark.parametrize("at", [0, 5_000, 12_000])
async def test_presence_is_shown_by_any_section_and_absence_by_all(at: int) -> None:
    own = StandIn(look, "a")
    result = {"text": document("Thanks for reading all of it.", at)}
    verdict = await judge(SECTIONED, own, result=result, acceptance_criteria=[MEETS, NEVER])
    assert letters(verdict) == "pp"
    parts = [ask.section for ask in verdict.stages[0].asks]
    assert parts == list(range(1, len(parts) + 1))
    assert f"this is part {parts[-1]} of" in own.asked[-1].request
    # What one section has shown the others are not asked about.
    settled = next(number for number, ask in enumerate(verdict.stages[0].asks) if ask.outcomes[0] == "p")
    assert [ask.outcomes for ask in verdict.stages[0].asks[settled + 1 :]] == ["-p"] * (len(parts) - settled - 1)


@pytest.mark.parametrize("chars", [2_000, 5_001])
def test_an_excerpt_has_the_head_the_tail_and_a_sample_of_each_part_between(chars: int) -> None:
    text = " ".join(f"{number:05}" for number in range(10_000))
    passages = take_excerpt(text, chars).split("\n[..]\n")
    assert len(passages) == 6
    assert (text.startswith(passages[0]), text.endswith(passages[-1])) == (True, True)
    assert all(passage in text for passage in passages)
    assert 0.9 * chars < sum(map(len, passages)) <= 1.1 * chars
    starts = [text.index(passage) for passage in passages]
    assert starts == sorted(starts)
    quarter = (len(text) - chars // 2) // 4
    assert [(start - chars // 4) // quarter for start in starts[1:-1]] == [0, 1, 2, 3]
    assert take_excerpt(text, chars) != take_excerpt(text, chars), "nobody knows before what is looked at"


async def test_a_section_that_cannot_be_assessed_is_no_pass() -> None:
    def doubt_one(question, criterion):
        return UNSURE if "part 3 of" in question.request else look(question, criterion)

    result = document("nothing", 0)
    verdict = await judge(SECTIONED, StandIn(doubt_one, "a"), result=result, acceptance_criteria=[MEETS, NEVER])
    assert letters(verdict) == "cc"


async def test_a_section_that_silences_the_judge_is_no_pass_of_what_must_never_be() -> None:
    def silent_once(question, criterion):
        return None if "part 2 of" in question.request else look(question, criterion)

    result = document("Thanks for reading all of it.", 11_000)
    verdict = await judge(SECTIONED, StandIn(silent_once, "a"), result=result, acceptance_criteria=[MEETS, NEVER])
    assert letters(verdict) == "pc"
    assert verdict.judge_error == "judge_refused"


@pytest.mark.parametrize("kind", ["quorum", "cascade"])
async def test_votes_and_cascades_read_all_sections_too(kind: str) -> None:
    policy = policy_of(kind, "a", "b", section_chars=CHARS, loop=LOOP)
    judges = StandIn(look, "a"), StandIn(look, "b")
    result = document("Thanks for reading all of it.", 9_000)
    terms = {"acceptance_criteria": [MEETS, NEVER], "submission": 2}
    assert (await judge(policy, *judges, result=result, **terms)).is_valid
    assert letters(await judge(policy, *judges, result=f"{result}{FORBIDDEN}", **terms)) == "pf"


async def test_a_result_that_is_not_longer_is_judged_as_a_whole() -> None:
    own = StandIn(FAIL, "a")
    verdict = await judge(SECTIONED, own, result="x" * (CHARS - 2))
    assert len(own.asked) == 1
    assert verdict.stages[0].asks[0].section is None


async def test_the_limit_is_the_policys_and_says_so_before_anybody_is_asked() -> None:
    own = StandIn(FAIL, "a")
    policy = SECTIONED.model_copy(update={"result_max_chars": 5_000})
    with pytest.raises(JudgmentError) as error:
        await judge(policy, own, result="x" * 5_000)
    assert error.value.code == "result_too_large_to_judge"
    assert "5000 (the policy's result_max_chars)" in str(error.value)
    assert own.asked == []


ERRS = "another sentence of no importance"
CONFIRMED = policy_of(
    "single", "a", section_chars=CHARS, loop=[LoopStep(confirm=True, judge=JudgeModel(model="b")), LoopStep(asks=0)]
)


def err_in(parts: set[int], is_stubborn: bool = True):
    """Answers as `look` does, but in some parts the other way round: until it is told so, or for ever."""

    def answer(question, criterion: Criterion) -> Said:
        part = int(re.search(r"part (\d+) of", question.request)[1])
        if part not in parts or ("What was faulty" in question.request and not is_stubborn):
            return look(question, criterion)
        return Said("pass" if criterion == MEETS else "fail", ERRS)

    return StandIn(answer, "a")


def confirm(question, criterion: Criterion) -> Said:
    words = "Thanks for reading" if criterion == MEETS else "secret recipe of the house"
    shows = words in question.result
    return Said("pass" if shows == (criterion == MEETS) else "fail", None)


@pytest.mark.parametrize("is_stubborn", [True, False])
async def test_a_part_that_decides_by_mistake_does_not_decide(*, is_stubborn: bool) -> None:
    confirmer = StandIn(confirm, "b")
    bad = document("nothing", 0)
    verdict = await judge(CONFIRMED, err_in({2, 5}, is_stubborn), confirmer, result=bad, acceptance_criteria=[MEETS])
    assert (letters(verdict), verdict.is_unproven) == (("c", True) if is_stubborn else ("f", False))
    verdict = await judge(CONFIRMED, err_in({2, 5}, is_stubborn), confirmer, result=bad, acceptance_criteria=[NEVER])
    assert letters(verdict) == "p"


async def test_what_a_part_shows_and_another_judge_confirms_decides_and_is_not_asked_about_again() -> None:
    own, confirmer = err_in({1}, is_stubborn=False), StandIn(confirm, "b")
    good = document("Thanks for reading all of it.", 3_000)
    verdict = await judge(CONFIRMED, own, confirmer, result=good, acceptance_criteria=[MEETS])
    assert verdict.is_valid
    assert len(confirmer.asked) == 2
    parts = [ask.section for ask in verdict.stages[0].asks if ask.role == "judge"]
    assert parts == [1, 1, *range(2, parts[-1] + 1)]
    verdict = await judge(
        CONFIRMED, err_in(set()), confirmer, result=document(FORBIDDEN, 9_000), acceptance_criteria=[NEVER]
    )
    assert letters(verdict) == "f"


FRENCH = Criterion(text="It is written in French")


async def test_what_is_of_the_whole_is_judged_by_an_excerpt_and_not_by_one_section() -> None:
    def read(question, criterion: Criterion) -> Said:
        if criterion != FRENCH:
            return look(question, criterion)
        french, english = (len(words) * question.result.count(words) for words in ("Voici une phrase. ", FILLER))
        return Said("pass", "Voici une phrase") if french > english else Said("fail", "Here is")

    own = StandIn(read, "a")
    text = "Voici une phrase. " * 50 + FILLER * 400
    verdict = await judge(SECTIONED, own, result=text, acceptance_criteria=[FRENCH, NEVER])
    assert letters(verdict) == "fp"
    excerpt, *parts = own.asked
    assert (list(excerpt.criteria), "[..]" in excerpt.result) == ([FRENCH], True)
    assert {tuple(part.criteria) for part in parts} == {(NEVER,)}
    assert (await judge(SECTIONED, own, result="Voici une phrase. " * 900, acceptance_criteria=[FRENCH])).is_valid
    short = await judge(SECTIONED, own, result="Voici une phrase. " * 9, acceptance_criteria=[FRENCH])
    assert (short.is_valid, "[..]" in own.asked[-1].result) == (True, False)


async def test_a_policy_may_refuse_to_judge_what_is_of_the_whole_by_an_excerpt() -> None:
    policy, own = SECTIONED.model_copy(update={"whole": "refuse"}), StandIn(look, "a")
    verdict = await judge(policy, own, result=document("nothing", 0), acceptance_criteria=[FRENCH, NEVER])
    assert (letters(verdict), verdict.is_unproven) == ("cp", False)
    assert "which the judge policy refuses" in verdict.criteria[0].comment
    assert letters(await judge(policy, StandIn(FAIL, "a"), result="Short", acceptance_criteria=[FRENCH])) == "f"


async def test_what_must_never_be_is_looked_for_in_all_parts_whatever_it_is_about() -> None:
    own, never = StandIn(look, "a"), Criterion(text="Every recipe is told", kind="never")
    verdict = await judge(SECTIONED, own, result=document(FORBIDDEN, 9_000), acceptance_criteria=[never])
    assert letters(verdict) == "f"
    assert not any("[..]" in question.result for question in own.asked)


@pytest.mark.parametrize(("kind", "outcome"), [("said again", "c"), ("quoted then", "f")])
async def test_a_breach_that_nothing_is_quoted_for_is_asked_about_again_and_then_unproven(kind, outcome) -> None:
    def accuse(question, criterion: Criterion) -> Said:
        found = look(question, criterion)
        is_bare = kind == "said again" or "What was faulty" not in question.request
        return Said("fail", None) if found.outcome == "fail" and is_bare else found

    confirmer = StandIn(confirm, "b")
    result = document(FORBIDDEN, 9_000)
    verdict = await judge(CONFIRMED, StandIn(accuse, "a"), confirmer, result=result, acceptance_criteria=[NEVER])
    assert (letters(verdict), verdict.is_unproven) == (outcome, outcome == "c")
    assert len(confirmer.asked) == (outcome == "f")
