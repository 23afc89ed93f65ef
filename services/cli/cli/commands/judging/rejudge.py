"""The command `signoff rejudge`."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands.bulk import How, make_operation
from cli.options import parse_usd, read_texts
from cli.parameters.job_filter import read_conditions
from cli.session import Session, command, make_app, with_options
from cli.views.judging_view import show_report
from signoff.status import OperationKind

if TYPE_CHECKING:
    from cli.output import Output
    from signoff import AsyncClient

app = make_app()


@dataclass(frozen=True)
class Judging:
    """By what results are judged again, and within which limits."""

    policy: Annotated[
        str | None,
        typer.Option(
            "--judge",
            metavar="NAME[@VERSION]",
            help="By this judge policy; each by the version that it was judged by if not given.",
        ),
    ] = None
    criteria: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="With --shadow, by these criteria, one a line; or by those in @file or - (stdin). May be repeated.",
        ),
    ] = None
    criteria_set: Annotated[
        str | None, typer.Option(metavar="NAME[@VERSION]", help="With --shadow, by the criteria of this set.")
    ] = None
    rate: Annotated[
        float | None, typer.Option("--rate-per-s", metavar="N", min=0.001, help="At most this many per second.")
    ] = None
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget-usd",
            metavar="USD",
            help="Begin none that would exceed this cost in total; end where no cost is told.",
        ),
    ] = None


@command(app, "rejudge")
@with_options(conditions=read_conditions, judging=Judging, how=How)
async def rejudge(
    cli: Session,
    conditions: dict[str, Any],
    judging: Judging,
    how: How,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Change nothing: put verdicts beside verdicts, and report what flips.")
    ] = False,
) -> None:
    """Judge results of jobs again, as a shadow that changes nothing, or for real.

    No agent is called. For real, each verdict takes the place of the one before; a job that is live by then, or has
    another result, is left as it is, and so is one of which nothing is proven. Nothing is submitted again, but by
    policy what was unproven (--code verdict_unproven) and is not met now. `signoff judge report` says what came of it,
    as this does with --wait.
    """
    parameters = read_judging(judging) | {"shadow": shadow}
    then = None if cli.out.as_json else partial(show_flips, cli.out)
    await make_operation(cli, OperationKind.REJUDGE, conditions, how, then=then, **parameters)


async def show_flips(out: "Output", jobstore: "AsyncClient", operation_id: str) -> None:
    """Show what judging again came to."""
    show_report(out, await jobstore.get_rejudge_report(operation_id))


def read_judging(judging: Judging) -> dict[str, Any]:
    """Return what an operation is told of how it judges."""
    return {
        "judge": judging.policy,
        "criteria": read_texts(judging.criteria, "--criteria") if judging.criteria else None,
        "criteria_set": judging.criteria_set,
        "rate_per_s": judging.rate,
        "budget_usd": parse_usd(judging.budget, "--budget-usd"),
    }
