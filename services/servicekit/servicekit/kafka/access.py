"""Reach Kafka: how brokers are reached is one value, which makes every client and says why brokers refuse one."""

import asyncio
import contextlib
import functools
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.abc import AbstractTokenProvider
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, collect_hosts, create_conn
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    UnsupportedSaslMechanismError,
    for_code,
)
from aiokafka.protocol.admin import SaslHandShakeRequest
from aiokafka.protocol.metadata import MetadataRequest

from servicekit.errors import RefusedError, TransientError
from servicekit.kafka.settings import KafkaFields, Mechanism, Security
from servicekit.patches import ask_for_credentials
from servicekit.retry import Patience
from signoff.errors import ErrorCode
from signoff.files import WatchedFiles
from signoff.tls import Tls, name_tls, watch_context

if TYPE_CHECKING:
    from faststream.kafka import KafkaBroker

#: Seconds for which a broker is asked why it refuses.
PROBE_S: Final = 3.0
#: Seconds between two looks at whether brokers still accept a process.
WATCH_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """How brokers are reached: the addresses of some of them, each host:port, with commas between; and as whom.

    Files are read again when they change: each new connection uses what they hold then.
    """

    servers: str
    security: Security = Security.PLAINTEXT
    mechanism: Mechanism = Mechanism.SCRAM_SHA_512
    user: str = ""
    password: str = field(default="", repr=False)
    password_file: Path | None = None
    token_file: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @classmethod
    def of(cls, settings: KafkaFields) -> Self:
        """Return what settings say of how Kafka is reached."""
        password = settings.kafka_password
        return cls(
            settings.kafka,
            settings.kafka_security,
            settings.kafka_mechanism,
            settings.kafka_user,
            password.get_secret_value() if password else "",
            settings.kafka_password_file,
            settings.kafka_token_file,
            settings.kafka_ca,
            settings.kafka_certificate,
            settings.kafka_key,
        )

    def to_settings(self) -> dict[str, str]:
        """Return the values of KafkaFields that make this access, each without its `kafka_`, but for the addresses."""
        values = {
            "security": self.security,
            "mechanism": self.mechanism if self.security.has_user else None,
            "user": self.user,
            "password": None if self.password_file else self.password,
            "password_file": self.password_file,
            "token_file": self.token_file,
            "ca": self.ca,
            "certificate": self.certificate,
            "key": self.key,
        }
        return {name: str(value) for name, value in values.items() if value}

    def to_environment(self) -> dict[str, str]:
        """Return the variables that give another process this access."""
        more = {f"SIGNOFF_KAFKA_{name.upper()}": value for name, value in self.to_settings().items()}
        return {"SIGNOFF_KAFKA": self.servers, **more}

    @property
    def _connection_options(self) -> dict[str, Any]:
        """The options of a connection. TLS's context and a password are asked for at each one, as files change."""
        if self.security is Security.PLAINTEXT:
            return {}
        ask_for_credentials()
        options: dict[str, Any] = {"security_protocol": self.security.value}
        if self.security.has_tls:
            context = _watch_context(name_tls(self.ca, self.certificate, self.key) or Tls())
            context.read()
            options["ssl_context"] = context.read
        if not self.security.has_user:
            return options
        options["sasl_mechanism"] = self.mechanism.value
        if self.token_file is not None:
            return options | {"sasl_oauth_token_provider": _TokenFile(self.token_file)}
        password: Any = self.password
        if self.password_file is not None:
            password = _watch_text(self.password_file).read
            password()
        return options | {"sasl_plain_username": self.user, "sasl_plain_password": password}

    @property
    def _options(self) -> dict[str, Any]:
        return {"bootstrap_servers": self.servers, **self._connection_options}

    def make_consumer(self, *topics: str, **options: Any) -> AIOKafkaConsumer:
        """Return a consumer that is not started."""
        return AIOKafkaConsumer(*topics, **self._options, **options)

    def make_producer(self, **options: Any) -> AIOKafkaProducer:
        """Return a producer that is not started."""
        return AIOKafkaProducer(**self._options, **options)

    def make_admin(self, **options: Any) -> AIOKafkaAdminClient:
        """Return a client that asks for and changes topics, groups and ACLs, and is not started."""
        return AIOKafkaAdminClient(**self._options, **options)

    def make_client(self, **options: Any) -> AIOKafkaClient:
        """Return a client of single requests, not connected."""
        return AIOKafkaClient(**self._options, **options)

    def make_broker(self, **options: Any) -> "KafkaBroker":
        """Return a broker of FastStream, which makes a consumer for each of its subscribers."""
        from faststream.kafka import KafkaBroker  # noqa: PLC0415 - heavy, and only needed by services

        broker = KafkaBroker(self.servers.split(","), **options)  # it takes a text for a single address
        # Its own `security` knows no file that changes, and no provider of tokens.
        broker._connection_kwargs |= self._connection_options  # noqa: SLF001
        return broker

    async def explain(self, error: BaseException) -> TransientError:
        """Return what to raise for an error of aiokafka: a RefusedError that says why, if brokers refuse us."""
        if isinstance(error, FORBIDDEN):
            return self.forbid(error)
        return await self.find_refusal() or TransientError(
            str(error) or "the broker does not answer", code=ErrorCode.KAFKA_UNAVAILABLE
        )

    def forbid(self, error: BaseException) -> RefusedError:
        """Return the RefusedError for one of FORBIDDEN."""
        who = self.user or "this client"
        return RefusedError(
            f"Kafka does not allow it to {who}: {error}; `signoff kafka acls` prints what each service needs",
            code=ErrorCode.KAFKA_FORBIDDEN,
        )

    async def find_refusal(self) -> RefusedError | None:
        """Ask the brokers why they refuse this access, in PROBE_S each; None if one accepts it, or none says why."""
        refusal = None
        for host, port, _ in collect_hosts(self.servers, randomize=False):
            try:
                async with asyncio.timeout(PROBE_S):
                    await self._knock(host, port)
            except RefusedError as error:
                refusal = error
            except (KafkaError, OSError):  # a TimeoutError is an OSError
                continue
            else:
                return None
        return refusal

    async def watch(self) -> None:
        """Raise RefusedError once brokers have refused this access for a while.

        aiokafka shows nothing of a user that was deleted, or whose password has changed: it connects again for ever.
        """
        patience = Patience()
        while True:
            await asyncio.sleep(WATCH_S)
            if self.security is not Security.PLAINTEXT:
                patience.note(await self.find_refusal())

    async def _knock(self, host: str, port: int) -> None:
        """Connect to a broker once. Raise RefusedError with what to do if the broker says what is wrong."""
        at = f"the broker at {host}:{port}"
        try:
            asked_for = await self._find_asked_for(host, port)
        except UnsupportedSaslMechanismError as error:
            which = f"SIGNOFF_KAFKA_MECHANISM, which is {self.mechanism}"
            raise _refuse(f"{at} does not ask for a user by that mechanism: correct {which}") from error
        except SaslAuthenticationFailed as error:
            what = "SIGNOFF_KAFKA_TOKEN_FILE" if self.token_file else "SIGNOFF_KAFKA_USER and SIGNOFF_KAFKA_PASSWORD"
            raise _refuse(f"{at} does not accept {self.user or 'the token'}: {error}: correct {what}") from error
        except IllegalSaslStateError as error:
            raise _refuse(f"{at} asks for no user: correct SIGNOFF_KAFKA_SECURITY, which is {self.security}") from error
        except ssl.SSLCertVerificationError as error:
            what = (
                f"its certificate is not valid for {host} under SIGNOFF_KAFKA_CA ({self.ca or 'those of the system'})"
            )
            raise _refuse(f"{at} is not trusted: {what}: {error.verify_message}") from error
        except (KafkaError, OSError) as error:
            if isinstance(error, OSError) and error.filename:
                raise _refuse(f"SIGNOFF_KAFKA_*: {error}") from error
            if (alert := _find_alert(error)) is not None:
                raise _refuse(f"{at} refuses SIGNOFF_KAFKA_CERTIFICATE, or that there is none: {alert}") from error
            if await _speaks(host, port, tls=not self.security.has_tls):
                spoken = "no TLS" if self.security.has_tls else "TLS alone"
                raise _refuse(
                    f"{at} speaks {spoken}: correct SIGNOFF_KAFKA_SECURITY, which is {self.security}"
                ) from error
            raise
        if asked_for:
            how = f"by {', '.join(asked_for)}"
            raise _refuse(f"{at} asks for a user {how}: correct SIGNOFF_KAFKA_SECURITY, which is {self.security}")

    async def _find_asked_for(self, host: str, port: int) -> list[str]:
        """Connect to a broker once; if that is as nobody, return the mechanisms by which the broker asks for a user."""
        async with _connect(host, port, **self._connection_options) as connection:
            if self.token_file is not None:
                await _check_token(connection)
            return [] if self.security.has_user else await _list_mechanisms(connection)


