"""Reach PostgreSQL: parse the URL of a database, and connect to its server, or to the primary of several."""

import asyncio
import re
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode

import asyncpg

from jobstore.engine import patches
from jobstore.engine.sql import Row

#: The errors of asyncpg. InternalClientError: a statement was sent on a session that the server has just ended.
DRIVER_ERRORS: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
#: Seconds that connecting may take, to all hosts of a URL together, unless it has a `connect_timeout`, of each host.
CONNECT_TIMEOUT_S: Final = 5.0

_HOST: Final = r"(?:\[[^\]/?@]*\]|[^:/?,@\[\]]*)(?::\d*)?"
#: Without a user, where that is possible: a parameter may have an @. Passwords may have a raw / or ?, as in SQLAlchemy.
_URL: Final = re.compile(
    rf"""
    (?P<scheme>[\w+]+)://
    (?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)??
    (?P<hosts>{_HOST}(?:,{_HOST})*)
    (?:/(?P<database>[^?@]*))?
    (?:\?(?P<query>.*))?
    """,
    re.VERBOSE,
)
_HOST_AND_PORT: Final = re.compile(r"(?:\[(?P<ipv6>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>\d*))?")
_SCHEMES: Final = ("postgresql+asyncpg", "postgresql", "postgres")
_OTHER_NAMES: Final = {"ssl": "sslmode", "database": "dbname"}  # of SQLAlchemy, and of the driver

#: Parameters of libpq that the driver takes as they are.
_OF_DRIVER: Final = {
    *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version"),
    *("passfile", "service", "krbsrvname", "gsslib"),
}
#: Those that are numbers, each with its least value.
_NUMBERS: Final = {
    "connect_timeout": 1,
    "keepalives": 0,
    "keepalives_idle": 1,
    "keepalives_interval": 1,
    "keepalives_count": 1,
    "tcp_user_timeout": 0,
}
_PLACE: Final = ("user", "password", "dbname", "host", "port")
_VERSIONS: Final = ("TLSv1.2", "TLSv1.3")
#: The values of those that have few. The last six are no more than what is so in any case.
_VALUES: Final[Mapping[str, Sequence[str]]] = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "ssl_min_protocol_version": _VERSIONS,
    "ssl_max_protocol_version": _VERSIONS,
    "target_session_attrs": ("any", "primary", "read-write", "standby", "read-only"),
    "channel_binding": ("prefer", "disable"),
    "client_encoding": ("auto", "utf8", "UTF8"),
    "gssencmode": ("prefer", "disable"),
    "load_balance_hosts": ("disable",),
    "sslcompression": ("0",),
    "sslsni": ("1",),
}
#: What to do in place of what cannot be had.
_INSTEAD: Final[Mapping[str, str]] = {
    "application_name": "leave it out: by the names of their sessions those of a jobstore that was cut off are ended",
    "channel_binding": "leave it out, since the driver has none, and have the server's certificate checked in its "
    "place: sslmode=verify-full, with a file of CAs as sslrootcert, or `system`",
    "hostaddr": "write the address as the host",
    "pgbouncer": "leave it out, and name the server, or a pooler that keeps sessions: LISTEN and locks need them",
}
_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_SYSTEM: Final = "system"
#: How soon a connection is noticed on which the server's machine is gone, such as that of LISTEN: in 30 s.
_KEEPALIVES: Final = {"keepalives": 1, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}
_SOCKET_OPTIONS: Final = {
    "keepalives_idle": "TCP_KEEPIDLE",
    "keepalives_interval": "TCP_KEEPINTVL",
    "keepalives_count": "TCP_KEEPCNT",
    "tcp_user_timeout": "TCP_USER_TIMEOUT",  # in ms
}


class DatabaseUrlError(ValueError):
    """The URL of a database cannot be used. The message says what to do, and shows no part that may be secret."""


class Host(NamedTuple):
    """A server's name, address or folder of sockets; None: the driver's default. And its port."""

    name: str | None
    port: int | None

    def __str__(self) -> str:
        return f"{self.name or 'the default host'}:{self.port or 5432}"


