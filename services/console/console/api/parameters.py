"""Refuse query parameters that an address does not take: a filter that is not known would choose everything.

Earlier names are taken still, and told as deprecated; so is what the API's document declares as such.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.types import Scope

from servicekit.deprecations import DEPRECATIONS

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


def rename_parameters(scope: Scope) -> tuple[Scope, list[str]]:
    """Return a scope whose query has each parameter by its name of today, and the earlier names that it had."""
    given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if not any(name in EARLIER_NAMES or (name, value) in EARLIER_VALUES for name, value in given):
        return scope, []
    earlier = [name for name, value in given if name in EARLIER_NAMES or (name, value) in EARLIER_VALUES]
    renamed = [EARLIER_VALUES.get((name, value), (EARLIER_NAMES.get(name, name), value)) for name, value in given]
    return {**scope, "query_string": urlencode(renamed).encode()}, earlier


async def find_deprecated(request: Request) -> list[str]:
    """Return what a request uses that the API's document declares deprecated: route, parameters, members of a body."""
    if not DEPRECATIONS:
        return []
    document, path = request.app.openapi(), request.scope["route"].path
    operation = document["paths"].get(path, {}).get(request.method.lower(), {})
    route = f"{request.method} {path}"
    names = [route] if operation.get("deprecated") else []
    for each in operation.get("parameters", ()):
        given = {"query": request.query_params, "header": request.headers}.get(each["in"], {})
        if each.get("deprecated") and each["name"] in given:
            names.append(f"{route} {each['in']}:{each['name']}")
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    schemas = document["components"]["schemas"]
    if content is not None and await request.body():
        names += _find_members(await request.json(), content["schema"], schemas)
    return names


def _find_members(value: Any, schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str = "") -> Iterator[str]:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = schemas[name]
    for each in schema.get("anyOf", ()):
        yield from _find_members(value, each, schemas, name)
    if isinstance(value, list):
        for each in value:
            yield from _find_members(each, schema.get("items", {}), schemas, name)
    elif isinstance(value, dict):
        for key, member in schema.get("properties", {}).items():
            if key in value and member.get("deprecated"):
                yield f"{name}.{key}"
            elif key in value:
                yield from _find_members(value[key], member, schemas, f"{name}.{key}")


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
