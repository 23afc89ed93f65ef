"""Forms: what a refusal makes us give up, one thing at a time, and never for what is wrong with the question."""

from typing import Any

import pytest

from servicekit.models.forms import FORMS_MAX, Form, Refusal, choose_fallback
from servicekit.models.shapes import find_answer
from validator.errors import JudgeAnswerError
from validator.verdict import read_answer

CHAT, RESPONSES = Form("chat", tokens_field="max_tokens"), Form("responses")


def refusal(text: str = "Bad request", status: int = 400, code: str = "") -> Refusal:
    return Refusal(status, code, text)


def lower(form: Form, refused: Refusal, *, is_proven: bool = True, may_switch: bool = False, **parameters: Any) -> Any:
    return choose_fallback(form, refused, parameters=parameters, may_switch=may_switch, is_proven=is_proven)


@pytest.mark.parametrize(
    ("form", "words", "changed"),
    [
        (CHAT, "Invalid schema for response_format 'verdict': 'maxLength' is not permitted.", {"is_bounded": False}),
        (CHAT, "'response_format' of type 'json_schema' is not supported", {"output": "json_object"}),
        (CHAT, "failed to parse grammar", {"output": "json_object"}),
        (RESPONSES, "Unsupported parameter: 'text.format'", {"output": "json_object"}),
        (RESPONSES, "Unknown field: store", {"without": frozenset({"store"})}),
        (CHAT, "Unsupported value: 'messages[0].role' does not support 'system'", {"role": "developer"}),
        (RESPONSES, "instructions are not supported", {"role": "developer"}),
        (
            CHAT,
            "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
            {"tokens_field": "max_completion_tokens", "without": frozenset({"max_tokens"})},
        ),
    ],
)
def test_what_is_named_is_given_up(form: Form, words: str, changed: dict[str, Any]) -> None:
    got = lower(form, refusal(words))
    assert {name: getattr(got, name) for name in Form.__slots__ if getattr(got, name) != getattr(form, name)} == changed


def test_a_parameter_that_is_named_is_left_out() -> None:
    words = "Unsupported value: 'temperature' does not support 0 with this model."
    assert lower(CHAT, refusal(words), top_p=1, temperature=0).without == {"temperature"}
    assert lower(CHAT, refusal(words)) is None


@pytest.mark.parametrize("is_proven", [False, True])
@pytest.mark.parametrize("form", [CHAT, RESPONSES])
def test_where_a_form_was_taken_a_refusal_without_a_reason_is_of_the_question(form: Form, *, is_proven: bool) -> None:
    assert (lower(form, refusal(), is_proven=is_proven) is None) == is_proven


@pytest.mark.parametrize(
    "refused",
    [
        refusal("maxLength", code="content_filter"),
        refusal("maxLength", code="context_length_exceeded"),
        refusal("maxLength", code="exceed_context_size_error"),
        refusal("maxLength", 404, "model_not_found"),
        refusal("maxLength", 401),
        refusal("maxLength", 413),
        refusal("maxLength", 429),
        refusal("maxLength", 500),
        refusal("not found", 404),
        refusal("Your request was rejected by our safety system"),
    ],
)
def test_what_is_wrong_with_the_question_or_the_key_changes_no_form(refused: Refusal) -> None:
    assert lower(CHAT, refused) is None


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize(("form", "other"), [(CHAT, "responses"), (RESPONSES, "chat")])
def test_the_other_api_is_tried_only_where_none_was_chosen(form: Form, other: str, status: int) -> None:
    assert lower(form, refusal(status=status), may_switch=True) == Form(other)
    assert lower(form, refusal(status=404)) is None


def test_a_model_for_the_other_api_is_found_there() -> None:
    words = "This model is only supported in v1/responses and not in v1/chat/completions."
    assert lower(CHAT, refusal(words), may_switch=True).api == "responses"


@pytest.mark.parametrize("form", [CHAT, RESPONSES])
def test_giving_up_ends(form: Form) -> None:
    """In text, by a user, without bounds: nothing is left then."""
    given_up = []
    parameters = {"temperature": 0, "seed": 1, "top_p": 1}
    while (next_form := lower(form, refusal(), is_proven=False, **parameters)) is not None:
        given_up.append(form := next_form)
    assert (form.output, form.role, form.is_bounded) == ("text", "user", False)
    assert form.without >= {"temperature", "seed", "top_p"}
    assert len(given_up) < FORMS_MAX


def test_a_refusal_that_repeats_the_request_is_read_to_an_end() -> None:
    assert lower(CHAT, refusal("x" * 100_000 + "maxLength")) is None


ANSWER = '{"c1": {"evidence": null, "comment": "```", "outcome": "pass"}, "reason": "because"}'
OTHER = ANSWER.replace("because", "as the result says")


@pytest.mark.parametrize(
    "text",
    [
        ANSWER,
        f"\n {ANSWER}\n",
        f"```json\n{ANSWER}\n```",
        f"```\r\n{ANSWER}\r\n```\n",
        f"``` JSON \n{ANSWER}```",
        f"<think>Is it {OTHER}? No.</think>{ANSWER}",
        f"<think>\n</think>\n\n```json\n{ANSWER}\n```",
        f"The template opened the thought, and here it ends.\n</think>\n{ANSWER}",
    ],
)
def test_one_object_is_found(text: str) -> None:
    assert read_answer(find_answer(text), 1).reason == "because"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "```",
        "``````",
        "</think>",
        f"Sure! {ANSWER}",
        f"{ANSWER} That is what the result says, and I do not agree.",
        f"The result holds a verdict:\n```json\n{OTHER}\n```\nI refuse it.",
        f"The result holds a verdict:\n```json\n{OTHER}\n```",
        f"```json\n{OTHER}\n```\n```json\n{ANSWER}\n```",
        f"{OTHER}\n{ANSWER}",
        f"[{ANSWER}]",
        f"```python\n{ANSWER}\n```",
        f"```json {ANSWER}```",
        f"<think>{ANSWER}",
        f"<think>He says </think>{OTHER}, but no.</think>{ANSWER}",
        f"Here <think>I think</think>{ANSWER}",
        f"{OTHER}</think>{ANSWER}",
        f"<think>a</think>{OTHER}<think>b</think>{ANSWER}",
    ],
)
def test_what_is_ambiguous_is_no_answer(text: str) -> None:
    with pytest.raises(JudgeAnswerError):
        read_answer(find_answer(text), 1)


def test_a_canary_after_thoughts_is_seen() -> None:
    with pytest.raises(JudgeAnswerError) as error:
        read_answer(find_answer(f"<think></think>{ANSWER.replace('because', 'the word is c4f3')}"), 1, "c4f3")
    assert error.value.code == "judge_canary"
