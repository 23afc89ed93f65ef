"""The options that choose jobs, for whatever command takes a filter."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.options import parse_pairs, parse_past_time, validate_model
from cli.session import with_options
from contracts.status import JobStatus

if TYPE_CHECKING:
    from contracts.resources import JobFilter


def read_conditions(
    *,
    status: Annotated[
        list[JobStatus] | None, typer.Option(case_sensitive=False, help="At this status. May be repeated: any of them.")
    ] = None,
    agent: Annotated[str | None, typer.Option(help="Assigned to this agent.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Of this tenant.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="With this label. May be repeated: all of them.")
    ] = None,
    batch: Annotated[str | None, typer.Option(help="The items of this batch, or of another operation.")] = None,
    text: Annotated[str | None, typer.Option(help="With this text in the id or the title.")] = None,
    created_after: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Created at this time or later: ISO 8601, or 90s, 15m, 1h, 2d ago."),
    ] = None,
    created_before: Annotated[
        str | None, typer.Option(metavar="TIME", help="Created before this time; as --created-after.")
    ] = None,
) -> dict[str, Any]:
    """Return what was said of the jobs that a filter chooses."""
    conditions = {
        "statuses": status,
        "agent_id": agent,
        "tenant": tenant,
        "labels": parse_pairs(label, "--label") if label else None,
        "batch_id": batch,
        "text": text,
        "created_after": parse_past_time(created_after, "--created-after"),
        "created_before": parse_past_time(created_before, "--created-before"),
    }
    return {name: value for name, value in conditions.items() if value is not None}


#: Puts the options that choose jobs in the place of a command's parameter `conditions`: what was said of them.
with_filter: Final = with_options(conditions=read_conditions)


def make_filter(conditions: dict[str, Any]) -> "JobFilter | dict[str, Any]":
    """Return a filter, checked if anything in it may be wrong. Raise BadParameter with what is."""
    if not conditions.keys() & {"batch_id", "text", "created_after", "created_before"}:
        return conditions
    return check_filter(conditions)


def check_filter(conditions: dict[str, Any]) -> "JobFilter":
    """Return a filter. Raise BadParameter with what is wrong in it."""
    from contracts.resources import JobFilter  # noqa: PLC0415 - heavy, and only needed here

    return validate_model(JobFilter, conditions, "the filter")
