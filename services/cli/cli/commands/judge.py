"""The group `signoff judge` and the command `signoff rejudge`."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import uuid4

import typer

from cli.commands.operations import OperationOptions, make_operation
from cli.errors import CommandError
from cli.options import Options, option, parse_usd, read_json, read_text, read_texts, validate_resource
from cli.output import Output, format_refusals, format_seconds, format_spent, list_asks, to_json
from cli.parameters import (
    DEFAULT,
    OperationId,
    PageSize,
    PageToken,
    complete_jobs,
    filter_options,
    find_batch_id,
    find_job_id,
    make_filter,
    require_policies,
)
from cli.session import Session, await_judgings, command, make_app, succeed_if, with_options
from cli.terminal import Styled
from signoff import AsyncClient
from signoff.errors import ErrorCode
from signoff.status import RESTING, OperationKind

if TYPE_CHECKING:
    from signoff.judging import CriterionVerdict, Judging, RejudgeReport

app = make_app("Try judges, and criteria, without a job.")

rejudge_app = make_app()

#: Seconds after which a judging of one case is called slow; most take less.
SILENT_S: Final = 15.0


#: How results are judged again: by which policy or criteria, and within which cost and rate.
rejudge_options: Final = Options(
    option(
        "--judge",
        str,
        "By this judge policy; each by the version that it was judged by if not given.",
        metavar="NAME[@VERSION]",
    ),
    option(
        "--criteria",
        list[str],
        "With --shadow, by these criteria, one a line; or by those in @file or - (stdin). May be repeated.",
        metavar="TEXT",
        parse=read_texts,
    ),
    option("--criteria-set", str, "With --shadow, by the criteria of this set.", metavar="NAME[@VERSION]"),
    option("--rate-per-s", float, "At most this many per second.", metavar="N", min=0.001),
    option(
        "--budget-usd",
        str,
        "Begin none that would exceed this cost in total; end where a cost is not reported.",
        metavar="USD",
        parse=parse_usd,
    ),
)


@command(rejudge_app, "rejudge")
@with_options(conditions=filter_options, judging=rejudge_options, how=OperationOptions)
async def rejudge(
    cli: Session,
    conditions: dict[str, Any],
    judging: dict[str, Any],
    how: OperationOptions,
    shadow: Annotated[
        bool,
        typer.Option(
            "--shadow", help="Change nothing: compare new verdicts with those before, and report the ones that flip."
        ),
    ] = False,
) -> None:
    """Judge results of jobs again, as a shadow that changes nothing, or for real.

    No agent is called. For real, each verdict takes the place of the one before; a job that is live by then, or has
    another result, is left as it is, and so is one of which nothing is proven. Nothing is submitted again, but by
    policy what was unproven (--code verdict_unproven) and is not met now. `signoff judge report` says what came of it,
    as this does with --wait.
    """
    then = None if cli.out.as_json else partial(show_flips, cli.out)
    await make_operation(cli, OperationKind.REJUDGE, conditions, how, then=then, shadow=shadow, **judging)


async def show_flips(out: "Output", jobstore: AsyncClient, operation_id: str) -> None:
    """Print the report of the operation `operation_id`, which judged results again."""
    show_report(out, await jobstore.get_rejudge_report(operation_id))


#: A case that any judge can judge.
SAMPLE: Final = {"result": {"answer": "Two and two are four."}, "acceptance_criteria": "Gives a number"}
#: The newest results that a draft of criteria is run over.
LAST: Final = 20

Policy = Annotated[
    str | None,
    typer.Option(
        "--judge",
        metavar="NAME[@VERSION]",
        help="By this judge policy, or by the one whose JSON is in @file; the validators' own settings if not given.",
    ),
]


@command(app, "try")
async def try_(
    cli: Session,
    result: Annotated[
        str | None,
        typer.Argument(metavar="RESULT", help="The result as JSON, that in @file, or that on standard input (-)."),
    ] = None,
    criteria: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="By these, one a line; or by those in @file; those of the job if not given. May be repeated.",
        ),
    ] = None,
    job: Annotated[
        str | None,
        typer.Option(metavar="JOB", help="The last result of this job, instead.", autocompletion=complete_jobs),
    ] = None,
    policy: Policy = None,
    text: Annotated[bool, typer.Option("--text", help="The result is a text as it stands, and no JSON.")] = False,
) -> None:
    """Judge a result, and print the verdict; no job is made. Succeed if the result is accepted."""
    if (result is None) == (job is None):
        raise typer.BadParameter("give either a result or --job", param_hint="RESULT")
    if text and result is None:
        raise typer.BadParameter("goes with a result", param_hint="--text")
    if job is None and not criteria:
        raise typer.BadParameter("is needed with a result", param_hint="--criteria")
    async with cli.jobstore() as jobstore:
        case: dict[str, Any] = {} if job is None else await _read_job(jobstore, await find_job_id(jobstore, job))
        if result is not None:
            case["result"] = read_text(result, "RESULT").removesuffix("\n") if text else _read_result(result)
        if criteria:
            case["acceptance_criteria"] = read_texts(criteria, "--criteria")
        made = await _judge(cli.out, jobstore, {"kind": "try", "cases": [case], **_read_policy(policy)})
    show_judging(cli.out, made)
    succeed_if(made.verdict is not None and made.verdict.is_valid)


@command(app, "test")
async def probe(cli: Session, jobstore: AsyncClient, policy: Policy = None) -> None:
    """Have a judge judge a harmless case, and print its answer and the abilities of its API."""
    made = await _judge(cli.out, jobstore, {"kind": "test", "cases": [SAMPLE], **_read_policy(policy)})
    show_judging(cli.out, made)
    succeed_if(made.probe is not None)


@command(app, "draft")
@with_options(conditions=filter_options, judging=rejudge_options, how=OperationOptions)
async def draft(
    cli: Session,
    conditions: dict[str, Any],
    judging: dict[str, Any],
    how: OperationOptions,
    last: Annotated[int, typer.Option(min=1, max=500, help="How many of the newest results.")] = LAST,
) -> None:
    """Judge the last results of jobs that match by a draft of criteria, and show what would flip; nothing changes.

    How many, and what it costs, is shown first.
    """
    if judging.keys().isdisjoint({"criteria", "criteria_set"}):
        raise typer.BadParameter("is needed: the draft", param_hint="--criteria")
    if not how.job_ids:
        chosen = {"statuses": sorted(RESTING), **conditions}
        async with cli.jobstore() as jobstore:
            page = await jobstore.list_matching(await make_filter(jobstore, cli.in_tenant(chosen)), page_size=last)
        if not page.jobs:
            raise CommandError("no job matches that has a result", code=ErrorCode.NOTHING_MATCHES)
        how, conditions = replace(how, job_ids=[job.id for job in page.jobs]), {}
    then = partial(show_flips, cli.out)
    await make_operation(cli, OperationKind.REJUDGE, conditions, how, then=then, shadow=True, **judging)


@command(app, "report")
async def report(
    cli: Session, jobstore: AsyncClient, operation_id: OperationId, page_size: PageSize = 50, page_token: PageToken = ""
) -> None:
    """Show the report of judging jobs again: verdicts that flip, by criterion, and job by job."""
    operation_id = await find_batch_id(jobstore, operation_id)
    show_report(cli.out, await jobstore.get_rejudge_report(operation_id, page_size=page_size, page_token=page_token))


async def _judge(out: Output, jobstore: AsyncClient, fields: dict[str, Any]) -> "Judging":
    """Create a judging of the one case in `fields`, wait until the judging has ended, and return it."""
    group_id = await jobstore.create_judgings(validate_resource("NewJudgings", fields, "what is judged"))
    words = "no answer yet: the judge is asked until it answers; whether it is there says signoff doctor"
    telling = asyncio.get_running_loop().call_later(SILENT_S, out.warn, words)
    try:
        await await_judgings(jobstore, group_id, out)
    finally:
        telling.cancel()
    ((made,), _) = await jobstore.get_judgings(group_id)
    return made


async def _read_job(jobstore: AsyncClient, job_id: str) -> dict[str, Any]:
    """Return a job's last result, criteria and task as a case to judge. Raise CommandError if the job has no result."""
    from signoff.jsontext import parse_json  # noqa: PLC0415 - heavy, and only needed here

    job = await jobstore.get_job(job_id)
    logs, _ = await jobstore.list_job_logs(job_id, page_size=1, newest_first=True, kinds=["result"])
    if not logs:
        raise CommandError(f"{job_id} has no result", code=ErrorCode.NO_RESULT)
    return {
        "result": parse_json(await jobstore.get_result(job_id, logs[0].version)),
        "acceptance_criteria": job.acceptance_criteria,
        "title": job.title,
        "description": job.description,
        "references": job.references,
        "submission": logs[0].submission,
        "payload": job.payload,
    }


