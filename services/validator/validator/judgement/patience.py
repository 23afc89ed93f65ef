"""Bound how long a judge is asked about one result. Pure."""


class Patience:
    """The time of a judge's answers about one result: of a slow one, fewer are waited for.

    Only its answers count, and not the wait for its turn, or until it is back: a judge that is away decides nothing.
    """

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._spent_s = self._longest_s = 0.0

    def spend(self, latency_s: float | None) -> None:
        """Take note of an answer; None: nobody measured it."""
        self._spent_s += latency_s or 0.0
        self._longest_s = max(self._longest_s, latency_s or 0.0)

    @property
    def may_ask_again(self) -> bool:
        """Whether another answer, as long in coming as the longest yet, would be in time."""
        return self._spent_s + self._longest_s <= self._within_s

    def __str__(self) -> str:
        return f"the judge's answers took {self._spent_s:.0f} s, and it is not asked again"