#: What aiokafka raises where an ACL is missing.
FORBIDDEN: Final = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError)


def _refuse(message: str) -> RefusedError:
    return RefusedError(message, code=ErrorCode.KAFKA_UNAUTHENTICATED)


@contextlib.asynccontextmanager
async def _connect(host: str, port: int, **options: Any) -> AsyncIterator[AIOKafkaConnection]:
    milliseconds = int(PROBE_S * 1000)
    connection = await create_conn(host, port, client_id="signoff-probe", request_timeout_ms=milliseconds, **options)
    try:
        yield connection
    finally:
        connection.close()


async def _list_mechanisms(connection: AIOKafkaConnection) -> list[str]:
    """Return the mechanisms by which a broker asks who connects; none if it does not ask."""
    answer = await connection.send(SaslHandShakeRequest(Mechanism.SCRAM_SHA_512.value))
    return [] if for_code(answer.error_code) is IllegalSaslStateError else list(answer.enabled_mechanisms)


async def _check_token(connection: AIOKafkaConnection) -> None:
    """Raise SaslAuthenticationFailed if a broker closes the connection: aiokafka reads no answer to a token."""
    try:
        await connection.send(MetadataRequest([]))
    except KafkaConnectionError as error:
        raise SaslAuthenticationFailed("the connection is closed after the token") from error


