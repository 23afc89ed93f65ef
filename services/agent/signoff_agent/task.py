"""Declare what a function gets, a task, and the errors by which it says that there is no result."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

#: Characters of a message, and bytes of a partial result, that are passed on; Signoff keeps no more.
MESSAGE_MAX_CHARS: Final = 500
PARTIAL_MAX_BYTES: Final = 16 << 10
#: Levels of a JSON value that Signoff reads.
LEVELS_MAX: Final = 150


class AgentError(Exception):
    """A failure. `code` names it for the job's policy, and `retryable` says whether another call may succeed."""

    def __init__(self, message: str, *, code: str = "function_failed", retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable


class RetryableError(AgentError):
    """A failure that may pass: Signoff calls again, as the job's policy says."""

    def __init__(self, message: str, *, code: str = "function_failed") -> None:
        super().__init__(message, code=code, retryable=True)


class DeclinedError(Exception):
    """The agent does not take this job: it is REJECTED, and nothing is tried again."""


@dataclass
class Task:
    """A piece of work: `request` is the JSON object that Signoff sent, and the methods report on the work.

    All calls of one execution have the same `key`. `attempt` and `call` count the grants and the calls so far, from 1.
    A result of more than `result_max_bytes`, as JSON, fails; None bounds nothing. `checkpoints` holds what was kept by
    `checkpoint`, also by an earlier run with the same key.
    """

    key: str
    request: Mapping[str, Any]
    attempt: int = 1
    call: int = 1
    result_max_bytes: int | None = None
    checkpoints: dict[str, Any] = field(default_factory=dict)
    keep: Callable[[str, str], Awaitable[None]] | None = field(default=None, repr=False)
    status: dict[str, Any] = field(default_factory=dict, repr=False)
    used: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def title(self) -> str:
        """The job's title."""
        return str(self.request.get("title") or "")

    @property
    def description(self) -> str:
        """The job's description."""
        return str(self.request.get("description") or "")

    @property
    def acceptance_criteria(self) -> str:
        """The criteria by which the result will be judged, one a line."""
        return str(self.request.get("acceptance_criteria") or "")

    @property
    def payload(self) -> Any:
        """The job's payload, a JSON value."""
        return self.request.get("payload")

    @property
    def feedback(self) -> Any:
        """Why the last result was not accepted, a JSON object; None at the first submission."""
        return self.request.get("feedback")

    @property
    def submission(self) -> int:
        """The number of the result that is asked for, from 1: a result that was not accepted counts."""
        return int(self.request.get("submission") or 1)

    def progress(self, fraction: float | None = None, message: str | None = None, partial: Any = None) -> None:
        """Report how the work goes: the fraction done, from 0 to 1, a line, and a partial result.

        What is left out stays as it was. A partial result of more than 16 KiB as JSON is not passed on.
        """
        status = dict(self.status)
        if fraction is not None:
            if not 0 <= fraction <= 1:
                raise ValueError(f"a fraction is from 0 to 1, not {fraction}")
            status["progress"] = fraction
        if message is not None:
            status["message"] = to_text(message)
        if partial is not None:
            text = check_json(partial)
            if len(text) <= PARTIAL_MAX_BYTES:
                status["partial"] = json.loads(text)  # a copy: the function may change its own
            else:
                status.pop("partial", None)
        self.status = status

    def usage(
        self,
        *,
        input_tokens: int = 0,
        cached_tokens: int = 0,
        output_tokens: int = 0,
        cost_usd: float | str | Decimal | None = None,
        model: str | None = None,
    ) -> None:
        """Add what a step consumed; Signoff counts the sum, also of work that fails."""
        used = dict(self.used)
        counts = {"input_tokens": input_tokens, "cached_tokens": cached_tokens, "output_tokens": output_tokens}
        for name, count in counts.items():
            if count < 0:
                raise ValueError(f"{name} is not negative")
            if count:
                used[name] = used.get(name, 0) + count
        if cost_usd is not None:
            cost = Decimal(str(cost_usd))
            if not cost.is_finite() or cost < 0:
                raise ValueError("cost_usd is a number, and not negative")
            used["cost_usd"] = format(Decimal(used.get("cost_usd", "0")) + cost, "f")
        if model is not None:
            used["model"] = to_text(model, 200)
        self.used = used

    async def checkpoint(self, name: str, value: Any) -> None:
        """Keep a JSON value until the work is forgotten: a later run with the same key finds it in `checkpoints`."""
        text = check_json(value).decode()
        if self.keep is not None:
            await self.keep(name, text)
        self.checkpoints[name] = json.loads(text)


def to_text(value: object, max_chars: int = MESSAGE_MAX_CHARS) -> str:
    """Return a text that JSON can carry, cut to its length: half a surrogate pair, as models emit, is replaced."""
    return str(value)[:max_chars].encode(errors="replace").decode()


def to_json(value: Any) -> bytes:
    """Return the shortest JSON text of a value, as Signoff measures it. Raise ValueError if it is no JSON value."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def check_json(value: Any) -> bytes:
    """Return the JSON text of a function's value. Raise ValueError if it is none, or deeper than Signoff reads."""
    text = to_json(value)
    if text.count(b"[") + text.count(b"{") > LEVELS_MAX:
        level, items = 0, [value]
        while items := [item for item in items if isinstance(item, dict | list | tuple)]:
            level += 1
            items = [child for item in items for child in (item.values() if isinstance(item, dict) else item)]
        if level > LEVELS_MAX:
            raise ValueError(f"it is more than {LEVELS_MAX} levels deep")
    return text