def _read_result(result: str) -> Any:
    try:
        return read_json(result, "RESULT")
    except typer.BadParameter as error:
        message = f"{error.message}; give a text as it stands with --text"
        raise typer.BadParameter(message, param_hint="RESULT") from error


def _read_policy(policy: str | None) -> dict[str, Any]:
    if policy is not None and policy.startswith("@"):
        return {"judge_policy": read_json(policy, "--judge")}
    return {"judge": policy}


#: Disagreements that are named on a terminal; --json and --html hold more of them.
SHOWN_MAX: Final = 10


@dataclass(frozen=True)
class EvaluationOptions:
    """The options of `signoff judge evaluate` that say how the cases of a file are judged."""

    repeats: Annotated[int, typer.Option(min=1, max=100, help="How often each case is judged.")] = 1
    submission: Annotated[
        int,
        typer.Option(min=1, max=100, help="Judge each as this submission of its job: later ones need more to pass."),
    ] = 1
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out lines that are no cases, and list them.")] = (
        False
    )


@command(app, "evaluate")
@with_options(how=EvaluationOptions)
async def evaluate(
    cli: Session,
    cases: Annotated[Path, typer.Argument(metavar="CASES.jsonl", help="Labelled cases, one a line: docs/judging.md.")],
    policy: Annotated[
        list[str] | None,
        typer.Option(
            "--judge", metavar="NAME[@VERSION]", help="A judge policy. May be repeated; `default` when not given."
        ),
    ] = None,
    how: EvaluationOptions = EvaluationOptions(),
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with all disagreements.")] = None,
) -> None:
    """Judge labelled cases by policies, and say how often each is right.

    Agreement, kappa, true and false accepts and rejects with 95 % intervals, flips over repeats, cost and time, by
    criterion and in all; of a second policy, whether it differs by more than chance. Nothing is judged before every
    line was read and every policy found. Judges are paid, and no verdict is reused. `signoff judges show` tells the
    newest evaluation of a version, and `signoff judges promote` takes it by its report.
    """
    from cli import evaluating  # noqa: PLC0415 - heavy, and only needed here
    from signoff.types import read_model  # noqa: PLC0415 - same

    policies = list(dict.fromkeys(policy or [DEFAULT]))
    file = evaluating.check_file(cases, skip_bad=how.skip_bad, submission=how.submission)
    evaluation = uuid4()
    async with cli.jobstore() as jobstore:
        await require_policies(jobstore, policies)
    if html is not None:
        try:
            html.touch()  # before a judge is paid
        except OSError as error:
            raise CommandError(f"{html} cannot be written: {error.strerror}", code=ErrorCode.UNWRITABLE) from error
    async with cli.jobstore() as jobstore:
        judge = evaluating.judge_through(
            jobstore.reading(read_model), evaluation, how.submission, cli.out
        )  # amounts are added up
        report = await evaluating.evaluate(file, policies, how.repeats, judge, evaluation)
    if html is not None:
        from cli.evaluating import write_page  # noqa: PLC0415 - same

        html.write_text(write_page(report), "utf-8")
    cli.out.print_json(report)
    _show(cli, report)
    async with cli.jobstore() as jobstore:
        await jobstore.keep_evaluation(evaluation)