class HostsError(ConnectionError):
    """No host of a URL could be used: `errors` has why, in the order in which they were tried."""

    def __init__(self, errors: Sequence[tuple[Host, Exception]]) -> None:
        reasons = (f"{host}: {str(error).partition(chr(10))[0] or type(error).__name__}" for host, error in errors)
        super().__init__("; ".join(reasons))
        self.errors = [error for _, error in errors]


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of a URL, decoded; of `query` what is for the driver."""

    user: str | None
    password: str | None
    database: str | None
    hosts: tuple[Host, ...]
    query: Mapping[str, str]
    settings: Mapping[str, str]
    numbers: Mapping[str, int]
    attribute: str | None


class DatabaseAddress:
    """How a database is reached, as its URL says: in the form of libpq, or of SQLAlchemy with asyncpg.

    Of several hosts the primary is found. Files are read anew for each connection.
    """

    def __init__(self, url: str) -> None:
        """Raise DatabaseUrlError if the URL has something that is unknown, or that cannot be had."""
        self._parts = _parse(url)
        self._first = 0  # the host that is tried first: the last one that could be used

    @property
    def user(self) -> str | None:
        """The role; None: the driver's default."""
        return self._parts.user

    @property
    def database(self) -> str | None:
        """The database; None: the driver's default."""
        return self._parts.database

    async def connect(
        self,
        options: Mapping[str, object] | None = None,
        *,
        database: str | None = None,
        server_settings: Mapping[str, str] | None = None,
    ) -> "asyncpg.Connection[Row]":
        """Connect to the first host that can be used, with the driver's `options`; to another `database`, if given.

        Raise an error of DRIVER_ERRORS: HostsError if there are several hosts.
        """
        hosts, parts = self._parts.hosts, self._parts
        options = {
            **(options or {}),
            "database": database or parts.database,
            "timeout": parts.numbers.get("connect_timeout") or CONNECT_TIMEOUT_S / len(hosts),
            "server_settings": {**parts.settings, **(server_settings or {})},
        }
        if len(hosts) == 1:
            return await self._connect_to(hosts[0], options)
        errors = []
        first = self._first
        for number in (*range(first, len(hosts)), *range(first)):
            try:
                return await self._connect_to(hosts[number], options)
            except DRIVER_ERRORS as error:
                errors.append((hosts[number], error))
                self._first = (number + 1) % len(hosts)
            except asyncio.CancelledError:  # too late for whoever asked: the next time begins with the next
                self._first = (number + 1) % len(hosts)
                raise
        raise HostsError(errors)

    async def _connect_to(self, host: Host, options: Mapping[str, object]) -> "asyncpg.Connection[Row]":
        parts = self._parts
        for name in _FILES:  # the errors of ssl do not name them
            if (path := parts.query.get(name)) and path != _SYSTEM:
                _check_file(path)
        driver = await asyncpg.connect(
            f"postgresql://?{urlencode(parts.query)}" if parts.query else "postgresql://",
            host=host.name,
            port=host.port,
            user=parts.user,
            password=parts.password,
            ssl=_trust_system(parts.query) if parts.query.get("sslrootcert") == _SYSTEM else None,
            target_session_attrs=parts.attribute or ("primary" if len(parts.hosts) > 1 else None),
            **options,
        )
        self._keep_alive(driver)
        return driver

    def _keep_alive(self, driver: "asyncpg.Connection[Row]") -> None:
        """Have the kernel notice on an idle connection that the server's machine is gone."""
        found = patches.get_pipeline(driver).socket
        numbers = _KEEPALIVES | dict(self._parts.numbers)
        if found is None or found.family == socket.AF_UNIX:
            return
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, numbers["keepalives"])
        for name, option in _SOCKET_OPTIONS.items():
            if name in numbers and hasattr(socket, option):  # not each system has each
                found.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), numbers[name])


def _check_file(path: str) -> None:
    with Path(path).open("rb"):
        pass


