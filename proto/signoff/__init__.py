"""Signoff's client: `from signoff import Client, AsyncClient`, errors, and the models of answers.

Each name is imported at its first use, so that a program that reads no models does without pydantic.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from signoff.blocking import Client as Client
    from signoff.client import UNCHANGED as UNCHANGED
    from signoff.client import UNREACHABLE as UNREACHABLE
    from signoff.client import AsyncClient as AsyncClient
    from signoff.client import JobPage as JobPage
    from signoff.client import WatchEvent as WatchEvent
    from signoff.connection import BusyError as BusyError
    from signoff.connection import ConflictError as ConflictError
    from signoff.connection import DeadlineError as DeadlineError
    from signoff.connection import InvalidError as InvalidError
    from signoff.connection import NotFoundError as NotFoundError
    from signoff.connection import PermissionDeniedError as PermissionDeniedError
    from signoff.connection import SignoffError as SignoffError
    from signoff.connection import UnauthenticatedError as UnauthenticatedError
    from signoff.connection import UnavailableError as UnavailableError
    from signoff.tls import Tls as Tls

_CLIENT = ("UNCHANGED", "UNREACHABLE", "AsyncClient", "JobPage", "WatchEvent")


def __getattr__(name: str) -> Any:
    if name in _CLIENT:
        return getattr(import_module("signoff.client"), name)
    if name == "Client":
        return import_module("signoff.blocking").Client
    if name == "Tls":
        return import_module("signoff.tls").Tls
    if name.endswith("Error"):
        return getattr(import_module("signoff.connection"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
