"""How many results an operation `rejudge` lets be judged next, within its limits of rate and money."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from jobstore.operations.kinds import Parameters
from jobstore.storage.sql import Connection
from signoff.errors import ErrorCode
from signoff.money import to_nanos

#: Judgings of one operation that wait or are under way at most: enough for validators to be busy, and few enough to
#: let those of others have their turn.
AHEAD_MAX: Final = 2_000
#: As long as nothing is known of what one costs, while money is limited.
AHEAD_UNKNOWN_MAX: Final = 10
#: The codes of items for which an operation has no money left, or of which nobody tells what they cost.
OVER_BUDGET: Final = ErrorCode.BUDGET_EXHAUSTED
COST_UNKNOWN: Final = ErrorCode.COST_UNKNOWN
#: What is said with them.
MESSAGES: Final[Mapping[str, str]] = {
    OVER_BUDGET: "what the operation may cost is spent",
    COST_UNKNOWN: "the operation has a budget in USD, and no judge that was asked tells what it costs: name prices in "
    "the policy, or set no budget",
}
#: Seconds until an operation that may not go on is looked at again.
LOOK_AGAIN_S: Final = 0.2

_OPEN: Final = text("SELECT count(*) FROM judgings WHERE group_id = :id AND state <> 'DONE'")
_SPENT: Final = text(
    """
    SELECT coalesce(sum(cost_nanos), 0) AS nanos,
        count(*) FILTER (WHERE state = 'DONE' AND cost_nanos IS NOT NULL) AS told,
        count(*) FILTER (WHERE state = 'DONE' AND cost_nanos IS NULL AND tokens IS NOT NULL) AS untold,
        count(*) FILTER (WHERE state <> 'DONE') AS under_way
    FROM judgings WHERE group_id = :id
    """,
)


@dataclass(frozen=True, slots=True)
class Pace:
    """How many judgings may be queued now, and after how many seconds the next. `code`: why never any more."""

    room: int
    rest_s: float = 0.0
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What the judgings of an operation cost so far: those done of which it is told, and of which it is not."""

    nanos: int = 0
    told: int = 0
    untold: int = 0
    under_way: int = 0

    @property
    def code(self) -> str:
        """Why nothing more begins, where nothing does."""
        return COST_UNKNOWN if self.untold and not self.nanos else OVER_BUDGET


async def find_pace(connection: Connection, operation_id: UUID, parameters: Parameters, most: int) -> Pace:
    """Return how an operation goes on, with `most` judgings at once."""
    budget_usd, rate = parameters.get("budget_usd"), parameters.get("rate_per_s")
    if budget_usd is None:
        room = AHEAD_MAX - int(await connection.scalar(_OPEN, {"id": operation_id}))
    else:
        row = (await connection.execute(_SPENT, {"id": operation_id})).one()
        spent = Spent(int(row.nanos), row.told, row.untold, row.under_way)
        room = find_affordable(to_nanos(budget_usd), spent)
        if room <= 0 and not spent.under_way:
            return Pace(0, code=spent.code)
    room = min(room, most)
    if rate is not None:
        room = min(room, max(1, round(rate)))
    if room <= 0:
        return Pace(0, LOOK_AGAIN_S)
    return Pace(room, 0.0 if rate is None else room / rate)


def find_affordable(budget_nanos: int, spent: Spent) -> int:
    """Return how many more judgings a budget allows, if each costs what those that tell it did on average.

    Those that do not tell it count as much. Where none does, a budget cannot be kept to, and allows no more.
    """
    if spent.nanos >= budget_nanos or (spent.untold and not spent.nanos):
        return 0
    if not spent.nanos:
        return (AHEAD_MAX if spent.told else AHEAD_UNKNOWN_MAX) - spent.under_way
    affordable = (budget_nanos - spent.nanos) * spent.told // spent.nanos - spent.untold
    return min(affordable, AHEAD_MAX) - spent.under_way
