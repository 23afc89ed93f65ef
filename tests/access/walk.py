"""Walk each door with each credential, and compare what it answers with the table of permissions."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import grpc
from aiohttp import ClientSession
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from promises.test_names import FILES as _PUBLIC
from support.real_console import CONSOLE_TOKEN, TOKEN, RealConsole

from access.commands import CREDENTIALS, CommandLine, list_command_lines
from access.credentials import FOREIGN, OWN, Credential, make_credentials
from access.doors import Answer, Door, Rpc, list_routes
from access.things import CANARY, Things, make_things
from contracts.access import ACCESS, Of
from signoff.worker.v1 import work_service_pb2

#: An execution id that somebody chose is taken, whoever asks: such ids are UUIDs and say nothing else.
TAKEN = {"execution_conflict", "ok"}
#: Doors that are asked for a token of the tenant OWN: nobody of another gives that, nor learns whether there is one.
GRANTS = {"POST /api/tokens", "signoff tokens create"}
#: The files of the services that a jobstore serves.
FILES = (*_PUBLIC, work_service_pb2.DESCRIPTOR)


@dataclass
class Report:
    """What was walked: for each door the letters of its answers, and each difference from the table in words."""

    credentials: list[str]
    rows: dict[str, list[str]] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        width = max(map(len, self.rows))
        heads = [f"{number:>2}  {name}" for number, name in enumerate(self.credentials, 1)]
        table = [f"{name:<{width}}  {' '.join(answers)}" for name, answers in self.rows.items()]
        legend = "+ open   - unauthenticated   x forbidden   0 open, and as if the things of others were absent"
        found = [f"DIFFERENCE: {each}" for each in self.differences]
        total = f"{len(self.rows)} doors, {len(self.credentials)} credentials, {len(self.differences)} differences"
        return "\n".join([*heads, legend, *table, *found, total])


def expect(door: Door, credential: Credential) -> str:
    """Return the letter of the answer that the table of permissions says."""
    if door.access is None:  # health
        return "+"
    if credential.role is None:
        return "-"
    if credential.role not in door.access.roles or (door.access.of is Of.ALL and credential.tenants is not None):
        return "x"
    if not credential.is_foreign or door.access.of is not Of.TENANT:
        return "+"
    return "x" if door.name in GRANTS else "0"


async def walk(console: RealConsole) -> Report:
    """Make the things of a tenant, walk all doors with all credentials, and return what came of it."""
    bootstrap = console.client.with_token(TOKEN)
    for tenant in (OWN, FOREIGN):
        await bootstrap.create_tenant(name=tenant)
    owner = await bootstrap.create_token(name="owner", role="administrator", tenants=[OWN])
    things = await make_things(bootstrap.with_token(owner.secret))
    async with (
        make_credentials(bootstrap, console.client.with_token(CONSOLE_TOKEN)) as credentials,
        grpc.aio.insecure_channel(console.jobstore) as channel,
        ClientSession() as http,
    ):
        report = Report([each.name for each in credentials])
        commands = list_command_lines(console.jobstore, console.url)
        for door in [*list_rpcs(channel), *list_routes(console.url, http), *commands]:
            some = [each for each in credentials if each.name in CREDENTIALS or not isinstance(door, CommandLine)]
            answers: dict[str, str] = {}
            for may in (False, True):  # those that may change things come last
                asked = [each for each in some if (expect(door, each) == "+") is may]
                if isinstance(door, CommandLine):  # which has the whole process to itself
                    answers |= {each.name: await _look(door, each, things, report) for each in asked}
                else:
                    looks = await asyncio.gather(*(_look(door, each, things, report) for each in asked))
                    answers |= zip((each.name for each in asked), looks, strict=True)
            report.rows[door.name] = [answers.get(each.name, " ") for each in credentials]
        return report


async def _look(door: Door, credential: Credential, things: Things, report: Report) -> str:
    expected, answer = expect(door, credential), await door.ask(credential, things)
    letter = {"unauthenticated": "-", "unknown_login_code": "+", "forbidden": "x"}.get(answer.code, "+")
    if letter == "+" and (expected == "0" or (credential.is_foreign and door.reads_first and "unknown" in answer.code)):
        letter = expected
        absent = await door.ask(credential, things.absent)
        if answer.code != absent.code and {answer.code, absent.code} != TAKEN:
            told = f"{answer.code}, of what is absent {absent.code}"
            report.differences.append(f"{door.name} as {credential.name}: {told}")
    if CANARY in _without_ids(answer, things) and (expected != "+" or credential.is_foreign):
        report.differences.append(f"{door.name} as {credential.name} tells of another tenant: {answer.text[:300]}")
    if letter != expected:
        report.differences.append(f"{door.name} as {credential.name}: {letter} ({answer.code}), expected {expected}")
    return letter


def _without_ids(answer: Answer, things: Things) -> str:
    """Return what a door said, without the ids that it was asked about."""
    text = answer.text
    for value in things.ids.values():
        text = text.replace(str(value), "")
    return text


def list_rpcs(channel: grpc.aio.Channel) -> Iterator[Rpc]:
    """Yield all RPCs that the jobstore serves: those of its services, of health and of reflection."""
    health, reflection = health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR
    for file in (*FILES, health, reflection):
        for service in file.services_by_name.values():
            for method in service.methods:
                name = f"/{service.full_name}/{method.name}"
                yield Rpc(name, method, channel)


def find_unlisted(doors: Sequence[str]) -> set[str]:
    """Return the RPCs that stand in the table of permissions and were not walked."""
    return {name for name in ACCESS if name not in doors}
