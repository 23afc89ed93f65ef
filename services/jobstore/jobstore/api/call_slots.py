"""Bound the calls that are under way at once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from jobstore.api.auth import Role
from jobstore.errors import TooManyCallsError


class CallSlots:
    """Count each role's calls, so that no role's load refuses another's; those that last, such as watches, apart."""

    def __init__(self, calls_max: int, watches_max: int) -> None:
        """`calls_max` and `watches_max` are how many each role may have under way."""
        self._limits = {False: calls_max, True: watches_max}
        self._under_way: Counter[tuple[Role, bool]] = Counter()

    @contextmanager
    def hold(self, role: Role, *, lasting: bool) -> Iterator[None]:
        """Hold a place for a call while it is under way. TooManyCallsError: there is none."""
        kind, limit = (role, lasting), self._limits[lasting]
        if self._under_way[kind] >= limit:
            what = "watches" if lasting else "calls"
            raise TooManyCallsError(f"{limit} {what} of the role {role.value} are under way; try again later")
        self._under_way[kind] += 1
        try:
            yield
        finally:
            self._under_way[kind] -= 1
