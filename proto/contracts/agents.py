"""Check the URLs of agents, and the headers that executors send to agents."""

import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import Final

from pydantic import AnyHttpUrl, TypeAdapter

from signoff.status import FIRST_PROTOCOLS, Protocol

_URL = TypeAdapter(AnyHttpUrl)
_USERINFO = re.compile(r"(https?:[/\\]*)[^/?#\\\s]*@", re.IGNORECASE)
#: What is shown for a secret.
HIDDEN = "***"


def check_http_url(text: str) -> str:
    """Return the text if it is a URL of http or https. Raise ValueError for any other text."""
    _URL.validate_python(text)
    return text


def has_userinfo(url: str) -> bool:
    """Return whether a user or a password stands in a URL."""
    parsed = _URL.validate_python(url)
    return bool(parsed.username or parsed.password or _USERINFO.search(url))


def hide_userinfo(text: str) -> str:
    """Return a URL, or a text with URLs, with `***` in place of each user and password."""
    return _USERINFO.sub(rf"\1{HIDDEN}@", text)


#: Only variables that begin so may be referred to: no other secret of an executor can be sent to an agent.
ENV_PREFIX = "SIGNOFF_AGENT_"
#: Headers of one agent at most.
HEADERS_MAX = 16

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")  # a token of RFC 9110
_REFERENCE = re.compile(rf"env:{ENV_PREFIX}[A-Za-z0-9_]{{1,200}}|file:[^\x00-\x1f\x7f]{{1,500}}")
#: Set by the executor or by HTTP itself; others would change what a call means, or where it ends.
_RESERVED = re.compile(
    r"a2a-version|accept|accept-encoding|connection|content-.*|expect|host|idempotency-key|keep-alive|te|trailer|transfer-encoding"
    r"|upgrade|user-agent|traceparent|tracestate|webhook-.*|(signoff|ce|proxy)[-_].*",
    re.IGNORECASE,
)


def _tell_references(refused: str, what: str) -> str:
    """Say how a value is referred to, where a text is no reference; the text may be the value, and is not quoted."""
    fault = "is in a variable that executors do not read" if refused.startswith("env:") else "itself is not taken"
    return (
        f"{what} {fault}: put it into a variable of the executors and write env:{ENV_PREFIX}<NAME>, "
        "or into a file below their SIGNOFF_AGENT_HEADER_DIR and write file:<path>"
    )


def check_signing(reference: str) -> str:
    """Return the reference to signing secrets. Raise ValueError, without the text, if it is no reference."""
    if not _REFERENCE.fullmatch(reference):
        raise ValueError(_tell_references(reference, "a secret"))
    return reference


#: The tenant of agents that name values which are no tenant's.
DEFAULT_TENANT: Final = "default"


def list_owners(reference: str) -> frozenset[str]:
    """Return the tenants to one of whom the value of a reference may belong; none: it is the installation's.

    A variable belongs to the tenant before its last two underscores, in upper case and with `_` for `-`: no tenant has
    `_`, so that no variable belongs to two. A file may belong to each folder in its path, which only executors follow.
    """
    kind, _, place = reference.partition(":")
    if kind == "file":
        return frozenset(part.lower() for part in PurePosixPath(place).parts[:-1])
    tenant, _, name = place.removeprefix(ENV_PREFIX).rpartition("__")
    owner = tenant.lower().replace("_", "-")
    return frozenset({owner} if tenant and name and tenant == tenant.upper() else ())


def may_name(reference: str, tenant: str, others: Collection[str] = ()) -> bool:
    """Return whether an agent of a tenant may name a value; of `others` no agent of `default` may."""
    if tenant == DEFAULT_TENANT:
        return list_owners(reference).isdisjoint(others)
    kind, _, place = reference.partition(":")
    if kind == "file":
        first, *rest = PurePosixPath(place).parts or ("",)
        return first == tenant and bool(rest) and ".." not in rest
    return list_owners(reference) == {tenant}


def tell_owners(tenant: str) -> str:
    """Say which values an agent of a tenant may name."""
    if tenant == DEFAULT_TENANT:
        return "names a value of another tenant: agents of that tenant alone may"
    prefix = f"{ENV_PREFIX}{tenant.upper().replace('-', '_')}__"
    return f"names no value of the tenant {tenant}: write env:{prefix}<NAME>, or file:{tenant}/<path>"


#: The protocols of agents that show their work by ids which the jobstore made, also if their answer was lost. The work
#: of other protocols is found by its handle alone.
FOUND_BY_IDS = frozenset({Protocol.LANGGRAPH, Protocol.A2A})


def check_signed(protocol: Protocol | None, reference: str | None) -> str | None:
    """Return the reference to signing secrets. Raise ValueError if calls by the protocol are not signed."""
    if reference is not None and protocol is not None and protocol not in FIRST_PROTOCOLS:
        raise ValueError(f"calls by {protocol} are not signed: leave it out")
    return reference


def check_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers. Raise ValueError for a wrong name, or a value that is no reference; it quotes no value."""
    for name, reference in headers.items():
        if not _NAME.fullmatch(name):
            raise ValueError("a header is named by at most 100 letters, digits and hyphens")
        if _RESERVED.fullmatch(name):
            raise ValueError(f"the header {name} is set by the executor: choose another name")
        if not _REFERENCE.fullmatch(reference):
            raise ValueError(_tell_references(reference, f"the value of {name}"))
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("two headers have the same name: upper and lower case are the same")
    return headers


def check_header_changes(headers: Mapping[str, str | None]) -> Mapping[str, str | None]:
    """Return changes of headers, in which None removes a header. Raise ValueError as `check_headers` does."""
    check_headers({name: reference for name, reference in headers.items() if reference is not None})
    return headers
