"""The groups `signoff judges` and `signoff criteria`: judge policies and criteria sets, with their versions."""

import json
from collections.abc import Callable, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import CommandError
from cli.options import Options, option, read_document, read_json_file, read_text
from cli.output import Output, format_spent, format_time
from cli.parameters import get_policy_version
from cli.session import Session, command, make_app, succeed_if, with_options
from cli.terminal import Styled
from signoff import AsyncClient
from signoff.connection import list_all
from signoff.errors import ErrorCode

if TYPE_CHECKING:
    from signoff.judging import (
        CriteriaSetVersion,
        JudgePolicyVersion,
        JudgingWarning,
        NamedCriteriaSet,
        NamedGoldenSet,
        NamedJudgePolicy,
    )

Version = Annotated[
    int | None, typer.Option(min=1, help="Show this one; the current one, or else the newest, when not given.")
]
Note = Annotated[str | None, typer.Option(help="A note on the version, for people.")]
ExpectedVersion = Annotated[
    int | None, typer.Option("--version", min=0, help="The newest version that you know; fail if there is another.")
]
Reason = Annotated[str | None, typer.Option(help="The reason, which is kept.")]

app = make_app("Keep judge policies, by which results are judged, by name and version, such as strict@3.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a judge policy.")]


@command(app, "list")
async def list_(cli: Session, jobstore: AsyncClient) -> None:
    """List judge policies by name, and the judge that each validator is set to, for jobs that name no policy."""
    page = await jobstore.list_judge_policies(page_size=500)
    policies, validators = page.policies, page.validators
    while page.next_page_token:
        page = await jobstore.list_judge_policies(page_size=500, page_token=page.next_page_token)
        policies += page.policies
    cli.out.print_json({"policies": policies, "validators": validators})
    cli.out.print_table(["policy", *_VERSIONS], [(each.name, *_row(each, each.versions[0])) for each in policies])
    if validators:
        cli.out.print_line()
        rows = [(each.owner, each.judge or "has not said", ", ".join(each.keys)) for each in validators]
        cli.out.print_table(["validator", "is set to", "keys"], rows)


@command(app, "show")
async def show(cli: Session, jobstore: AsyncClient, name: Name, version: Version = None) -> None:
    """Show a version of a judge policy, all its versions, and the outcomes of each."""
    found = await jobstore.get_judge_policy(name)
    show_judge_policy(
        cli.out, found, await get_policy_version(jobstore, name, version or found.current or found.newest)
    )


@command(app, "set")
@with_options(
    asked=Options(
        option(
            "--model", list[str], "A model that judges. May be repeated: a quorum of them.", "models", metavar="MODEL"
        ),
        option("--base-url", str, "Where the models are.", metavar="URL"),
        option("--key", str, "The name of a key in the validators' settings, never a key.", metavar="NAME"),
        option("--votes", int, "A quorum of this many votes.", min=2, max=9),
        option("--cascade", bool, "Ask the second model only where the first is unsure."),
        option("--each", bool, "Ask about each criterion by itself."),
    )
)
async def set_(
    cli: Session,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Its name, if no file has it.")] = None,
    file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="The whole policy, as `show --json` has it, or as YAML; - for standard input."
        ),
    ] = None,
    *,
    asked: dict[str, Any],
    note: Note = None,
    expected_version: ExpectedVersion = None,
    promote: Annotated[bool, typer.Option("--promote", help="Make it current at once.")] = False,
) -> None:
    """Add a version of a judge policy; the first is current, later ones once they are promoted."""
    if file is not None:
        policy = _read_policy(file, name)
    elif name is not None:
        policy = _make_policy(name, asked.get)
    else:
        raise typer.BadParameter("name the policy, or give a file that does", param_hint="NAME")
    async with cli.jobstore() as jobstore:
        saved = await jobstore.put_judge_policy(policy, version=expected_version, note=note)
        if promote and saved.current != saved.version:
            saved.current = (await jobstore.promote_judge_policy(saved.name, saved.version)).current
    cli.out.print_json(saved)
    is_current = saved.current == saved.version
    how = "is current" if is_current else f"waits for `signoff judges promote {saved.name} {saved.version}`"
    cli.out.print_line(f"{saved.name}@{saved.version} {how}")
    _print_warnings(cli.out, saved.warnings)


