"""Load from programs of others: ghz calls gRPC, autocannon REST, and librdkafka's producer writes to topics.

ghz and autocannon are fetched into a folder of their own below the cache; ghz takes Go.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from localstack.maven import get_cache_dir

GHZ = "github.com/bojand/ghz/cmd/ghz@v0.93.0"
AUTOCANNON = "autocannon@8.0.0"
PROTO, PROTOSET = Path(__file__).parents[2] / "proto", "signoff.protoset"
BIN = Path(sys.executable).parent
#: How long after its time a generator may take to end.
END_S = 60.0
#: Seconds between two looks at how many records wait.
LAG_EVERY_S = 0.2
#: How long the broker may take to tell it.
ADMIN_S = 15
P99 = 99


@dataclass(frozen=True, slots=True)
class Answers:
    """What a generator was answered at one door: by code, of which `OK` or `2xx` are no refusals; p99 in ms."""

    door: str
    a_second: float
    p99_ms: float | None
    codes: Mapping[str, int]


def fetch() -> Path:
    """Fetch ghz and autocannon unless they are there, and describe the API to ghz; return their folder."""
    folder = get_cache_dir() / "load"
    if not (folder / "ghz").exists():
        if (go := shutil.which("go") or shutil.which("/usr/local/go/bin/go")) is None:
            raise SystemExit(f"ghz is built from source: install Go, so that `go install {GHZ}` works")
        subprocess.run([go, "install", GHZ], env={**os.environ, "GOBIN": str(folder)}, check=True)  # noqa: S603 - ours
    if not (folder / "node_modules" / "autocannon").exists():
        npm = [BIN / "npm", "install", "--silent", "--prefix", folder, AUTOCANNON]
        subprocess.run(npm, env=_with_node(), check=True)  # noqa: S603 - ours
    run = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", "--include_imports"]
    files = (PROTO / "signoff" / "v1").glob("*.proto")
    subprocess.run([*run, f"--descriptor_set_out={folder / PROTOSET}", *files], check=True)  # noqa: S603 - ours
    return folder


def _with_node() -> dict[str, str]:
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}


async def call_grpc(
    folder: Path, address: str, token: str, call: str, data: Any, *, callers: int, seconds: float
) -> Answers:
    """Let so many callers call a method one time after another."""
    metadata = json.dumps({"authorization": f"Bearer {token}"})
    options = {"protoset": folder / PROTOSET, "call": call, "data": json.dumps(data), "metadata": metadata}
    bounds = {"concurrency": callers, "connections": min(callers, 10), "duration": f"{seconds:g}s", "timeout": "20s"}
    flags = [f"--{name}={value}" for name, value in {**options, **bounds, "format": "json"}.items()]
    found = await _run(seconds, folder / "ghz", "--insecure", "--count-errors", "--duration-stop=wait", *flags, address)
    p99 = next((each["latency"] for each in found["latencyDistribution"] or () if each["percentage"] == P99), None)
    codes = {name_status(code): number for code, number in found["statusCodeDistribution"].items()}
    return Answers(f"gRPC {call.rpartition('.')[2]}", found["rps"], p99 and p99 / 1e6, codes)


def name_status(code: str) -> str:
    """Return a status of gRPC as all but Go write it."""
    return re.sub(r"\B(?=[A-Z][a-z])", "_", code).upper()


async def call_rest(
    folder: Path, url: str, token: str, request: Sequence[str], *, callers: int, seconds: float
) -> Answers:
    """Let so many callers send a request, `METHOD path [body]`, one time after another."""
    method, path, *body = request
    flags = ["-j", "-c", str(callers), "-d", f"{seconds:g}", "-m", method, "-H", f"Authorization=Bearer {token}"]
    flags += ["-H", "Content-Type=application/json", "-b", body[0]] if body else []
    program = folder / "node_modules" / ".bin" / "autocannon"
    found = await _run(seconds, program, *flags, f"{url}{path}")
    codes = {code: each["count"] for code, each in found["statusCodeStats"].items()}
    lost = {"reset": found["errors"] - found["timeouts"], "no answer in 10 s": found["timeouts"]}
    codes |= {name: number for name, number in lost.items() if number}
    return Answers(
        f"REST {method} {path.partition('?')[0]}", found["requests"]["average"], found["latency"]["p99"], codes
    )


async def _run(seconds: float, *command: Any) -> Any:
    pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
    nice = ("nice", "-n", "10")  # what is measured comes first
    process = await asyncio.create_subprocess_exec(*nice, *map(str, command), env=_with_node(), **pipes)
    try:
        async with asyncio.timeout(seconds + END_S):
            told, wrong = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    try:
        return json.loads(told)
    except ValueError:
        raise SystemExit(f"{command[0]} failed: {wrong.decode() or told.decode()}") from None


class RecordLoad:
    """Write records to a topic with librdkafka, as fast as its group of consumers has them handled.

    The topic refuses nothing: what takes the place of callers who wait is that only so many records do.
    """

    def __init__(self, kafka: str, topic: str, group: str, make: Callable[[int], bytes], *, waiting: int) -> None:
        common = {"bootstrap.servers": kafka, "log_level": 0}
        self._producer, self._admin = Producer({**common, "acks": "all", "linger.ms": 5}), AdminClient(common)
        self._topic, self._group, self._make, self._waiting = topic, group, make, waiting
        self._codes: Counter[str] = Counter()

    def run(self, seconds: float, stop: threading.Event) -> Answers:
        """Write for so long; return how the broker answered. To be called in a thread."""
        began, numbers = time.monotonic(), count()
        while (time.monotonic() - began < seconds) and not stop.wait(LAG_EVERY_S):
            for number in self._choose(numbers):
                self._producer.produce(self._topic, self._make(number), str(number), on_delivery=self._note)
                self._producer.poll(0)
            self._producer.flush(10)
        took_s = time.monotonic() - began
        return Answers(f"topic {self._topic}", sum(self._codes.values()) / took_s, None, dict(self._codes))

    def _choose(self, numbers: Iterator[int]) -> list[int]:
        try:
            return [next(numbers) for _ in range(max(0, self._waiting - self.count_waiting()))]
        except KafkaException:  # the broker does not tell it now
            return []

    def count_waiting(self) -> int:
        """Return how many records the group has not committed yet."""
        group = ConsumerGroupTopicPartitions(self._group)
        committed = (
            self._admin.list_consumer_group_offsets([group], request_timeout=ADMIN_S)[self._group]
            .result()
            .topic_partitions
        )
        offsets = {part.partition: part.offset for part in committed if part.topic == self._topic}
        parts = range(len(self._admin.list_topics(self._topic, timeout=ADMIN_S).topics[self._topic].partitions))
        asked = {TopicPartition(self._topic, number): OffsetSpec.latest() for number in parts}
        ends = {
            part.partition: ended.result().offset
            for part, ended in self._admin.list_offsets(asked, request_timeout=ADMIN_S).items()
        }
        return sum(end - max(0, offsets.get(number, 0)) for number, end in ends.items())

    def _note(self, error: Any, _message: Any) -> None:
        self._codes["OK" if error is None else KafkaException(error).args[0].name()] += 1
