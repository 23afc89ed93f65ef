"""Bound the requests to a server that limits its rate: their number at once, and their rate by the server's quotas.

A window bounds the requests at once, as in TCP: each answer widens it by one; a refusal halves it, and from then on it
widens more slowly. The quotas in the server's answers bound the rate. Only a share of a quota is used, which a refusal
halves and a minute doubles, so that processes that do not know of each other come to share a quota. The refusal of a
server that states no quota changes no rate: it may mean a bad moment.
"""

import asyncio
import random
import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from http import HTTPStatus
from math import log2
from typing import Any, Final, NamedTuple

from prometheus_client import Counter, Gauge, Histogram

from servicekit.clock import now, read_retry_after
from servicekit.metrics import LIFE_BUCKETS

#: Statuses of a server that is overloaded or limits its rate; the third is Anthropic's.
TOO_MUCH: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, 529})
#: The longest wait that a server may ask for.
RETRY_AFTER_MAX_S: Final = 3_600.0
#: Seconds until a quota is full again, where the server does not state it: most quotas are per minute.
_RESET_S: Final = 60.0
_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_DURATION: Final = re.compile(
    r"(?:(?P<d>[0-9.]{1,9})d)?(?:(?P<h>[0-9.]{1,9})h)?(?:(?P<m>[0-9.]{1,9})m)?(?:(?P<s>[0-9.]{1,12})s)?"
    r"(?:(?P<ms>[0-9.]{1,12})ms)?"
)
_UNITS_S: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
#: A number of seconds that is longer is a moment.
_MOMENT_MIN_S: Final = 1e9


@dataclass(frozen=True, slots=True)
class Quota:
    """A server's quota: how much of it is left, how large it is, and the seconds until it is full again."""

    left: float
    most: float
    reset_s: float


class AnswerHeaders(NamedTuple):
    """What a response's headers state: the quotas of requests and of tokens, and the server's id of the request."""

    requests: Quota | None = None
    tokens: Quota | None = None
    request_id: str | None = None


_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,200}")
#: How headers of quotas are named, by OpenAI and by Anthropic: of what is left, of how much, and when it is full again.
_NAMES: Final = {
    of: [
        (f"x-ratelimit-remaining-{of}", f"x-ratelimit-limit-{of}", f"x-ratelimit-reset-{of}"),
        (f"anthropic-ratelimit-{of}-remaining", f"anthropic-ratelimit-{of}-limit", f"anthropic-ratelimit-{of}-reset"),
    ]
    for of in ("requests", "tokens")
}
_LEFT: Final = {left for names in _NAMES.values() for left, *_ in names}


def read_headers(headers: Mapping[str, str]) -> AnswerHeaders:
    """Return what headers of a response state, in OpenAI's or Anthropic's form."""
    headers = {name.lower(): value for name, value in headers.items()}  # httpx's search all of them for a name
    request_id = read_id(headers.get("x-request-id") or headers.get("request-id"))
    if _LEFT.isdisjoint(headers):
        return AnswerHeaders(request_id=request_id)
    return AnswerHeaders(_read_quota(headers, "requests"), _read_quota(headers, "tokens"), request_id)


def read_id(value: Any) -> str | None:
    """Return a server's id of a request if it may be stored and shown, else None."""
    return value if isinstance(value, str) and _REQUEST_ID.fullmatch(value) else None


