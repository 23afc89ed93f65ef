"""Decide when the next request may go to a server that limits its rate. Pure: it is told the time.

Requests at once are bounded by a window, as TCP does it: it opens by one with each answer; a refusal halves it, and it
opens slower from there. The rate is bounded by the quotas of which the server tells. Of these a share is used, which a
refusal halves and a minute doubles: so validators that know nothing of one another come to share a quota. Nothing is
learned from a refusal of a server that tells nothing: it may mean a bad moment.
"""

from math import log2
from typing import Final, NamedTuple

from validator.judges.quotas import Quota, Said

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
