"""Make a question a request to a model, and a model's answer a judge's reply. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from servicekit.models.forms import Form
from servicekit.models.shapes import OWN_FIELDS, Answer, Request, find_answer
from signoff.errors import ErrorCode
from validator.errors import JudgeAnswerError
from validator.ports import Reply
from validator.prompt import READ, READ_TASK, Question

#: The assistant's message after instructions that only a user may give.
_UNDERSTOOD: Final = "I have read the rules, and judge by them alone."
_NONE: Final[Mapping[str, Any]] = {}


def to_request(
    model: str, question: Question, tokens_max: int, form: Form, parameters: Mapping[str, Any] = _NONE
) -> Request:
    """Return the request of a question to a model, of at most `tokens_max` tokens, with an operator's `parameters`."""
    messages = [("user", question.result), ("assistant", READ), ("user", question.request)]
    if question.task:
        messages[:0] = [("user", question.task), ("assistant", READ_TASK)]
    return Request(
        model,
        messages,
        form,
        question.instructions,
        _UNDERSTOOD,
        question.write_schema(is_bounded=form.bounds_strings),
        "verdict",
        tokens_max,
        {name: value for name, value in parameters.items() if name not in OWN_FIELDS},
    )


def to_reply(answer: Answer) -> Reply:
    """Return a judge's reply from a model's answer. Raise JudgeAnswerError if the answer is not usable."""
    match answer.end:
        case "cut_off":
            error = JudgeAnswerError("the judge's answer was cut off", code=ErrorCode.JUDGE_INCOMPLETE)
            error.needs_room = answer.thinks or not answer.text or "<think>" in answer.text
            raise error
        case "filtered":
            raise JudgeAnswerError("a content filter stopped the judge's answer", code=ErrorCode.JUDGE_CONTENT_FILTER)
        case "failed":
            raise JudgeAnswerError("the judge's API reports that the answer failed", code=ErrorCode.JUDGE_FAILED)
        case "refused":
            raise JudgeAnswerError("the judge refused to answer", code=ErrorCode.JUDGE_REFUSED)
    if not answer.text:
        raise JudgeAnswerError("the judge's answer has no text")
    return Reply(find_answer(answer.text), answer.model, request_id=answer.id if isinstance(answer.id, str) else None)
