"""A job that is removed: log, relay, archive and cut, who creates its id anew, and who quotes its result."""

from collections.abc import Iterator
from typing import NamedTuple

from search import Step

RULES = ("archived-before-removed", "reuse-goes-first", "rest-before-cut", "last-needs-none-before")

#: The versions of the job before it is removed; the entry that removes it is the next. The second has its result.
VERSIONS = 2
LAST = VERSIONS + 1


class State(NamedTuple):
    """The log, how far it is published and archived, and who is under way. So many `faults` may still happen.

    `log`: the versions that stand in it. `topic`, `archive`: those that stand there. `archived`: up to this version all
    were read back from the archive. `is_reusable`: whether the result is kept for reuse. `creator`: a transaction that
    waited for the row of the job while that was removed, and has found nothing. `claim`: one that has read that there
    is a result to quote.
    """

    log: tuple[int, ...] = ()
    published: int = 0
    topic: tuple[int, ...] = ()
    archive: frozenset[int] = frozenset()
    archived: int = 0
    is_reusable: bool = False
    creator: bool = False
    claim: bool = False
    faults: int = 0

    @property
    def is_removed(self) -> bool:
        """Whether the job was removed."""
        return LAST in self.log

    @property
    def is_cut(self) -> bool:
        """Whether the last entry alone is left."""
        return self.log == (LAST,)


class RemovalModel:
    """See search.Model."""

    def __init__(self, faults: int, without: str | None = None) -> None:
        self._faults = faults
        self._rules = frozenset(RULES) - {without}
        self.violations: list[str] = []

    def initial(self) -> State:
        """Return the state to begin with."""
        return State(faults=self._faults)

    def steps(self, state: State) -> Iterator[Step[State]]:
        """Yield every step that is possible in a state."""
        version = len(state.log) + 1
        if not state.is_removed and version <= VERSIONS:
            written = state._replace(log=(*state.log, version), is_reusable=version == VERSIONS)
            yield f"version {version} is recorded", True, written
        yield from self._publish(state)
        yield from self._remove(state)
        yield from self._use(state)
        if state.faults and state.topic:
            emptied = state._replace(topic=(), published=0, faults=state.faults - 1)
            yield "the broker comes back empty", False, emptied

    def _publish(self, state: State) -> Iterator[Step[State]]:
        """Publish in order; of a removed job the last entry alone. Archive what stands in the topic, in its order."""
        left = [each for each in state.log if each > state.published and (not state.is_removed or each == LAST)]
        if left:
            sent = state._replace(topic=(*state.topic, left[0]), published=left[0])
            yield f"version {left[0]} is published", True, sent
        unread = [each for each in state.topic if each not in state.archive]
        if unread:
            yield f"version {unread[0]} is archived", True, state._replace(archive=state.archive | {unread[0]})
        if (read := max(state.archive, default=0)) > state.archived:
            yield f"all up to version {read} is read back", True, state._replace(archived=read)

    def _remove(self, state: State) -> Iterator[Step[State]]:
        is_archived = state.archived >= VERSIONS or "archived-before-removed" not in self._rules
        if not state.is_removed and len(state.log) == VERSIONS and is_archived:
            kept = state.is_reusable and "reuse-goes-first" not in self._rules
            removed = state._replace(log=(*state.log, LAST), is_reusable=kept)
            yield "the job is removed", True, removed
            yield "the job is removed while its id is created", False, removed._replace(creator=True)
        has_rested = not (state.creator or state.claim) or "rest-before-cut" not in self._rules
        if state.is_removed and not state.is_cut and state.archived >= LAST and has_rested:
            yield "the log is cut", True, state._replace(log=(LAST,))

    def _use(self, state: State) -> Iterator[Step[State]]:
        """Create the id by who has found nothing, and quote the result by who has read that it is there."""
        if state.creator:
            yield "the creation meets version 1, and finds the last entry then", True, state._replace(creator=False)
        if state.is_reusable and not state.claim:
            yield "a claim reads what is kept for reuse", False, state._replace(claim=True)
        if state.claim:
            yield "the claim quotes the result", True, state._replace(claim=False)

    def check(self, state: State) -> None:
        """Append a violation if the archive will never have what was removed, or a reader has the job for ever."""
        if state.creator and 1 not in state.log:
            self.violations.append("I5 the id of a removed job may be created anew")
        if state.claim and VERSIONS not in state.log:
            self.violations.append("I4 a claim quotes a result that is gone")
        if state.is_removed and not {*range(1, LAST)} <= state.archive | {*state.topic}:
            self.violations.append("I2 a version of a removed job is nowhere any more")
        if state.published == LAST and not self._is_removed_for(state.topic):
            self.violations.append("I2 a reader of the topic alone does not learn that the job was removed")
        if state.archived >= LAST and not self._is_removed_for((*sorted(state.archive), *state.topic)):
            self.violations.append("I2 a rebuild brings a removed job back")

    def _is_removed_for(self, records: tuple[int, ...]) -> bool:
        """Return whether a reader of these records, who applies versions in order, ends with the job removed."""
        last = 0
        for version in records:
            is_last = version == LAST and "last-needs-none-before" in self._rules
            if version == last + 1 or (is_last and version > last):
                last = version
        return last == LAST

    def is_at_rest(self, state: State) -> bool:
        """Return whether the job was removed and cut, and nobody is under way."""
        return state.is_cut and not (state.creator or state.claim)

    def describe_stuck(self, state: State) -> str:
        """Name the violation of a state from which the log is never cut."""
        return f"the log {state.log} of a removed job is never cut"
