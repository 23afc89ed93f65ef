"""The group `signoff judges`."""

import json
from difflib import unified_diff
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.commands.judging.versions import ExpectedVersion, Note, Reason, Version
from cli.options import read_document, read_json_file
from cli.parameters.lookups import get_policy_version
from cli.session import Session, command, make_app
from cli.views.judges_view import show_golden_set, show_judge_policies, show_judge_policy, show_saved_policy

app = make_app("Keep judge policies, by which results are judged, by name and version, such as strict@3.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a judge policy.")]


@command(app, "list")
async def list_(cli: Session) -> None:
    """List judge policies by name, and by what each validator judges where a job names none."""
    async with cli.jobstore() as jobstore:
        page = await jobstore.list_judge_policies(page_size=500)
        policies, validators = page.policies, page.validators
        while page.next_page_token:
            page = await jobstore.list_judge_policies(page_size=500, page_token=page.next_page_token)
            policies += page.policies
    show_judge_policies(cli.out, policies, validators)


@command(app, "show")
async def show(
    cli: Session,
    name: Name,
    version: Version = None,
) -> None:
    """Show a version of a judge policy, all its versions, and what came of them."""
    async with cli.jobstore() as jobstore:
        found = await jobstore.get_judge_policy(name)
        number = version or found.current or found.newest
        shown = await get_policy_version(jobstore, name, number)
    show_judge_policy(cli.out, found, shown)


@command(app, "set")
async def set_(  # noqa: PLR0913, PLR0917 - each is an option
    cli: Session,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Its name, where no file says it.")] = None,
    file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="The whole policy, as `show --json` has it, or as YAML; - for standard input."
        ),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="MODEL", help="A model that judges. May be repeated: a quorum of them."),
    ] = None,
    base_url: Annotated[str | None, typer.Option(metavar="URL", help="Where the models are.")] = None,
    key: Annotated[
        str | None, typer.Option(metavar="NAME", help="The name of a key in the validators' settings, never a key.")
    ] = None,
    votes: Annotated[int | None, typer.Option(min=2, max=9, help="A quorum of this many votes.")] = None,
    cascade: Annotated[
        bool, typer.Option("--cascade", help="Ask the second model only where the first is unsure.")
    ] = False,
    each: Annotated[bool, typer.Option("--each", help="Ask about each criterion by itself.")] = False,
    note: Note = None,
    expected_version: ExpectedVersion = None,
    promote: Annotated[bool, typer.Option("--promote", help="Make it current at once.")] = False,
) -> None:
    """Add a version of a judge policy; the first is current, later ones once they are promoted."""
    if file is not None:
        policy = _read_policy(file, name)
    elif name is not None:
        policy = _make_policy(name, models or [], base_url, key, votes, cascade=cascade, each=each)
    else:
        raise typer.BadParameter("name the policy, or give a file that does", param_hint="NAME")
    async with cli.jobstore() as jobstore:
        saved = await jobstore.put_judge_policy(policy, version=expected_version, note=note)
        if promote and saved.current != saved.version:
            saved.current = (await jobstore.promote_judge_policy(saved.name, saved.version)).current
    show_saved_policy(cli.out, saved)


@command(app, "diff")
async def diff(
    cli: Session,
    name: Name,
    before: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="The number of a version.")],
    after: Annotated[int | None, typer.Argument(metavar="VERSION", min=1, help="The newest when not given.")] = None,
) -> None:
    """Show what differs between two versions of a judge policy."""
    async with cli.jobstore() as jobstore:
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
    name: Name,
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="The number of a version.")],
    report: Annotated[
        str | None, typer.Option(metavar="FILE", help="What `judge evaluate --json` printed of the golden set.")
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
    said = None if report is None else _read_report(report)
    async with cli.jobstore() as jobstore:
        found = await jobstore.promote_judge_policy(name, version, report=said, force_reason=force)
    cli.out.print_json(found)
    cli.out.print_line(f"{name}: version {found.current} is current")


@command(app, "golden")
async def golden(  # noqa: PLR0917 - each is an option
    cli: Session,
    name: Name,
    cases: Annotated[
        Path | None, typer.Option("--set", metavar="CASES.jsonl", help="Replace it by these labelled cases.")
    ] = None,
    least: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="What two shares reach with 95 % certainty: of good results that pass, and of bad ones that do not.",
        ),
    ] = None,
    flips_max: Annotated[
        float | None, typer.Option(min=0, max=1, help="The share of cases whose repeats may differ at most.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write its cases, to evaluate versions on.")
    ] = None,
    note: Annotated[str | None, typer.Option(help="A note on the set.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove it: versions take over without one.")] = False,
) -> None:
    """Show the labelled cases that a new version of a policy must pass before it takes over, or replace them."""
    if cases is None and (least is not None or flips_max is not None or note is not None):
        raise typer.BadParameter("belongs to the cases that --set gives", param_hint="--least, --flips-max, --note")
    if cases is not None and remove:
        raise typer.BadParameter("and --set are two things", param_hint="--remove")
    async with cli.jobstore() as jobstore:
        if cases is not None:
            found = await jobstore.put_golden_set(
                name,
                _read_cases(cases),
                true_positive_rate_min=least,
                true_negative_rate_min=least,
                flips_max=flips_max,
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
async def retire(cli: Session, name: Name, reason: Reason = None) -> None:
    """Retire a judge policy: nothing more is judged by it; its versions stay, and `promote` brings it back."""
    async with cli.jobstore() as jobstore:
        found = await jobstore.retire_judge_policy(name, reason=reason)
    cli.out.print_json(found)
    cli.out.print_line(f"{name}: retired")


def _read_cases(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"cannot be read: {error}", param_hint="--set") from error


def _read_report(file: str) -> dict[str, Any]:
    """Return what is looked at of a report."""
    from cli.evaluating.run import reduce_report  # noqa: PLC0415 - heavy, and only needed here

    report = read_json_file(file, "--report")
    if not isinstance(report, dict) or not isinstance(report.get("policies"), list) or "evaluation" not in report:
        raise typer.BadParameter("is no report of `signoff judge evaluate --json`", param_hint="--report")
    return reduce_report(report)


def _read_policy(file: str, name: str | None) -> Any:
    """Return the policy in a file: one that was shown, with its versions, means the one that it shows."""
    policy = read_document(file, "--file")
    if isinstance(policy, dict) and "policy" in policy:
        policy = policy["policy"]
    if not isinstance(policy, dict):
        raise typer.BadParameter("is no judge policy: an object of its fields", param_hint="--file")
    is_renamed = name is not None and name != policy.get("name")
    return {**policy, "name": name, "version": 0} if is_renamed else policy


def _make_policy(
    name: str, models: list[str], base_url: str | None, key: str | None, votes: int | None, *, cascade: bool, each: bool
) -> dict[str, Any]:
    """Return the policy that options describe."""
    judges = [{"model": model, "base_url": base_url, "key": key} for model in models]
    kind = "cascade" if cascade else "quorum" if votes or len(judges) > 1 else "single"
    asking = {"kind": kind, "judges": judges, "votes": votes}
    return {"name": name, "stages": [{"kind": "checks"}, asking], "asks": "each" if each else "auto"}
