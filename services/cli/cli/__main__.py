"""The `signoff` command: the table of its commands, of which only the one that is called is imported."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import pairwise
from typing import Annotated, Any, Final, NamedTuple, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from cli.errors import ExitStatus, build_problem
from cli.plain_values import HELP, PlainGroup
from signoff.errors import ErrorCode

Command = TyperCommand | TyperGroup

#: Raised where a command line is wrong; Typer has no public name for it.
USAGE_ERROR: Final[Any] = typer.BadParameter.__base__


class Entry(NamedTuple):
    """A row of the table of commands: a command's help in one sentence, its module in `cli.commands`, and its Typer.

    An empty `module` stands for the module that is named like the command; `app` is the Typer's name in the module.
    """

    summary: str
    module: str = ""
    app: str = "app"


#: Commands and groups by name. A test compares the summaries with the help of the commands themselves.
COMMANDS: Final = {
    "up": Entry("Run the whole system here until interrupted: Kafka, PostgreSQL, all services, a judge, small agents."),
    "demo": Entry("Run ten jobs that end in every way a job can, and show how; succeed if each ended as it must."),
    "login-link": Entry("Print a link that logs in to the page: once, and within a quarter of an hour.", "up"),
    "open": Entry("Print a link that logs in to the page: once, and within a quarter of an hour.", "up"),
    "login": Entry("Sign in, and keep the session for later commands: for this user and this jobstore alone."),
    "logout": Entry("End the session of the profile, everywhere, and forget it.", "login"),
    "whoami": Entry("Show who one is: name, role, tenants and end, and where the credential comes from.", "login"),
    "profiles": Entry("Choose among the jobstores and users that one has signed in to.", "login", "profiles_app"),
    "overview": Entry(
        "Show how the system is doing: what waits and runs now, what ended recently, and how each agent does."
    ),
    "inbox": Entry("Show what needs somebody, the urgent first, and what happened since one looked last."),
    "quality": Entry(
        "Show how much is accepted: by agent, by judge and by criterion, and what was judged otherwise again."
    ),
    "workers": Entry("Show who serves what: version, room, when each was last heard of, and what is wrong with whom."),
    "watch": Entry("Show everything that happens to all jobs, until interrupted.", "overview"),
    "explain": Entry("Show why jobs wait: how many for what, whose move it is, and what lifts it.", "overview"),
    "replay": Entry(
        "Show what a topic holds, oldest first in each partition; or publish it again, which changes nothing."
    ),
    "backup": Entry("Back up the database while everything runs, and read back what was written.", "recovery"),
    "restore": Entry(
        "Fill an empty database from a backup, and from the facts in Kafka that were recorded since.", "recovery"
    ),
    "rebuild": Entry(
        "Fill an empty database from the facts in Kafka: job-changed, and the facts about all else.", "recovery"
    ),
    "verify": Entry(
        "Compare a rebuilt database with the live one, row by row; succeed if they are the same.", "recovery"
    ),
    "fact-keys": Entry(
        "Print the keys of facts, for SIGNOFF_FACT_KEYS where facts are checked without the jobstore's secrets.",
        "recovery",
    ),
    "archive": Entry("Read an archive of facts: what stands in it, and whether it is whole."),
    "traces": Entry("Traces of jobs, as they are sent to a receiver of OpenTelemetry."),
    "kafka": Entry("Prepare Kafka: its users, and what each may do."),
    "doctor": Entry("Check every part, and say what is wrong and what to do; succeed if nothing is, warnings aside."),
    "jobs": Entry("Create, execute and follow jobs.", "removal"),
    "executions": Entry("Requests to run a job, each with what became of it.", "jobs", "executions_app"),
    "receipt": Entry("Signed statements about verdicts: `signoff receipt JOB` prints one."),
    "agents": Entry("Register and change agents."),
    "batches": Entry("Execute many jobs at once.", "operations", "batches_app"),
    "bulk": Entry("Execute, cancel, resubmit, assign or retry all jobs that match.", "operations", "bulk_app"),
    "rejudge": Entry(
        "Judge results of jobs again, as a shadow that changes nothing, or for real.", "judge", "rejudge_app"
    ),
    "limits": Entry(
        "Limit agents, tenants and labels: agent:<id>, tenant:<name>, label:<key>=<value>; * for each other one."
    ),
    "retention": Entry(
        "For how long jobs and operations are kept: of tenant:<name>, or of tenant:* for each other tenant."
    ),
    "kept": Entry(
        "Show what is kept, how much it is, how it grows, what goes next, and what keeps removal back.",
        "retention",
        "kept_app",
    ),
    "tenants": Entry("Register tenants, to whom jobs, agents and all else belong; and choose among them."),
    "tokens": Entry("Make, rotate and revoke tokens, each with a name, a role, and the tenants that it is of."),
    "sessions": Entry(
        "List and end sessions: of people who signed in at the page, or by `signoff login`.", "tokens", "sessions_app"
    ),
    "audit": Entry("Read what callers did that changes who may what, and what they were refused."),
    "judge": Entry("Try judges, and criteria, without a job."),
    "judges": Entry("Keep judge policies, by which results are judged, by name and version, such as strict@3."),
    "criteria": Entry(
        "Keep criteria sets, which jobs choose by name, with versions; and find ambiguous criteria.",
        "judges",
        "criteria_app",
    ),
    "dlq": Entry("Dead letters: what could not be processed, as it was, and why.", "replay", "dlq_app"),
}


class CommandTree(PlainGroup):
    """The root of all commands. Until a command is called, the tree has only the command's name and summary."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Import the command that `args` begin with; return its name, the command, and the arguments after the name."""
        name, known, rest = super().resolve_command(ctx, args)
        return name, load_command(name) if name and known else None, rest

    def make_context(self, info_name: str | None, args: list[str], *others: Any, **extra: Any) -> Any:
        """Make the context of `args`. If they ask for JSON, print a usage error as JSON, and exit."""
        words = tuple(args)
        with _printing_usage_as_json(words):
            context = super().make_context(info_name, args, *others, **extra)
        context.obj = words
        return context

    def invoke(self, ctx: Any) -> Any:
        """Run the command that is called. If its arguments ask for JSON, print a usage error as JSON, and exit."""
        with _printing_usage_as_json([*ctx._protected_args, *ctx.args]):  # noqa: SLF001 - it has no public name
            return super().invoke(ctx)


