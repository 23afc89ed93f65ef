"""Decide when the next request may go to a server that limits its rate. Pure: it is told the time.

Requests at once are bounded by a window, as TCP does it: it opens by one with each answer; a refusal halves it, and it
opens slower from there. The rate is bounded by the quotas of which the server tells. Of these a share is used, which a
refusal halves and a minute doubles: so validators that know nothing of one another come to share a quota. Nothing is
learned from a refusal of a server that tells nothing: it may mean a bad moment.
"""

import asyncio
import random
import re
import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from math import log2
from typing import Any, Final, NamedTuple

from prometheus_client import Counter, Gauge

from servicekit.clock import now, read_retry_after

#: The longest wait that a server may ask for.
RETRY_AFTER_MAX_S: Final = 3_600.0
#: The time in which a quota is full again, where the server does not say: most quotas are per minute.
_RESET_S: Final = 60.0
_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_DURATION: Final = re.compile(
    r"(?:(?P<d>[0-9.]{1,9})d)?(?:(?P<h>[0-9.]{1,9})h)?(?:(?P<m>[0-9.]{1,9})m)?(?:(?P<s>[0-9.]{1,12})s)?"
    r"(?:(?P<ms>[0-9.]{1,12})ms)?"
)
_UNITS_S: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
#: A number of seconds that is longer is a moment.
_MOMENT_MIN_S: Final = 1e9


class Quota(NamedTuple):
    """What is left of a quota, of how much, and in how many seconds all of it is there again."""

    left: float
    most: float
    reset_s: float


class Said(NamedTuple):
    """What headers say: which requests and tokens are left, and under which id the server knows the request."""

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


def read_headers(headers: Mapping[str, str]) -> Said:
    """Return what the headers of an answer say, in OpenAI's form or in Anthropic's; they are found by small letters."""
    headers = dict(headers.items())  # httpx's search all of them for a name
    request_id = read_id(headers.get("x-request-id") or headers.get("request-id"))
    if _LEFT.isdisjoint(headers):
        return Said(request_id=request_id)
    return Said(_read_quota(headers, "requests"), _read_quota(headers, "tokens"), request_id)


def read_id(value: Any) -> str | None:
    """Return an id that a server gave, if it is one that may be stored and shown."""
    return value if isinstance(value, str) and _REQUEST_ID.fullmatch(value) else None


def read_pause_s(headers: Mapping[str, str]) -> float | None:
    """Return for how many seconds a refusal asks to wait; None if it does not say."""
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
    """Return the seconds that `6m0.5s`, `20`, `1790000000` or `2026-11-26T17:00:00Z` mean."""
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


#: Requests at once to a server of which nothing is known yet, and at most.
WINDOW_FIRST: Final = 16.0
WINDOW_MAX: Final = 1_000.0
#: Requests at once, whatever was refused: one that hangs holds up nobody.
WINDOW_MIN: Final = 4.0
#: The first pause after a refusal that names none; each is twice the one before.
PAUSE_FIRST_S: Final = 0.5
#: The longest time without a request while some wait, whatever a server says.
PAUSE_MAX_S: Final = 30.0
#: The time in which the share of a quota that is used doubles.
SHARE_DOUBLES_S: Final = 60.0
#: The least share of a quota that is used.
_SHARE_MIN: Final = 1 / 64


