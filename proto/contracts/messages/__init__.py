"""Convert between the types of the contracts and gRPC messages. A module of these is imported at its first use.

They need pydantic, which takes longer to import than most calls of a command line take.
"""

from importlib import import_module
from types import ModuleType
from typing import Final

#: Metadata of a caller that wants JSON as a google.protobuf.Value, which rounds numbers, rather than as text.
JSON_AS_VALUE: Final = ("signoff-json", "value")
#: Trailing metadata of an answer that repeats that of an earlier request, under its idempotency key or id.
REPLAYED: Final = ("idempotency-replayed", "true")
#: Items of the largest page.
PAGE_MAX: Final = 500

_MODULES: Final = frozenset(
    {"answers", "convert", "job_requests", "judging", "judgings", "operations", "patches", "views"}
)


def __getattr__(name: str) -> ModuleType:
    if name not in _MODULES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return import_module(f"{__name__}.{name}")
