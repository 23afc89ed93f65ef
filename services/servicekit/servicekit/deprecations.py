"""Report uses of deprecated names: by headers of RFC 9745 and RFC 8594, in the log, and by a metric."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from typing import Any, Final, NamedTuple

from prometheus_client import Counter

log = logging.getLogger(__name__)

USES = Counter("signoff_deprecated_uses", "Requests that used what is deprecated", ["name"])


class Deprecation(NamedTuple):
    """The time since which a name is deprecated, and the time from which a new major version may lack the name."""

    since: datetime
    sunset: datetime


#: The names that parameters of REST had before the first release of the contracts.
EARLIER_NAMES: Final = Deprecation(datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 12, 1, tzinfo=UTC))
#: What is declared `deprecated` over gRPC (`JobService.GetJob`, `GetJobRequest.view`) and in the API's document
#: (`GET /api/jobs`, `GET /api/jobs query:view`, `NewJob.title`). A test compares.
DEPRECATIONS: Final[Mapping[str, Deprecation]] = {}


def note_uses(uses: Mapping[str, Deprecation]) -> list[tuple[str, str]]:
    """Count and log uses of deprecated names, and return the response headers about them; no headers without uses."""
    for name in uses:
        USES.labels(name).inc()
        _log_once(name)
    if not uses:
        return []
    first = min(uses.values(), key=lambda one: one.sunset)
    sunset = format_datetime(first.sunset, usegmt=True)
    return [("deprecation", f"@{int(first.since.timestamp())}"), ("sunset", sunset)]


def find_declared(names: Iterable[str]) -> dict[str, Deprecation]:
    """Return, by name, the deprecations of those names that are deprecated."""
    return {name: DEPRECATIONS[name] for name in names if name in DEPRECATIONS}


def find_in_call(method: str, request: Any) -> list[str]:
    """Return the deprecated names that a gRPC call uses: the method's, and those of fields set in the request."""
    is_deprecated = _has_deprecated_call(request.DESCRIPTOR, method)
    names = [method.strip("/").rpartition(".")[2].replace("/", ".")] if is_deprecated else []
    return [*names, *_find_fields(request)]


@cache
def _log_once(name: str) -> None:
    """Log the first use of a deprecated name in this process; the metric counts all uses."""
    log.warning("deprecated, and used: %s", name)


@cache
def _has_deprecated_call(message: Any, method: str) -> bool:
    service, _, name = method.strip("/").rpartition("/")
    declared = message.file.services_by_name.get(service.rpartition(".")[2])
    call = declared and declared.methods_by_name.get(name)
    return bool(call and call.GetOptions().deprecated)


def _find_fields(message: Any) -> Iterator[str]:
    if not _has_deprecated_field(message.DESCRIPTOR):
        return
    for field, value in message.ListFields():
        if field.GetOptions().deprecated:
            yield f"{message.DESCRIPTOR.name}.{field.name}"
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for each in value if field.is_repeated else [value]:
                yield from _find_fields(each)


@cache
def _has_deprecated_field(message: Any) -> bool:
    """Return whether a type of message has a deprecated field, at any depth."""
    seen, left = set[str](), [message]
    while left:
        each = left.pop()
        if each.full_name in seen:
            continue
        seen.add(each.full_name)
        if any(field.GetOptions().deprecated for field in each.fields):
            return True
        left += [field.message_type for field in each.fields if field.message_type is not None]
    return False
