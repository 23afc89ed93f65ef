"""Commands of `signoff judge` on labelled cases: how good policies are, and cases from elsewhere."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import uuid4

import typer

from cli.errors import CommandError
from cli.parameters.lookups import DEFAULT, require_policies
from cli.session import Session, command, with_options
from signoff.errors import ErrorCode

#: Disagreements that are named on a terminal; --json and --html hold more of them.
SHOWN_MAX: Final = 10


def add_commands(app: typer.Typer) -> None:
    """Add these commands to a group."""
    for name, function in (("evaluate", evaluate), ("import", import_)):
        command(app, name)(function)


@dataclass(frozen=True)
class How:
    """How the cases of a file are judged."""

    repeats: Annotated[int, typer.Option(min=1, max=100, help="How often each case is judged.")] = 1
    submission: Annotated[
        int,
        typer.Option(min=1, max=100, help="Judge each as this submission of its job: later ones need more to pass."),
    ] = 1
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out lines that are no cases; say so.")] = False


@with_options(how=How)
async def evaluate(
    cli: Session,
    cases: Annotated[Path, typer.Argument(metavar="CASES.jsonl", help="Labelled cases, one a line: docs/judging.md.")],
    policy: Annotated[
        list[str] | None,
        typer.Option(
            "--judge", metavar="NAME[@VERSION]", help="A judge policy. May be repeated; `default` when not given."
        ),
    ] = None,
    how: How = How(),
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with all disagreements.")] = None,
) -> None:
    """Judge labelled cases by policies, and say how often each is right.

    Agreement, kappa, true and false accepts and rejects with 95 % intervals, flips over repeats, cost and time, by
    criterion and in all; of a second policy, whether it differs by more than chance. Nothing is judged before every
    line was read and every policy found. Judges are paid, and no verdict is reused. `signoff judges show` tells the
    newest evaluation of a version, and `signoff judges promote` takes it by its report.
    """
    from cli.evaluating.judgings import judge_through  # noqa: PLC0415 - heavy, and only needed here
    from cli.evaluating.run import check_file  # noqa: PLC0415 - same
    from cli.evaluating.run import evaluate as run  # noqa: PLC0415 - same
    from signoff.types import read_model  # noqa: PLC0415 - same

    policies = list(dict.fromkeys(policy or [DEFAULT]))
    file = check_file(cases, skip_bad=how.skip_bad, submission=how.submission)
    evaluation = uuid4()
    async with cli.jobstore() as jobstore:
        await require_policies(jobstore, policies)
    if html is not None:
        try:
            html.touch()  # before a judge is paid
        except OSError as error:
            raise CommandError(f"{html} cannot be written: {error.strerror}", code=ErrorCode.UNWRITABLE) from error
    async with cli.jobstore() as jobstore:
        judge = judge_through(jobstore.reading(read_model), evaluation, how.submission)  # amounts are added up
        report = await run(file, policies, how.repeats, judge, evaluation)
    if html is not None:
        from cli.evaluating.page import write_page  # noqa: PLC0415 - same

        html.write_text(write_page(report), "utf-8")
    cli.out.print_json(report)
    _show(cli, report)
    async with cli.jobstore() as jobstore:
        await jobstore.keep_evaluation(evaluation)


def _show(cli: Session, report: Mapping[str, Any]) -> None:
    from cli.evaluating import tables  # noqa: PLC0415 - same

    policies = report["policies"]
    cli.out.print_table(["", *(one["policy"] for one in policies)], tables.list_measures(policies))
    for comparison in report["comparisons"]:
        cli.out.print_line(tables.describe_comparison(comparison))
    for one in policies[1:]:
        if (gains := tables.describe_gains(policies[0], one)) is not None:
            cli.out.print_line(gains)
    for one in policies:
        for quorum in one["quorum"]:
            cli.out.print_line(f"{one['policy']}: {tables.describe_quorum(quorum)}")
        if one.get("confirm"):
            cli.out.print_line(f"{one['policy']}: {tables.describe_confirming(one['confirm'])}")
        if one["criteria"]:
            cli.out.print_line()
            cli.out.print_line(one["policy"])
            cli.out.print_table(tables.CRITERIA_HEADER, tables.list_criteria(one))
    for line in tables.describe_left_out(report):
        cli.out.print_line(line)
    disagreements = report["disagreements"]
    names = ", ".join(one["id"] for one in disagreements["items"][:SHOWN_MAX])
    if names:
        cli.out.print_line(f"{disagreements['total']} disagreements, to be read with --html: {names}")


@dataclass(frozen=True)
class Where:
    """Where to look in a file beside the names that its tool gives, and by what all of it is judged."""

    criteria: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT", help="By what all are judged, one a line, in place of what the file says. May be repeated."
        ),
    ] = None
    result: Annotated[str | None, typer.Option(metavar="FIELD", help="The field that holds a model's output.")] = None
    label: Annotated[str | None, typer.Option(metavar="FIELD", help="The field that holds a person's label.")] = None


@with_options(where=Where)
async def import_(
    cli: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON, JSON lines or YAML of another tool.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="CASES.jsonl", help="Where the cases are written.")],
    where: Where,
) -> None:
    """Make labelled cases of a file of promptfoo, and say what of it could not be taken over."""
    from cli.importers.base import Fields, Skipped  # noqa: PLC0415 - heavy, and only needed here
    from cli.importers.files import import_cases  # noqa: PLC0415 - same

    criteria = "\n".join(where.criteria) if where.criteria else None
    counts = {"cases": 0, "skipped": 0, "in_part": 0}
    told = []
    try:
        with output.open("x", encoding="utf-8") as lines:
            for item in import_cases(file, Fields(**asdict(where) | {"criteria": criteria})):
                if isinstance(item, Skipped):
                    counts["skipped"] += 1
                    told.append({"place": item.place, "skipped": item.reason})
                    cli.out.print_line(f"{item.place} is skipped: {item.reason}")
                    continue
                counts["cases"] += 1
                counts["in_part"] += bool(item.lost)
                lines.write(item.case.write() + "\n")
                for reason in item.lost:
                    told.append({"place": item.place, "lost": reason})
                    cli.out.print_line(f"{item.place} is taken over without {reason}")
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}", code=ErrorCode.UNREADABLE) from error
    cli.out.print_json({**counts, "told": told})
    cli.out.print_line(f"{counts['cases']} cases, {counts['in_part']} of them in part; {counts['skipped']} skipped")