@contextmanager
def _printing_usage_as_json(words: Sequence[str]) -> Iterator[None]:
    """Print a usage error of the `with` block as JSON, and exit with the error's status, if `words` ask for JSON."""
    try:
        yield
    except USAGE_ERROR as error:
        if not asks_for_json(words):
            raise
        problem = build_problem(error.format_message(), ErrorCode.USAGE, ExitStatus.USAGE)
        sys.stderr.write(json.dumps(problem, ensure_ascii=False) + "\n")
        raise typer.Exit(error.exit_code) from None


def asks_for_json(words: Sequence[str]) -> bool:
    """Return whether a command line that may be wrong asks for JSON: by --json, or as the form of its output."""
    forms = {"-ojson", "--format=json", "--json"}
    return not forms.isdisjoint(words) or not {("-o", "json"), ("--format", "json")}.isdisjoint(pairwise(words))


def load_command(name: str) -> Command:
    """Import and return the command or group `name`: the Typer that its entry names, or the Typer's command `name`."""
    module = import_module(f"cli.commands.{COMMANDS[name].module or name}")
    command: Any = get_command(getattr(module, COMMANDS[name].app))
    return cast("Command", getattr(command, "commands", {}).get(name, command))


app = typer.Typer(
    name="signoff",
    cls=CommandTree,
    no_args_is_help=True,
    context_settings={"help_option_names": HELP},
    rich_markup_mode=None,  # rich takes longer to import than all else that `--help` needs
    pretty_exceptions_show_locals=False,  # they hold tokens
    help="Jobs for AI agents: no result counts as done until it has been judged.",
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version  # noqa: PLC0415 - only needed here

        typer.echo(f"signoff {version('signoff-client')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None: ...


for _name, _entry in COMMANDS.items():
    app.command(_name, short_help=_entry.summary)(lambda: None)


def main() -> None:
    """Run the command `signoff` with the arguments of this process."""
    app()


if __name__ == "__main__":
    main()
