"""The commands `signoff backup`, `restore`, `rebuild`, `verify` and `fact-keys`: on facts in Kafka, and on backups."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from typing import Annotated, Any

import typer
from pydantic_core import from_json

from cli.errors import CommandError, ExitStatus, find_exit_status
from cli.session import Session, Target, command, make_app, succeed_if
from contracts.signing import FactKeys, Secrets
from contracts.topic_prefix import TOPIC_PREFIX
from signoff.errors import ErrorCode

app = make_app()

_LOST = (
    "limits, pauses, judge policies, criteria sets and operations were not found whole: nothing begins until "
    "they are set again, and confirmed: signoff limits confirm"
)


AcceptGaps = Annotated[
    bool,
    typer.Option(
        "--accept-gaps", help="Where a version of a job is missing, or a stub, leave out the versions after it."
    ),
]
Archived = Annotated[
    str | None,
    typer.Option(
        "--archive",
        metavar="PLACE",
        envvar="SIGNOFF_ARCHIVE",
        help="Where facts are archived: a directory, or s3://bucket/prefix, gs:// or az://.",
    ),
]
Create = Annotated[bool, typer.Option("--create", help="Create the database first, unless it exists.")]
Live = Annotated[
    str | None,
    typer.Option(metavar="URL", help="The live database; `postgres` of the endpoints file when not given."),
]
Place = Annotated[
    str, typer.Argument(metavar="PLACE", help="A directory, or s3://bucket/prefix, gs:// or az://.", show_default=False)
]


@command(app, "backup")
async def backup(
    cli: Session,
    place: Place,
    database_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The database; `postgres` of the endpoints file when not given."),
    ] = None,
    keep_days: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="DAYS", help="Remove backups there that are so much older than this one."),
    ] = None,
) -> None:
    """Back up the database while everything runs, and read back what was written.

    A backup has the tables of one moment, the positions in the topics of facts, and the ids of the secrets that signed
    these, never a secret. It is signed by the first key (SIGNOFF_SECRETS, SIGNOFF_FACT_KEYS or the endpoints file).
    """
    url = database_url or cli.target.postgres
    if url is None:
        raise CommandError("no database is known: give --database-url, or --endpoints", code=ErrorCode.NO_DATABASE)
    settings = {"DATABASE_URL": url, "ARCHIVE": place, "FACT_KEYS": str(require_fact_keys(cli.target))}
    if keep_days is not None:
        settings["ARCHIVE_KEPT_S"] = str(keep_days * 86_400)
    async with aclosing(run("backup", settings)) as lines:
        async for line in lines:
            if "error" not in line:
                cli.out.print(line, _describe_backup(place, line))


def _describe_backup(place: str, line: dict[str, Any]) -> str:
    rows = ", ".join(f"{line['rows'][table]} {table}" for table in ("jobs", "job_logs", "executions", "facts"))
    parts = [f"backup {line['number']} is in {place}: {rows}; {line['bytes']} bytes, read back"]
    if line["behind"]:
        parts.append(f"{line['behind']} facts were in no topic yet: a restore publishes them")
    if line["removed"]:
        parts.append(f"{line['removed']} older backups were removed")
    return "; ".join(parts)


@command(app, "restore")
async def restore(  # noqa: PLR0917 - options
    cli: Session,
    place: Place,
    database_url: Annotated[str, typer.Option(metavar="URL", help="An empty database: postgresql://...")],
    create: Create = False,
    accept_gaps: AcceptGaps = False,
    number: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Of the backup; the newest when not given.")
    ] = None,
    archive: Archived = None,
    live: Live = None,
) -> None:
    """Fill an empty database from a backup, and from the facts in Kafka that were recorded since.

    With the archive, the facts are those in it, too, and what Kafka has lost is not lost. It ends with `verify` where
    the database that there was can still be reached.

    Stop all jobstores before. What is changed, of another installation or of a newer version is refused, and leaves the
    database empty. Where Kafka was lost, too, the jobstores publish every fact of the backup again.
    """
    settings = _make_rebuild_settings(cli, database_url, create=create, accept_gaps=accept_gaps)
    settings |= {"BACKUP": place, "CHECKPOINT": "newest" if number is None else str(number)}
    await _rebuild(cli, settings | ({"ARCHIVE": archive} if archive else {}))
    before = live or cli.target.postgres
    if before is None or before == database_url:
        cli.out.print_line("not compared with the database before: none is known")
        return
    try:
        await _verify(cli, database_url, before, archive)
    except CommandError as error:
        if live is not None or error.status != ExitStatus.OUT_OF_REACH:
            raise
        cli.out.print_line(f"not compared with the database before, which is out of reach: {error}")


@command(app, "rebuild")
async def rebuild(
    cli: Session,
    database_url: Annotated[str, typer.Option(metavar="URL", help="An empty database: postgresql://...")],
    create: Create = False,
    accept_gaps: AcceptGaps = False,
    archive: Archived = None,
) -> None:
    """Fill an empty database from the facts in Kafka: job-changed, and the facts about all else.

    Jobs, their logs, agents, the answers given to execution ids, limits, judge policies, criteria sets and operations
    are as they were. Live executions are queued again, but where an agent must not be called twice: such a job is
    FAILED with the code `rebuilt`. A jobstore that is started on the database continues from there; the one that
    published the facts must not run any more then.
    """
    settings = _make_rebuild_settings(cli, database_url, create=create, accept_gaps=accept_gaps)
    await _rebuild(cli, settings | ({"ARCHIVE": archive} if archive else {}))


def _make_rebuild_settings(cli: Session, database_url: str, *, create: bool, accept_gaps: bool) -> dict[str, str]:
    return {
        **list_kafka(cli),
        "DATABASE_URL": database_url,
        "CREATE_DATABASE": str(create),
        "ACCEPT_GAPS": str(accept_gaps),
        "FACT_KEYS": str(require_fact_keys(cli.target)),
    }


async def _rebuild(cli: Session, settings: Mapping[str, str]) -> None:
    async with aclosing(run("rebuild", settings)) as lines:
        async for line in lines:
            if "error" not in line:
                cli.out.print(line, _describe(line))
                if line.get("are_limits_lost"):
                    cli.out.print_line(_LOST)
                for text in (
                    *_describe_beginning(line),
                    *describe_left(line.get("left") or {}),
                    *describe_unread(line.get("unread")),
                ):
                    cli.out.print_line(text)


def _describe_beginning(line: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a rebuild that began at a checkpoint has from where, and what is lost."""
    if (began := line.get("began_at")) is None:
        return
    which = f"checkpoint {began['number']} of {began['place']}, made at {began['made_at']}"
    if began["goes_on"]:
        yield f"begun at {which}; the topics have every fact since: {line.get('records', 0)} records"
        if line.get("published_again"):
            yield f"{line['published_again']} facts were in no topic: the jobstores publish them"
    else:
        yield (
            f"begun at {which}; the topics are not those of then: of what was recorded after number "
            f"{began['last_seq']}, {began['since']} facts are in the archive or in topics, and the rest is lost; the "
            "jobstores publish every fact again"
        )
    yield (
        f"lost since {began['made_at']}, as no fact has it: judgings without a job, counts of verdicts, idempotency "
        "keys, the audit; and all tokens and sign-ins: make new ones"
    )


