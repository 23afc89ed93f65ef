"""The lint on criteria as people write them, in English and in German."""

from pathlib import Path

import pytest

from contracts.criteria import CRITERION_MAX_CHARS, Criterion, parse_criteria
from contracts.lint import find_notes, find_warnings, is_about_the_whole


def read(name: str) -> list[str]:
    return (Path(__file__).parent / "criteria" / f"{name}.txt").read_text("utf-8").splitlines()


def test_a_sound_criterion_is_left_in_peace() -> None:
    assert [text for text in read("sound") if find_warnings([Criterion(text=text)])] == []


def test_what_no_judge_sees_is_told_with_what_to_write() -> None:
    for text in read("unseen"):
        warnings = find_warnings([Criterion(text=text)])
        assert [warning.code for warning in warnings] == ["criterion_out_of_sight"], text
        (instead,) = parse_criteria(warnings[0].suggestion or "")
        assert find_warnings([instead]) == [], text


def test_what_is_in_the_task_is_seen() -> None:
    assert find_warnings([Criterion(text="Follows the style guide in the payload")]) == []
    assert find_warnings([Criterion(text="Uses the latest figures of the request")]) == []


def test_what_no_judge_sees_is_told_of_any_kind() -> None:
    criteria = [Criterion(text="The tests pass", required=False), Criterion(text="The link is dead", kind="never")]
    first, second = find_warnings(criteria)
    assert (first.code, second.code) == ("criterion_out_of_sight", "criterion_out_of_sight")
    assert "nobody runs it" in first.message
    assert (first.suggestion or "").startswith("optional: It quotes")
    assert (second.suggestion or "").startswith("check: matches ")


def test_what_holds_of_each_part_is_about_the_whole() -> None:
    assert [text for text in read("about_the_whole") if not is_about_the_whole(text)] == []


def test_a_note_names_what_is_about_the_whole_and_is_no_warning() -> None:
    texts = {"Is written in French": "meets", "Names Oslo": "meets", "No prices": "meets", "max_words 9": "check"}
    criteria = [Criterion(text=text, kind=kind) for text, kind in texts.items()]
    (note,) = find_notes(criteria)
    assert (note.code, note.criterion, note.suggestion) == ("criterion_about_the_whole", 0, None)
    assert "its head, its tail and a sample" in note.message
    assert [one.criterion for one in find_warnings(criteria)] == [2]


def test_what_stands_in_one_place_is_not_about_the_whole() -> None:
    assert [text for text in read("about_a_part") if is_about_the_whole(text)] == []


@pytest.mark.parametrize(
    "text", ["no " * 600, "the " * 500, "a the " * 300, "the all no " * 180, "x " * 1_000, "is in " * 300, "ist " * 500]
)
def test_what_a_long_criterion_is_about_is_seen_at_once(text: str) -> None:
    for _ in range(100):
        is_about_the_whole(text[:CRITERION_MAX_CHARS])
