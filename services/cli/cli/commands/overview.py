"""The commands `signoff overview`, `signoff explain` and `signoff watch`."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.options import parse_seconds
from cli.output import (
    Output,
    describe_sum,
    format_percent,
    format_percentiles,
    format_seconds,
    format_spent,
    list_agents_of,
    print_sums,
)
from cli.parameters import Detail
from cli.session import Session, command, make_app
from cli.terminal import Styled
from signoff import AsyncClient
from signoff.connection import list_all
from signoff.status import View

if TYPE_CHECKING:
    from signoff.types import AgentStats, Overview, WaitingSum

app = make_app()


@command(app, "overview")
async def overview(
    cli: Session,
    range_: Annotated[
        str, typer.Option("--range", metavar="LENGTH", help="How far back to look: 90s, 15m, 1h, 2d, at most 30d.")
    ] = "1h",
) -> None:
    """Show how the system is doing: what waits and runs now, what ended recently, and how each agent does."""
    range_s = parse_seconds(range_, "--range")
    async with cli.jobstore() as jobstore:
        found, agents = await jobstore.get_overview(range_s), await list_all(jobstore.iter_agent_stats())
        await cli.learn_agents(jobstore, [*(agent.agent_id for agent in agents), *list_agents_of(found.waiting)])
    show_overview(cli.out, range_, found, agents)


@command(app, "explain")
async def explain(cli: Session, jobstore: AsyncClient) -> None:
    """Show why jobs wait: how many for what, whose move it is, and what lifts it."""
    waiting = (await jobstore.get_overview()).waiting
    await cli.learn_agents(jobstore, list_agents_of(waiting))
    cli.out.print({"waiting": waiting}, f"{sum(each.count for each in waiting)} waiting")
    print_sums(cli.out, waiting)


@command(app, "watch")
async def watch(
    cli: Session,
    jobstore: AsyncClient,
    after: Annotated[int | None, typer.Option(min=0, help="Begin after this cursor; 0 is the beginning.")] = None,
    view: Detail = View.BASIC,
) -> None:
    """Show everything that happens to all jobs, until interrupted."""
    await cli.learn_agents(jobstore)
    begin = await jobstore.get_latest_cursor() if after is None else after
    async with aclosing(jobstore.watch_jobs(after=begin, view=view)) as events:
        async for event in events:
            if event.log is not None:
                cli.out.show_log(event.log, f"{event.log.job_id}  ")


_ENDS: Final = ("completed", "resubmission_required", "rejected", "failed", "cancelled")


def show_overview(out: Output, range_: str, overview: "Overview", agents: "Sequence[AgentStats]") -> None:
    """Print an overview of the last `range_`, such as `1h`, and the statistics of each agent."""
    out.print_json({"overview": overview, "agents": agents})
    now, totals = overview.now, overview.totals
    oldest = f", the oldest for {format_seconds(now.oldest_wait_s)}" if now.oldest_wait_s is not None else ""
    ends = ", ".join(f"{count} {name}" for name in _ENDS if (count := getattr(totals, name)))
    rows: list[tuple[str, object]] = [
        ("now", f"{now.queued} queued{oldest}; {now.running} running; {now.judging} being judged"),
        ("why they wait", _describe_waiting(out, overview.waiting)),
        ("dead letters", _describe_letters(now.dead_letters)),
        (f"last {range_}", f"{totals.created} created" + (f", {ends}" if ends else "")),
        ("spent", format_spent(totals.cost_usd, totals.tokens)),
        ("wait", format_percentiles(totals.wait)),
        ("agent", format_percentiles(totals.agent)),
        ("judge", format_percentiles(totals.judge)),
        ("in all", format_percentiles(totals.duration)),
    ]
    out.print_fields(*rows)
    if agents:
        out.print_line()
        columns = ["agent", "runs", "waits", "completed in 24h", "wait", "answers in", "judged in"]
        out.print_table(columns, [_make_row(out, agent) for agent in agents])


def _describe_waiting(out: Output, sums: "Sequence[WaitingSum]") -> str:
    counts = ", ".join(describe_sum(out, each, with_id=False) for each in sums)
    return counts and f"{counts}: see `signoff explain`"


def _describe_letters(counts: Mapping[str, int]) -> str | Styled:
    if not counts:
        return Styled("not known: Kafka is out of reach", "yellow")
    count = sum(counts.values())
    return Styled(f"{count}: see `signoff dlq list`", "red") if count else "none"


def _make_row(out: Output, agent: "AgentStats") -> tuple[object, ...]:
    means = (agent.mean_wait_s, agent.mean_agent_s, agent.mean_judge_s)
    return (
        out.name_agent(agent.agent_id, with_id=False),
        agent.running,
        agent.queued,
        format_percent(agent.success_rate),
        *("" if mean is None else format_seconds(mean) for mean in means),
    )
