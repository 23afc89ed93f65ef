"""The relay of facts: two writers, two relays that may both believe that they lead, two jobs, one reader, one watch.

Each relay is in the process of the writer of its number, which hands over in memory what it has committed: late, in
another order, or never.
"""

from collections.abc import Iterator
from typing import NamedTuple

from search import Step

RULES = (
    "publish-from-first-unacknowledged",
    "apply-next-version-only",
    "begin-again",
    "settled-before-published",
    "older-epochs-end",
    "next-version-from-memory",
    "recent-behind-looks",
)

WRITERS = 2


class RelayScenario(NamedTuple):
    """How many versions each job has, each of a tenant of its own; so many relays, faults and, at most, records.

    `memory`: whether what writers commit is handed over.
    """

    versions: dict[str, int]
    relays: int
    faults: int
    records_max: int = 6
    memory: bool = False


RELAY_SCENARIOS = {
    "relay": RelayScenario({"a": 2, "b": 1}, relays=2, faults=1),
    "relay-faults": RelayScenario({"a": 2, "b": 1}, relays=1, faults=2),
    "relay-leaders": RelayScenario({"a": 2}, relays=2, faults=3),
    "relay-memory": RelayScenario({"a": 3}, relays=1, faults=1, records_max=3, memory=True),
    "relay-memory-two": RelayScenario({"a": 2, "b": 1}, relays=1, faults=0, records_max=4, memory=True),
    "relay-memory-leaders": RelayScenario({"a": 2}, relays=2, faults=1, records_max=4, memory=True),
}


class Entry(NamedTuple):
    """A row of the log: its number, its job and the version."""

    number: int
    job: str
    version: int


#: The rows that a transaction has written and not committed; the number of the first names it.
Transaction = tuple[Entry, ...]


class Leader(NamedTuple):
    """What a relay knows that leads.

    `settled`: up to this number every row was seen, or will never be. `seen`: numbers beyond it that were seen. `left`:
    what was seen and is not sent. `ended`: every writer that drew a number up to it has ended. `pending`: once these
    writers have ended, so have all that drew a number up to `pending_number`. `is_late`: the topic lost what it sent.
    `is_older`: it was stopped, cut off, or gave up, and another may lead; it goes on between any two steps, unknowing.
    `known`: of some jobs a version up to which all were seen. `recent`: numbers that were handed over, for watches from
    `begin` on.
    """

    settled: int
    seen: frozenset[int] = frozenset()
    left: tuple[Entry, ...] = ()
    ended: int = 0
    pending: frozenset[int] = frozenset()
    pending_number: int = 0
    is_late: bool = False
    is_older: bool = False
    known: frozenset[tuple[str, int]] = frozenset()
    recent: frozenset[int] = frozenset()
    begin: int = 0

    @property
    def published(self) -> int:
        """The number up to which every row was published, or will never be."""
        return min([self.settled, *(entry.number - 1 for entry in self.left)])

    def look(self, new: tuple[Entry, ...], give_up: int) -> "Leader":
        """Return what is known once rows were seen, and numbers given up that were not."""
        seen, settled = self.seen | {entry.number for entry in new}, max(self.settled, give_up)
        while settled + 1 in seen:
            settled += 1
        left = tuple(sorted((*self.left, *new)))
        looked = self._replace(settled=settled, seen=frozenset(n for n in seen if n > settled), left=left)
        return looked if looked.seen else looked._replace(ended=0, pending=frozenset(), pending_number=0)

    def has_seen(self, entry: Entry) -> bool:
        """Return whether a row was seen, or given up."""
        return entry.number <= self.settled or entry.number in self.seen

    def version_of(self, job: str) -> int:
        """Return the version of a job up to which all were seen, as far as that is known; 0 where it is not."""
        return max((version for name, version in self.known if name == job), default=0)

    def know(self, entry: Entry) -> "Leader":
        """Return what is known once all versions of a job up to this one were seen."""
        version = max(entry.version, self.version_of(entry.job))
        return self._replace(known=frozenset({*(k for k in self.known if k[0] != entry.job), (entry.job, version)}))


class State(NamedTuple):
    """Writers, the log, the relays and the topic. So many `faults` may still happen.

    `handing`: what was committed and is not handed over, each with the number of its process.

    `published` and `settled` are what the relays have stored; a watch has been told everything up to `settled`.
    """

    drawn: int = 0
    writers: tuple[Transaction, ...] = ((),) * WRITERS
    log: tuple[Entry, ...] = ()
    handing: frozenset[tuple[int, Transaction]] = frozenset()
    leaders: tuple[Leader | None, ...] = ()
    published: int = 0
    settled: int = 0
    topic: tuple[tuple[str, int], ...] = ()
    faults: int = 0

    def with_writer(self, number: int, transaction: Transaction) -> "State":
        """Return the state with another transaction of a writer."""
        return self._replace(writers=(*self.writers[:number], transaction, *self.writers[number + 1 :]))

    def with_leader(self, number: int, leader: Leader | None) -> "State":
        """Return the state with another leader."""
        return self._replace(leaders=(*self.leaders[:number], leader, *self.leaders[number + 1 :]))


