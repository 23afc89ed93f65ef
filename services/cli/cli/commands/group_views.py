"""Print groups of jobs that need the same, as the inbox and a batch have them."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cli.output import Output, format_time, list_agents_of, name_cause
from cli.session import Session
from cli.terminal import Styled
from signoff import AsyncClient
from signoff.status import OperationKind

if TYPE_CHECKING:
    from signoff.types import InboxGroup, InboxOperation


async def learn_agents_of(cli: Session, jobstore: AsyncClient, groups: "Sequence[InboxGroup]") -> None:
    """Learn the names of the agents of groups."""
    agents = [group.agent_id for group in groups if group.agent_id is not None]
    await cli.learn_agents(jobstore, [*agents, *list_agents_of(groups)])


def print_group(out: Output, group: "InboxGroup", *commands: str) -> None:
    """Print a group with its newest job, what is to be done, and the commands that do it, `commands` besides."""
    out.print_line(_describe(out, group))
    for line in (*_list_details(group), *commands):
        out.print_line(f"  {line}")


def _describe(out: Output, group: "InboxGroup") -> Styled:
    kind = "" if group.code == group.kind else group.kind
    cause = name_cause(out, group, with_id=False).strip()
    about = [kind, out.name_agent(group.agent_id, with_id=False), cause, group.criterion or ""]
    since = "" if group.since is None else f", since {format_time(group.since)}"
    more = "+" if group.has_more else ""
    return Styled(f"{group.count}{more} {' '.join(filter(None, about))}{since}", "bold")


def _list_details(group: "InboxGroup") -> list[str]:
    newest = ": ".join(filter(None, (group.newest_job_id, group.newest_title, group.message)))
    return [
        *([f"newest: {newest}"] if newest else []),
        group.remedy,
        *([] if group.operation is None else [_make_command(group.operation)]),
    ]


def _make_command(operation: "InboxOperation") -> str:
    """Return the command line that makes an operation."""
    chosen = operation.filter
    options = {
        "--agent": chosen.agent_id,
        "--code": next(iter(chosen.codes), None),
        "--status": "resubmission_required" if operation.kind == OperationKind.RESUBMIT else None,
        "--criterion-not-met": chosen.criterion_not_met,
        "--batch": None if chosen.batch_id is None else str(chosen.batch_id),
        "--tenant": chosen.tenant,
        "--created-after": None if chosen.created_after is None else f"{chosen.created_after:%Y-%m-%dT%H:%M:%SZ}",
    }
    words = [f"{name} {shlex.quote(value)}" for name, value in options.items() if value is not None]
    return " ".join([f"signoff bulk {operation.kind}", *words])
