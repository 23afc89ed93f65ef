"""Is each part there, and as it must be? A check never raises: what is wrong is its answer."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from cli.config import Target
from contracts.client import JobStoreClient, JobStoreError
from contracts.topics import TOPICS, Topic

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Check:
    """What was found about one part; `remedy` where it is not well."""

    part: str
    ok: bool
    found: str
    remedy: str = ""


def endpoints(target: Target) -> Check:
    """Whether it is known where the system is."""
    if target.file is not None:
        return Check("endpoints", True, str(target.file))
    if target.jobstore:
        return Check("endpoints", True, "from options and environment")
    return Check("endpoints", False, "there is no endpoints file", "run `signoff up`, or give --endpoints FILE")


def processes(target: Target) -> list[Check]:
    """Whether the processes of a local stack are alive."""
    remedy = "the supervisor starts it again; if it stays away, read its log in the data directory's logs/"
    return [
        Check(f"process {name}", alive, f"pid {pid}" + ("" if alive else " is gone"), "" if alive else remedy)
        for name, pid in target.processes.items()
        for alive in [_is_alive(pid)]
    ]


async def http(target: Target) -> list[Check]:
    """Whether the console answers, and reaches the jobstore."""
    if target.http is None:
        return []
    part = "console"
    try:
        status, body = await _get(f"{target.http.rstrip('/')}/api/health")
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return [
            Check(part, False, f"{target.http}: {_words(error)}", "is the console running, and is this its address?")
        ]
    if status == 200:  # noqa: PLR2004 - OK
        return [Check(part, True, target.http)]
    return [Check(part, False, f"{target.http}: {body}", "the console runs; look at the jobstore")]


async def grpc(target: Target) -> list[Check]:
    """Whether the jobstore answers and takes the token, and whether its agents are there."""
    if target.jobstore is None:
        return [Check("jobstore", False, "no address is known", "run `signoff up`, or give --jobstore host:port")]
    async with JobStoreClient(target.jobstore, target.token, timeout_s=TIMEOUT_S) as jobstore:
        if not await jobstore.is_serving():
            remedy = "is it running, and is this its address? It does not serve while it cannot reach PostgreSQL"
            return [Check("jobstore", False, f"{target.jobstore} does not serve", remedy)]
        served = Check("jobstore", True, target.jobstore)
        try:
            agents, _ = await jobstore.list_agents()
        except JobStoreError as error:
            remedy = "give the right one with --token or SIGNOFF_TOKEN" if error.code == "unauthenticated" else ""
            return [served, Check("token", False, error.message, remedy)]
    urls = {agent.id: agent.url for agent in agents if agent.enabled}
    return [served, Check("token", True, "accepted"), *await asyncio.gather(*map(_agent, urls, urls.values()))]


async def kafka(target: Target) -> list[Check]:
    """Whether the broker is there, with every topic as the catalogue says."""
    if target.kafka is None:
        return [Check("kafka", False, "no address is known", "give --kafka host:port")]
    from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415 - heavy, and only needed here

    admin = AIOKafkaAdminClient(bootstrap_servers=target.kafka, request_timeout_ms=int(TIMEOUT_S * 1000))
    try:
        async with asyncio.timeout(2 * TIMEOUT_S):
            await admin.start()
            found = await _topics(admin)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return [
            Check("kafka", False, f"{target.kafka}: {_words(error)}", "is the broker running, and is this its address?")
        ]
    finally:
        await admin.close()
    return [Check("kafka", True, target.kafka), *(_topic(topic, found.get(name)) for name, topic in TOPICS.items())]


async def judge(target: Target) -> list[Check]:
    """Whether the local judge is there. One that is elsewhere is the validator's to reach."""
    if target.judge is None:
        return []
    return [await _tcp("judge", target.judge, "without a judge jobs stay IN_PROGRESS, and nothing is lost")]


async def all_checks(target: Target) -> list[Check]:
    """All of them."""
    parts: list[Callable[[Target], Awaitable[list[Check]]]] = [http, grpc, kafka, judge]
    found = await asyncio.gather(*(part(target) for part in parts))
    return [endpoints(target), *processes(target), *(check for checks in found for check in checks)]


def _topic(topic: Topic, found: tuple[int, dict[str, str]] | None) -> Check:
    part = f"topic {topic.name}"
    if found is None:
        return Check(part, False, "is missing", "restart the jobstore: it creates the topics of the catalogue")
    partitions, settings = found
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


async def _topics(admin: Any) -> dict[str, tuple[int, dict[str, str]]]:
    """Partitions and settings of the topics that are there."""
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


async def _agent(name: str, url: str) -> Check:
    remedy = f"start it, or correct its address: signoff agents update {name} --url ..."
    return await _tcp(f"agent {name}", url, remedy)


async def _tcp(part: str, url: str, remedy: str) -> Check:
    """Whether anybody is there. No more is asked: an agent may take any request for work."""
    address = urlsplit(url)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            _, writer = await asyncio.open_connection(address.hostname, port)
        writer.close()
        await writer.wait_closed()
    except (OSError, TimeoutError) as error:
        return Check(part, False, f"{url}: {_words(error)}", remedy)
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


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