def _show(cli: Session, report: Mapping[str, Any]) -> None:
    from cli import evaluating  # noqa: PLC0415 - same

    policies = report["policies"]
    cli.out.print_table(["", *(one["policy"] for one in policies)], evaluating.list_measures(policies))
    for comparison in report["comparisons"]:
        cli.out.print_line(evaluating.describe_comparison(comparison))
    for one in policies[1:]:
        if (gains := evaluating.describe_gains(policies[0], one)) is not None:
            cli.out.print_line(gains)
    for one in policies:
        for quorum in one["quorum"]:
            cli.out.print_line(f"{one['policy']}: {evaluating.describe_quorum(quorum)}")
        if one.get("confirm"):
            cli.out.print_line(f"{one['policy']}: {evaluating.describe_confirming(one['confirm'])}")
        if one["criteria"]:
            cli.out.print_line()
            cli.out.print_line(one["policy"])
            cli.out.print_table(evaluating.CRITERIA_HEADER, evaluating.list_criteria(one))
    for line in evaluating.describe_left_out(report):
        cli.out.print_line(line)
    disagreements = report["disagreements"]
    names = ", ".join(one["id"] for one in disagreements["items"][:SHOWN_MAX])
    if names:
        cli.out.print_line(f"{disagreements['total']} disagreements, to be read with --html: {names}")


