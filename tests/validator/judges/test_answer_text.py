"""An answer is found in a code fence or after the model's thoughts, and nowhere where it could be somebody else's."""

import pytest

from validator.errors import JudgeAnswerError
from validator.judges.shapes import find_answer
from validator.verdict import read_answer

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
