"""The options that choose jobs, for whatever command takes a filter."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.options import parse_pairs, parse_past_time, parse_usd, validate_model
from cli.parameters.lookups import complete_agents, complete_operations, find_agent, find_batch_id
from cli.session import with_options
from signoff import AsyncClient
from signoff.status import JobStatus

if TYPE_CHECKING:
    from contracts.resources import JobFilter


def read_conditions(  # noqa: PLR0913 - each is an option
    *,
    status: Annotated[
        list[JobStatus] | None, typer.Option(case_sensitive=False, help="At this status. May be repeated: any of them.")
    ] = None,
    agent: Annotated[
        str | None, typer.Option(metavar="AGENT", help="Assigned to this agent.", autocompletion=complete_agents)
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Of this tenant.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="With this label. May be repeated: all of them.")
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="BATCH",
            help="The items of this batch, or of another operation.",
            autocompletion=complete_operations,
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(help="With these words, or words that begin so; or with this text in the id or the title."),
    ] = None,
    created_after: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Created at this time or later: ISO 8601, or 90s, 15m, 1h, 2d ago."),
    ] = None,
    created_before: Annotated[
        str | None, typer.Option(metavar="TIME", help="Created before this time; as --created-after.")
    ] = None,
    cancelled: Annotated[
        bool | None, typer.Option("--cancelled/--not-cancelled", help="Whose last execution was cancelled, or was not.")
    ] = None,
    code: Annotated[
        list[str] | None,
        typer.Option(
            help="Whose last execution was not completed for this reason, a code. May be repeated: any of them."
        ),
    ] = None,
    criterion_not_met: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Whose last verdict did not pass this required criterion.")
    ] = None,
    not_agent: Annotated[
        list[str] | None,
        typer.Option(metavar="AGENT", help="Not this agent's. May be repeated.", autocompletion=complete_agents),
    ] = None,
    not_tenant: Annotated[list[str] | None, typer.Option(help="Not of this tenant. May be repeated.")] = None,
    not_label: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Without this label. May be repeated: none of them.")
    ] = None,
    not_batch: Annotated[
        list[str] | None,
        typer.Option(
            metavar="BATCH", help="No item of this batch. May be repeated.", autocompletion=complete_operations
        ),
    ] = None,
    not_code: Annotated[
        list[str] | None, typer.Option(help="Not ended for this reason, a code. May be repeated: none of them.")
    ] = None,
    not_criterion_not_met: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="Whose last verdict did not fail this criterion. May be repeated."),
    ] = None,
    cost_min: Annotated[
        str | None, typer.Option("--cost-usd-min", metavar="USD", help="Ended, and cost as much or more.")
    ] = None,
    cost_max: Annotated[
        str | None, typer.Option("--cost-usd-max", metavar="USD", help="Ended, and cost as much or less.")
    ] = None,
    duration_min: Annotated[
        float | None,
        typer.Option("--duration-s-min", metavar="SECONDS", min=0, help="Ended, and took as long or longer."),
    ] = None,
    duration_max: Annotated[
        float | None,
        typer.Option("--duration-s-max", metavar="SECONDS", min=0, help="Ended, and took as long or less."),
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
        "cancelled": cancelled,
        "codes": code,
        "criterion_not_met": criterion_not_met,
        "not_agent_ids": not_agent,
        "not_tenants": not_tenant,
        "not_labels": not_label and [":".join(*parse_pairs([each], "--not-label").items()) for each in not_label],
        "not_batch_ids": not_batch,
        "not_codes": not_code,
        "not_criteria_not_met": not_criterion_not_met,
        "cost_usd_min": parse_usd(cost_min, "--cost-usd-min"),
        "cost_usd_max": parse_usd(cost_max, "--cost-usd-max"),
        "duration_s_min": duration_min,
        "duration_s_max": duration_max,
    }
    return {name: value for name, value in conditions.items() if value is not None}


#: Puts the options that choose jobs in the place of a command's parameter `conditions`: what was said of them.
with_filter: Final = with_options(conditions=read_conditions)


async def make_filter(jobstore: AsyncClient, conditions: dict[str, Any]) -> "JobFilter | dict[str, Any]":
    """Return a filter with whole ids, checked if anything in it may be wrong. Raise BadParameter with what is."""
    found = await _find_ids(jobstore, conditions)
    if found.keys() <= {"statuses", "agent_id", "tenant", "labels", "cancelled"}:
        return found
    return _check_filter(found)


async def make_checked_filter(jobstore: AsyncClient, conditions: dict[str, Any]) -> "JobFilter":
    """Return a filter with whole ids. Raise BadParameter with what is wrong in it."""
    return _check_filter(await _find_ids(jobstore, conditions))


async def _find_ids(jobstore: AsyncClient, conditions: dict[str, Any]) -> dict[str, Any]:
    """Return the same conditions with the whole ids of the agent and of the batch that are meant.

    Raise SignoffError (`unknown_agent`) where there is no such agent: no job would be found, whatever was meant.
    """
    found = dict(conditions)
    if "agent_id" in found:
        found["agent_id"] = str((await find_agent(jobstore, found["agent_id"])).id)
    if "batch_id" in found:
        found["batch_id"] = await find_batch_id(jobstore, found["batch_id"])
    if "not_agent_ids" in found:
        found["not_agent_ids"] = [str((await find_agent(jobstore, each)).id) for each in found["not_agent_ids"]]
    if "not_batch_ids" in found:
        found["not_batch_ids"] = [await find_batch_id(jobstore, each) for each in found["not_batch_ids"]]
    return found


def _check_filter(conditions: dict[str, Any]) -> "JobFilter":
    from contracts.resources import JobFilter  # noqa: PLC0415 - heavy, and only needed here

    return validate_model(JobFilter, conditions, "the filter")