def list_kafka(cli: Session) -> dict[str, str]:
    """Return the settings of a module of jobstore.recovery by which it reaches Kafka."""
    return {name.removeprefix("SIGNOFF_"): value for name, value in cli.require_kafka().to_environment().items()}


def _describe(line: dict[str, Any]) -> str:
    if "counts" not in line:
        return f"{line['records']} records read"
    counts = ", ".join(f"{count} {table}" for table, count in line["counts"].items())
    more = {
        "queued": "live executions are queued again",
        "failed": "jobs FAILED: their agents must not be called twice",
        "gaps": "jobs or agents lack facts",
        "unreadable": "records were no facts",
    }
    parts = [f"rebuilt: {counts}", *(f"{line[name]} {word}" for name, word in more.items() if line.get(name))]
    return "; ".join([*parts, *([f"set aside: {', '.join(line['aside'])}"] if line.get("aside") else [])])


@command(app, "verify")
async def verify(
    cli: Session,
    database_url: Annotated[str, typer.Option(metavar="URL", help="The rebuilt database.")],
    live: Live = None,
    archive: Archived = None,
) -> None:
    """Compare a rebuilt database with the live one, row by row; succeed if they are the same.

    All differences are shown, of each table up to 100 rows, by job, version and column. A rebuilt database that only
    ends before the live one is reported as older, and what the live one has recorded since counts as no difference.

    Compared are agents, jobs, job_logs, executions and facts, each row in all its columns. Of executions that are
    live, state, owner, due_at, fails_at, offers, seq and lease are left out: they move without a fact. Executions
    that the rebuild ended are counted, and are no difference. The live system must be quiet, or the rebuilt database
    is older than it.

    With a key (SIGNOFF_SECRETS, SIGNOFF_FACT_KEYS or the endpoints file) and a Kafka, the facts are read, too, and
    those without a valid signature are counted: a rebuild leaves them out. With an archive, its facts are read first.
    """
    live_url = live or cli.target.postgres
    if live_url is None:
        raise CommandError("no live database is known: give --live, or --endpoints", code=ErrorCode.NO_DATABASE)
    await _verify(cli, database_url, live_url, archive)


