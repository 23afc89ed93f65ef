"""Sample for metrics what waits, what is not published, who works, and which dead letters are open."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from jobstore.engine.database import Database
from jobstore.insights.processes import Backlog, Process, list_processes, read_backlog
from jobstore.insights.rollups import set_timeout
from jobstore.jobs.waits import WaitingNow, sum_up_all
from servicekit.metrics import Family, Sampled

#: The values of families by their labels.
Values: TypeAlias = dict[Family, Mapping[tuple[str, ...], float]]

EXECUTIONS: Final = Family("signoff_executions", "Executions that have not ended", ("state",))
WAITING: Final = Family("signoff_executions_waiting", "Executions by what they wait for", ("reason", "owner"))
WAITING_OLDEST: Final = Family(
    "signoff_executions_waiting_oldest_seconds",
    "For how long the oldest could have begun, by what they wait for",
    ("reason", "owner"),
)
CIRCUITS: Final = Family("signoff_circuits_open", "Agents that are not called, or by one call alone, since they failed")
OLDEST: Final = Family("signoff_queue_oldest_seconds", "For how long the oldest queued execution could have begun")
TURN_OLDEST: Final = Family(
    "signoff_queue_turn_oldest_seconds", "For how long an execution could have begun that nothing holds back"
)
UNPUBLISHED: Final = Family("signoff_facts_unpublished", "Facts that are not published")
UNPUBLISHED_OLDEST: Final = Family("signoff_facts_unpublished_oldest_seconds", "Age of the oldest of them")
UNCLAIMED: Final = Family("signoff_offers_unclaimed", "Executions that were offered again and again, and not claimed")
LIMITS_LOST: Final = Family("signoff_limits_lost", "1 while nothing is offered until somebody confirms the limits")
PROCESSES: Final = Family("signoff_processes", "Processes that were heard of lately", ("kind",))
ROOM: Final = Family("signoff_process_room", "Leases for which such processes have room", ("kind",))
CLOCKS: Final = Family(
    "signoff_process_clock_difference_seconds", "The most by which a clock differs from the database's", ("kind",)
)
LETTERS: Final = Family("signoff_dead_letters_open", "Dead letters that nobody has redriven or discarded", ("topic",))
SAMPLED: Final = Sampled(
    *(EXECUTIONS, WAITING, WAITING_OLDEST, CIRCUITS, OLDEST, TURN_OLDEST, UNPUBLISHED, UNPUBLISHED_OLDEST, UNCLAIMED),
    *(LIMITS_LOST, PROCESSES, ROOM, CLOCKS, LETTERS),
)
#: The kinds of processes that report themselves.
KINDS: Final = ("executor", "jobstore", "validator")


@dataclass(frozen=True, slots=True)
class Gauges:
    """Sample the gauges that one jobstore at a time shows for all."""

    database: Database
    alive_s: float
    count_letters: Callable[[], Awaitable[Mapping[str, int]]]

    async def show(self, until: float) -> None:
        """Sample, and show this until a time of the monotonic clock. TransientError: the database takes too long."""
        letters = await self.count_letters()
        async with self.database.transaction() as connection:
            await set_timeout(connection)
            waiting = await sum_up_all(connection, self.alive_s)
            backlog, processes = await read_backlog(connection), await list_processes(connection)
        values = _tell_waiting(waiting) | _tell_backlog(backlog) | _tell_processes(processes, self.alive_s)
        SAMPLED.show(values | {LETTERS: {(topic,): count for topic, count in letters.items()}}, until)


def _tell_waiting(now: WaitingNow) -> Values:
    reasons: dict[tuple[str, ...], float] = {}
    for each in now.sums:
        reasons[each.code, each.owner] = reasons.get((each.code, each.owner), 0) + each.count
    states = {"queued": now.queued, "running": now.running, "judging": now.judging}
    return {
        EXECUTIONS: {(state,): count for state, count in states.items()},
        WAITING: reasons,
        WAITING_OLDEST: {key: _count_seconds(since, now.at) for key, since in now.oldest.items()},
        CIRCUITS: {(): now.circuits},
        OLDEST: {(): _count_seconds(now.oldest_at, now.at)},
        TURN_OLDEST: {(): _count_seconds(now.turn_since, now.at)},
    }


def _tell_backlog(backlog: Backlog) -> Values:
    return {
        UNPUBLISHED: {(): backlog.unpublished},
        UNPUBLISHED_OLDEST: {(): backlog.unpublished_s},
        UNCLAIMED: {(): backlog.unclaimed},
        LIMITS_LOST: {(): backlog.are_limits_lost},
    }


def _tell_processes(processes: list[Process], alive_s: float) -> Values:
    alive: dict[str, list[Process]] = {kind: [] for kind in KINDS}
    for process in processes:
        if process.silent_s <= alive_s:
            alive[process.kind].append(process)
    clocks = {kind: [abs(p.report.ahead_s) for p in of_kind if p.report] for kind, of_kind in alive.items()}
    return {
        PROCESSES: {(kind,): len(of_kind) for kind, of_kind in alive.items()},
        ROOM: {(kind,): sum(p.room for p in of_kind) for kind, of_kind in alive.items() if kind != "jobstore"},
        CLOCKS: {(kind,): max(differences) for kind, differences in clocks.items() if differences},
    }


def _count_seconds(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
