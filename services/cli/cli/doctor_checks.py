"""Check whether each part of the system is there and as it must be. A check reports what is wrong, and never raises."""

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp

from cli.config import Target
from cli.session import connect
from contracts.agents.urls import has_userinfo, hide_userinfo
from contracts.client import JobStoreClient, JobStoreError
from contracts.resources import Agent
from contracts.topics import TOPICS, Topic
from servicekit.outages import DATABASE_OUTAGES

if TYPE_CHECKING:
    from contracts.messages.judging import Validator

TIMEOUT_S = 5.0  # of each question to a part
SIGNED = "signed: who asks or cancels by a topic needs a secret (SIGNOFF_UPSTREAM_SECRETS)"
OPEN = "open: whoever can write to execute-requested and cancel-requested may ask for any job and cancel any execution"
AGENTS_MAX = 500  # of one page


@dataclass(frozen=True)
class Check:
    """What was found of one part, and if it is not well, the remedy; one that is ok and has a remedy is a warning."""

    part: str
    ok: bool
    found: str
    remedy: str = ""


def check_endpoints(target: Target) -> Check:
    """Check whether it is known where the system is."""
    if target.file is not None:
        if target.file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            return Check("endpoints", False, f"others may read {target.file}, which holds a token", "chmod 600 it")
        return Check("endpoints", True, str(target.file))
    if target.jobstore:
        return Check("endpoints", True, "from options and environment")
    return Check("endpoints", False, "there is no endpoints file", "run `signoff up`, or give --endpoints FILE")


def check_processes(target: Target) -> list[Check]:
    """Check whether the processes of a local stack are alive."""
    remedy = "the supervisor starts it again; if it stays away, read its log in the data directory's logs/"
    return [
        Check(f"process {name}", alive, f"pid {pid}" + ("" if alive else " is gone"), "" if alive else remedy)
        for name, pid in target.processes.items()
        for alive in [_is_alive(pid)]
    ]


async def check_http(target: Target) -> list[Check]:
    """Check whether the console answers, and reaches the jobstore."""
    if target.http is None:
        return []
    part = "console"
    try:
        status, body = await _get(f"{target.http.rstrip('/')}/api/health")
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return [
            Check(part, False, f"{target.http}: {_describe(error)}", "is the console running, and is this its address?")
        ]
    if status == 200:  # noqa: PLR2004 - OK
        return [Check(part, True, target.http)]
    return [Check(part, False, f"{target.http}: {body}", "the console runs; look at the jobstore")]


async def check_grpc(target: Target) -> list[Check]:
    """Check whether the jobstore answers, can write and accepts the token, and whether its agents can be reached."""
    if target.jobstore is None:
        return [Check("jobstore", False, "no address is known", "run `signoff up`, or give --jobstore host:port")]
    async with connect(target, timeout_s=TIMEOUT_S) as jobstore:
        code = await jobstore.find_outage()
        if code is not None and code not in DATABASE_OUTAGES:
            remedy = (
                "is it running, and is this its address? At its start it does not serve until it has reached PostgreSQL"
            )
            return [Check("jobstore", False, f"{target.jobstore} does not serve", remedy)]
        served = [Check("jobstore", True, target.jobstore), _check_database(code)]
        try:
            agents = await _list_agents(jobstore)
            overview = await jobstore.get_overview()
            validators = await _list_validators(jobstore)
        except JobStoreError as error:
            if error.code in DATABASE_OUTAGES:  # which tells nothing of the token
                return served
            advice = "give the right one with --token, --token-file or SIGNOFF_TOKEN"
            remedy = advice if error.code == "unauthenticated" else ""
            return [*served, Check("token", False, error.message, remedy)]
    secrets = Check("secrets", True, f"reports and facts are signed with the secret {overview.signing_secret!r}")
    upstreams = Check("upstreams", True, SIGNED if overview.upstreams_sign else OPEN)
    found = [_check_agent(agent.id, hide_userinfo(agent.url)) for agent in agents if agent.enabled]
    warnings = [_warn_of_userinfo(agent.id) for agent in agents if has_userinfo(agent.url)]
    parts = [Check("token", True, "accepted"), secrets, upstreams, *_check_validators(validators)]
    return [*served, *parts, *await asyncio.gather(*found), *warnings]


async def _list_validators(jobstore: JobStoreClient) -> "Sequence[Validator]":
    try:
        return (await jobstore.list_judge_policies(limit=1)).validators
    except JobStoreError as error:
        if error.code != "unimplemented":  # by an older jobstore
            raise
        return []


def _check_validators(validators: "Sequence[Validator]") -> list[Check]:
    """Check whether all validators judge alike where a job names no policy. An older one does not say."""
    said: dict[str, list[str]] = {}
    for each in validators:
        said.setdefault(each.judge or "unknown", []).append(each.owner)
    if len(said) <= 1:
        return [Check("validators", True, f"{len(each)} judge by {judge}") for judge, each in said.items()]
    found = "; ".join(f"{judge}: {', '.join(owners)}" for judge, owners in sorted(said.items()))
    remedy = (
        "how strict a job is judged depends on who comes first: give all of them the same settings, or name a policy; "
        "`signoff judges diff default VERSION VERSION` shows what differs"
    )
    return [Check("validators", True, f"they are set differently: {found}", remedy)]