@command(app, "diff")
async def diff(
    cli: Session,
    jobstore: AsyncClient,
    name: Name,
    before: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="The number of a version.")],
    after: Annotated[int | None, typer.Argument(metavar="VERSION", min=1, help="The newest when not given.")] = None,
) -> None:
    """Show what differs between two versions of a judge policy."""
    other = after or (await jobstore.get_judge_policy(name, page_size=1)).newest
    policies = [(await get_policy_version(jobstore, name, number)).policy for number in (before, other)]
    old, new = (json.dumps(policy, indent=2, sort_keys=True).splitlines() for policy in policies)
    lines = list(unified_diff(old, new, f"{name}@{before}", f"{name}@{other}", lineterm=""))
    cli.out.print_json({"before": policies[0], "after": policies[1], "diff": lines})
    for line in lines or [f"{name}@{before} and {name}@{other} say the same"]:
        cli.out.print_line(line)


@command(app, "promote")
async def promote(
    cli: Session,
    jobstore: AsyncClient,
    name: Name,
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="The number of a version.")],
    report: Annotated[
        str | None, typer.Option(metavar="FILE", help="The output of `judge evaluate --json` on the golden set.")
    ] = None,
    force: Annotated[
        str | None,
        typer.Option(
            "--force-reason",
            metavar="REASON",
            help="Promote it although something speaks against it; the reason is kept.",
        ),
    ] = None,
) -> None:
    """Make a version current: what is executed from then on is judged by it, and what is under way is not.

    Where the policy has a golden set, the version must pass it, by an evaluation that the jobstore counted itself: the
    report only names it.
    """
    reduced = None if report is None else _read_report(report)
    found = await jobstore.promote_judge_policy(name, version, report=reduced, force_reason=force)
    cli.out.print(found, f"{name}: version {found.current} is current")


@command(app, "golden")
@with_options(
    shares=Options(
        option(
            "--least",
            float,
            "The least of two shares, with 95 % certainty: of good results that pass, and of bad ones that fail.",
            min=0,
            max=1,
        ),
        option("--flips-max", float, "The largest share of cases whose repeats may differ.", min=0, max=1),
    )
)
async def golden(
    cli: Session,
    name: Name,
    cases: Annotated[
        Path | None, typer.Option("--set", metavar="CASES.jsonl", help="Replace it by these labelled cases.")
    ] = None,
    *,
    shares: dict[str, Any],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write its cases, to evaluate versions on.")
    ] = None,
    note: Annotated[str | None, typer.Option(help="A note on the set.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove it: versions take over without one.")] = False,
) -> None:
    """Show the labelled cases that a new version of a policy must pass before it takes over, or replace them."""
    if cases is None and (shares or note is not None):
        raise typer.BadParameter("belongs to the cases that --set gives", param_hint="--least, --flips-max, --note")
    if cases is not None and remove:
        raise typer.BadParameter("and --set are two things", param_hint="--remove")
    async with cli.jobstore() as jobstore:
        if cases is not None:
            found = await jobstore.put_golden_set(
                name,
                read_text(f"@{cases}", "--set"),
                true_positive_rate_min=shares.get("least"),
                true_negative_rate_min=shares.get("least"),
                flips_max=shares.get("flips_max"),
                note=note,
            )
        elif remove:
            found = await jobstore.retire_golden_set(name)
        else:
            found = await jobstore.get_golden_set(name)
    if output is not None:
        output.write_text(found.cases_jsonl + "\n", "utf-8")
    show_golden_set(cli.out, found)


@command(app, "retire")
async def retire(cli: Session, jobstore: AsyncClient, name: Name, reason: Reason = None) -> None:
    """Retire a judge policy: nothing more is judged by it; its versions stay, and `promote` brings it back."""
    found = await jobstore.retire_judge_policy(name, reason=reason)
    cli.out.print(found, f"{name}: retired")


def _read_report(file: str) -> dict[str, Any]:
    """Return those parts of the report in a file that the jobstore reads. Raise BadParameter if it is no report."""
    from cli.evaluating import reduce_report  # noqa: PLC0415 - heavy, and only needed here

    report = read_json_file(file, "--report")
    if not isinstance(report, dict) or not isinstance(report.get("policies"), list) or "evaluation" not in report:
        raise typer.BadParameter("is no report of `signoff judge evaluate --json`", param_hint="--report")
    return reduce_report(report)