def read_pause_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the headers of a refusal ask a client to wait; None if they do not ask for a wait."""
    exact = headers.get("retry-after-ms", "")
    if _NUMBER.fullmatch(exact):
        return min(float(exact) / 1_000, RETRY_AFTER_MAX_S)
    return read_retry_after(headers, RETRY_AFTER_MAX_S)


def _read_quota(headers: Mapping[str, str], of: str) -> Quota | None:
    for names in _NAMES[of]:
        left, most, reset = (headers.get(name, "").strip() for name in names)
        if _NUMBER.fullmatch(left):
            all_of_it = float(most) if _NUMBER.fullmatch(most) else 0.0
            return Quota(float(left), max(all_of_it, float(left), 1.0), _read_reset_s(reset))
    return None


def _read_reset_s(value: str) -> float:
    """Return the seconds, bounded, until `6m0.5s`, `20`, `1790000000` or `2026-11-26T17:00:00Z`; else _RESET_S."""
    seconds = _RESET_S
    if _NUMBER.fullmatch(value):
        seconds = float(value)
        seconds = seconds - now().timestamp() if seconds > _MOMENT_MIN_S else seconds
    elif value and (parts := _DURATION.fullmatch(value)):
        try:
            seconds = sum(float(number) * _UNITS_S[unit] for unit, number in parts.groupdict().items() if number)
        except ValueError:
            return _RESET_S
    elif value[:4].isdigit():
        try:
            seconds = (datetime.fromisoformat(value) - now()).total_seconds()
        except (TypeError, ValueError):
            return _RESET_S
    return min(max(seconds, 0.0), RETRY_AFTER_MAX_S)


#: Requests at once to a server that is not known yet, and at most.
WINDOW_FIRST: Final = 16.0
WINDOW_MAX: Final = 10_000.0
#: Beyond so many the window opens by answers alone that come within so many seconds: a server that refuses nothing, and
#: lets everybody wait, would else be asked until all run out of time.
WINDOW_WIDE: Final = 200.0
PROMPT_S: Final = 30.0
#: Requests at once after any number of refusals: one that hangs does not block the others.
WINDOW_MIN: Final = 4.0
#: The first pause after a refusal that names none; each is twice the one before.
PAUSE_FIRST_S: Final = 0.5
#: The longest time without a request while some wait, whatever the server answers.
PAUSE_MAX_S: Final = 30.0
#: The time in which the share of a quota that is used doubles.
SHARE_DOUBLES_S: Final = 60.0
#: The least share of a quota that is used.
_SHARE_MIN: Final = 1 / 64


class _Bucket:
    """The level of the used share of a quota, as a token bucket that refills evenly."""

    def __init__(self, quota: Quota, spent: float, share: float, at: float) -> None:
        self._most = quota.most
        self._level = quota.left * share - spent
        self._rate = (quota.most - quota.left) / quota.reset_s if quota.reset_s else float("inf")
        self._at = at

    def wait_s(self, amount: float, share: float, now: float) -> float:
        """Return the seconds until `amount`, or the whole quota if `amount` is more, may be taken."""
        missing = min(amount, self._most) - self._refill(share, now)
        if missing <= 0:
            return 0.0
        return missing / (self._rate * share) if self._rate else PAUSE_MAX_S

    def take(self, amount: float, share: float, now: float) -> None:
        self._level = self._refill(share, now) - amount

    def _refill(self, share: float, now: float) -> float:
        if now > self._at:
            self._level = min(self._most, self._level + self._rate * share * (now - self._at))
            self._at = now
        return self._level


class Pace:
    """The pace of requests to one server with one key: window, quotas and pauses."""

    def __init__(self) -> None:
        self.window = WINDOW_FIRST
        self.under_way = 0
        self.refusals = 0  # one after the other
        self._threshold = WINDOW_MAX
        self._begun = 0  # requests, ever
        self._first_since_refusal = 0  # the number of the first request after the last refusal
        self._opens_at = 0.0
        self._last_at = float("-inf")
        self._one_may_go = False  # once the pause is over that a refusal asked for, whatever is left of the quotas
        self._requests: _Bucket | None = None
        self._tokens: _Bucket | None = None
        self._quotas_of = -1  # the number of the request whose answer had the quotas
        self._tokens_begun = 0.0
        self._share, self._share_at = 1.0, 0.0

    def wait_s(self, tokens: float, now: float) -> float | None:
        """Return the seconds until a request of `tokens` may begin; None if another request has to end first."""
        if self.under_way >= self.window:
            return None
        wait_s = self._opens_at - now
        if self._one_may_go:
            return max(0.0, wait_s)
        if self._requests is not None:
            wait_s = max(wait_s, self._requests.wait_s(1.0, self._grow_share(now), now))
        if self._tokens is not None:
            wait_s = max(wait_s, self._tokens.wait_s(tokens, self._grow_share(now), now))
        return max(0.0, min(wait_s, self._last_at + PAUSE_MAX_S - now))

    def begin(self, tokens: float, now: float) -> "Turn":
        """Count a request of `tokens` that begins, and return its turn."""
        self.under_way += 1
        self._begun += 1
        self._tokens_begun += tokens
        self._last_at = now
        self._one_may_go = False
        if self._requests is not None:
            self._requests.take(1.0, self._grow_share(now), now)
        if self._tokens is not None:
            self._tokens.take(tokens, self._grow_share(now), now)
        return Turn(self._begun, self._tokens_begun, now)

    def end(self) -> None:
        """Count a request that ended without an answer."""
        self.under_way -= 1

    def note_answer(self, turn: "Turn", headers: AnswerHeaders, now: float) -> None:
        """Count a request as answered: widen the window, and take over the quotas in the headers."""
        is_prompt = self.window < WINDOW_WIDE or now - turn.began_at < PROMPT_S
        if self.under_way * 2 >= self.window and turn.number >= self._first_since_refusal and is_prompt:
            self.window = min(WINDOW_MAX, self.window + (1.0 if self.window < self._threshold else 1.0 / self.window))
        if turn.number >= self._first_since_refusal:
            self.refusals = 0
        self.end()
        if headers.requests is None and headers.tokens is None and turn.number > self._quotas_of:
            # Quotas that came with a refusal are over: a server that counts states them with each answer.
            self._requests = self._tokens = None
        self._note_quotas(turn, headers, now)

    def note_refusal(
        self, turn: "Turn", headers: AnswerHeaders, now: float, pause_s: float | None, jitter: float
    ) -> None:
        """Count a request as refused, and pause for `pause_s` or, if None, a growing time, with `jitter` (0 to 1)."""
        self.end()
        is_news = turn.number >= self._first_since_refusal
        if is_news:
            self._threshold = self.window = max(WINDOW_MIN, self.window / 2)
            self._first_since_refusal = self._begun + 1
            self.refusals += 1
            self._share, self._share_at = max(self._grow_share(now) / 2, _SHARE_MIN), now
        self._note_quotas(turn, headers, now)
        self._one_may_go = bool(pause_s)
        if pause_s is None:
            pause_s = PAUSE_FIRST_S * 2.0 ** min(self.refusals - 1, 10)
        self._opens_at = max(self._opens_at, now + min(pause_s * (1 + jitter / 10) + jitter / 10, PAUSE_MAX_S))

    def _grow_share(self, now: float) -> float:
        """Return the share of the quotas that may be used now: it doubles in SHARE_DOUBLES_S, up to 1."""
        doublings = (now - self._share_at) / SHARE_DOUBLES_S
        self._share *= 2.0 ** min(doublings, -log2(self._share))  # until it is 1; of idle days the power is no float
        self._share_at = now
        return self._share

    def _note_quotas(self, turn: "Turn", headers: AnswerHeaders, now: float) -> None:
        """Take over the quotas in the answer to `turn`, less the requests that began after that turn."""
        if turn.number <= self._quotas_of or (headers.requests is None and headers.tokens is None):
            return
        self._quotas_of = turn.number
        if headers.requests is not None:
            self._requests = _Bucket(headers.requests, self._begun - turn.number, self._share, now)
            if not self._first_since_refusal:  # a stated quota needs no probing
                self.window = min(WINDOW_MAX, max(self.window, headers.requests.left / 4))
        if headers.tokens is not None:
            self._tokens = _Bucket(headers.tokens, self._tokens_begun - turn.tokens, self._share, now)


class Turn(NamedTuple):
    """A request that has begun: its number in order, the tokens of all that have begun, with this one, and the time."""

    number: int
    tokens: float
    began_at: float


class Metrics(NamedTuple):
    """The metrics of the requests to servers, each labelled by its server, but for the times of all."""

    waiting: Gauge
    window: Gauge
    refusals: Counter
    times: Histogram
    unanswered: Counter


@cache
def make_metrics(kind: str, requests: str) -> Metrics:
    """Return the metrics of servers of a kind, such as `judge`, to which such `requests` go, made once a process."""
    name, one = f"signoff_{kind}", f"a {kind}'s server"
    return Metrics(
        Gauge(f"{name}_waiting", f"{requests} that wait for the pace that {one} takes", ["server"]),
        Gauge(f"{name}_window", f"{requests} at once to {one}, since it refused one", ["server"]),
        Counter(f"{name}_refusals", f"{requests} that {one} refused for its rate", ["server"]),
        Histogram(f"{name}_request_seconds", f"Time until {one} answers, also with an error", buckets=LIFE_BUCKETS),
        Counter(f"{name}_unanswered", f"{requests} that {one} left unanswered, or that were given up", ["server"]),
    )


class Gate:
    """The queue of requests to one server with one key; `server` is the server's name in metrics."""

    def __init__(self, server: str, metrics: Metrics) -> None:
        self._pace = Pace()
        self._waits, self._refusals = metrics.waiting.labels(server), metrics.refusals.labels(server)
        self._times, self._unanswered = metrics.times, metrics.unanswered.labels(server)
        metrics.window.labels(server).set_function(lambda: self._pace.window)
        self._waiting: deque[tuple[asyncio.Future[Turn], float]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """The number of requests that wait for their turn."""
        return sum(not turn.done() for turn, _ in self._waiting)

    async def enter(self, tokens: float) -> Turn:
        """Wait until a request of about `tokens` tokens may begin. The caller then reports how the request ended."""
        now = time.monotonic()
        if not self._waiting and self._pace.wait_s(tokens, now) == 0.0:
            return self._pace.begin(tokens, now)
        turn: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, tokens))
        self._waits.inc()
        try:
            self._admit()
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._admit()  # it may have been the first, and only its tokens too many
            else:
                self.leave()
            raise
        finally:
            self._waits.dec()

    def leave(self) -> None:
        """Count a request as ended without an answer, and begin the waiting ones that may begin now."""
        self._unanswered.inc()
        self._pace.end()
        self._admit()

    def note_answer(self, turn: Turn, headers: AnswerHeaders) -> None:
        """Count a request as answered, with success or an error, and begin the waiting ones that may begin now."""
        now = time.monotonic()
        self._times.observe(now - turn.began_at)
        self._pace.note_answer(turn, headers, now)
        self._admit()

    def note_status(self, turn: Turn, status: int, headers: Mapping[str, str]) -> float | None:
        """Count a request as answered with an error status; return the pause that the server asks for, if any."""
        pause_s = read_pause_s(headers)
        if status in TOO_MUCH:
            self.note_refusal(turn, read_headers(headers), pause_s)
        else:
            self.note_answer(turn, read_headers(headers))
        return pause_s

    def note_refusal(self, turn: Turn, headers: AnswerHeaders, pause_s: float | None) -> None:
        """Count a request as refused for rate or load; `pause_s` is the pause that the server asks for, if any."""
        self._pace.note_refusal(turn, headers, time.monotonic(), pause_s, random.random())  # noqa: S311 - no secret
        self._refusals.inc()
        self._admit()

    def _admit(self) -> None:
        """Begin the waiting requests that may begin now, and set a timer for the next one."""
        waiting, pace = self._waiting, self._pace
        while waiting:
            turn, tokens = waiting[0]
            if turn.done():  # its caller was cancelled
                waiting.popleft()
                continue
            now = time.monotonic()
            wait_s = pace.wait_s(tokens, now)
            if wait_s != 0.0:
                self._set_timer(wait_s)
                return
            waiting.popleft()
            turn.set_result(pace.begin(tokens, now))

    def _set_timer(self, wait_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if wait_s is not None:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._admit)
