"""Show why jobs wait, and the remedies."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from cli.output import Output, find_agent_of, format_time
from cli.terminal import Styled

if TYPE_CHECKING:
    from signoff.types import PastWait, Reason, Waiting, WaitingSum

#: Codes whose name is the id of an agent (contracts.waiting.WaitCode).
_OF_AGENTS: Final = ("circuit_open", "circuit_probing", "agent_disabled")


def list_agents_of(causes: "Iterable[Reason | WaitingSum | PastWait]") -> Iterator[str]:
    """Yield the ids of the agents that causes of waiting are about."""
    for cause in causes:
        if agent_id := cause.name if cause.code in _OF_AGENTS else find_agent_of(cause.name):
            yield agent_id


def name_cause(out: Output, cause: "Reason | WaitingSum | PastWait", *, with_id: bool = True) -> str:
    """Return the name of a cause of waiting: `limit_concurrency tenant:press`."""
    name_it = out.name_agent if cause.code in _OF_AGENTS else out.name_limit
    name = name_it(cause.name, with_id=with_id)
    return f"{cause.code} {name}".rstrip()


def show_waiting(out: Output, waiting: "Waiting") -> None:
    """Show why a job waits: each cause, and below it the remedy."""
    out.print_json(waiting)
    if not waiting.reasons:
        out.print_line("it does not wait: whatever was requested has begun")
        return
    about = [f"it has waited since {format_time(waiting.since)}"] if waiting.since else ["it waits"]
    about += [f"its turn: {waiting.place}"] if waiting.place else []
    # The causes of waiting after that time are not known yet.
    about += [f"it begins no earlier than {format_time(waiting.starts_at)}"] if waiting.starts_at else []
    out.print_line(", ".join(about))
    print_reasons(out, waiting)


def print_reasons(out: Output, waiting: "Waiting") -> None:
    """Print each cause for which a job waits, and below it the remedy."""
    for reason in waiting.reasons:
        _print_reason(out, describe_reason(out, reason), reason)


def show_waiting_sums(out: Output, sums: "Sequence[WaitingSum]") -> None:
    """Show how many executions wait for each cause, and below it the remedy."""
    out.print({"waiting": sums}, f"{sum(each.count for each in sums)} waiting")
    print_sums(out, sums)


def print_sums(out: Output, sums: "Sequence[WaitingSum]") -> None:
    """Print how many executions wait for each cause, and below it the remedy."""
    for each in sums:
        until = f", until {format_time(each.until)} at the earliest" if each.until else ""
        _print_reason(out, describe_sum(out, each) + until, each)


def describe_sum(out: Output, each: "WaitingSum", *, with_id: bool = True) -> str:
    """Return how many executions wait for one cause: `390 for limit_concurrency tenant:press`."""
    return f"{each.count} for {name_cause(out, each, with_id=with_id)}"


def describe_reason(out: Output, reason: "Reason") -> str:
    """Return a cause of waiting, in numbers: `limit_concurrency tenant:press, 5 of 5`."""
    words = [name_cause(out, reason)]
    if reason.used is not None:
        words.append(f"{reason.used} of {reason.allowed}" if reason.allowed is not None else f"{reason.used} in a row")
    words += [f"since {format_time(reason.since)}"] if reason.since else []
    words += [f"until {format_time(reason.until)}"] if reason.until else []
    return ", ".join(words)


def _print_reason(out: Output, words: str, reason: "Reason | WaitingSum") -> None:
    out.print_line("  ", Styled(words, "bold"))
    out.print_line(f"    {reason.owner}: {reason.remedy}")
