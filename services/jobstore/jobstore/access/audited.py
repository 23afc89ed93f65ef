"""Say what the audit keeps of a call: who called what, about whose things, from where, and what became of it."""

import re
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import unquote

from contracts.access import ACCESS
from jobstore.access.callers import Caller
from jobstore.engine.parts import Part, UnitOfWork
from jobstore.jobs.model import Actor
from signoff.status import AuditOutcome

#: Callers without a credential that is known; and callers of whom there were too many to tell them apart.
NOBODY: Final = Actor("nobody")
OTHERS: Final = Actor("others")
#: Characters of a name at most: a caller's may have any length.
NAME_MAX: Final = 200
#: Fields by which requests name what they are about, the closest first, and those that hold these.
_NAMES: Final = ("name", "topic", "job_id", "execution_id", "session_id", "agent_id", "tenant", "client")
_HOLDERS: Final = ("token", "limit", "tenant", "retention")
_WORD: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the audit. `tenants`: whose it is, and whose administrators read it; None: of the installation."""

    actor: Actor
    method: str
    tenants: frozenset[str] | None = None
    outcome: AuditOutcome = AuditOutcome.DONE
    code: str = ""
    reason: str = ""
    name: str = ""
    count: int = 1
    address: str = ""

    @property
    def action(self) -> str:
        """The method as a word, such as `create_token`."""
        return _WORD.sub("_", self.method.rpartition("/")[2]).lower()

    def refuse(self, code: str, reason: str) -> "Entry":
        """Return the entry of the same call, which was refused."""
        return replace(self, outcome=AuditOutcome.REFUSED, code=code, reason=reason[:NAME_MAX])


@dataclass(eq=False, slots=True)
class Audit(Part):
    """The entries of commands, which are written with their changes."""

    entries: list[Entry] = field(default_factory=list)


def audit(uow: UnitOfWork, entry: Entry | None) -> None:
    """Let the entry of a command's call be written with its changes; None: it came by no call that is kept."""
    if entry is not None:
        uow[Audit].entries.append(entry)


#: The entry of the call that is under way, where it is written with the change that the call makes.
ENTRY: Final[ContextVar[Entry | None]] = ContextVar("entry", default=None)


def make_entry(caller: Caller | None, method: str, request: object, peer: str) -> Entry:
    """Return the entry of a call; `peer` is the other end of its connection, as gRPC names it.

    A method that does not exist has no name there, since callers may make up as many as they like.
    """
    known = method if method in ACCESS else ""
    if caller is None:
        return Entry(NOBODY, known, address=read_address(peer))
    name, tenants = _find_name(request), _find_tenants(caller, request)
    return Entry(caller.actor, known, tenants, name=name, address=read_address(peer))


def read_address(peer: str) -> str:
    """Return the address in gRPC's name of a peer, such as `ipv4:10.0.0.7:40112`, without the port."""
    kind, _, place = unquote(peer).partition(":")
    return place.rpartition(":")[0].strip("[]") if kind.startswith("ip") else kind


def _find_name(request: object) -> str:
    places = [request, *(getattr(request, holder, None) for holder in _HOLDERS)]
    given = (getattr(place, name, "") for place in places for name in _NAMES)
    return next((value[:NAME_MAX] for value in given if value and isinstance(value, str)), "")


def _find_tenants(caller: Caller, request: object) -> frozenset[str] | None:
    """Return whose a call is: what its request names, if that is the caller's, else the tenants of the caller."""
    name, token, tenant = _find_name(request), getattr(request, "token", None), getattr(request, "tenant", None)
    named: Iterable[str] = [name.removeprefix("tenant:")] if name.startswith("tenant:") else ()
    if tenant:
        named = [tenant if isinstance(tenant, str) else tenant.name]
    named = frozenset(getattr(token, "tenants", named))
    return named if named and all(map(caller.may_see, named)) else caller.tenants
