"""Parameters that several commands share: ids and names with what finds the whole id, a job filter, a policy."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from cli.errors import CommandError
from cli.options import Options, option, parse_pairs, parse_past_time, parse_usd, parse_value, validate_resource
from cli.output import PART_MIN_CHARS
from cli.session import connect, find_target, read_token, with_options
from servicekit.errors import ServiceError
from signoff import AsyncClient, SignoffError
from signoff.errors import ErrorCode
from signoff.status import JobStatus, View
from signoff.v1 import resources_pb2 as pb

if TYPE_CHECKING:
    from contracts.resources import JobFilter
    from signoff.types import Agent, Job

#: The judge policy that stands for the validators' own settings.
DEFAULT: Final = "default"
#: An id as long as a UUID is a whole one.
UUID_CHARS: Final = 36
#: Candidates that an error names.
_NAMED_MAX: Final = 5
_PAGE: Final = 500
#: Items that are looked through for a part of an id.
_ITEMS_MAX: Final = 10_000
#: Ids of jobs that are looked for at once.
_FOUND_AT_ONCE: Final = 20
#: Seconds after which a shell gets no ids.
_COMPLETED_WITHIN_S: Final = 0.3


class _Kind(NamedTuple):
    """Jobs, agents or operations: one is found by its whole id or, among `newest`, by its name or a part of its id."""

    name: str
    get: Callable[[str], Awaitable[Any]]
    newest: AsyncIterator[Any]
    has_names: bool = False


def _jobs(jobstore: AsyncClient, given: str) -> _Kind:
    return _Kind("job", jobstore.get_job, jobstore.iter_jobs(id_part=given))


def _agents(jobstore: AsyncClient) -> _Kind:
    return _Kind("agent", jobstore.get_agent, jobstore.iter_agents(), has_names=True)


async def find_job_id(jobstore: AsyncClient, given: str) -> str:
    """Return a job's id: `given` if a job has or had it, else the only id that begins or ends with it, else `given`.

    Raise CommandError if several ids begin or end with `given`.
    """
    return await _find_id(_jobs(jobstore, given), given)


async def find_job_ids(jobstore: AsyncClient, given: Sequence[str]) -> list[str]:
    """Return the ids of the `given` jobs, in order, each found as `find_job_id` finds an id."""
    found: list[str] = []
    for first in range(0, len(given), _FOUND_AT_ONCE):
        some = given[first : first + _FOUND_AT_ONCE]
        found += await asyncio.gather(*(find_job_id(jobstore, each) for each in some))
    return found


async def find_job(jobstore: AsyncClient, given: str) -> "Job":
    """Return a job by its id or a part of its id, as `find_job_id` does. Raise SignoffError if there is no such job."""
    job: Job = await _find(_jobs(jobstore, given), given)
    return job


async def find_agent(jobstore: AsyncClient, given: str) -> "Agent":
    """Return an agent by its id, name or part of the id. Raise SignoffError if none, CommandError if several match."""
    agent: Agent = await _find(_agents(jobstore), given)
    return agent


async def find_agent_id(jobstore: AsyncClient, given: str) -> str:
    """Return an agent's id, found by id, name or part of the id, else `given`. Raise CommandError if several match."""
    return await _find_id(_agents(jobstore), given)


async def find_batch_id(jobstore: AsyncClient, given: str) -> str:
    """Return the id of a batch or other operation, found by id or part of the id among the newest; else `given`."""
    return await _find_id(_Kind("batch", jobstore.get_operation, jobstore.iter_operations()), given)


async def _find(kind: _Kind, given: str) -> Any:
    try:
        return await kind.get(given)
    except SignoffError as error:
        if error.code == ErrorCode.JOB_REMOVED or (meant := await _find_by_part(kind, given)) == given:
            raise
        return await kind.get(meant)