def _trust_system(query: Mapping[str, str]) -> ssl.SSLContext:
    """Return a context that trusts the CAs of this machine, which the driver cannot by itself."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["postgresql"])
    if "sslcert" in query:
        context.load_cert_chain(query["sslcert"], query.get("sslkey"), query.get("sslpassword"))
    return context


def _parse(url: str) -> _Parts:
    found = _URL.fullmatch(url)
    if found is None or found["scheme"] not in _SCHEMES:
        raise DatabaseUrlError(
            "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, several hosts as HOST:PORT,HOST:PORT, and in user "
            "and password %40 for @, %3A for : and %25 for %"
        )
    given = _collect(parse_qsl(found["query"] or "", keep_blank_values=True))
    _check_names(given)
    given = {name: value for name, value in given.items() if value}  # to libpq, too, an empty value is none
    _check_values(given)
    place = {name: unquote(found[group]) for name, group in _OF_URL.items() if found[group]} | given
    attribute = given.get("target_session_attrs")
    return _Parts(
        place.get("user"),
        place.get("password"),
        place.get("dbname"),
        tuple(_split_hosts(found["hosts"] or given.get("host", ""), given.get("port", ""))),
        {name: value for name, value in given.items() if name in _OF_DRIVER},
        {name: value for name, value in given.items() if name == "options"},
        {name: int(value) for name, value in given.items() if name in _NUMBERS},
        # A primary that is read-only is found, too: a write says so better than that there is none.
        "primary" if attribute == "read-write" else attribute,
    )


_OF_URL: Final = {"user": "user", "password": "password", "dbname": "database"}


def _collect(given: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the parameters by their names in libpq; several hosts are joined."""
    query: dict[str, str] = {}
    for name, value in ((_OTHER_NAMES.get(name, name), value) for name, value in given):
        if name in query and name == "host":
            query[name] += f",{value}"
        elif query.setdefault(name, value) != value:
            raise DatabaseUrlError(f"{name} is there twice: leave one out")
    return query


_KNOWN: Final = {*_OF_DRIVER, *_NUMBERS, *_PLACE, *_VALUES, "options"}


def _check_names(given: Mapping[str, str]) -> None:
    """Refuse what is unknown, and what cannot be had."""
    for name, value in given.items():
        if name not in _KNOWN or (name in _INSTEAD and value not in _VALUES[name]):
            others = ", ".join(sorted(_KNOWN - {*_PLACE}))
            raise DatabaseUrlError(f"{name}: {_INSTEAD.get(name, f'leave it out, or write one of {others}')}")


def _check_values(given: Mapping[str, str]) -> None:
    """Refuse values that are none, or of no use beside the rest."""
    for name, value in given.items():
        if (values := _VALUES.get(name)) is not None and value not in values:
            raise DatabaseUrlError(f"{name}={value}: leave it out, or write one of {', '.join(values)}")
        if name in _NUMBERS and not (value.isascii() and value.isdecimal() and int(value) >= _NUMBERS[name]):
            raise DatabaseUrlError(f"{name}={value}: write a whole number from {_NUMBERS[name]} on")
    mode, root = given.get("sslmode"), given.get("sslrootcert")
    if root == _SYSTEM:
        if mode not in {None, "verify-full"}:
            raise DatabaseUrlError(f"sslmode={mode}: with sslrootcert=system write sslmode=verify-full")
        if unused := given.keys() & {"sslcrl", *(name for name, of in _VALUES.items() if of is _VERSIONS)}:
            raise DatabaseUrlError(f"{min(unused)}: it needs a file of CAs as sslrootcert, in place of `system`")
    elif root is not None and mode not in {"require", "verify-ca", "verify-full"}:
        raise DatabaseUrlError("sslrootcert: it is of no use without sslmode=verify-full (or verify-ca, or require)")
    if given.get("sslnegotiation") == "direct" and root is None and mode not in {"require", "verify-ca", "verify-full"}:
        raise DatabaseUrlError("sslnegotiation=direct: it needs sslmode=verify-full (or verify-ca, or require)")


def _split_hosts(hosts: str, ports: str) -> Iterator[Host]:
    names, numbers = hosts.split(","), ports.split(",")
    if len(numbers) not in {1, len(names)}:
        raise DatabaseUrlError("port: write one, or one for each host")
    for part, number in zip(names, numbers * len(names) if len(numbers) == 1 else numbers, strict=True):
        found = _HOST_AND_PORT.fullmatch(part)
        port = (found and found["port"]) or number
        if found is None or not (port == "" or (port.isascii() and port.isdecimal())):
            raise DatabaseUrlError(f"host={part}, port={number}: write HOST:PORT, and an IPv6 address in brackets")
        yield Host(unquote(found["ipv6"] or found["name"] or "") or None, int(port) if port else None)
