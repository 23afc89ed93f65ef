"""A PostgreSQL with TLS: which URLs reach it, by which connections, and what refuses whom."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from jobstore.engine.address import DRIVER_ERRORS, DatabaseAddress
from jobstore.engine.database import Database
from localstack.backing import secured_postgres
from localstack.certificates import Authority
from localstack.postgres import Postgres
from servicekit.errors import TransientError

pytestmark = pytest.mark.real


_IS_ENCRYPTED = text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with secured_postgres() as postgres:
        assert postgres.has_tls, "no programs that know TLS are pinned for this machine"
        yield postgres


@pytest.fixture(autouse=True)
def without_files_of_the_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)


def with_query(url: str, query: str) -> str:
    return urlsplit(url)._replace(query=query).geturl()


def ca_of(url: str) -> str:
    return dict(part.split("=") for part in urlsplit(url).query.split("&"))["sslrootcert"]


@pytest.fixture
async def database(server: Postgres) -> AsyncIterator[Database]:
    made = Database(server.jobstore_url, migrate_url=server.migrate_url)
    await made.prepare()
    yield made
    await made.close()


async def is_encrypted(url: str) -> bool:
    driver = await DatabaseAddress(url).connect()
    found = await driver.fetchval(str(_IS_ENCRYPTED))
    await driver.close()
    return bool(found)


async def test_every_connection_of_a_jobstore_is_encrypted(database: Database) -> None:
    """Those of the pool, and new ones, as of LISTEN and of the probe; without it the one that migrates were refused."""
    async with database.transaction() as one, database.new_session() as another:
        for connection in (one, another):
            assert await connection.scalar(_IS_ENCRYPTED)


async def test_the_same_url_is_written_in_the_words_of_libpq_and_of_sqlalchemy(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = ca_of(server.url)
    for query in (f"sslmode=verify-full&sslrootcert={ca}", f"sslmode=verify-ca&sslrootcert={ca}", "sslmode=require"):
        assert await is_encrypted(with_query(server.url, query))
    assert await is_encrypted(with_query(server.url, ""))  # as it is preferred where a server has it
    monkeypatch.setenv("PGSSLROOTCERT", ca)
    assert await is_encrypted(with_query(server.url, "ssl=verify-full"))
    monkeypatch.setenv("SSL_CERT_FILE", ca)
    assert await is_encrypted(with_query(server.url, "sslmode=verify-full&sslrootcert=system"))
    assert await is_encrypted(with_query(server.url, f"sslmode=verify-full&sslrootcert={ca}&sslnegotiation=direct"))


async def outage_of(url: str) -> tuple[str, str]:
    database = Database(url)
    with pytest.raises(TransientError) as outage:
        await database.availability.probe()
    await database.close()
    return str(outage.value.code), str(outage.value)


async def test_who_does_not_trust_the_other_says_so_as_an_outage(server: Postgres, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other").ca
    for url, code, reason in (
        (with_query(server.url, "sslmode=disable"), "database_forbidden", "no encryption"),
        (
            with_query(server.url, f"sslmode=verify-full&sslrootcert={other}"),
            "database_unavailable",
            "CERTIFICATE_VERIFY",
        ),
        (
            with_query(server.url, "sslmode=verify-full&sslrootcert=system"),
            "database_unavailable",
            "CERTIFICATE_VERIFY",
        ),
        (server.url.replace("127.0.0.1", "127.1"), "database_unavailable", "mismatch"),
        (with_query(server.url, "ssl=verify-full"), "database_unavailable", "root certificate file"),
        (
            with_query(server.url, f"sslmode=require&sslrootcert={tmp_path}/no"),
            "database_unavailable",
            f"{tmp_path}/no",
        ),
    ):
        found = await outage_of(url)
        assert (found[0], reason in found[1]) == (code, True), found


async def test_files_are_read_again_for_each_connection(server: Postgres, tmp_path: Path) -> None:
    kept = tmp_path / "ca.pem"
    address = DatabaseAddress(with_query(server.url, f"sslmode=verify-full&sslrootcert={kept}"))
    shutil.copyfile(Authority(tmp_path / "other").ca, kept)
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        await address.connect()
    shutil.copyfile(ca_of(server.url), kept)
    await (await address.connect()).close()


async def test_a_server_without_tls_is_not_taken_for_one_that_has_it(postgres: str) -> None:
    code, reason = await outage_of(f"{postgres}?sslmode=require")
    assert (code, "rejected SSL upgrade" in reason) == ("database_unavailable", True)


def let_in_by_certificate(hba: Path, ca: Path) -> Path:
    """Have the role `certified` show a certificate; return the file of the CA at the server."""
    kept = hba.with_name("clients.pem")
    shutil.copyfile(ca, kept)
    kept.chmod(0o644)
    hba.write_text(f"hostssl all certified 127.0.0.1/32 cert\n{hba.read_text()}")
    return kept


async def test_a_client_may_show_a_certificate_in_place_of_a_password(server: Postgres, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "clients")
    certificate, key = authority.issue("certified")
    superuser = await DatabaseAddress(server.url).connect()
    kept = let_in_by_certificate(Path(await superuser.fetchval("SHOW hba_file")), authority.ca)
    for statement in (
        "CREATE ROLE certified LOGIN",
        "GRANT CONNECT ON DATABASE signoff TO certified",
        f"ALTER SYSTEM SET ssl_ca_file = '{kept}'",
        "SELECT pg_reload_conf()",
    ):
        await superuser.execute(statement)
    await superuser.close()
    url = f"postgresql://certified@{server.url.rpartition('@')[2]}"
    driver = None
    async with asyncio.timeout(10):
        while driver is None:  # until the server has read its files
            with suppress(*DRIVER_ERRORS):
                driver = await DatabaseAddress(f"{url}&sslcert={certificate}&sslkey={key}").connect()
    assert await driver.fetchval("SELECT current_user") == "certified"
    await driver.close()
    code, reason = await outage_of(url)
    assert (code, "certificate" in reason) == ("database_forbidden", True), reason
