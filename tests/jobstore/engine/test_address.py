"""A database's URL as providers give it: what it asks for is done, or refused, with a sentence that says what to do."""

import asyncio
import socket

import asyncpg
import pytest
from faults.stack.links import Link
from sqlalchemy import make_url

from jobstore.config import Settings, VerifySettings
from jobstore.engine import patches
from jobstore.engine.address import DatabaseAddress, DatabaseUrlError, HostsError
from jobstore.engine.database import Database
from servicekit.errors import PermanentError, TransientError
from servicekit.process.settings import load_settings


class Driver:
    """Takes the place of asyncpg.connect, and keeps what it was called with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.called: list[tuple[str, dict[str, object]]] = []
        monkeypatch.setattr(asyncpg, "connect", self)

    async def __call__(self, dsn: str, **options: object) -> None:
        self.called.append((dsn, options))
        raise ConnectionRefusedError


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    return Driver(monkeypatch)


async def ask(driver: Driver, url: str) -> list[tuple[str, dict[str, object]]]:
    driver.called.clear()
    with pytest.raises(ConnectionError):
        await DatabaseAddress(url).connect()
    return driver.called


PLAIN = {"user": "u", "password": "p", "database": "db", "host": "h", "port": 5432}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h:5432/db", PLAIN),
        ("postgres://u:p@h:5432/db", PLAIN),
        ("postgresql+asyncpg://u:p@h:5432/db", PLAIN),
        ("postgresql://u:p@h/db", PLAIN | {"port": None}),
        ("postgresql://u@h/db", PLAIN | {"password": None, "port": None}),
        ("postgresql://h/db?user=u&password=p&port=5432", PLAIN),
        ("postgresql://u:p@/db?host=h&port=5432", PLAIN),
        ("postgresql://u:p@/db?host=/run/postgresql", PLAIN | {"host": "/run/postgresql", "port": None}),
        ("postgresql://u:p@%2Frun%2Fpostgresql/db", PLAIN | {"host": "/run/postgresql", "port": None}),
        ("postgresql://u:p@[2001:db8::1]:5433/db", PLAIN | {"host": "2001:db8::1", "port": 5433}),
        ("postgresql://me%40there:a%3Ab%2Fc%25@h:5432/db", PLAIN | {"user": "me@there", "password": "a:b/c%"}),
        ("postgresql://me@there:a/b?c#d@h:5432/db", PLAIN | {"user": "me@there", "password": "a/b?c#d"}),
        ("postgresql://h:5432/db?passfile=/a@b", PLAIN | {"user": None, "password": None}),
        ("postgresql:///db", PLAIN | dict.fromkeys(("user", "password", "host", "port"))),
    ],
)
async def test_the_place_and_the_role_are_found_in_each_form_of_a_url(
    driver: Driver, url: str, expected: dict[str, object]
) -> None:
    ((_, options),) = await ask(driver, url)
    assert {name: options[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("query", "given"),
    [
        ("ssl=verify-full", "sslmode=verify-full"),
        ("sslmode=require", "sslmode=require"),
        ("sslmode=require&channel_binding=prefer", "sslmode=require"),
        ("sslmode=require&sslnegotiation=direct", "sslmode=require&sslnegotiation=direct"),
        ("sslmode=&gssencmode=disable&sslsni=1&client_encoding=UTF8", ""),
    ],
)
async def test_what_a_url_says_of_tls_is_given_to_the_driver(driver: Driver, query: str, given: str) -> None:
    ((dsn, options),) = await ask(driver, f"postgresql://u:p@h/db?{query}")
    assert (dsn, options["ssl"]) == (f"postgresql://?{given}" if given else "postgresql://", None)


async def test_other_parameters_have_their_meaning(driver: Driver) -> None:
    url = "postgresql://u:p@h/db?options=endpoint%3Dabc&connect_timeout=3&target_session_attrs=read-write"
    ((dsn, options),) = await ask(driver, url)
    assert dsn == "postgresql://"
    assert options["server_settings"] == {"options": "endpoint=abc"}
    assert (options["timeout"], options["target_session_attrs"]) == (3, "primary")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("somewhere", "write postgresql://USER:PASSWORD@HOST"),
        ("mysql://u:p@h/db", "write postgresql://USER:PASSWORD@HOST"),
        ("postgresql://u:p@ss@h/db", "%40 for @"),
        ("postgresql://u:p@h:port/db", "write postgresql://USER:PASSWORD@HOST"),
        ("postgresql://u:p@/db?host=::1", "an IPv6 address in brackets"),
        ("postgresql://u:p@a,b,c/db?port=1,2", "port: write one, or one for each host"),
        ("postgresql://u:p@h/db?sslmod=require", "sslmod: leave it out, or write one of "),
        (
            "postgresql://u:p@h/db?sslmode=strict",
            "write one of disable, allow, prefer, require, verify-ca, verify-full",
        ),
        ("postgresql://u:p@h/db?ssl=true", "sslmode=true: leave it out, or write one of disable"),
        ("postgresql://u:p@h/db?ssl=require&sslmode=disable", "sslmode is there twice"),
        ("postgresql://u:p@h/db?sslrootcert=/ca.pem", "of no use without sslmode=verify-full"),
        ("postgresql://u:p@h/db?sslmode=prefer&sslrootcert=/ca.pem", "of no use without sslmode=verify-full"),
        ("postgresql://u:p@h/db?sslmode=require&sslrootcert=system", "write sslmode=verify-full"),
        ("postgresql://u:p@h/db?sslrootcert=system&sslcrl=/crl.pem", "sslcrl: it needs a file of CAs"),
        ("postgresql://u:p@h/db?sslmode=require&channel_binding=require", "sslmode=verify-full"),
        ("postgresql://u:p@h/db?application_name=mine", "leave it out: by the names of their sessions"),
        ("postgresql://u:p@h/db?connect_timeout=0", "write a whole number from 1 on"),
        ("postgresql://u:p@h/db?connect_timeout=soon", "write a whole number from 1 on"),
        ("postgresql://u:p@h/db?target_session_attrs=prefer-standby", "write one of any, primary, read-write"),
        ("postgresql://u:p@h/db?pgbouncer=true", "a pooler that keeps sessions"),
        ("postgresql://u:p@h/db?require_auth=scram-sha-256", "require_auth: leave it out"),
        ("postgresql://u:p@h/db?require_auth", "require_auth: leave it out"),
        ("postgresql://u:p@h/db?sslnegotiation=direct", "it needs sslmode=verify-full"),
    ],
)
def test_what_cannot_be_had_is_refused_and_the_password_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, url: str, says: str
) -> None:
    secret = url.replace(":p@", ":a-password@")
    with pytest.raises(DatabaseUrlError) as refused:
        DatabaseAddress(secret)
    assert says in str(refused.value)
    for variable in ("SIGNOFF_REBUILT_URL", "SIGNOFF_LIVE_URL"):
        monkeypatch.setenv(variable, secret)
    with pytest.raises(PermanentError) as stopped:
        load_settings(VerifySettings)
    assert stopped.value.code == "bad_settings"
    assert "SIGNOFF_LIVE_URL is not valid: " in str(stopped.value)
    assert "a-password" not in f"{refused.value}{stopped.value}"


def test_urls_of_a_jobstore_are_checked_when_it_starts() -> None:
    for name in ("database_url", "migrate_database_url"):
        with pytest.raises(ValueError, match=name):
            Settings(**{name: "postgresql://h/db?sslmode=strict"})


async def test_each_of_several_hosts_gets_its_share_of_the_time_and_has_to_be_the_primary(driver: Driver) -> None:
    for url in (
        "postgresql://u:p@a:1,b:2/db",
        "postgresql://u:p@/db?host=a:1,b:2",
        "postgresql://u:p@/db?host=a:1&host=b:2",
        "postgresql://u:p@a,b/db?port=1,2",
    ):
        called = [options for _, options in await ask(driver, url)]
        assert [(each["host"], each["port"]) for each in called] == [("a", 1), ("b", 2)]
        assert [(each["timeout"], each["target_session_attrs"]) for each in called] == [(2.5, "primary")] * 2
    called = [options for _, options in await ask(driver, "postgresql://a,b/db?target_session_attrs=any&port=7")]
    assert [(each["port"], each["target_session_attrs"]) for each in called] == [(7, "any")] * 2


async def test_a_host_that_does_not_answer_leaves_time_for_the_next_one(database_url: str) -> None:
    """As the machine of a primary that is gone, to which packets are lost."""
    at = make_url(database_url)
    link = Link("postgres", at.port or 5432)
    await link.start()
    link.set("hang")
    address = DatabaseAddress(database_url.replace(f"@{at.host}:", f"@127.0.0.1:{link.port},{at.host}:"))
    try:
        async with asyncio.timeout(4):
            driver = await address.connect()
            assert await driver.fetchval("SELECT 1") == 1
            await driver.close()
        async with asyncio.timeout(1):  # it is not asked again
            await (await address.connect()).close()
    finally:
        await link.stop()


async def test_where_no_host_can_be_used_each_says_why(database_url: str) -> None:
    at = make_url(database_url)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        url = database_url.replace(f"@{at.host}:", f"@127.0.0.1:{port},{at.host}:") + "?target_session_attrs=standby"
        with pytest.raises(HostsError, match=rf"127.0.0.1:{port}: .*; 127.0.0.1:{at.port}: None of the hosts match"):
            await DatabaseAddress(url).connect()
        database = Database(url)
        with pytest.raises(TransientError) as outage:
            await database.availability.probe()
        assert outage.value.code == "database_in_recovery"


async def test_connections_notice_that_the_servers_machine_is_gone(database_url: str) -> None:
    driver = await DatabaseAddress(f"{database_url}?keepalives_idle=9&tcp_user_timeout=7000").connect()
    found = patches.get_pipeline(driver).socket
    assert found is not None
    assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
    assert [found.getsockopt(socket.IPPROTO_TCP, option) for option in options] == [9, 5, 3, 7000]
    await driver.close()