class RelayModel:
    """See search.Model."""

    def __init__(self, scenario: RelayScenario, without: str | None = None) -> None:
        self._scenario = scenario
        self._rules = frozenset(RULES) - {without}
        self.violations: list[str] = []

    def initial(self) -> State:
        """Return the state to begin with."""
        return State(leaders=(None,) * self._scenario.relays, faults=self._scenario.faults)

    def steps(self, state: State) -> Iterator[Step[State]]:
        """Yield every step that is possible in a state."""
        for number, transaction in enumerate(state.writers):
            yield from self._write(state, number, transaction)
        for number, leader in enumerate(state.leaders):
            if leader is None:
                yield from self._take_over(state, number)
            else:
                yield from self._lead(state, number, leader)
        for handed in state.handing:
            yield from self._hand_over(state, *handed)
        if state.faults and state.topic:
            yield "the broker comes back empty", False, self._empty_topic(state)

    def _write(self, state: State, number: int, transaction: Transaction) -> Iterator[Step[State]]:
        """Whoever writes a version holds its job's lock to the end, and numbers it under that lock."""
        others = [entry.job for other, entries in enumerate(state.writers) if other != number for entry in entries]
        for job, versions in self._scenario.versions.items():
            version = 1 + sum(entry.job == job for entry in (*state.log, *transaction))
            if job not in others and version <= versions:
                entry = Entry(state.drawn + 1, job, version)
                written = state.with_writer(number, (*transaction, entry))
                yield f"writer {number} writes {job}{version}", True, written._replace(drawn=entry.number)
        if transaction:
            ended = state.with_writer(number, ())
            log = tuple(sorted((*state.log, *transaction)))
            handing = {(number, transaction)} if self._hands_over(number) else set()
            yield f"writer {number} commits", True, ended._replace(log=log, handing=state.handing | handing)
            if state.faults:
                yield f"writer {number} rolls back", False, ended._replace(faults=state.faults - 1)

    def _take_over(self, state: State, number: int) -> Iterator[Step[State]]:
        """Lead. While another leads, that is a fault: it stands still, or is cut off."""
        is_fault = any(leader and not leader.is_older for leader in state.leaders)
        if is_fault and not state.faults:
            return
        begin = state.published if self._scenario.memory else 0
        others = tuple(leader and self._end(leader) for leader in state.leaders)
        leads = state._replace(leaders=others, faults=state.faults - is_fault)
        leads = leads.with_leader(number, Leader(state.published, ended=state.settled, begin=begin))
        yield f"relay {number} leads", not is_fault, leads

    def _end(self, leader: Leader) -> Leader | None:
        """Return an older leader: its sessions are ended, and it may still send what it had read."""
        if "older-epochs-end" not in self._rules:
            return leader._replace(is_older=True)
        return Leader(0, left=leader.left, is_older=True) if leader.left else None

    def _hands_over(self, number: int) -> bool:
        return self._scenario.memory and number < self._scenario.relays

    def _hand_over(self, state: State, number: int, transaction: Transaction) -> Iterator[Step[State]]:
        """To a relay that leads; it takes of each job the version after those that it has seen, and no other."""
        rest = state._replace(handing=state.handing - {(number, transaction)})
        leader, names = state.leaders[number], _names(transaction)
        for entry in transaction if leader and not leader.is_older else ():
            is_next = "next-version-from-memory" not in self._rules or entry.version == 1 + leader.version_of(entry.job)
            if is_next and not leader.has_seen(entry):
                leader = leader.look((entry,), 0).know(entry)._replace(recent=leader.recent | {entry.number})
        yield f"relay {number} is handed {names}", True, rest.with_leader(number, leader)
        if state.faults and leader != state.leaders[number]:
            yield f"relay {number} is never handed {names}", False, rest._replace(faults=state.faults - 1)

    def _lead(self, state: State, number: int, leader: Leader) -> Iterator[Step[State]]:
        for job in {entry.job for entry in leader.left}:
            yield from self._send(state, number, leader, next(entry for entry in leader.left if entry.job == job))
        if leader.is_older:
            yield f"relay {number} finds that its epoch has ended", True, state.with_leader(number, None)
        if not leader.is_older or "older-epochs-end" not in self._rules:
            yield from self._ask_and_store(state, number, leader)

    def _ask_and_store(self, state: State, number: int, leader: Leader) -> Iterator[Step[State]]:
        new = tuple(e for e in state.log if e.number > leader.settled and e.number not in leader.seen)
        for part in {new, new[:1]}:
            looked = self._look(leader, part, is_cut=part != new)
            if looked != leader:
                yield f"relay {number} sees {_names(part)}", True, state.with_leader(number, looked)
        if leader.seen:
            checked = _check_writers(leader, state)
            if checked != leader:
                yield f"relay {number} asks who writes", True, state.with_leader(number, checked)
        if leader.is_late:
            yield f"relay {number} begins again", True, state.with_leader(number, None)
        elif (leader.published, max(leader.settled, state.settled)) != (state.published, state.settled):
            settled = max(leader.settled, state.settled)
            stored = state._replace(published=leader.published, settled=settled)
            yield f"relay {number} stores {leader.published}, {settled}", True, stored

    def _look(self, leader: Leader, new: tuple[Entry, ...], *, is_cut: bool) -> Leader:
        """See rows. What the log lacks though its writers had ended will never be, unless only a part was read."""
        if new and self._scenario.memory and "recent-behind-looks" in self._rules:
            leader = leader._replace(begin=max(leader.begin, new[-1].number))
        if "settled-before-published" not in self._rules:
            return leader.look(new, max((entry.number for entry in new), default=0))
        return leader.look(new, min(leader.ended, new[-1].number) if is_cut else leader.ended)

    def _send(self, state: State, number: int, leader: Leader, entry: Entry) -> Iterator[Step[State]]:
        if len(state.topic) == self._scenario.records_max:
            return
        acknowledged = leader._replace(left=tuple(other for other in leader.left if other != entry))
        acknowledged = acknowledged.know(entry) if self._scenario.memory else acknowledged
        sent = state._replace(topic=(*state.topic, (entry.job, entry.version)))
        name = _names((entry,))
        yield f"relay {number} sends {name}", True, sent.with_leader(number, acknowledged)
        if state.faults:
            failed = None if "publish-from-first-unacknowledged" in self._rules else acknowledged
            lost = state._replace(faults=state.faults - 1).with_leader(number, failed)
            yield f"relay {number} fails to send {name}", False, lost
            # It hears no answer, and lets go of what it leads. What it has sent may arrive yet.
            yield f"relay {number} gives up {name}", False, lost.with_leader(number, self._end(leader))

    def _empty_topic(self, state: State) -> State:
        emptied = state._replace(topic=(), faults=state.faults - 1)
        if "begin-again" not in self._rules:
            return emptied
        # An older one does not look how the topic stands before it goes on.
        leaders = tuple(leader and leader._replace(is_late=not leader.is_older) for leader in state.leaders)
        return emptied._replace(published=0, leaders=leaders)

    def check(self, state: State) -> None:
        """Append a violation if a watch missed a row, or if all is published and a reader has not each version once."""
        leaders = [leader for leader in state.leaders if leader]
        settled = max([state.settled, *(leader.settled for leader in leaders)])
        if any(entry.number <= settled for transaction in state.writers for entry in transaction):
            self.violations.append("I2 a watch was told everything up to a number that may still commit")
        for leader in leaders if self._scenario.memory else ():
            numbers = {entry.number for entry in state.log if leader.begin < entry.number <= leader.settled}
            if not numbers <= leader.recent:
                self.violations.append("I2 a watch that is told from memory misses a row")
        for job, versions in self._scenario.versions.items():
            if self._is_published(state) and self._read(state.topic, job) != tuple(range(1, versions + 1)):
                self.violations.append("I2 a reader of the whole topic has not each version once and in order")

    def _read(self, topic: tuple[tuple[str, int], ...], job: str) -> tuple[int, ...]:
        last, applied = 0, []
        for version in [version for name, version in topic if name == job]:
            if version == last + 1 or ("apply-next-version-only" not in self._rules and version > last):
                last = version
                applied.append(version)
        return tuple(applied)

    def _is_published(self, state: State) -> bool:
        is_written = len(state.log) == sum(self._scenario.versions.values()) and not any(state.writers)
        return is_written and state.published >= state.log[-1].number

    def is_at_rest(self, state: State) -> bool:
        """Return whether everything is published, or the topic holds as many records as the model allows."""
        return self._is_published(state) or len(state.topic) >= self._scenario.records_max

    def describe_stuck(self, state: State) -> str:
        """Name the violation of a state from which not everything is ever published."""
        return f"I2 not all of {len(state.log)} versions are ever published"


def _check_writers(leader: Leader, state: State) -> Leader:
    """Whoever writes now may have drawn any number up to the last that was seen; who comes later, none of them."""
    writers = frozenset(transaction[0].number for transaction in state.writers if transaction)
    if leader.pending & writers:
        return leader
    if leader.pending or not writers:
        ended = leader.pending_number if leader.pending else max(leader.seen)
        return leader._replace(ended=ended, pending=frozenset(), pending_number=0)
    return leader._replace(pending=writers, pending_number=max(leader.seen))


def _names(entries: tuple[Entry, ...]) -> str:
    return " ".join(f"{entry.job}{entry.version}" for entry in entries) or "nothing new"
