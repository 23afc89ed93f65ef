"""Patch aiokafka so that what was read from one broker is not committed to its successor that came back empty.

aiokafka tries a commit again for as long as it is let. A consumer that the successor does not know commits meanwhile as
one that is in no group, which an empty group allows: offsets of records that are gone, so that as many new ones
would never be read.
"""

from typing import Any, Final

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import IllegalGenerationError

_commit: Final = GroupCoordinator._do_commit_offsets  # noqa: SLF001 - no public way


async def _commit_as_member(self: GroupCoordinator, assignment: Any, offsets: Any) -> None:
    is_member = self.generation >= 0 and assignment.active
    if self._subscription.partitions_auto_assigned() and not is_member:
        raise IllegalGenerationError
    await _commit(self, assignment, offsets)


def commit_as_member_alone() -> None:
    """Let a consumer of a group commit only under the assignment that it read under; call once per process."""
    GroupCoordinator._do_commit_offsets = _commit_as_member  # noqa: SLF001
