"""Jobstores and clients know each other by certificates, which are read again once they have changed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from support.certificates import Authority

from jobstore.access.tokens import Tokens
from jobstore.api.server import create_server, set_serving
from servicekit.certificates import export_ends
from servicekit.metrics import CERTIFICATE_ENDS
from signoff import AsyncClient, SignoffError, Tls, UnavailableError

CHECK = "/grpc.health.v1.Health/Check"


@asynccontextmanager
async def serving(tls: Tls | None) -> AsyncIterator[str]:
    server, servicer = create_server(Tokens({}))
    port = server.add_insecure_port("127.0.0.1:0") if tls is None else server.add_tls_port("127.0.0.1:0", tls)
    await server.start()
    await set_serving(servicer, ready=True)
    yield f"127.0.0.1:{port}"
    await server.stop(0)


async def ask(address: str, tls: Tls | None) -> SignoffError | None:
    """The error with which a call ends that brings no token; None: that is what is wrong with it."""
    async with AsyncClient(address, timeout_s=2, credentials=tls) as client:
        try:
            await client.get_caller()
        except SignoffError as error:
            return None if error.code == "unauthenticated" else error
    return None


async def until_trusted(address: str, tls: Tls) -> None:
    """Wait until a new connection is trusted: each of the servers reads its files at a handshake."""
    async with asyncio.timeout(10):
        while await ask(address, tls) is not None:
            pass


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_a_jobstore_is_called_by_tls_under_the_names_of_its_certificate(ca: Authority) -> None:
    async with serving(Tls(None, *ca.issue("server"))) as address:
        assert await ask(address, Tls(ca.file)) is None
        assert await ask(address.replace("127.0.0.1", "localhost"), Tls(ca.file)) is None


async def test_a_call_ends_with_what_to_do_where_trust_is_missing(ca: Authority, tmp_path: Path) -> None:
    """And soon: nothing waits for a jobstore that will never be trusted."""
    other = Authority(tmp_path, "other")
    async with (
        serving(Tls(None, *ca.issue("server"))) as address,
        serving(Tls(None, *ca.issue("elsewhere", "jobstore.example"))) as elsewhere,
        serving(Tls(None, *ca.issue("ended", ends_in=timedelta(hours=-1)))) as ended,
        serving(None) as plain,
    ):
        asked = [(address, other.file), (ended, ca.file), (elsewhere, ca.file), (plain, ca.file)]
        told = [await ask(where, Tls(file)) for where, file in asked]
        untold = await ask(address, None)
    wanted = ("name the file of its CA", "have the jobstore's certificate renewed", "of other names", "not speak TLS")
    for error, advice in zip(told, wanted, strict=True):
        assert isinstance(error, UnavailableError)
        assert (error.code, error.retryable) == ("tls_refused", False)
        assert advice in error.message
    assert untold is not None
    assert "SIGNOFF_JOBSTORE_CA" in untold.message


async def test_a_watch_ends_where_trust_is_missing(ca: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    tls = Tls(None, *ca.issue("server"))
    async with serving(tls) as address, AsyncClient(address, credentials=Tls(other.file)) as client:
        with pytest.raises(UnavailableError, match="name the file of its CA"):
            await anext(aiter(client.watch_jobs()))


async def test_clients_are_refused_without_a_certificate_of_the_cas_that_the_jobstore_names(
    ca: Authority, tmp_path: Path
) -> None:
    clients, strangers = Authority(tmp_path, "clients"), Authority(tmp_path, "strangers")
    async with serving(Tls(clients.file, *ca.issue("server"))) as address:
        assert await ask(address, Tls(ca.file, *clients.issue("one"))) is None
        for files in ((), strangers.issue("stranger"), clients.issue("ended", ends_in=timedelta(hours=-1))):
            error = await ask(address, Tls(ca.file, *files))
            assert isinstance(error, UnavailableError)
            assert "SIGNOFF_JOBSTORE_CA, _CERTIFICATE" in error.message


async def test_a_new_certificate_is_shown_at_the_next_handshake_and_open_connections_go_on(
    ca: Authority, tmp_path: Path
) -> None:
    """Also where both sides get certificates of another authority, with the old and the new one trusted meanwhile."""
    tls = Tls(None, *ca.issue("server"))
    async with (
        serving(tls) as address,
        grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(ca.file.read_bytes())) as opened,
    ):
        check = opened.unary_unary(CHECK)
        assert await check(b"") == b"\x08\x01"
        new = Authority(tmp_path, "new")
        new.issue("of-new", instead_of="server")
        await until_trusted(address, Tls(new.file))
        assert await check(b"") == b"\x08\x01"


async def test_files_that_cannot_be_used_leave_the_last_good_ones(
    ca: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    certificate, key = ca.issue("server")
    async with serving(Tls(None, certificate, key)) as address:
        assert await ask(address, Tls(ca.file)) is None
        key.write_text("junk")
        assert await ask(address, Tls(ca.file)) is None
        assert "files have changed, and cannot be used" in caplog.text
        certificate.unlink()
        assert await ask(address, Tls(ca.file)) is None


async def test_a_client_makes_its_connections_anew_once_its_files_have_changed(ca: Authority, tmp_path: Path) -> None:
    """As where its certificate is renewed, which the jobstore asks for."""
    clients = Authority(tmp_path, "clients")
    certificate, key = clients.issue("client")
    async with (
        serving(Tls(clients.file, *ca.issue("server"))) as address,
        AsyncClient(address, credentials=Tls(ca.file, certificate, key)) as client,
    ):
        (first,) = client._channel._jobstores  # type: ignore[attr-defined]
        await client._channel.look()  # type: ignore[attr-defined]
        assert client._channel._jobstores == [first]  # type: ignore[attr-defined]
        clients.issue("renewed", instead_of="client")
        await client._channel.look()  # type: ignore[attr-defined]
        (second,) = client._channel._jobstores  # type: ignore[attr-defined]
        assert second is not first
        assert await client.is_serving()
        key.write_text("junk")
        await client._channel.look()  # type: ignore[attr-defined]
        assert client._channel._jobstores == [second]  # type: ignore[attr-defined]
        Authority(tmp_path, "strangers").issue("stranger", instead_of="client")
        await client._channel.look()  # type: ignore[attr-defined]
        assert client._channel._jobstores == [second]  # type: ignore[attr-defined]
        assert await client.is_serving()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"ca": "missing.pem"}, "missing.pem cannot be read .*: correct its name or its rights"),
        ({"ca": "junk.pem"}, "junk.pem holds no certificates of a CA .*: name a file in PEM"),
        ({"certificate": "one.pem"}, "a certificate needs its key"),
        ({"certificate": "one.pem", "key": "two-key.pem"}, "one.pem and .*two-key.pem are no certificate .*: name"),
    ],
)
async def test_files_that_cannot_be_used_are_named_with_what_to_do(
    ca: Authority, tmp_path: Path, names: dict[str, str], said: str
) -> None:
    ca.issue("one"), ca.issue("two")
    (tmp_path / "junk.pem").write_text("junk")
    files = {"ca": ca.file, **{kind: tmp_path / name for kind, name in names.items()}}
    with pytest.raises(OSError, match=said):
        await AsyncClient("127.0.0.1:1", credentials=Tls(**files)).__aenter__()


async def test_the_systems_authorities_are_read_where_system_is_named() -> None:
    async with AsyncClient("127.0.0.1:1", credentials=Tls("system")):
        pass


def test_a_metric_says_when_certificates_end(ca: Authority) -> None:
    certificate, _ = ca.issue("server", ends_in=timedelta(minutes=5))
    export_ends(certificate, None)
    first = _told(certificate)
    ca.issue("renewed", ends_in=timedelta(minutes=50), instead_of="server")
    assert 2_690 < _told(certificate) - first < 2_710
    certificate.unlink()
    assert _told(certificate) == 0


def _told(file: Path) -> float:
    (family,) = CERTIFICATE_ENDS.collect()
    return next(sample.value for sample in family.samples if sample.labels["file"] == str(file))
