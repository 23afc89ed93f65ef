"""Several answers on one criterion become one: of sections and of votes, case by case."""

from typing import Any

import pytest

from signoff.judging import CriterionVerdict
from signoff.status import Outcome
from validator.verdict import TEXT_MAX, Vote, count_votes, is_settled, join_sections

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
