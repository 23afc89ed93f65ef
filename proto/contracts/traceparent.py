"""Read W3C `traceparent` headers, and derive the ids of traces and spans, which whoever makes them again gets the same.

A trace is of a chain of submissions: of an execution that somebody asked for, and of those that follow by policy. Its
id is that of whoever asked, or else follows from the id of the first execution.
"""

import hashlib
import re
from typing import Final, NamedTuple, Self
from uuid import UUID

#: The name of the header: of Kafka's records, of requests to REST and to agents, of gRPC's metadata.
TRACEPARENT: Final = "traceparent"
#: Characters of a traceparent of version 00, which has no more; a longer one of a later version is not read.
TRACEPARENT_CHARS: Final = 55

_FORM: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)
_SAMPLED: Final = "01"


class TraceContext(NamedTuple):
    """A span in a trace: the ids of both in hexadecimal, and the flags."""

    trace_id: str
    span_id: str
    flags: str = _SAMPLED

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """Return the context in a traceparent; None if there is none, or it is not exactly of version 00."""
        if text is None or len(text) != TRACEPARENT_CHARS or (found := _FORM.fullmatch(text)) is None:
            return None
        return cls(*found.groups())

    def __str__(self) -> str:
        """Return the traceparent."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def read_traceparent(text: str | None) -> str | None:
    """Return a traceparent if it is one, else None."""
    return text if TraceContext.parse(text) is not None else None


def derive_trace_id(execution_id: UUID | str) -> str:
    """Return the id of the trace that begins with an execution for which nobody gave one."""
    return hashlib.sha256(f"signoff trace {execution_id}".encode()).hexdigest()[:32]


def derive_span_id(kind: str, *names: object) -> str:
    """Return the id of a span: of its kind, and of the names that tell it from all others of this kind."""
    return hashlib.sha256(" ".join(("signoff span", kind, *map(str, names))).encode()).hexdigest()[:16]


def find_trace_id(traceparent: str | None, execution_id: UUID | str) -> str:
    """Return the id of the trace of an execution."""
    given = TraceContext.parse(traceparent)
    return given.trace_id if given else derive_trace_id(execution_id)


def find_own(traceparent: str | None, execution_id: UUID | str) -> TraceContext:
    """Return the trace of an execution, and in it the span of the chain that the execution begins."""
    return _enter(traceparent, execution_id, derive_span_id("job", execution_id))


def _enter(traceparent: str | None, execution_id: UUID | str, span_id: str) -> TraceContext:
    given = TraceContext.parse(traceparent)
    if given is None:
        return TraceContext(derive_trace_id(execution_id), span_id)
    return TraceContext(given.trace_id, span_id, given.flags)


def go_on(traceparent: str | None, execution_id: UUID | str) -> str:
    """Return the traceparent of the execution that follows another one by policy: both are of one trace."""
    return read_traceparent(traceparent) or str(find_own(None, execution_id))


def name_call(execution_id: UUID | str, attempt: int, call: int) -> str:
    """Return the id of the span of an agent's call, which is its number within the execution."""
    return derive_span_id("call", execution_id, attempt, call)


def name_judging(execution_id: UUID | str, lease: int) -> str:
    """Return the id of the span of the judging under a lease."""
    return derive_span_id("judging", execution_id, lease)


def enter(traceparent: str | None, execution_id: UUID | str, span_id: str) -> str:
    """Return the traceparent that is sent with what belongs to a span of an execution."""
    return str(_enter(traceparent, execution_id, span_id))