async def _verify(cli: Session, rebuilt_url: str, live_url: str, archive: str | None) -> None:
    settings = {"REBUILT_URL": rebuilt_url, "LIVE_URL": live_url}
    if (keys := find_fact_keys(cli.target)) is not None and cli.target.kafka is not None:
        settings |= {"FACT_KEYS": str(keys), **list_kafka(cli), **({"ARCHIVE": archive} if archive else {})}
    async with aclosing(run("verify", settings)) as lines:
        result = [line async for line in lines if "error" not in line]
    if not result:
        return
    cli.out.print_json(result[-1])
    _show_result(cli, result[-1])
    succeed_if(result[-1]["ok"])


def _show_result(cli: Session, result: dict[str, Any]) -> None:
    if result["ok"]:
        cli.out.print_line("ok: " + ", ".join(f"{count} {table}" for table, count in result["counts"].items()))
    _show_differences(cli, result)
    if result["ended"]:
        cli.out.print_line(
            f"{result['ended']} live executions were ended by the rebuild: their agents are called at most once"
        )
    if result["stubs"]:
        names = ", ".join(result["stubs"])
        cli.out.print_line(f"not in the topics whole, so that no rebuild has them: {names} (raise max.message.bytes)")
    if result["behind"]:
        cli.out.print_line(f"the live relay is behind: {result['behind']} facts are not published yet")
    if result["missing"]:
        cli.out.print_line(f"the broker has no topic {', '.join(result['missing'])}: jobstores publish all facts there")
    if result["left"] is None:
        cli.out.print_line(f"the signatures of facts were not checked: {HOW_TO_GIVE}, and --kafka")
    for text in (*describe_left(result["left"] or {}), *describe_unread(result["unread"])):
        cli.out.print_line(text)


def _show_differences(cli: Session, result: dict[str, Any]) -> None:
    if (older := result["older"]) is not None:
        cli.out.print_line(f"the rebuilt database is older: {older['jobs']} jobs were created or have gone on since")
        for job_id, version in older["ends_at"].items():
            ends = f"ends at version {version}" if version else "is not there yet"
            cli.out.print_line(f"  job {job_id} {ends}")
        cli.out.print_line("  rebuild once more while the live system is quiet, or compare with what is quiet")
    for difference in result["differences"]:
        cli.out.print_line(_name(difference))
        cli.out.print_line(f"  rebuilt  {difference['rebuilt']}")
        cli.out.print_line(f"  live     {difference['live']}")
    if not result["complete"]:
        cli.out.print_line("more rows differ than are told here")


def _name(difference: dict[str, Any]) -> str:
    """Return words for the row or column that differs between a rebuilt and a live database."""
    table, key, job_id, version = (difference[name] for name in ("table", "key", "job_id", "version"))
    where = f"{table} {key}" if job_id is None else f"job {job_id or '(unknown)'}"
    where += f", version {version}" if version is not None else ""
    where += f", execution {key}" if table == "executions" else ""
    of_row = "the row" if difference["column"] is None else f"column {difference['column']}"
    return f"{where}: {of_row}" + (f" of {table}" if job_id is not None else "")


@command(app, "fact-keys")
async def print_fact_keys(cli: Session) -> None:
    """Print the keys of facts, for SIGNOFF_FACT_KEYS where facts are checked without the jobstore's secrets.

    They are derived from SIGNOFF_SECRETS. With them facts can be checked and made, but no report can be forged. Keep
    the keys of secrets that no longer sign: without them, what those signed cannot be rebuilt.
    """
    keys = str(require_fact_keys(cli.target))
    cli.out.print({"fact_keys": keys}, keys)