async def _speaks(host: str, port: int, *, tls: bool) -> bool:
    """Return whether a listener answers with TLS, or without; its certificate does not matter."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    options = {"security_protocol": "SSL", "ssl_context": context} if tls else {}
    try:
        async with _connect(host, port, **options):
            return True
    except (KafkaError, OSError) as error:
        return _find_alert(error) is not None


def _find_alert(error: BaseException | None) -> str | None:
    """Return the alert of TLS that is among the causes of an error: a broker's word about our certificate."""
    while error is not None:
        if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
            return error.reason
        error = error.__cause__ or error.__context__
    return None


class _TokenFile(AbstractTokenProvider):  # type: ignore[misc] # aiokafka has no types
    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        return self._path.read_text().strip()


_watch_context: Final = functools.cache(watch_context)


@functools.cache
def _watch_text(path: Path) -> WatchedFiles[str]:
    return WatchedFiles([path], lambda: path.read_text().strip())


async def count_partitions(client: AIOKafkaClient, topics: Sequence[str]) -> Mapping[str, int]:
    """Ask a broker for the numbers of partitions of those among `topics` that exist; nothing is created by asking.

    Raise TopicAuthorizationFailedError if one of them is hidden from this user, which aiokafka's methods wait for.
    """
    request = MetadataRequest(list(topics), allow_auto_topic_creation=False)
    answer = (await client.send(client.get_random_node(), request)).to_object()
    found = {each["topic"]: (for_code(each["error_code"]), len(each["partitions"])) for each in answer["topics"]}
    if hidden := sorted(name for name, (error, _) in found.items() if error is TopicAuthorizationFailedError):
        raise TopicAuthorizationFailedError(", ".join(hidden))
    return {name: count for name, (error, count) in found.items() if error is not UnknownTopicOrPartitionError}
