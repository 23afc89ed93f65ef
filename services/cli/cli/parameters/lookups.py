"""Find what a part of an id names, and which agent has a name. The jobstore knows whole ids alone."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from cli.config import find_target, read_token
from cli.errors import CommandError
from cli.session import connect
from cli.short_ids import PART_MIN_CHARS
from servicekit.errors import ServiceError
from signoff import AsyncClient, SignoffError
from signoff.errors import ErrorCode

if TYPE_CHECKING:
    from signoff.types import Agent, Job

T = TypeVar("T")
#: The policy that is what validators are set to.
DEFAULT: Final = "default"
#: What is as long as a UUID is a whole id.
UUID_CHARS: Final = 36
#: Candidates that an error names.
_NAMED_MAX: Final = 5
_PAGE: Final = 500
#: Items that are looked through for a part of an id.
_ITEMS_MAX: Final = 10_000
#: Ids of jobs that are looked for at once.
_FOUND_AT_ONCE: Final = 20
#: Seconds after which a shell is told of no ids.
_COMPLETED_WITHIN_S: Final = 0.3


async def find_job_id(jobstore: AsyncClient, given: str) -> str:
    """Return the id of the job that is meant: the id itself, else the only one that begins or ends so.

    What names no job is returned as it is. Raise CommandError where several could be meant.
    """
    return await _find(given, jobstore.get_job, _list_ids(jobstore.iter_jobs(id_part=given)), "job")


async def find_job_ids(jobstore: AsyncClient, given: Sequence[str]) -> list[str]:
    """Return the ids of the jobs that are meant, likewise."""
    found: list[str] = []
    for first in range(0, len(given), _FOUND_AT_ONCE):
        some = given[first : first + _FOUND_AT_ONCE]
        found += await asyncio.gather(*(find_job_id(jobstore, each) for each in some))
    return found


async def find_job(jobstore: AsyncClient, given: str) -> "Job":
    """Return the job that is meant, likewise; one that is named by its id is asked for once."""
    return await _get(given, jobstore.get_job, _list_ids(jobstore.iter_jobs(id_part=given)), "job")


async def find_agent(jobstore: AsyncClient, given: str) -> "Agent":
    """Return the agent that is meant: by its id, its name, or a part of its id."""
    try:
        return await jobstore.get_agent(given)
    except SignoffError:
        if (meant := await _find_agent_id(jobstore, given)) == given:
            raise
        return await jobstore.get_agent(meant)


async def find_agent_id(jobstore: AsyncClient, given: str) -> str:
    """Return the id of the agent that is meant, likewise."""
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
    """Return the id of the batch that is meant, among the newest ten thousand, likewise."""
    return await _find(given, jobstore.get_operation, _list_ids(jobstore.iter_operations()), "batch")


async def _get(given: str, get: Callable[[str], Awaitable[T]], ids: AsyncIterator[str], kind: str) -> T:
    try:
        return await get(given)
    except SignoffError:
        if (meant := await _find_by_part(given, ids, kind)) == given:
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
    """Return the ids of which this is a part that is long enough."""
    if not PART_MIN_CHARS <= len(given) < UUID_CHARS:
        return set()
    return {known for known in ids if known.startswith(given) or known.endswith(given)}


def _choose(given: str, found: set[str], kind: str) -> str:
    if len(found) > 1:
        named = ", ".join(sorted(found)[:_NAMED_MAX]) + (", ..." if len(found) > _NAMED_MAX else "")
        raise CommandError(
            f"{given!r} could be each {kind} of these: {named}; give more of its id", code=ErrorCode.AMBIGUOUS_ID
        )
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
    """Return what a shell asks for ids that begin so. It is told of none where the jobstore does not answer at once."""

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
