"""The command `signoff quality`."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import parse_seconds
from cli.output import Output, format_percent
from cli.parameters import complete_agents, find_agent_id
from cli.session import Session, command, make_app

if TYPE_CHECKING:
    from signoff.types import Quality, QualityCounts, QualityOfCriterion

app = make_app()


@command(app, "quality")
async def quality(
    cli: Session,
    range_: Annotated[
        str, typer.Option("--range", metavar="LENGTH", help="How far back to look: 12h, 7d, at most 90d.")
    ] = "7d",
    agent: Annotated[
        str,
        typer.Option(metavar="AGENT", help="Of the results of this agent alone.", autocompletion=complete_agents),
    ] = "",
    judge: Annotated[
        str, typer.Option(metavar="POLICY", help="By this judge policy alone, or this version of it: strict@3.")
    ] = "",
    criterion: Annotated[str, typer.Option(metavar="TEXT", help="Of this criterion, in place of whole verdicts.")] = "",
    tenant: Annotated[str, typer.Option(metavar="TENANT", help="Of this tenant alone.")] = "",
) -> None:
    """Show how much is accepted: by agent, by judge and by criterion, and what was judged otherwise again."""
    range_s = parse_seconds(range_, "--range")
    async with cli.jobstore() as jobstore:
        agent_id = await find_agent_id(jobstore, agent) if agent else ""
        found = await jobstore.get_quality(
            round(range_s), agent_id=agent_id, judge=judge, of_criterion=criterion, tenant=tenant
        )
        await cli.learn_agents(jobstore, [each.name for each in found.agents])
    show_quality(cli.out, range_, found)


def show_quality(out: Output, range_: str, found: "Quality") -> None:
    """Print what the last `range_`, such as `7d`, came to, and the tables of agents, judges and criteria."""
    out.print(found, f"last {range_}: {_describe(found.totals)}")
    if found.agents:
        agents = [(out.name_agent(each.name, with_id=False), *_list_counts(each)) for each in found.agents]
        out.print_line()
        out.print_table(["agent", *_COUNTS], agents)
    if found.judges:
        judges = [(each.name, *_list_counts(each), ", ".join(each.models)) for each in found.judges]
        out.print_line()
        out.print_table(["judge", *_COUNTS, "models"], judges)
    if found.criteria:
        others = [] if found.others is None else [("(others)", *_list_outcomes(found.others))]
        out.print_line()
        out.print_table(
            ["criterion", "passed", "failed", "not assessed"],
            [*((each.text, *_list_outcomes(each)) for each in found.criteria), *others],
        )


_COUNTS = ("judged", "accepted", "not judged", "flipped")


def _describe(counts: "QualityCounts") -> str:
    accepted = f", {_format_rate(counts)} accepted" if counts.judged else ""
    unjudged = f", {counts.unjudged} not judged" if counts.unjudged else ""
    flipped = f", {counts.flipped} of {counts.compared} flipped" if counts.compared else ""
    return f"{counts.judged} judged{accepted}{unjudged}{flipped}"


def _format_rate(counts: "QualityCounts") -> str:
    return format_percent(counts.accepted / counts.judged if counts.judged else None)


def _list_counts(counts: "QualityCounts") -> tuple[object, ...]:
    flipped = f"{counts.flipped} of {counts.compared}" if counts.compared else ""
    return (counts.judged, _format_rate(counts), counts.unjudged, flipped)


def _list_outcomes(each: "QualityOfCriterion") -> tuple[int, int, int]:
    return (each.passed, each.failed, each.unassessed)
