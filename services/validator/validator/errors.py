"""Declare the errors that say why a result has no verdict. Every error carries a stable `code`."""

from contracts.resources import Usage
from servicekit.errors import PermanentError, ServiceError, TransientError, UnableError
from signoff.errors import ErrorCode


class JudgeUnavailableError(TransientError):
    """The judge did not answer, so that the judgement waits undecided. `status` is that of an HTTP response, if any.

    Codes: judge_unreachable, judge_timeout, judge_rate_limited, judge_unavailable (5xx). Only an operator can mend:
    judge_unauthorized, judge_not_found, judge_quota_exceeded, judge_not_configured and, for the model of a policy,
    judge_key_unknown, judge_key_not_allowed (not at this URL), judge_address_forbidden.
    """

    code = ErrorCode.JUDGE_UNAVAILABLE
    status: int | None = None


class JudgeAnswerError(ServiceError):
    """The judge's answer cannot be used. Unless the error `is_final`, the judge is asked again, within bounds.

    Codes: judge_refused, judge_content_filter, judge_incomplete (cut off), judge_invalid_json, judge_wrong_shape,
    judge_criteria_mismatch, judge_canary (the answer has a secret word), judge_failed, judge_request_rejected (400,
    413, 422; final). `usage` to `last_refusal` are as in Reply. `needs_room` says that the model's thoughts used up the
    tokens.
    """

    code = ErrorCode.JUDGE_WRONG_SHAPE
    usage: Usage | None = None
    request_id: str | None = None
    latency_s: float | None = None
    refused = 0
    last_refusal: str | None = None
    is_final = False
    needs_room = False


class JudgmentError(PermanentError):
    """This result cannot be judged: the validation has failed.

    Codes: those of JudgeAnswerError, where the judge does not answer about a harmless result either; no_criteria;
    no_required_criterion; result_not_json; result_too_large_to_judge; budget_exhausted; judge_prompt_unknown (a policy
    names a version that this validator does not have); verdict_mismatch (a fault of the validator). `asked` describes
    the asks that were made, since there is no verdict that lists them.
    """

    code = ErrorCode.JUDGMENT_FAILED
    asked = ""

    def __str__(self) -> str:
        return f"{super().__str__()}; {self.asked}" if self.asked else super().__str__()


class PolicyNotSupportedError(UnableError):
    """This validator cannot read the judge policy, which is of a later version; a newer validator can judge by it."""

    code = ErrorCode.JUDGE_POLICY_NOT_SUPPORTED


class BudgetExhaustedError(JudgmentError):
    """The job's budget is used up before there is a verdict."""

    code = ErrorCode.BUDGET_EXHAUSTED
