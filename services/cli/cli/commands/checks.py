"""The finding of a check by `signoff doctor`, and findings about what is kept and the space that is left."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from signoff.errors import ErrorCode
from signoff.v1 import operations_service_pb2 as pb

if TYPE_CHECKING:
    from signoff.keeping import Kept, KeptBack

TIMEOUT_S: Final = 3.0  # of each question to a part
#: Findings of one kind that are shown.
SHOWN_MAX: Final = 5
#: Free space of a disk below which PostgreSQL and Kafka soon end.
DISK_FREE_MIN: Final = 1 << 30
#: Of a storage that takes no new work in less, the remedy is told.
FULL_SOON_DAYS: Final = 14.0


@dataclass(frozen=True)
class Check:
    """The finding about a part, with a remedy if the part is not well; an `ok` finding with a remedy is a warning."""

    part: str
    ok: bool
    found: str
    remedy: str = ""


def check_space(part: str, free_bytes: int, path: str) -> Check:
    """Check whether a disk has so much space left that nothing ends soon."""
    found = f"{free_bytes / 2**30:.1f} GiB free for {path}"
    if free_bytes >= DISK_FREE_MIN:
        return Check(part, True, found)
    return Check(part, False, found, "free space, or enlarge the disk: a full one ends PostgreSQL's writes, and Kafka")


def check_storage(storage: pb.StorageState) -> Check:
    """Check whether new work is taken, and say when it will not be."""
    share = storage.used_bytes / storage.total_bytes if storage.total_bytes else 1.0
    found = f"{share:.0%} full, {_say_gib(storage.total_bytes - storage.used_bytes)} left"
    if storage.HasField("growth_bytes_per_day"):
        found = f"{found}; it grows by {_say_gib(storage.growth_bytes_per_day)} a day"
    if storage.is_full:
        found = f"{found}; no new work is taken (`storage_full`)"
    elif storage.HasField("refused_in_days"):
        found = f"{found}, so that no new work is taken in about {storage.refused_in_days:.1f} days"
    is_soon = storage.HasField("refused_in_days") and storage.refused_in_days < FULL_SOON_DAYS
    remedy = "free space, enlarge it, or keep less (docs/operations.md#when-a-disk-fills)"
    return Check(f"storage {storage.name}", not storage.is_full, found, remedy if storage.is_full or is_soon else "")


#: What keeps back all removal, as a jobstore says it.
_OF_ARCHIVES: Final = (ErrorCode.NO_ARCHIVE, "archive_failed", "archive_late")


def check_kept(kept: "Kept") -> list[Check]:
    """Check whether what is past its retention can be removed, and facts can leave their topics."""
    behind = [each for each in kept.kept_back if each.code == "group_behind"]
    told = {each.code: each for each in kept.kept_back if each not in behind}
    trouble, archive = next((told.pop(code) for code in _OF_ARCHIVES if code in told), None), kept.archive
    parts = f"{archive.parts} parts, {_say_gib(archive.bytes)}" if archive.is_configured else "none is configured"
    checks = [
        Check("archive", trouble is None or trouble.code == ErrorCode.NO_ARCHIVE, *_describe(trouble, parts)),
        *(Check("readers of facts", True, each.message, each.remedy) for each in behind),
    ]
    if not kept.is_on:
        return [*checks, Check("retention", True, "off: all is kept for ever")]
    due = sum(each.due for each in kept.next)
    found = f"on: {due} jobs and operations are due now, {kept.removed} jobs were removed"
    kept_back = [Check("retention", True, each.message, each.remedy) for each in told.values()]
    return [*checks, *(kept_back or [Check("retention", True, found)])]


def _describe(trouble: "KeptBack | None", otherwise: str) -> tuple[str, str]:
    return (otherwise, "") if trouble is None else (trouble.message, trouble.remedy)


def _say_gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"


def describe_error(error: Exception) -> str:
    """Return why a part did not answer."""
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:g} s"
    return str(error) or type(error).__name__
