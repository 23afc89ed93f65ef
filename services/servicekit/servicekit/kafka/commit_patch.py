"""Patch aiokafka so that what was read from one broker is not committed to its successor that came back empty.

aiokafka tries a commit again for as long as it is let. A consumer that the successor does not know commits meanwhile as
one that is in no group, which an empty group allows; and one that joins it again has a new generation for a while
before it has new partitions. Both would commit offsets of records that are gone, so that as many new ones would never
be read.

It also shields a commit whose caller gives up, and nobody would ask how that ended: asyncio would log it as an error.
"""

import asyncio
from typing import Any, Final
from weakref import WeakKeyDictionary

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import IllegalGenerationError

_commit: Final = GroupCoordinator._do_commit_offsets  # noqa: SLF001 - no public way
_complete_join: Final = GroupCoordinator._on_join_complete  # noqa: SLF001 - same
#: The generation of the group that made each assignment.
_generations: Final[WeakKeyDictionary[Any, int]] = WeakKeyDictionary()


async def _note_generation(self: GroupCoordinator, generation: int, *join: Any) -> None:
    await _complete_join(self, generation, *join)
    if (subscription := self._subscription.subscription) is not None and subscription.assignment is not None:
        _generations[subscription.assignment] = generation


def _begin_commit(self: GroupCoordinator, assignment: Any, offsets: Any) -> asyncio.Task[None]:
    commit = asyncio.create_task(_commit_as_member(self, assignment, offsets))
    commit.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    return commit


async def _commit_as_member(self: GroupCoordinator, assignment: Any, offsets: Any) -> None:
    is_member = assignment.active and _generations.get(assignment) == self.generation
    if self._subscription.partitions_auto_assigned() and not is_member:
        raise IllegalGenerationError
    await _commit(self, assignment, offsets)


def commit_as_member_alone() -> None:
    """Let a consumer of a group commit only in the generation that it was given its partitions; once per process."""
    GroupCoordinator._on_join_complete = _note_generation  # noqa: SLF001
    GroupCoordinator._do_commit_offsets = _begin_commit  # noqa: SLF001
