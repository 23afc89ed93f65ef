"""How many results an operation `rejudge` lets be judged next, within its limits of rate and money."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from jobstore.operations.kinds import Parameters
from jobstore.storage.sql import Connection

#: Judgings of one operation that wait or are under way at most: enough for validators to be busy, and few enough to
#: let those of others have their turn.
AHEAD_MAX: Final = 2_000
#: As long as nothing is known of what one costs, while money is limited.
AHEAD_UNKNOWN_MAX: Final = 10
#: Seconds until an operation that may not go on is looked at again.
LOOK_AGAIN_S: Final = 0.2

_OPEN: Final = text("SELECT count(*) FROM judgings WHERE group_id = :id AND state <> 'DONE'")
_SPENT: Final = text(
    """
    SELECT count(*) FILTER (WHERE state = 'DONE') AS done, count(*) FILTER (WHERE state <> 'DONE') AS open,
        coalesce(sum(cost_usd), 0) AS usd
    FROM judgings WHERE group_id = :id
    """,
)


@dataclass(frozen=True, slots=True)
class Pace:
    """How many judgings may be queued now, and after how many seconds the next. `is_spent`: never any more."""

    room: int
    rest_s: float = 0.0
    is_spent: bool = False


async def find_pace(connection: Connection, operation_id: UUID, parameters: Parameters, most: int) -> Pace:
    """Return how an operation goes on, with `most` judgings at once."""
    budget_usd, rate = parameters.get("budget_usd"), parameters.get("rate_per_s")
    if budget_usd is None:
        room = AHEAD_MAX - int(await connection.scalar(_OPEN, {"id": operation_id}))
    else:
        row = (await connection.execute(_SPENT, {"id": operation_id})).one()
        room = find_affordable(budget_usd, row.usd, row.done, row.open)
        if room <= 0 and not row.open:
            return Pace(0, is_spent=True)
    room = min(room, most)
    if rate is not None:
        room = min(room, max(1, round(rate)))
    if room <= 0:
        return Pace(0, LOOK_AGAIN_S)
    return Pace(room, 0.0 if rate is None else room / rate)


def find_affordable(budget_usd: float, spent_usd: float, done: int, under_way: int) -> int:
    """Return how many more judgings a budget allows, if each costs what those that are done did on average."""
    if spent_usd >= budget_usd:
        return 0
    if not done or not spent_usd:
        return (AHEAD_MAX if done else AHEAD_UNKNOWN_MAX) - under_way
    return min(int((budget_usd - spent_usd) / (spent_usd / done)), AHEAD_MAX) - under_way
