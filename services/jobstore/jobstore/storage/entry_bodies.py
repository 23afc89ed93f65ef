"""Take apart the two bodies that the row of an entry of a log has, and put them together again; all is JSON text.

The request is `{"payload":..}` where a job is created or assigned, of an edit with what it changed beside that, and
where an execution is requested what the agent is sent. The response has the members `result`, `verdict` and `partial`.
"""

from collections.abc import Mapping
from typing import Final

from jobstore.domain.model import TransitionKind
from jobstore.domain.spec import format_assignment, format_edit
from jobstore.json_members import members

_RESPONSE: Final = ("result", "partial", "verdict")


def split(kind: str | None, request: str | None, response: str | None) -> dict[str, str]:
    """Return what an entry shows of its bodies, by the names of JobLog."""
    shown = {} if response is None else members(response)
    if request is None:
        return shown
    if kind == TransitionKind.REQUESTED:
        return {**shown, "request": request}
    parts = members(request)
    if kind == TransitionKind.EDITED:
        return {**shown, "before": parts["before"], "after": parts["changed"]}
    return {**shown, "payload": parts["payload"]}


def join_request(log: Mapping[str, str], job: Mapping[str, str], *, is_first: bool) -> str | None:
    """Return the request of an entry, from its fact: a payload, and what an edit changed to, stand in the job alone.

    Raise ValueError if a field that an edit changed is not there.
    """
    if "request" in log:
        return log["request"]
    if "before" in log:
        before = members(log["before"])
        if missing := before.keys() - job.keys():
            msg = f"the job lacks what the edit changed: {', '.join(sorted(missing))}"
            raise ValueError(msg)
        return format_edit(job.get("payload", "null"), {name: job[name] for name in before}, before)
    payload = log.get("payload", job.get("payload", "null") if is_first else None)
    return None if payload is None else format_assignment(payload)


def join_response(log: Mapping[str, str]) -> str | None:
    """Return the response of an entry, from its fact."""
    given = ",".join(f'"{name}":{log[name]}' for name in _RESPONSE if name in log)
    return f"{{{given}}}" if given else None
