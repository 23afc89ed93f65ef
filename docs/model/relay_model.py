"""The relay of facts: two relays that may both believe that they lead, one job, three versions, one reader."""

from collections.abc import Iterator
from typing import NamedTuple

from search import Step

RULES = ("publish-from-first-unacknowledged", "apply-next-version-only", "begin-again")

VERSIONS = 3
RECORDS_MAX = 9
RELAYS = 2


class Pass(NamedTuple):
    """A relay's pass over the table: versions left to send, and those acknowledged; None: it may mark none."""

    left: tuple[int, ...]
    acknowledged: tuple[int, ...] | None = ()


class State(NamedTuple):
    """The table, the relays and the topic. `crashes`, `failures` and `losses` are faults that may still happen."""

    committed: int = 0
    marked: frozenset[int] = frozenset()
    passes: tuple[Pass | None, ...] = (None,) * RELAYS
    topic: tuple[int, ...] = ()
    crashes: int = 1
    failures: int = 1
    losses: int = 1

    def with_pass(self, number: int, relayed: Pass | None) -> "State":
        """Return the state with another pass of a relay."""
        return self._replace(passes=(*self.passes[:number], relayed, *self.passes[number + 1 :]))


class RelayModel:
    """See search.Model."""

    def __init__(self, without: str | None = None) -> None:
        self._rules = frozenset(RULES) - {without}
        self.violations: list[str] = []

    def initial(self) -> State:
        """Return the state to begin with."""
        return State()

    def steps(self, state: State) -> Iterator[Step[State]]:
        """Yield every step that is possible in a state."""
        if state.committed < VERSIONS:
            yield f"version {state.committed + 1} commits", True, state._replace(committed=state.committed + 1)
        for number, relayed in enumerate(state.passes):
            yield from self._take(state, number) if relayed is None else self._send(state, number, relayed)
        if state.losses and state.topic:
            yield "the broker comes back empty", False, self._empty_topic(state)

    def _take(self, state: State, number: int) -> Iterator[Step[State]]:
        unmarked = tuple(v for v in range(1, state.committed + 1) if v not in state.marked)
        if unmarked:
            yield f"relay {number} takes {unmarked}", True, state.with_pass(number, Pass(unmarked))

    def _send(self, state: State, number: int, relayed: Pass) -> Iterator[Step[State]]:
        left, acknowledged = relayed
        if left and len(state.topic) < RECORDS_MAX:
            acks = None if acknowledged is None else (*acknowledged, left[0])
            sent = state.with_pass(number, Pass(left[1:], acks))
            yield f"relay {number} sends {left[0]}", True, sent._replace(topic=(*state.topic, left[0]))
            if state.failures:
                rest = () if "publish-from-first-unacknowledged" in self._rules else left[1:]
                failed = state.with_pass(number, Pass(rest, acknowledged))
                yield f"relay {number} fails to send {left[0]}", False, failed._replace(failures=state.failures - 1)
        if not left:
            marked = state.marked | set(acknowledged or ())
            yield f"relay {number} marks {acknowledged}", True, state.with_pass(number, None)._replace(marked=marked)
        if state.crashes:
            yield f"relay {number} dies", False, state.with_pass(number, None)._replace(crashes=state.crashes - 1)

    def _empty_topic(self, state: State) -> State:
        emptied = state._replace(topic=(), losses=0)
        if "begin-again" not in self._rules:
            return emptied
        passes = tuple(relayed and relayed._replace(acknowledged=None) for relayed in state.passes)
        return emptied._replace(marked=frozenset(), passes=passes)

    def check(self, state: State) -> None:
        """Append a violation if all is published and a reader of the topic has not each version once."""
        if self._is_published(state) and self._read(state.topic) != tuple(range(1, VERSIONS + 1)):
            self.violations.append("I2 a reader of the whole topic has not each version once and in order")

    def _read(self, topic: tuple[int, ...]) -> tuple[int, ...]:
        last, applied = 0, []
        for version in topic:
            if version == last + 1 or ("apply-next-version-only" not in self._rules and version > last):
                last = version
                applied.append(version)
        return tuple(applied)

    def _is_published(self, state: State) -> bool:
        return state.committed == len(state.marked) == VERSIONS and not any(state.passes)

    def is_at_rest(self, state: State) -> bool:
        """Return whether everything is published, or the topic holds as many records as the model allows."""
        return self._is_published(state) or len(state.topic) >= RECORDS_MAX

    def describe_stuck(self, state: State) -> str:
        """Name the violation of a state from which not everything is ever published."""
        return f"I2 not all of {state.committed} versions are ever published"
