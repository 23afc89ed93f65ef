"""Show how the system is doing: now, recently, and by agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cli.output import Output, format_percent, format_seconds, format_spent
from cli.terminal import Styled
from cli.views.waiting import describe_sum

if TYPE_CHECKING:
    from signoff.types import AgentStats, Overview, Percentiles, WaitingSum

_ENDS: Final = ("completed", "resubmission_required", "rejected", "failed", "cancelled")


def show_overview(out: Output, range_: str, overview: Overview, agents: Sequence[AgentStats]) -> None:
    """Show an overview, and how each agent does."""
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
        ("wait", _format_percentiles(totals.wait)),
        ("agent", _format_percentiles(totals.agent)),
        ("judge", _format_percentiles(totals.judge)),
        ("in all", _format_percentiles(totals.duration)),
    ]
    out.print_table(["", ""], [row for row in rows if row[1]])
    if agents:
        out.print_line()
        columns = ["agent", "runs", "waits", "completed in 24h", "wait", "answers in", "judged in"]
        out.print_table(columns, [_make_row(out, agent) for agent in agents])


def _describe_waiting(out: Output, sums: Sequence[WaitingSum]) -> str:
    counts = ", ".join(describe_sum(out, each, with_id=False) for each in sums)
    return counts and f"{counts}: see `signoff explain`"


def _describe_letters(counts: Mapping[str, int]) -> str | Styled:
    if not counts:
        return Styled("not known: Kafka is out of reach", "yellow")
    count = sum(counts.values())
    return Styled(f"{count}: see `signoff dlq list`", "red") if count else "none"


def _format_percentiles(times: Percentiles | None) -> str:
    measured = {} if times is None else {name: getattr(times, name) for name in ("p50", "p95", "p99")}
    return ", ".join(f"{name} {format_seconds(value)}" for name, value in measured.items() if value is not None)


def _make_row(out: Output, agent: AgentStats) -> tuple[object, ...]:
    means = (agent.mean_wait_s, agent.mean_agent_s, agent.mean_judge_s)
    return (
        out.name_agent(agent.agent_id, with_id=False),
        agent.running,
        agent.queued,
        format_percent(agent.success_rate),
        *("" if mean is None else format_seconds(mean) for mean in means),
    )
