"""Refuse query parameters that an address does not take: a filter that is not known would choose everything."""

from typing import Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError

#: Names that parameters of filters had, and have still. An order has its own (JobOrder).
EARLIER_NAMES: Final = {"q": "text", "spent_min": "cost_min", "spent_max": "cost_max", "criterion": "criterion_not_met"}


def refuse_unknown_parameters(request: Request) -> None:
    """Raise RequestValidationError with the parameters that the API's document does not have."""
    if not request.query_params:
        return
    operation = request.app.openapi()["paths"].get(request.scope["route"].path, {}).get(request.method.lower())
    if operation is None:  # a page, and no part of the API
        return
    known = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
    taken = {*known, *(old for old, name in EARLIER_NAMES.items() if name in known)}
    if unknown := [name for name in request.query_params if name not in taken]:
        message = f"there is no such parameter; use {', '.join(known)}" if known else "this address takes no parameters"
        raise RequestValidationError([{"type": "unknown", "loc": ("query", name), "msg": message} for name in unknown])