def _check_database(code: str | None) -> Check:
    if code is None:
        return Check("database", True, "can be written")
    outage = DATABASE_OUTAGES[code]
    return Check("database", False, str(outage), outage.remedy)


async def check_kafka(target: Target) -> list[Check]:
    """Check whether the broker answers, and has every topic with the catalogue's settings."""
    if target.kafka is None:
        return [Check("kafka", False, "no address is known", "give --kafka host:port")]
    from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415 - heavy, and only needed here

    admin = AIOKafkaAdminClient(bootstrap_servers=target.kafka, request_timeout_ms=int(TIMEOUT_S * 1000))
    try:
        async with asyncio.timeout(2 * TIMEOUT_S):
            await admin.start()
            topics = await _read_topics(admin)
    except Exception as error:  # noqa: BLE001 - any error is what the check reports
        return [
            Check(
                "kafka", False, f"{target.kafka}: {_describe(error)}", "is the broker running, and is this its address?"
            )
        ]
    finally:
        await admin.close()
    checks = (_check_topic(topic, topics.get(name)) for name, topic in TOPICS.items())
    return [Check("kafka", True, target.kafka), *checks]


async def check_judge(target: Target) -> list[Check]:
    """Check whether the local judge can be reached. Any other judge is reached by the validators alone."""
    if target.judge is None:
        return []
    return [await _check_listening("judge", target.judge, "without a judge jobs stay IN_PROGRESS, and nothing is lost")]


async def check_all(target: Target) -> list[Check]:
    """Run all checks."""
    parts: list[Callable[[Target], Awaitable[list[Check]]]] = [check_http, check_grpc, check_kafka, check_judge]
    results = await asyncio.gather(*(part(target) for part in parts))
    return [check_endpoints(target), *check_processes(target), *(check for checks in results for check in checks)]


def _check_topic(topic: Topic, actual: tuple[int, dict[str, str]] | None) -> Check:
    part = f"topic {topic.name}"
    if actual is None:
        return Check(part, False, "is missing", "restart the jobstore: it creates the topics of the catalogue")
    partitions, settings = actual
    wrong = [
        f"{name} is {settings.get(name)}, not {value}"
        for name, value in topic.settings.items()
        if settings.get(name) != value
    ]
    if partitions < topic.partitions:
        wrong.insert(0, f"{partitions} partitions, not {topic.partitions}")
    if wrong:
        return Check(part, False, "; ".join(wrong), "set it with kafka-configs.sh or kafka-topics.sh --alter")
    return Check(part, True, f"{partitions} partitions")


async def _read_topics(admin: Any) -> dict[str, tuple[int, dict[str, str]]]:
    """Return partitions and settings of those topics of the catalogue that exist."""
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType  # noqa: PLC0415 - see above

    names = sorted(set(await admin.list_topics()) & set(TOPICS))
    described = await admin.describe_topics(names) if names else []
    partitions = {topic["topic"]: len(topic["partitions"]) for topic in described}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    settings: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources) if names else []:
        for _, _, _, name, entries in answer.resources:
            settings[name] = {entry[0]: entry[1] for entry in entries}
    return {name: (partitions[name], settings.get(name, {})) for name in names}


async def _list_agents(jobstore: JobStoreClient) -> list[Agent]:
    agents, cursor = await jobstore.list_agents(limit=AGENTS_MAX)
    while cursor:
        page, cursor = await jobstore.list_agents(limit=AGENTS_MAX, page_token=cursor)
        agents += page
    return agents


def _warn_of_userinfo(agent_id: str) -> Check:
    remedy = (
        "whoever reads facts, the database or a backup reads them: put `Basic` and the base64 of user:password into a "
        f"variable of the executors, then signoff agents update {agent_id} --url <without them> "
        "--header Authorization=env:SIGNOFF_AGENT_<NAME>"
    )
    return Check(f"agent {agent_id}'s URL", True, "holds a user or a password", remedy)


async def _check_agent(name: str, url: str) -> Check:
    remedy = f"start it, or correct its address: signoff agents update {name} --url ..."
    return await _check_listening(f"agent {name}", url, remedy)


async def _check_listening(part: str, url: str, remedy: str) -> Check:
    """Check whether anything listens at a URL. Nothing is sent: an agent may take any request for work."""
    address = urlsplit(url)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            _, writer = await asyncio.open_connection(address.hostname, port)
        writer.close()
        await writer.wait_closed()
    except (OSError, TimeoutError) as error:
        return Check(part, False, f"{url}: {_describe(error)}", remedy)
    return Check(part, True, url)


async def _get(url: str) -> tuple[int, str]:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
        return answer.status, (await answer.text())[:200]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _describe(error: Exception) -> str:
    return str(error) or type(error).__name__