async def _find_id(kind: _Kind, given: str) -> str:
    if len(given) >= UUID_CHARS or not (kind.has_names or _is_part(given)):
        return given
    try:
        return str((await kind.get(given)).id)
    except SignoffError as error:  # the id of a removed job stays its own, also where another's ends with it
        return given if error.code == ErrorCode.JOB_REMOVED else await _find_by_part(kind, given)


async def _find_by_part(kind: _Kind, given: str) -> str:
    """Return the only id of an item named `given`, else the only id that begins or ends with `given`, else `given`."""
    if not (kind.has_names or _is_part(given)):
        return given
    items = [item async for item in _take_newest(kind.newest)]
    named = {str(item.id) for item in items if kind.has_names and item.name == given}
    ids = {str(item.id) for item in items if _is_part(given)}
    found = named or {known for known in ids if known.startswith(given) or known.endswith(given)}
    if len(found) > 1:
        shown = ", ".join(sorted(found)[:_NAMED_MAX]) + (", ..." if len(found) > _NAMED_MAX else "")
        message = f"{given!r} could be each {kind.name} of these: {shown}; give more of its id"
        raise CommandError(message, code=ErrorCode.AMBIGUOUS_ID)
    return found.pop() if found else given


def _is_part(given: str) -> bool:
    return PART_MIN_CHARS <= len(given) < UUID_CHARS


async def _take_newest(items: AsyncIterator[Any]) -> AsyncIterator[Any]:
    left = _ITEMS_MAX
    async for item in items:
        yield item
        left -= 1
        if not left:
            return


def _complete(list_items: Callable[[AsyncClient, str], AsyncIterator[Any]]) -> Callable[[str], list[str]]:
    """Return a function that completes ids for a shell; it returns [] without an answer within _COMPLETED_WITHIN_S."""

    async def find(incomplete: str) -> list[str]:
        environment = {name: os.environ.get(f"SIGNOFF_{name.upper()}") for name in ("jobstore", "kafka", "http")}
        file, token_file = os.environ.get("SIGNOFF_ENDPOINTS"), os.environ.get("SIGNOFF_TOKEN_FILE")
        token = read_token(os.environ.get("SIGNOFF_TOKEN"), Path(token_file) if token_file else None)
        target = find_target(environment | token, Path(file) if file else None, os.environ.get("SIGNOFF_PROFILE"))
        if target.jobstore is None:
            return []
        async with asyncio.timeout(_COMPLETED_WITHIN_S), connect(target) as jobstore:
            ids = [str(item.id) async for item in _take_newest(list_items(jobstore, incomplete))]
            return [known for known in ids if known.startswith(incomplete)]

    def complete(incomplete: str) -> list[str]:
        with suppress(CommandError, ServiceError, TimeoutError, OSError):
            return asyncio.run(find(incomplete))
        return []

    return complete


async def _list_some_jobs(jobstore: AsyncClient, part: str) -> AsyncIterator[Any]:
    for job in (await jobstore.list_matching({"text": part} if part else {}, page_size=_PAGE)).jobs:
        yield job


complete_jobs: Final = _complete(_list_some_jobs)
complete_agents: Final = _complete(lambda jobstore, _: jobstore.iter_agents())
complete_operations: Final = _complete(lambda jobstore, _: jobstore.iter_operations())

_HELP: Final = "Its id, or the beginning or end of it."
JobId = Annotated[str, typer.Argument(metavar="JOB", help=_HELP, autocompletion=complete_jobs)]
OptionalJobId = Annotated[str | None, typer.Argument(metavar="JOB", help=_HELP, autocompletion=complete_jobs)]
AgentId = Annotated[
    str,
    typer.Argument(
        metavar="AGENT", help="Its name, its id, or the beginning or end of its id.", autocompletion=complete_agents
    ),
]
BatchId = Annotated[str, typer.Argument(metavar="BATCH", help=_HELP, autocompletion=complete_operations)]
OperationId = Annotated[str, typer.Argument(metavar="OPERATION", help=_HELP, autocompletion=complete_operations)]

