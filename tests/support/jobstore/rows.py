"""Rows of tables as tests read them."""

import json
from types import SimpleNamespace
from typing import Any

_JSON = frozenset({"payload", "labels", "policy", "feedback", "request_payload", "response_payload"})


def parsed(row: Any) -> Any:
    """Return a row whose JSON columns are parsed."""
    return SimpleNamespace(**{n: json.loads(v) if n in _JSON and v is not None else v for n, v in row.items()})