@command(app, "import")
@with_options(
    fields=Options(
        option(
            "--criteria",
            list[str],
            "A criterion for all cases, in place of those in the file. May be repeated.",
            metavar="TEXT",
            parse=lambda texts, _: "\n".join(texts),
        ),
        option("--result", str, "The field that holds a model's output.", metavar="FIELD"),
        option("--label", str, "The field that holds a person's label.", metavar="FIELD"),
    )
)
async def import_(
    cli: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON, JSON lines or YAML of another tool.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="CASES.jsonl", help="Where the cases are written.")],
    fields: dict[str, Any],
) -> None:
    """Make labelled cases of a file of promptfoo, and list the parts that could not be imported."""
    from cli import promptfoo  # noqa: PLC0415 - heavy, and only needed here

    counts = {"cases": 0, "skipped": 0, "in_part": 0}
    remarks = []
    try:
        with output.open("x", encoding="utf-8") as lines:
            for item in promptfoo.import_cases(file, promptfoo.Fields(**fields)):
                if isinstance(item, promptfoo.Skipped):
                    counts["skipped"] += 1
                    remarks.append({"place": item.place, "skipped": item.reason})
                    cli.out.print_line(f"{item.place} is skipped: {item.reason}")
                    continue
                counts["cases"] += 1
                counts["in_part"] += bool(item.lost)
                lines.write(item.case.write() + "\n")
                for reason in item.lost:
                    remarks.append({"place": item.place, "lost": reason})
                    cli.out.print_line(f"{item.place} is taken over without {reason}")
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}", code=ErrorCode.UNREADABLE) from error
    cli.out.print_json({**counts, "told": remarks})
    cli.out.print_line(f"{counts['cases']} cases, {counts['in_part']} of them in part; {counts['skipped']} skipped")


_STYLES: Final = {"pass": "green", "fail": "red", "cannot_assess": "yellow"}


def show_judging(out: Output, judging: "Judging") -> None:
    """Print a judging: the verdict, or why there is none; what a probe of a judge found; and the time and cost."""
    out.print_json(judging)
    if judging.code is not None:
        out.print_line(Styled(f"not judged: {judging.code}", "red"), f": {judging.message or ''}")
    verdict, probe = judging.verdict, judging.probe or {}
    if verdict is not None:
        out.print_line(Styled(_word(verdict.is_valid), "green" if verdict.is_valid else "red"), f": {verdict.reason}")
        out.print_table(["criterion", "outcome", "evidence", "comment"], _make_rows(verdict.criteria))
    else:
        out.print_table(["", ""], [(name, str(value)) for name, value in probe.items()])
    for judge in probe.get("judges", ()):
        out.print_table(
            ["the judge", ""],
            [(name, value if isinstance(value, str) else to_json(value)) for name, value in judge.items()],
        )
    spent = format_spent(judging.cost_usd, judging.tokens)
    took = "" if judging.duration_s is None else format_seconds(judging.duration_s)
    refused = format_refusals(list_asks(verdict)) if verdict else ""
    model = verdict.model if verdict else probe.get("model")
    out.print_line(", ".join(filter(None, (model, took, spent, refused))))


def _make_rows(criteria: "Sequence[CriterionVerdict]") -> list[tuple[object, ...]]:
    return [
        (
            one.text,
            Styled("unproven" if one.unproven else one.outcome, _STYLES.get(one.outcome, "")),
            "; ".join(one.evidence),
            one.comment,
        )
        for one in criteria
    ]


def show_report(out: Output, report: "RejudgeReport") -> None:
    """Show a report of judging jobs again: sums, criteria whose outcomes changed, and a page of verdicts that flip."""
    out.print_json(report)
    out.print_line(
        f"{report.judged} judged again, {report.judged_before} of them judged before: "
        f"{report.accepted_before} accepted before, {report.accepted_after} now; {report.flipped} flip"
    )
    if spent := format_spent(report.cost_usd, report.tokens):
        out.print_line(spent)
    for code, count in sorted(report.failed.items()):
        out.print_line(f"{count} not judged: {code}")
    changed = [one for one in report.criteria if one.changed]
    if changed:
        ways = [(one.changed, one.judged, _join(one.outcomes), one.text) for one in changed]
        out.print_table(["changed", "of", "how", "criterion"], ways)
    if report.flips:
        rows = [
            (
                flip.job_id,
                Styled(f"{_word(flip.was_valid)} > {_word(flip.is_valid)}", "green" if flip.is_valid else "red"),
                "; ".join(f"{one.text}: {one.before} > {one.after}" for one in flip.criteria) or flip.reason,
            )
            for flip in report.flips
        ]
        out.print_list(["job", "verdict", "why"], rows, wrapped=True)
    out.print_next_page_token(report.next_page_token)


def _join(outcomes: dict[str, int]) -> str:
    return ", ".join(f"{count} {way}" for way, count in outcomes.items() if len(set(way.split(" > "))) > 1)


def _word(is_valid: bool) -> str:
    return "accepted" if is_valid else "not accepted"