def _read_policy(file: str, name: str | None) -> Any:
    """Return the judge policy in a file, with `name` if given; the file may hold output of `judges show --json`."""
    policy = read_document(file, "--file")
    if isinstance(policy, dict) and "policy" in policy:
        policy = policy["policy"]
    if not isinstance(policy, dict):
        raise typer.BadParameter("is no judge policy: an object of its fields", param_hint="--file")
    is_renamed = name is not None and name != policy.get("name")
    return {**policy, "name": name, "version": 0} if is_renamed else policy


def _make_policy(name: str, get: Callable[[str], Any]) -> dict[str, Any]:
    """Return the judge policy `name` that options describe; `get` returns an option's value by the option's name."""
    judges = [{"model": model, "base_url": get("base_url"), "key": get("key")} for model in get("models") or ()]
    kind = "cascade" if get("cascade") else "quorum" if get("votes") or len(judges) > 1 else "single"
    asking = {"kind": kind, "judges": judges, "votes": get("votes")}
    return {"name": name, "stages": [{"kind": "checks"}, asking], "asks": "each" if get("each") else "auto"}


criteria_app = make_app("Keep criteria sets, which jobs choose by name, with versions; and find ambiguous criteria.")

SetName = Annotated[str, typer.Argument(metavar="NAME", help="The name of a criteria set.")]
Criteria = Annotated[
    list[str] | None,
    typer.Option("--criteria", metavar="TEXT", help="A criterion, as of `jobs create`. May be repeated."),
]
File = Annotated[
    str | None, typer.Option(metavar="FILE", help="A text with one criterion a line; - for standard input.")
]


@command(criteria_app, "list")
async def list_sets(cli: Session, jobstore: AsyncClient) -> None:
    """List criteria sets by name, and the outcomes of the current version."""
    sets = await list_all(jobstore.iter_criteria_sets())
    cli.out.print_json({"sets": sets})
    cli.out.print_table(["set", *_VERSIONS], [(each.name, *_row(each, each.versions[0])) for each in sets])


@command(criteria_app, "show")
async def show_set(cli: Session, jobstore: AsyncClient, name: SetName, version: Version = None) -> None:
    """Show the criteria of a version, all versions, and what each accepted, failed and cost."""
    found = await jobstore.get_criteria_set(name)
    number = version or found.current or found.newest
    of_version = await jobstore.get_criteria_set(name, page_size=1, before=number + 1)
    shown = of_version.versions[0] if of_version.versions else None
    if shown is None or shown.version != number:
        raise CommandError(f"there is no criteria set {name}@{number}", code=ErrorCode.UNKNOWN_CRITERIA_SET)
    cli.out.print_json({**vars(found), "version": number, "acceptance_criteria": shown.acceptance_criteria})
    cli.out.print_line(f"{found.name}@{number}")
    for line in shown.acceptance_criteria.split("\n"):
        cli.out.print_line(f"  {line}")
    cli.out.print_line()
    cli.out.print_table(_VERSIONS, [_row(found, each) for each in found.versions])


@command(criteria_app, "set")
async def set_criteria(  # noqa: PLR0917 - each is an option
    cli: Session,
    jobstore: AsyncClient,
    name: SetName,
    criteria: Criteria = None,
    file: File = None,
    note: Note = None,
    expected_version: ExpectedVersion = None,
) -> None:
    """Add a version of a criteria set, which is current at once; what is under way is judged as it was asked for."""
    saved = await jobstore.put_criteria_set(name, _read_criteria(criteria, file), version=expected_version, note=note)
    cli.out.print(saved, f"{saved.name}@{saved.version} is current")
    cli.out.print_warnings(saved.warnings)


@command(criteria_app, "retire")
async def retire_set(cli: Session, jobstore: AsyncClient, name: SetName, reason: Reason = None) -> None:
    """Retire a criteria set: nothing more is judged by it; its versions stay, and `set` brings it back."""
    found = await jobstore.retire_criteria_set(name, reason=reason)
    cli.out.print(found, f"{name}: retired")


@command(criteria_app, "lint")
async def lint(cli: Session, jobstore: AsyncClient, criteria: Criteria = None, file: File = None) -> None:
    """Find criteria that are ambiguous, or that could be judged better; succeed if there are none."""
    remarks = await jobstore.lint_criteria(_read_criteria(criteria, file))
    cli.out.print_json(remarks)
    cli.out.print_warnings(remarks.warnings)
    for note in remarks.notes:
        cli.out.print_line(f"note: {note.message}")
    succeed_if(not remarks.warnings)
    cli.out.print_line("nothing to remark on these criteria")