PageSize = Annotated[int, typer.Option("--page-size", min=1, max=2**31 - 1, help="How many to show; 500 at most.")]
Detail = Annotated[
    View, typer.Option("--view", case_sensitive=False, help="How much --json shows: basic leaves out texts and bodies.")
]
PageToken = Annotated[
    str,
    typer.Option(
        "--page-token", help="The token of the page, in the command that the page before shows after `more:`."
    ),
]


async def get_policy_version(jobstore: AsyncClient, name: str, number: int) -> Any:
    """Return the version `number` of a judge policy. Raise CommandError if the policy has no such version."""
    found = await jobstore.get_judge_policy(name, page_size=1, before=number + 1)
    if not found.versions or found.versions[0].version != number:
        raise CommandError(f"there is no judge policy {name}@{number}", code=ErrorCode.UNKNOWN_JUDGE_POLICY)
    return found.versions[0]


async def require_policies(jobstore: AsyncClient, policies: Sequence[str]) -> None:
    """Raise CommandError or SignoffError if a judge policy does not exist or is retired, before any judge is paid."""
    for reference in policies:
        name, at, version = reference.partition("@")
        if reference == DEFAULT:
            continue
        if (await jobstore.get_judge_policy(name, page_size=1)).current is None:
            message = f"the judge policy {name} is retired: `signoff judges promote` brings it back"
            raise CommandError(message, code=ErrorCode.UNKNOWN_JUDGE_POLICY)
        if at:
            await get_policy_version(jobstore, name, int(version) if version.isdecimal() else 0)


_POLICY: Final = {field.name: field for field in pb.Policy.DESCRIPTOR.fields}
POLICY_FIELDS: Final = tuple(_POLICY)


def _complete_policy(incomplete: str) -> list[str]:
    return [f"{name}=" for name in POLICY_FIELDS if name.startswith(incomplete)]


def parse_policy(texts: Iterable[str], flag: str) -> dict[str, Any]:
    """Return a policy's fields of `name=value`: None, list `a,b`, JSON, else text. Raise BadParameter: unknown name."""
    fields: dict[str, Any] = {}
    for name, text in parse_pairs(texts, flag).items():
        if name not in POLICY_FIELDS:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(POLICY_FIELDS)}", param_hint=flag)
        fields[name] = (
            None if not text else text.split(",") if _POLICY[name].is_repeated else parse_value(text, f"{flag} {name}")
        )
    return fields


policy_option: Final = option(
    "--policy",
    list[str],
    f"A field of the policy, one of {', '.join(POLICY_FIELDS)}; without a value, not set. May be repeated.",
    metavar="NAME=VALUE",
    autocompletion=_complete_policy,
    parse=parse_policy,
)


def _parse_labels(texts: Iterable[str], flag: str) -> list[str]:
    return [":".join(*parse_pairs([text], flag).items()) for text in texts]