class _Bucket:
    """What is left of a share of a quota by now, if it fills evenly."""

    def __init__(self, quota: Quota, spent: float, share: float, at: float) -> None:
        self._most = quota.most
        self._level = quota.left * share - spent
        self._rate = (quota.most - quota.left) / quota.reset_s if quota.reset_s else float("inf")
        self._at = at

    def wait_s(self, amount: float, share: float, now: float) -> float:
        """Return the seconds until `amount` may be taken; of more than there ever is, all."""
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
    """The pace at which one server is asked with one key."""

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
        self._heard_of = -1  # the number of the request whose answer told the quotas
        self._tokens_begun = 0.0
        self._share, self._share_at = 1.0, 0.0

    def wait_s(self, tokens: float, now: float) -> float | None:
        """Return the seconds until a request of so many tokens may begin; None: once another one has ended."""
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
        """Take note of a request that begins."""
        self.under_way += 1
        self._begun += 1
        self._tokens_begun += tokens
        self._last_at = now
        self._one_may_go = False
        if self._requests is not None:
            self._requests.take(1.0, self._grow_share(now), now)
        if self._tokens is not None:
            self._tokens.take(tokens, self._grow_share(now), now)
        return Turn(self._begun, self._tokens_begun)

    def end(self) -> None:
        """Take note of a request that ended without an answer."""
        self.under_way -= 1

    def answered(self, turn: "Turn", said: Said, now: float) -> None:
        """Take note of an answer."""
        if self.under_way * 2 >= self.window and turn.number >= self._first_since_refusal:
            self.window = min(WINDOW_MAX, self.window + (1.0 if self.window < self._threshold else 1.0 / self.window))
        if turn.number >= self._first_since_refusal:
            self.refusals = 0
        self.end()
        if said.requests is None and said.tokens is None and turn.number > self._heard_of:
            # What was told with a refusal is over: whoever counts tells it with each answer.
            self._requests = self._tokens = None
        self._hear(turn, said, now)

    def refused(self, turn: "Turn", said: Said, now: float, pause_s: float | None, jitter: float) -> None:
        """Take note of a refusal, which asks for a pause or not; `jitter`, from 0 to 1, tells validators apart."""
        self.end()
        is_news = turn.number >= self._first_since_refusal
        if is_news:
            self._threshold = self.window = max(WINDOW_MIN, self.window / 2)
            self._first_since_refusal = self._begun + 1
            self.refusals += 1
            self._share, self._share_at = max(self._grow_share(now) / 2, _SHARE_MIN), now
        self._hear(turn, said, now)
        self._one_may_go = bool(pause_s)
        if pause_s is None:
            pause_s = PAUSE_FIRST_S * 2.0 ** min(self.refusals - 1, 10)
        self._opens_at = max(self._opens_at, now + min(pause_s * (1 + jitter / 10) + jitter / 10, PAUSE_MAX_S))

    def _grow_share(self, now: float) -> float:
        """Return the share of the quotas that is used by now."""
        doublings = (now - self._share_at) / SHARE_DOUBLES_S
        self._share *= 2.0 ** min(doublings, -log2(self._share))  # until it is 1; of idle days the power is no float
        self._share_at = now
        return self._share

    def _hear(self, turn: "Turn", said: Said, now: float) -> None:
        """Remember quotas: they do not count what was begun after the request that they answer."""
        if turn.number <= self._heard_of or (said.requests is None and said.tokens is None):
            return
        self._heard_of = turn.number
        if said.requests is not None:
            self._requests = _Bucket(said.requests, self._begun - turn.number, self._share, now)
            if not self._first_since_refusal:  # there is no need to feel for what is told
                self.window = min(WINDOW_MAX, max(self.window, said.requests.left / 4))
        if said.tokens is not None:
            self._tokens = _Bucket(said.tokens, self._tokens_begun - turn.tokens, self._share, now)


class Turn(NamedTuple):
    """A request that was begun: its number, and the tokens of all until then."""

    number: int
    tokens: float


WAITING = Gauge("signoff_judge_waiting", "Questions that wait for the pace that a judge's server takes", ["server"])
WINDOW = Gauge("signoff_judge_window", "Questions at once to a judge's server, since it refused one", ["server"])
REFUSALS = Counter("signoff_judge_refusals", "Questions that a judge's server refused for its rate", ["server"])


class Gate:
    """The way to one server with one key; `server` is its name in metrics."""

    def __init__(self, server: str) -> None:
        self._pace = Pace()
        self._waits, self._refusals = WAITING.labels(server), REFUSALS.labels(server)
        WINDOW.labels(server).set_function(lambda: self._pace.window)
        self._waiting: deque[tuple[asyncio.Future[Turn], float]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, tokens: float) -> Turn:
        """Wait until a request of about so many tokens may begin. Whoever enters says how it ended."""
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
        """End a request that had no answer."""
        self._pace.end()
        self._admit()

    def answered(self, turn: Turn, said: Said) -> None:
        """End a request that was answered, well or badly."""
        self._pace.answered(turn, said, time.monotonic())
        self._admit()

    def refused(self, turn: Turn, said: Said, pause_s: float | None) -> None:
        """End a request that was refused for the rate or the load, perhaps with the pause that it asks for."""
        self._pace.refused(turn, said, time.monotonic(), pause_s, random.random())  # noqa: S311 - no secret
        self._refusals.inc()
        self._admit()

    def _admit(self) -> None:
        """Begin what may begin by now, and come back when the next may."""
        waiting, pace = self._waiting, self._pace
        while waiting:
            turn, tokens = waiting[0]
            if turn.done():  # whoever waited has gone
                waiting.popleft()
                continue
            now = time.monotonic()
            wait_s = pace.wait_s(tokens, now)
            if wait_s != 0.0:
                self._come_back(wait_s)
                return
            waiting.popleft()
            turn.set_result(pace.begin(tokens, now))

    def _come_back(self, wait_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if wait_s is not None:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._admit)