def _read_criteria(criteria: list[str] | None, file: str | None) -> str:
    """Return criteria, one a line, from options or a file. Raise BadParameter if both are given, or neither is."""
    if (file is None) == (not criteria):
        raise typer.BadParameter("give either --criteria or --file", param_hint="--criteria")
    return "\n".join(criteria or ()) if file is None else read_text(file if file == "-" else f"@{file}", "--file")


#: The fields of a version that come of evaluations on labelled cases.
_MEASURED = ("evaluation", "warnings")
_VERSIONS = ["version", "", "met", "not met", "unjudged", "spent", "made", "by", "note"]


def show_judge_policy(out: Output, found: "NamedJudgePolicy", shown: Any) -> None:
    """Print the version `shown` of a judge policy and its evaluation, all versions, and which was current from when."""
    out.print_json({**vars(found), **{name: getattr(shown, name) for name in ("version", "policy", *_MEASURED)}})
    out.print_line(f"{found.name}@{shown.version}")
    for line in json.dumps(shown.policy, indent=2).splitlines():
        out.print_line(line)
    if (evaluation := shown.evaluation) is not None:
        by, at = evaluation.actor, format_time(evaluation.created_at)
        out.print_line(f"evaluated as {found.name}@{evaluation.version} by {by}, {at}: {_count_wrong(evaluation)}")
        if evaluation.quorum:
            from cli.evaluating import describe_quorum  # noqa: PLC0415 - heavy, and only needed here

            for quorum in evaluation.quorum:
                out.print_line(describe_quorum(vars(quorum)))
    _print_warnings(out, shown.warnings)
    out.print_line()
    out.print_table(_VERSIONS, [_row(found, version) for version in found.versions])
    moves = [
        (
            format_time(move.created_at),
            "retired" if move.version is None else f"version {move.version} is current",
            move.actor,
            move.reason,
        )
        for move in found.moves
    ]
    out.print_line()
    out.print_table(["since", "", "by", "reason"], moves)


def show_golden_set(out: Output, found: "NamedGoldenSet") -> None:
    """Show the golden set of a policy: its cases, and the shares that a new version must reach on them."""
    out.print_json(found)
    rows: list[tuple[str, object]] = [
        ("cases", f"{found.cases}: {found.good} good, {found.bad} bad"),
        ("of the good ones must pass", f"{100 * found.true_positive_rate_min:g} %, with 95 % certainty"),
        ("of the bad ones must be refused", f"{100 * found.true_negative_rate_min:g} %, with 95 % certainty"),
        ("may flip", "" if found.flips_max is None else f"{100 * found.flips_max:g} %"),
        ("their SHA-256", found.cases_hash),
        ("set", f"{format_time(found.created_at)} by {found.actor}"),
        ("note", found.note or ""),
    ]
    is_retired = Styled(" (removed: versions take over without it)", "yellow") if found.is_retired else ""
    out.print_line(f"the golden set of {found.name}", is_retired)
    out.print_fields(*rows)
    from contracts.judging.statistics import count_missing  # noqa: PLC0415 - only needed here

    asked = (("good", found.good, found.true_positive_rate_min), ("bad", found.bad, found.true_negative_rate_min))
    missing = ((kind, count_missing(count, count, least)) for kind, count, least in asked)  # by a perfect record
    if lacks := " and ".join(f"{count} {kind}" for kind, count in missing if count):
        out.print_line(Styled(f"warning: no version can pass it before it has {lacks} cases more", "yellow"))


def _row(
    named: "NamedJudgePolicy | NamedCriteriaSet", version: "JudgePolicyVersion | CriteriaSetVersion"
) -> list[object]:
    mark = "current" if version.version == named.current else "retired" if named.current is None else ""
    judged = version.judged
    counts: list[object] = [judged.met, judged.not_met, judged.unjudged, format_spent(judged.cost_usd, judged.tokens)]
    return [version.version, mark, *counts, format_time(version.created_at), version.actor, version.note or ""]


def _count_wrong(evaluation: Any) -> str:
    counts = evaluation.overall
    good, bad = counts.true_accepts + counts.false_rejects, counts.true_rejects + counts.false_accepts
    return f"{counts.false_accepts} of {bad} bad results accepted, {counts.false_rejects} of {good} good ones refused"


def _print_warnings(out: Output, warnings: "Sequence[JudgingWarning]") -> None:
    for warning in warnings:
        out.print_line(Styled(f"warning: {warning.message} ({warning.code})", "yellow"))
