"""Refuse query parameters that an address does not take: a filter that is not known would choose everything."""

from typing import Final
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.types import Scope

#: Names that parameters had, and are taken still. An order has its own (JobOrder).
EARLIER_NAMES: Final = {
    "q": "text",
    "criterion": "criterion_not_met",
    "limit": "page_size",
    "cursor": "page_token",
    "sort": "order",
    "from": "from_version",
    **{
        f"{old}_{bound}": f"{name}_{bound}"
        for old, name in (("spent", "cost_usd"), ("cost", "cost_usd"), ("duration", "duration_s"))
        for bound in ("min", "max")
    },
}
#: Parameters whose value has another name, too.
EARLIER_VALUES: Final = {("fields", "summary"): ("view", "basic")}


def rename_parameters(scope: Scope) -> Scope:
    """Return a scope whose query has each parameter by its name of today."""
    given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if not any(name in EARLIER_NAMES or (name, value) in EARLIER_VALUES for name, value in given):
        return scope
    renamed = [EARLIER_VALUES.get((name, value), (EARLIER_NAMES.get(name, name), value)) for name, value in given]
    return {**scope, "query_string": urlencode(renamed).encode()}


def refuse_unknown_parameters(request: Request) -> None:
    """Raise RequestValidationError with the parameters that the API's document does not have."""
    if not request.query_params:
        return
    operation = request.app.openapi()["paths"].get(request.scope["route"].path, {}).get(request.method.lower())
    if operation is None:  # a page, and no part of the API
        return
    known = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
    if unknown := [name for name in request.query_params if name not in known]:
        message = f"there is no such parameter; use {', '.join(known)}" if known else "this address takes no parameters"
        raise RequestValidationError([{"type": "unknown", "loc": ("query", name), "msg": message} for name in unknown])
