"""Criteria: every list has one text form, which reads back as the same list."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.criteria import (
    CRITERIA_MAX,
    CRITERION_MAX_CHARS,
    LINES_MAX,
    CriteriaError,
    Criterion,
    format_criteria,
    format_references,
    hash_references,
    join_forms,
    parse_criteria,
    parse_stored_criteria,
    read_references,
)
from contracts.events import JobChanged
from contracts.fields import explain
from contracts.resources import Job, JobPatch, NewJob, new_job_of, patch_of
from signoff.v1 import resources_pb2 as pb
from signoff.wire import split_patch, write_message

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
BULLETS = ["", "- ", "* ", "+\t", "1. ", "10) ", "  \u2022  ", "-\xa0", "\ufeff", "\u200b- \u200b"]


def never(text: str) -> Criterion:
    return Criterion(text=text, kind="never")


def optional(text: str, kind: str = "meets") -> Criterion:
    return Criterion(text=text, required=False, kind=kind)


def code_of(text: str) -> str:
    with pytest.raises(CriteriaError) as error:
        parse_criteria(text)
    return error.value.code


def code_of_list(*criteria: Criterion) -> str:
    with pytest.raises(CriteriaError) as error:
        format_criteria(criteria)
    return error.value.code


@pytest.mark.parametrize(
    ("line", "criterion"),
    [
        ("It is short", Criterion(text="It is short")),
        ("  - It is short  \r", Criterion(text="It is short")),
        ("* It is short", Criterion(text="It is short")),
        ("\u2022 It is short", Criterion(text="It is short")),
        ("12. It is short", Criterion(text="It is short")),
        ("1) It is short", Criterion(text="It is short")),
        ("-5 is the answer", Criterion(text="-5 is the answer")),
        ("3.5 seconds at most", Criterion(text="3.5 seconds at most")),
        ("2026. was the year", Criterion(text="2026. was the year")),
        ("Nothing optional: all of it", Criterion(text="Nothing optional: all of it")),
        ("optional: It is short", optional("It is short")),
        ("- OPTIONAL:It is short", optional("It is short")),
        ("never: It is long", never("It is long")),
        ("1. Never:It is long", never("It is long")),
        ("- Optional: NEVER: it is long", optional("it is long", "never")),
        ("\ufeffoptional:\u200b never:\xa0it is long\u200e", optional("it is long", "never")),
        ("never mind: say it", Criterion(text="never mind: say it")),
        ("a\rb\x0bc\x0cd\x85e\u2028f\u2029g\x1ch", Criterion(text="a\rb\x0bc\x0cd\x85e\u2028f\u2029g\x1ch")),
    ],
)
def test_a_line_is_a_criterion(line: str, criterion: Criterion) -> None:
    text = f"{line}\nIt is there"
    assert parse_criteria(text) == parse_stored_criteria(text) == [criterion, Criterion(text="It is there")]


@pytest.mark.parametrize("parse", [parse_criteria, parse_stored_criteria])
def test_what_was_read_before_is_not_changed_by_whoever_has_it(parse: Callable[[str], list[Criterion]]) -> None:
    parse("It is blue").clear()
    assert parse("It is blue") == [Criterion(text="It is blue")]


@pytest.mark.parametrize(
    "text", ["", "\n \r\n\t", "-", "- \n*\n1.", "optional:", "- optional: never: ", "\ufeff\n\u200b"]
)
def test_a_line_without_words_is_none(text: str) -> None:
    assert parse_stored_criteria(text) == []
    assert code_of(text) == "criteria_empty"


@given(
    st.lists(
        st.tuples(
            TEXTS.filter(lambda text: parse_stored_criteria(text) == [Criterion(text=text)]),
            st.booleans(),
            st.sampled_from(["meets", "never"]),
            st.sampled_from(BULLETS),
            st.sampled_from(["\n", "\r\n", "\n\n", "\n  \n"]),
        ),
        min_size=1,
    ).filter(lambda lines: any(line[1] for line in lines))
)
def test_every_list_has_one_text_form_that_reads_back(lines: list[tuple[str, bool, str, str, str]]) -> None:
    criteria = [Criterion(text=text, required=required, kind=kind) for text, required, kind, _, _ in lines]
    spelled = "".join(
        f"{bullet}{'' if required else 'Optional:'}{'' if kind == 'meets' else ' NEVER: '}{text}{end}"
        for text, required, kind, bullet, end in lines
    )
    text_form = format_criteria(criteria)
    assert parse_criteria(text_form) == parse_stored_criteria(text_form) == criteria
    assert format_criteria(parse_criteria(spelled)) == text_form


@given(st.lists(st.builds(Criterion, text=TEXTS, required=st.booleans(), kind=st.sampled_from(["meets", "never"]))))
def test_a_list_reads_back_as_the_same_or_is_refused(criteria: list[Criterion]) -> None:
    try:
        text = format_criteria(criteria)
    except CriteriaError:
        return
    assert parse_criteria(text) == criteria
    assert text.count("\n") == len(criteria) - 1


@given(st.text(alphabet=st.one_of(st.sampled_from("-*1.) \n\r\u200b:optinalever"), st.characters())))
def test_what_is_taken_from_a_text_has_a_text_form_and_no_text_is_too_strange(text: str) -> None:
    stored = parse_stored_criteria(text)
    assert all(one.text for one in stored)
    try:
        criteria = parse_criteria(text)
    except CriteriaError:
        return
    assert criteria == stored
    assert parse_criteria(format_criteria(criteria)) == criteria


@pytest.mark.parametrize(
    "text",
    [
        "a\nb",
        "- a",
        "1. a",
        "optional: a",
        "Never:a",
        " a",
        "a ",
        "a\r",
        "\ufeffa",
        "a\u200b",
        "- optional: a",
        "-\n",
        "*",
    ],
)
def test_a_text_that_would_read_as_another_is_refused(text: str) -> None:
    for kind in "meets", "never":
        refused = Criterion(text=text, kind=kind)
        assert code_of_list(Criterion(text="a"), refused) == "criterion_ambiguous"


@pytest.mark.parametrize("line", ["- - a", "never: optional: a", "optional: - a", "never: never: a", "1. 2. a"])
def test_prefixes_out_of_order_are_refused_and_read_in_what_was_stored(line: str) -> None:
    assert code_of(line) == "criterion_ambiguous"
    assert len(parse_stored_criteria(line)) == 1


def test_the_number_of_criteria_is_bounded() -> None:
    most = [f"criterion {n}" for n in range(CRITERIA_MAX)]
    assert len(parse_criteria("\n\n".join(most))) == CRITERIA_MAX
    assert code_of("\n".join([*most, "one more"])) == "criteria_too_many"
    assert code_of_list(*[Criterion(text="a")] * (CRITERIA_MAX + 1)) == "criteria_too_many"
    assert len(parse_stored_criteria("\n".join([*most, "one more"]))) == CRITERIA_MAX + 1


def test_what_has_very_many_lines_is_refused_before_it_is_read() -> None:
    assert len(parse_criteria("a" + "\n" * (LINES_MAX - 1))) == 1
    assert code_of("a" + "\n" * LINES_MAX) == "criteria_too_many"
    with pytest.raises(ValidationError) as error:
        NewJob(title="t", criteria=[None] * (CRITERIA_MAX + 1))
    assert explain(error.value)[0] == "criteria_too_many"


def test_the_length_of_a_criterion_is_bounded_without_its_prefixes() -> None:
    longest = "\U0001f600" * CRITERION_MAX_CHARS
    assert parse_criteria(f"- never: {longest} ") == [never(longest)]
    assert code_of(f"a\n{longest}b") == "criterion_too_long"
    assert code_of_list(Criterion(text=f"{longest}b")) == "criterion_too_long"


def test_a_job_has_a_required_criterion() -> None:
    assert code_of("optional: a\noptional: never: b") == "no_required_criterion"
    assert code_of_list(optional("a")) == "no_required_criterion"
    assert code_of_list() == code_of_list(Criterion(text="")) == code_of_list(Criterion(text=" \n")) == "criteria_empty"


def test_a_check_is_a_kind_and_never_a_text() -> None:
    """As an older version would have taken it: none has a text that begins with `check:`."""
    check = Criterion(text="max_words 9", kind="check")
    assert parse_criteria("a\n- CHECK:max_words 9") == [Criterion(text="a"), check]
    assert code_of("a\noptional: never: check: url") == "criterion_ambiguous"
    for kind in "meets", "never", "check":
        assert code_of_list(Criterion(text="check: url", kind=kind)) == "criterion_ambiguous"


def test_what_was_stored_is_read_whether_or_not_it_is_a_check() -> None:
    assert parse_stored_criteria("optional: check: it rhymes") == [optional("it rhymes", "check")]
    assert code_of("a\ncheck: it rhymes") == "check_unknown"


def test_an_unknown_kind_is_refused() -> None:
    assert code_of_list(Criterion(text="a", kind="person")) == "criterion_reserved"


def test_all_white_space_around_a_criterion_is_nothing() -> None:
    for space in filter(str.isspace, map(chr, range(sys.maxunicode + 1))):
        if space != "\n":
            assert parse_criteria(f"{space}-{space}optional:{space}never:{space}a{space}\nb")[0] == optional(
                "a", "never"
            )


def test_an_error_says_which_criterion() -> None:
    with pytest.raises(CriteriaError, match="criterion 2 has 2001 characters"):
        parse_criteria(f"a\n\n{'b' * 2001}")


def test_either_form_is_completed_and_both_must_say_the_same() -> None:
    criteria = [Criterion(text="a"), never("b")]
    assert (
        join_forms("- a\nNEVER: b\n", None) == join_forms("- a\nNEVER: b\n", criteria) == ("- a\nNEVER: b\n", criteria)
    )
    assert join_forms(None, criteria) == ("a\nnever: b", criteria)
    for text in "a", "a\nb", "never: b\na":
        with pytest.raises(CriteriaError) as error:
            join_forms(text, criteria)
        assert error.value.code == "criteria_conflict"
    with pytest.raises(CriteriaError) as error:
        join_forms(None, None)
    assert error.value.code == "criteria_empty"


CRITERIA = [Criterion(text="a"), optional("b", "never")]
TEXT = "a\noptional: never: b"


def test_a_new_job_takes_either_form_and_is_sent_in_one() -> None:
    listed = NewJob(title="t", criteria=[{"text": "a"}, {"text": "b", "required": False, "kind": "never"}])
    spelled = NewJob(title="t", acceptance_criteria=f"- {TEXT}\n")
    assert (listed.criteria, listed.acceptance_criteria) == (CRITERIA, TEXT)
    assert (spelled.criteria, spelled.acceptance_criteria) == (CRITERIA, f"- {TEXT}\n")  # as an older version hashed it
    assert "criteria" not in listed.model_dump()
    assert NewJob.model_validate_json(listed.model_dump_json()) == listed


def send(patch: JobPatch) -> JobPatch:
    """A patch as the jobstore reads what a client sends."""
    values, paths = split_patch(pb.NewJob, patch)
    return patch_of(JobPatch, write_message(pb.NewJob, values), FieldMask(paths=paths))


def test_an_edit_of_criteria_is_one_change_in_whatever_form() -> None:
    for edit in (
        JobPatch(criteria=CRITERIA),
        JobPatch(acceptance_criteria=TEXT),
        JobPatch.model_validate({"criteria": [one.model_dump() for one in CRITERIA], "acceptance_criteria": TEXT}),
    ):
        assert (edit.criteria, edit.acceptance_criteria) == (CRITERIA, TEXT)
        assert edit.model_fields_set == {"acceptance_criteria"}
        assert send(edit) == edit
    assert JobPatch(title="t").model_fields_set == {"title"}
    foreign = pb.NewJob(criteria=[pb.Criterion(text="a"), pb.Criterion(text="b", required=False, kind="never")])
    assert patch_of(JobPatch, foreign, FieldMask(paths=["criteria"])).criteria == CRITERIA


@pytest.mark.parametrize("kind", [NewJob, JobPatch])
@pytest.mark.parametrize(
    ("fields", "code", "where"),
    [
        ({"acceptance_criteria": "optional: a"}, "no_required_criterion", "acceptance_criteria: all criteria"),
        ({"criteria": [{"text": "a"}] * 101}, "criteria_too_many", "criteria: a job has"),
        ({"criteria": [{"text": "a"}], "acceptance_criteria": "b"}, "criteria_conflict", "acceptance_criteria and"),
        ({"criteria": [{"text": "a\0"}]}, None, "criteria.0.text: must not contain the character U+0000"),
        ({"criteria": [{"text": "a", "required": "true"}]}, None, "criteria.0.required: must be true or false"),
    ],
)
def test_a_refusal_of_criteria_has_a_code_and_says_where(
    kind: type, fields: dict, code: str | None, where: str
) -> None:
    with pytest.raises(ValidationError) as error:
        kind(**{"title": "t", **fields})
    told, message = explain(error.value)
    assert told == code
    assert message.startswith(where)


def test_a_job_says_its_criteria_in_both_forms_and_a_fact_in_one() -> None:
    fields = {"id": "j", "title": "t", "status": "PENDING", "version": 1}
    job = Job(**fields, acceptance_criteria=TEXT, created_at="2026-01-01T00:00:00Z", updated_at="2026-01-01T00:00:00Z")
    assert job.criteria == CRITERIA
    assert job.model_dump(mode="json")["criteria"][1] == {"text": "b", "required": False, "kind": "never"}
    assert "criteria" not in JobChanged.model_json_schema()["$defs"]["Job"]["properties"]
    older = Job(**{**job.model_dump(), "acceptance_criteria": "optional: a\n" * 101})
    assert len(older.criteria) == 101


@pytest.mark.parametrize("kind", [NewJob, JobPatch])
@pytest.mark.parametrize(
    ("references", "code"),
    [
        ({1: "Oslo"}, None),
        ({"2": "x" * 20_000}, None),
        ({0: "a"}, "reference_unknown"),
        ({3: "a"}, "reference_unknown"),
        ({-1: "a"}, "reference_unknown"),
        ({1: " \u200b"}, "reference_empty"),
        ({1: "x" * 20_001}, "reference_too_long"),
        ({1: "x" * 20_000, 2: "y" * 20_000, 3: "z" * 20_000}, "reference_too_long"),
        ({1: "a\0"}, "refused"),
        ({"one": "a"}, "refused"),
    ],
)
def test_a_reference_is_of_a_criterion_that_is_there_and_bounded(
    kind: type[NewJob | JobPatch], references: dict[Any, str], code: str | None
) -> None:
    fields = {"title": "t", "acceptance_criteria": "a\nb", "references": references}
    if code is None:
        given = kind(**fields)
        assert given.references == {int(number): text for number, text in references.items()}
        assert read_references(format_references(given.references)) == given.references
        return
    with pytest.raises(ValidationError) as caught:
        kind(**fields)
    assert (explain(caught.value)[0] or "refused") == code


def test_whether_a_job_has_the_criterion_of_a_reference_the_job_says() -> None:
    alone = JobPatch(references={7: "a", 8: None})
    assert alone.model_fields_set == {"references"}
    assert send(alone) == alone


def test_references_are_one_text_in_whatever_order_they_are_given() -> None:
    assert format_references({2: "b", 10: "c", 1: "a"}) == '{"1":"a","2":"b","10":"c"}'
    assert (format_references({}), hash_references(None)) == (None, None)
    assert hash_references('{"1":"a"}') != hash_references('{"1":"b"}')


def test_references_go_with_a_job_over_grpc_and_rest() -> None:
    new = NewJob(title="t", criteria=CRITERIA, references={2: "b", 1: "a"})
    assert new_job_of(write_message(pb.NewJob, new)).references == {1: "a", 2: "b"}
    assert NewJob.model_validate_json(new.model_dump_json()).references == {1: "a", 2: "b"}, "as over REST"
