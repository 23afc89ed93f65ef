"""Run PostgreSQL and Kafka alone, for tests: kept alive from a thread of their own, whatever loop the tests run on."""

import asyncio
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path

from contracts.grants import USERS
from localstack.certificates import Authority
from localstack.datadir import DataDir
from localstack.kafka import ADMIN, Kafka, Secured
from localstack.postgres import Postgres
from localstack.supervisor import Progress, Supervisor, ignore_progress


class Infrastructure:
    """A running PostgreSQL and Kafka."""

    def __init__(
        self, postgres: Postgres, kafka: Kafka, supervisor: Supervisor, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.postgres = postgres.url
        self.kafka = kafka.bootstrap
        self._supervisor = supervisor
        self._loop = loop

    @property
    def processes(self) -> Mapping[str, int]:
        """`postgres` and `kafka`, each with the id of its latest process."""
        return self._supervisor.get_pids()

    def kill(self, name: str, signal_number: signal.Signals = signal.SIGKILL) -> Future[None]:
        """Kill a process; the future is done when its successor is ready (`asyncio.wrap_future` makes it awaitable)."""
        return asyncio.run_coroutine_threadsafe(self._supervisor.kill(name, signal_number), self._loop)


@contextmanager
def infrastructure(
    data_dir: Path | None = None, *, short_lived: bool = True, progress: Progress = ignore_progress
) -> Iterator[Infrastructure]:
    """Run both, in a temporary directory unless one is given. Blocks until they are ready, and until they are gone.

    `short_lived`: with a compiler that pays in Kafka's first minutes, and costs more later.
    """
    with _keeping(data_dir, progress) as (directory, supervisor, loop):
        postgres, kafka = make_backing(directory, short_lived=short_lived, progress=progress)
        kafka.keeps_classes = short_lived
        asyncio.run_coroutine_threadsafe(supervisor.start([postgres.make_spec(), kafka.make_spec()]), loop).result()
        yield Infrastructure(postgres, kafka, supervisor, loop)


@contextmanager
def secured_kafka() -> Iterator[Kafka]:
    """Run Kafka alone, with TLS, users and ACLs, in a temporary directory."""
    with _keeping(None, ignore_progress) as (directory, supervisor, loop):
        _, kafka = make_backing(directory, short_lived=True, secure=True, progress=ignore_progress)
        asyncio.run_coroutine_threadsafe(supervisor.start([kafka.make_spec()]), loop).result()
        yield kafka


@contextmanager
def secured_postgres() -> Iterator[Postgres]:
    """Run PostgreSQL alone, with TLS, in a temporary directory."""
    with _keeping(None, ignore_progress) as (directory, supervisor, loop):
        postgres, _ = make_backing(directory, secure=True, progress=ignore_progress)
        asyncio.run_coroutine_threadsafe(supervisor.start([postgres.make_spec()]), loop).result()
        yield postgres


@contextmanager
def _keeping(
    data_dir: Path | None, progress: Progress
) -> Iterator[tuple[DataDir, Supervisor, asyncio.AbstractEventLoop]]:
    """Yield a directory, a supervisor of processes there, which end after the block, and its loop."""
    with ExitStack() as cleanup:
        directory = DataDir(data_dir or Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="signoff-"))))
        cleanup.enter_context(directory.lock())
        loop = cleanup.enter_context(_run_loop_in_thread())
        supervisor = Supervisor(directory.logs, progress=progress)
        cleanup.callback(lambda: asyncio.run_coroutine_threadsafe(supervisor.stop(), loop).result())
        yield directory, supervisor, loop


def make_backing(
    data_dir: DataDir,
    *,
    postgres_port: int = 0,
    kafka_port: int = 0,
    kafka_advertised_port: int = 0,
    kafka_more_ports: Mapping[int, int] | None = None,
    short_lived: bool = False,
    secure: bool = False,
    progress: Progress,
) -> tuple[Postgres, Kafka]:
    """Make both for a data directory, without starting them; port 0 means the port of last time, or a free one."""
    password = data_dir.get_secret("postgres_password")
    postgres = Postgres(
        data_dir.path / "postgres",
        data_dir.get_port("postgres", postgres_port),
        password,
        jobstore_password=data_dir.get_secret("postgres_jobstore_password"),
        migrate_password=data_dir.get_secret("postgres_migrate_password"),
        authority=Authority(data_dir.path / "certificates") if secure else None,
        progress=progress,
    )
    controller_port = data_dir.get_port("kafka-controller")
    port = data_dir.get_port("kafka", kafka_port)
    kafka = Kafka(
        data_dir.path / "kafka",
        port,
        controller_port,
        progress,
        advertised_port=kafka_advertised_port,
        more_ports=kafka_more_ports,
        short_lived=short_lived,
        secured=make_secured(data_dir) if secure else None,
    )
    return postgres, kafka


def make_secured(data_dir: DataDir) -> Secured:
    """Return the authority and the passwords of Kafka's users of a data directory."""
    names = (ADMIN, *USERS)
    passwords = {name: data_dir.get_secret(f"kafka_{name}_password") for name in names}
    return Secured(Authority(data_dir.path / "certificates"), passwords)


@contextmanager
def _run_loop_in_thread() -> Iterator[asyncio.AbstractEventLoop]:
    """Run a loop in a daemon: should the process end in haste, its children end with the thread that started them."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="localstack", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