#: Bytes of the longest line that is read from the program.
LINE_MAX = 1 << 20


async def run(
    module: str, settings: Mapping[str, str], package: str = "jobstore.recovery"
) -> AsyncGenerator[dict[str, Any]]:
    """Run a module of `package` in a process, and yield the JSON lines that it prints; the last has its result.

    Raise CommandError with the error that the module prints, or if it ends without a result.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_")}
    settings = {"TOPIC_PREFIX": TOPIC_PREFIX, **settings}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"{package}.{module}"),
        env=env | {f"SIGNOFF_{name}": value for name, value in settings.items()},
        stdout=asyncio.subprocess.PIPE,
        stderr=None,
        limit=LINE_MAX,
    )
    assert process.stdout is not None
    last: dict[str, Any] = {}
    try:
        async for line in process.stdout:
            last = from_json(line)
            yield last
    finally:
        if process.returncode is None and "ok" not in last:
            process.terminate()
        await process.wait()
    if error := last.get("error"):
        raise CommandError(error["message"], code=error["code"], status=find_exit_status(error["code"]))
    if "ok" not in last:
        command = f"{sys.executable} -m {package}.{module}"
        message = f"`{command}` said nothing of how it ended; is the jobstore installed here?"
        raise CommandError(message, code=ErrorCode.NO_RESULT, status=ExitStatus.OUT_OF_REACH)


#: How to give a key, for messages where none is known.
HOW_TO_GIVE = "set SIGNOFF_SECRETS, or SIGNOFF_FACT_KEYS to what `signoff fact-keys` prints"
_REASONS = {
    "unsigned": "unsigned",
    "bad_signature": "wrongly signed",
    "unknown_secret": "signed with a secret whose key was not given",
    "retired_secret": "signed with a secret that had been replaced",
}


def find_fact_keys(target: Target) -> FactKeys | None:
    """Return the keys of facts: those of SIGNOFF_SECRETS, then of SIGNOFF_FACT_KEYS; None if no key is known.

    The value of a variable may be in a file (`_FILE`). If neither is set, the target's secrets are taken. Raise
    CommandError if a value is malformed.
    """
    secrets, given = _read_environment()
    if not given:
        secrets = secrets or target.secrets or ""
    try:
        derived = FactKeys.derive(Secrets.parse(secrets)) if secrets else ()
        others = FactKeys.parse(given) if given else ()
        keys = [*derived, *(key for key in others if key not in derived)]
        return FactKeys(keys) if keys else None
    except ValueError as error:
        raise CommandError(f"SIGNOFF_SECRETS, SIGNOFF_FACT_KEYS: {error}", code=ErrorCode.BAD_SETTINGS) from None


def _read_environment() -> list[str]:
    from pydantic import SecretStr  # noqa: PLC0415 - with the next two, heavy, and only needed here
    from pydantic_settings import SettingsConfigDict  # noqa: PLC0415

    from servicekit.process.settings import EnvironmentSettings, load_settings  # noqa: PLC0415

    class Settings(EnvironmentSettings):
        model_config = SettingsConfigDict(env_prefix="SIGNOFF_")
        secrets: SecretStr = SecretStr("")
        fact_keys: SecretStr = SecretStr("")

    settings = load_settings(Settings)
    return [settings.secrets.get_secret_value(), settings.fact_keys.get_secret_value()]


def require_fact_keys(target: Target) -> FactKeys:
    """Return the keys that verify facts, as `find_fact_keys` does. Raise CommandError if no key is known."""
    keys = find_fact_keys(target)
    if keys is None:
        raise CommandError(f"no key of facts is known: {HOW_TO_GIVE}", code=ErrorCode.NO_FACT_KEYS)
    return keys


def describe_unread(unread: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield a line with the number and offsets of the batches of records that could not be read, if there are any."""
    if unread and unread["batches"]:
        yield f"passed by, since nobody can read them: {unread['batches']} batches ({', '.join(unread['offsets'])})"


def describe_left(left: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Yield a line for each topic that has records without a valid signature: their number by reason."""
    for topic, reasons in left.items():
        counts = ", ".join(f"{count} {_REASONS.get(reason, reason)}" for reason, count in reasons.items())
        yield f"left out of {topic}: {counts}"
