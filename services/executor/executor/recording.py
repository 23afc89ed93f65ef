"""Keep the exchanges of a try within bounds, and without secrets."""

import json
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

from contracts.agents import HIDDEN
from executor.outcomes import to_printable
from executor.ports import Call, Exchange
from servicekit.errors import ServiceError
from signoff.errors import ErrorCode, find_code
from signoff.jsontext import json_text

#: Exchanges that are kept, the first and the last: half of them each.
KEPT_MAX: Final = 60
#: Bytes of one body that are kept, and of all together; when these are used up, so many of each further one.
BODY_MAX: Final = 64 << 10
BODIES_MAX: Final = 1 << 20
BODY_MIN: Final = 1 << 10
#: Headers of a message, and characters of one, that are kept.
HEADERS_MAX, HEADER_MAX = 100, 1_000
MESSAGE_MAX: Final = 500
#: Headers whose values are secrets, wherever they come from.
_SECRET: Final = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie", "webhook-signature"})


class Recording:
    """The exchanges of all calls of one try, as they are answered; `count` is the number of all that were noted."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[dict[str, Any]] = []
        self._last: deque[dict[str, Any]] = deque(maxlen=KEPT_MAX // 2)
        self._left = BODIES_MAX

    def note(self, call: Call, exchange: Exchange) -> None:
        """Keep an exchange of a call, whose secrets are known by now, but for the signatures in it."""
        call.keep_secret(exchange.sent.get("webhook-signature", "").split())
        secret = _SECRET | {name.lower() for name in call.grant.headers}
        noted: dict[str, Any] = {
            "method": exchange.method,
            "url": call.hide(exchange.url),
            "request_headers": _hide_headers(call, exchange.sent, secret),
            "request_body": self._cut(call, exchange.data),
            "status": exchange.status,
            "response_headers": _hide_headers(call, exchange.received, secret),
            "response_body": self._cut(call, exchange.body),
            "duration_s": round(exchange.duration_s, 6),
        }
        if exchange.error is not None:
            noted |= describe(call, exchange.error)
        (self._first if len(self._first) < KEPT_MAX // 2 else self._last).append(noted)
        self.count += 1

    def show(self) -> list[dict[str, Any]]:
        """Return the exchanges that are kept."""
        return [*self._first, *self._last]

    @property
    def left_out(self) -> int:
        """The number of exchanges between the first and the last that are not kept."""
        return self.count - len(self._first) - len(self._last)

    def find_places(self, numbers: Iterable[int]) -> list[int]:
        """Return the places, among those that are kept, of exchanges by the numbers, from 0, at which they came."""
        first, left_out = len(self._first), self.left_out
        return [
            number if number < first else number - left_out
            for number in numbers
            if number < first or number >= first + left_out
        ]

    def _cut(self, call: Call, body: bytes) -> str:
        text = _hide_quoted(call, body.decode(errors="replace")).encode()
        kept = text[: min(BODY_MAX, max(self._left, BODY_MIN))].decode(errors="ignore")
        self._left -= min(len(text), BODY_MAX)
        return kept


def _hide_quoted(call: Call, text: str) -> str:
    """Return a text without secrets, also as a JSON string may have them: some agents repeat what they were sent."""
    for secret in sorted(call.secrets, key=len, reverse=True):
        quoted = json.dumps(secret)[1:-1]
        for spelled in {quoted, quoted.replace("/", "\\/")} - {secret}:
            text = text.replace(spelled, HIDDEN)
    return call.hide(text)


def hide_secrets(call: Call, value: Any) -> Any:
    """Return a JSON value without secrets, wherever in it an agent repeats them."""
    if isinstance(value, dict):
        return {call.hide(name): hide_secrets(call, member) for name, member in value.items()}
    if isinstance(value, list):
        return [hide_secrets(call, member) for member in value]
    text = value if isinstance(value, str) else json_text(value)
    hidden = call.hide(text)
    return value if hidden == text else hidden


def describe(call: Call, error: BaseException) -> dict[str, str]:
    """Return the code and the message of what ended an exchange or a call, and what to do about it."""
    code = error.code if isinstance(error, ServiceError) else ErrorCode.AGENT_TIMEOUT
    message = str(error) if isinstance(error, ServiceError) else "it was given up before the answer was whole"
    known = find_code(code)
    advice = {} if known is None else {"advice": known.sentence}
    return {"code": str(code), "message": to_printable(call.hide(message)[:MESSAGE_MAX])} | advice


def _hide_headers(call: Call, headers: Mapping[str, str], secret: Iterable[str]) -> dict[str, str]:
    shown = [*headers.items()][:HEADERS_MAX]
    return {
        name[:HEADER_MAX]: HIDDEN if name.lower() in secret else to_printable(call.hide(value)[:HEADER_MAX])
        for name, value in shown
    }