_agent: Final[dict[str, Any]] = {"metavar": "AGENT", "autocompletion": complete_agents}
_batch: Final[dict[str, Any]] = {"metavar": "BATCH", "autocompletion": complete_operations}
_label: Final[dict[str, Any]] = {"metavar": "NAME=VALUE", "parse": parse_pairs}
_not_label: Final[dict[str, Any]] = {"metavar": "NAME=VALUE", "parse": _parse_labels}
_time: Final[dict[str, Any]] = {"metavar": "TIME", "parse": parse_past_time}
_usd: Final[dict[str, Any]] = {"metavar": "USD", "parse": parse_usd}
_seconds: Final[dict[str, Any]] = {"metavar": "SECONDS", "min": 0}
#: The options of a job filter, which give the conditions of a JobFilter.
filter_options: Final = Options(
    option(
        "--status", list[JobStatus], "At this status. May be repeated: any of them.", "statuses", case_sensitive=False
    ),
    option("--agent", str, "Assigned to this agent.", "agent_id", **_agent),
    option("--tenant", str, "Of this tenant; not given: that of the profile, if it has one, and '' is all."),
    option("--label", list[str], "With this label. May be repeated: all of them.", "labels", **_label),
    option("--batch", str, "The items of this batch, or of another operation.", "batch_id", **_batch),
    option("--text", str, "With these words, or words that begin so; or with this text in the id or the title."),
    option("--created-after", str, "Created at this time or later: ISO 8601, or 90s, 15m, 1h, 2d ago.", **_time),
    option("--created-before", str, "Created before this time; as --created-after.", **_time),
    option("--cancelled/--not-cancelled", bool, "Whose last execution was cancelled, or was not."),
    option(
        "--code",
        list[str],
        "Whose last execution was not completed for this reason, a code. May be repeated: any of them.",
        "codes",
    ),
    option(
        "--waiting-for",
        list[str],
        "Waiting for this now: the code of a reason, or CODE:NAME. May be repeated: any of them.",
        "reasons",
        metavar="CODE[:NAME]",
    ),
    option("--criterion-not-met", str, "Whose last verdict did not pass this required criterion.", metavar="TEXT"),
    option("--not-agent", list[str], "Not this agent's. May be repeated.", "not_agent_ids", **_agent),
    option("--not-tenant", list[str], "Not of this tenant. May be repeated.", "not_tenants"),
    option("--not-label", list[str], "Without this label. May be repeated: none of them.", "not_labels", **_not_label),
    option("--not-batch", list[str], "No item of this batch. May be repeated.", "not_batch_ids", **_batch),
    option("--not-code", list[str], "Not ended for this reason, a code. May be repeated: none of them.", "not_codes"),
    option(
        "--not-criterion-not-met",
        list[str],
        "Whose last verdict did not fail this criterion. May be repeated.",
        "not_criteria_not_met",
        metavar="TEXT",
    ),
    option("--cost-usd-min", str, "Ended, and cost as much or more.", **_usd),
    option("--cost-usd-max", str, "Ended, and cost as much or less.", **_usd),
    option("--duration-s-min", float, "Ended, and took as long or longer.", **_seconds),
    option("--duration-s-max", float, "Ended, and took as long or less.", **_seconds),
)


#: Puts the options that choose jobs in the place of a command's parameter `conditions`.
with_filter: Final = with_options(conditions=filter_options)


async def make_filter(jobstore: AsyncClient, conditions: dict[str, Any]) -> "JobFilter | dict[str, Any]":
    """Return conditions with whole ids as a filter, checked unless all are simple. Raise BadParameter if invalid."""
    found = await _find_ids(jobstore, conditions)
    if found.keys() <= {"statuses", "agent_id", "tenant", "labels", "cancelled"}:
        return found
    return _check_filter(found)


async def make_checked_filter(jobstore: AsyncClient, conditions: dict[str, Any]) -> "JobFilter":
    """Return conditions with whole ids as a checked filter. Raise BadParameter if a condition is invalid."""
    return _check_filter(await _find_ids(jobstore, conditions))


async def _find_ids(jobstore: AsyncClient, conditions: dict[str, Any]) -> dict[str, Any]:
    """Return the conditions with the whole ids of the agents and batches that they name.

    Raise SignoffError (`unknown_agent`) for an agent that does not exist; else no job would match, without a reason.
    """
    found = dict(conditions)
    if "agent_id" in found:
        found["agent_id"] = str((await find_agent(jobstore, found["agent_id"])).id)
    if "batch_id" in found:
        found["batch_id"] = await find_batch_id(jobstore, found["batch_id"])
    if "not_agent_ids" in found:
        found["not_agent_ids"] = [str((await find_agent(jobstore, each)).id) for each in found["not_agent_ids"]]
    if "not_batch_ids" in found:
        found["not_batch_ids"] = [await find_batch_id(jobstore, each) for each in found["not_batch_ids"]]
    return found


def _check_filter(conditions: dict[str, Any]) -> "JobFilter":
    checked: JobFilter = validate_resource("JobFilter", conditions, "the filter")
    return checked
