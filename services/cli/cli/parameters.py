"""Parameters that several commands share: ids and names with what finds the whole id, a job filter, a policy."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from cli.config import find_target, read_token
from cli.errors import CommandError
from cli.options import find_given, parse_pairs, parse_past_time, parse_usd, validate_model
from cli.output import PART_MIN_CHARS
from cli.session import connect, with_options
from servicekit.errors import ServiceError
from signoff import AsyncClient, SignoffError
from signoff.errors import ErrorCode
from signoff.status import JobStatus, View
from signoff.v1 import resources_pb2 as pb

if TYPE_CHECKING:
    from contracts.resources import JobFilter
    from signoff.types import Agent, Job

T = TypeVar("T")
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


async def find_job_id(jobstore: AsyncClient, given: str) -> str:
    """Return the id of a job: `given` itself, else the only id that begins or ends with it, else `given`.

    Raise CommandError if several ids begin or end with it.
    """
    return await _find(given, jobstore.get_job, _list_ids(jobstore.iter_jobs(id_part=given)), "job")


async def find_job_ids(jobstore: AsyncClient, given: Sequence[str]) -> list[str]:
    """Return the ids of jobs, each found as `find_job_id` does."""
    found: list[str] = []
    for first in range(0, len(given), _FOUND_AT_ONCE):
        some = given[first : first + _FOUND_AT_ONCE]
        found += await asyncio.gather(*(find_job_id(jobstore, each) for each in some))
    return found


async def find_job(jobstore: AsyncClient, given: str) -> "Job":
    """Return a job, found as `find_job_id` does; by its whole id it is asked for once."""
    return await _get(
        given, jobstore.get_job, lambda part: _find_by_part(part, _list_ids(jobstore.iter_jobs(id_part=part)), "job")
    )


async def find_agent(jobstore: AsyncClient, given: str) -> "Agent":
    """Return an agent, found by its id, its name, or a part of its id."""
    return await _get(given, jobstore.get_agent, partial(_find_agent_id, jobstore))


async def find_agent_id(jobstore: AsyncClient, given: str) -> str:
    """Return the id of an agent, found as `find_agent` does."""
    if len(given) >= UUID_CHARS:
        return given
    with suppress(SignoffError):
        return str((await jobstore.get_agent(given)).id)
    return await _find_agent_id(jobstore, given)


async def _find_agent_id(jobstore: AsyncClient, given: str) -> str:
    agents = [agent async for agent in _take_newest(jobstore.iter_agents())]
    named = {str(agent.id) for agent in agents if agent.name == given}
    return _choose(given, named or _match(given, (str(agent.id) for agent in agents)), "agent")


async def find_batch_id(jobstore: AsyncClient, given: str) -> str:
    """Return the id of a batch or another operation, found among the newest as `find_job_id` does."""
    return await _find(given, jobstore.get_operation, _list_ids(jobstore.iter_operations()), "batch")


async def _get(given: str, get: Callable[[str], Awaitable[T]], find: Callable[[str], Awaitable[str]]) -> T:
    try:
        return await get(given)
    except SignoffError:
        if (meant := await find(given)) == given:
            raise
        return await get(meant)


async def _find(given: str, get: Callable[[str], Awaitable[object]], ids: AsyncIterator[str], kind: str) -> str:
    if not PART_MIN_CHARS <= len(given) < UUID_CHARS:
        return given
    with suppress(SignoffError):
        await get(given)
        return given
    return await _find_by_part(given, ids, kind)


async def _find_by_part(given: str, ids: AsyncIterator[str], kind: str) -> str:
    if not PART_MIN_CHARS <= len(given) < UUID_CHARS:
        return given
    return _choose(given, _match(given, [known async for known in ids]), kind)


def _match(given: str, ids: Iterable[str]) -> set[str]:
    """Return the ids that begin or end with a part that is long enough."""
    if not PART_MIN_CHARS <= len(given) < UUID_CHARS:
        return set()
    return {known for known in ids if known.startswith(given) or known.endswith(given)}


def _choose(given: str, found: set[str], kind: str) -> str:
    if len(found) > 1:
        named = ", ".join(sorted(found)[:_NAMED_MAX]) + (", ..." if len(found) > _NAMED_MAX else "")
        message = f"{given!r} could be each {kind} of these: {named}; give more of its id"
        raise CommandError(message, code=ErrorCode.AMBIGUOUS_ID)
    return found.pop() if found else given


async def _list_ids(items: AsyncIterator[Any]) -> AsyncIterator[str]:
    async for item in _take_newest(items):
        yield str(item.id)


async def _take_newest(items: AsyncIterator[Any]) -> AsyncIterator[Any]:
    left = _ITEMS_MAX
    async for item in items:
        yield item
        left -= 1
        if not left:
            return


def _complete(list_ids: Callable[[AsyncClient, str], AsyncIterator[str]]) -> Callable[[str], list[str]]:
    """Return a function that completes ids for a shell; it returns none if the jobstore does not answer at once."""

    async def find(incomplete: str) -> list[str]:
        environment = {name: os.environ.get(f"SIGNOFF_{name.upper()}") for name in ("jobstore", "kafka", "http")}
        file, token_file = os.environ.get("SIGNOFF_ENDPOINTS"), os.environ.get("SIGNOFF_TOKEN_FILE")
        token = read_token(os.environ.get("SIGNOFF_TOKEN"), Path(token_file) if token_file else None)
        target = find_target(environment | {"token": token}, Path(file) if file else None)
        if target.jobstore is None:
            return []
        async with asyncio.timeout(_COMPLETED_WITHIN_S), connect(target) as jobstore:
            return [known async for known in list_ids(jobstore, incomplete) if known.startswith(incomplete)]

    def complete(incomplete: str) -> list[str]:
        with suppress(CommandError, ServiceError, TimeoutError, OSError):
            return asyncio.run(find(incomplete))
        return []

    return complete


async def _list_some_jobs(jobstore: AsyncClient, part: str) -> AsyncIterator[str]:
    page = await jobstore.list_matching({"text": part} if part else {}, page_size=_PAGE)
    for job in page.jobs:
        yield job.id


complete_jobs: Final = _complete(_list_some_jobs)
complete_agents: Final = _complete(lambda jobstore, _: _list_ids(jobstore.iter_agents()))
complete_operations: Final = _complete(lambda jobstore, _: _list_ids(jobstore.iter_operations()))

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
    str, typer.Option("--page-token", help="The token of the page, which the page before shows after `more:`.")
]


async def get_policy_version(jobstore: AsyncClient, name: str, number: int) -> Any:
    """Return one version of a judge policy. Raise CommandError if there is none of that number."""
    found = await jobstore.get_judge_policy(name, page_size=1, before=number + 1)
    if not found.versions or found.versions[0].version != number:
        raise CommandError(f"there is no judge policy {name}@{number}", code=ErrorCode.UNKNOWN_JUDGE_POLICY)
    return found.versions[0]


async def require_policies(jobstore: AsyncClient, policies: Sequence[str]) -> None:
    """Look for all policies before a judge is paid. Raise CommandError or SignoffError for one that is not there."""
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


PolicyFields = Annotated[
    list[str] | None,
    typer.Option(
        "--policy",
        metavar="NAME=VALUE",
        autocompletion=_complete_policy,
        help=f"A field of the policy, one of {', '.join(POLICY_FIELDS)}; without a value, not set. May be repeated.",
    ),
]
BudgetUsd = Annotated[
    str | None,
    typer.Option("--budget-usd", metavar="USD", help="The largest cost of all calls; as --policy budget_usd=USD."),
]


def parse_policy(texts: list[str] | None, budget_usd: str | None) -> dict[str, Any]:
    """Return the fields of a policy that are given, None for those without a value. Raise BadParameter for others."""
    fields: dict[str, Any] = {}
    for name, text in parse_pairs(texts or (), "--policy").items():
        if name not in POLICY_FIELDS:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(POLICY_FIELDS)}", param_hint="--policy")
        fields[name] = None if not text else text.split(",") if _POLICY[name].is_repeated else _parse_value(text)
    return fields if budget_usd is None else fields | {"budget_usd": parse_usd(budget_usd, "--budget-usd")}


def _parse_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def read_conditions(  # noqa: PLR0913 - each is an option
    *,
    statuses: Annotated[
        list[JobStatus] | None,
        typer.Option("--status", case_sensitive=False, help="At this status. May be repeated: any of them."),
    ] = None,
    agent_id: Annotated[
        str | None,
        typer.Option("--agent", metavar="AGENT", help="Assigned to this agent.", autocompletion=complete_agents),
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Of this tenant.")] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="NAME=VALUE", help="With this label. May be repeated: all of them."),
    ] = None,
    batch_id: Annotated[
        str | None,
        typer.Option(
            "--batch",
            metavar="BATCH",
            help="The items of this batch, or of another operation.",
            autocompletion=complete_operations,
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(help="With these words, or words that begin so; or with this text in the id or the title."),
    ] = None,
    created_after: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Created at this time or later: ISO 8601, or 90s, 15m, 1h, 2d ago."),
    ] = None,
    created_before: Annotated[
        str | None, typer.Option(metavar="TIME", help="Created before this time; as --created-after.")
    ] = None,
    cancelled: Annotated[
        bool | None, typer.Option("--cancelled/--not-cancelled", help="Whose last execution was cancelled, or was not.")
    ] = None,
    codes: Annotated[
        list[str] | None,
        typer.Option(
            "--code",
            help="Whose last execution was not completed for this reason, a code. May be repeated: any of them.",
        ),
    ] = None,
    criterion_not_met: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Whose last verdict did not pass this required criterion.")
    ] = None,
    not_agent_ids: Annotated[
        list[str] | None,
        typer.Option(
            "--not-agent", metavar="AGENT", help="Not this agent's. May be repeated.", autocompletion=complete_agents
        ),
    ] = None,
    not_tenants: Annotated[
        list[str] | None, typer.Option("--not-tenant", help="Not of this tenant. May be repeated.")
    ] = None,
    not_labels: Annotated[
        list[str] | None,
        typer.Option("--not-label", metavar="NAME=VALUE", help="Without this label. May be repeated: none of them."),
    ] = None,
    not_batch_ids: Annotated[
        list[str] | None,
        typer.Option(
            "--not-batch",
            metavar="BATCH",
            help="No item of this batch. May be repeated.",
            autocompletion=complete_operations,
        ),
    ] = None,
    not_codes: Annotated[
        list[str] | None,
        typer.Option("--not-code", help="Not ended for this reason, a code. May be repeated: none of them."),
    ] = None,
    not_criteria_not_met: Annotated[
        list[str] | None,
        typer.Option(
            "--not-criterion-not-met",
            metavar="TEXT",
            help="Whose last verdict did not fail this criterion. May be repeated.",
        ),
    ] = None,
    cost_usd_min: Annotated[str | None, typer.Option(metavar="USD", help="Ended, and cost as much or more.")] = None,
    cost_usd_max: Annotated[str | None, typer.Option(metavar="USD", help="Ended, and cost as much or less.")] = None,
    duration_s_min: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0, help="Ended, and took as long or longer.")
    ] = None,
    duration_s_max: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0, help="Ended, and took as long or less.")
    ] = None,
) -> dict[str, Any]:
    """Return the conditions of a filter that are given, by the names of its fields."""
    return find_given(
        locals(),
        labels=(parse_pairs, "--label"),
        created_after=(parse_past_time, "--created-after"),
        created_before=(parse_past_time, "--created-before"),
        not_labels=(_parse_labels, "--not-label"),
        cost_usd_min=(parse_usd, "--cost-usd-min"),
        cost_usd_max=(parse_usd, "--cost-usd-max"),
    )


def _parse_labels(texts: Iterable[str], option: str) -> list[str]:
    return [":".join(*parse_pairs([text], option).items()) for text in texts]


#: Puts the options that choose jobs in the place of a command's parameter `conditions`.
with_filter: Final = with_options(conditions=read_conditions)


async def make_filter(jobstore: AsyncClient, conditions: dict[str, Any]) -> "JobFilter | dict[str, Any]":
    """Return a filter with whole ids, checked if anything in it can be wrong. Raise BadParameter if it is."""
    found = await _find_ids(jobstore, conditions)
    if found.keys() <= {"statuses", "agent_id", "tenant", "labels", "cancelled"}:
        return found
    return _check_filter(found)


async def make_checked_filter(jobstore: AsyncClient, conditions: dict[str, Any]) -> "JobFilter":
    """Return a filter with whole ids, checked. Raise BadParameter if it is invalid."""
    return _check_filter(await _find_ids(jobstore, conditions))


async def _find_ids(jobstore: AsyncClient, conditions: dict[str, Any]) -> dict[str, Any]:
    """Return the same conditions with whole ids of agents and batches.

    Raise SignoffError (`unknown_agent`) where there is no such agent: no job would be found, whatever was meant.
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
    from contracts.resources import JobFilter  # noqa: PLC0415 - heavy, and only needed here

    return validate_model(JobFilter, conditions, "the filter")
