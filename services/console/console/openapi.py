"""Describe the API: FastAPI's document, with the errors as they really are."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from threading import Lock
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from console.errors import MEDIA_TYPE, Problem
from console.live.changes import JobChange

_EVERYWHERE = {
    "401": "No token, or one that the jobstore does not know",
    "403": "Not allowed",
    "431": "The address and the headers are too large together",
    "503": "Out of reach",
}
_WITH_BODY = {
    "400": "The body is not JSON",
    "404": "What the address or the body names is not there; `code` says what",
    "409": "Contradicts what stands; `code` says what",
    "413": "The body is too large",
    "415": "The body is not application/json",
    "422": "Not well formed; `errors` says where",
    "429": "Too much at once",
}
_MAKING: Final = Lock()
_REF: Final = "#/components/schemas/"
_OPEN = {"/api/health", "/api/receipt-keys"}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the application; it is made once."""
    with _MAKING:  # requests ask for it in threads, and FastAPI cannot make two at once
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            schemas = document["components"]["schemas"]
            for model in (Problem, JobChange):
                schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schemas |= schema.pop("$defs", {}) | schemas | {model.__name__: schema}
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    problems = _make_problem_responses(path, method)
                    known = operation["responses"] if path in _OPEN else problems
                    operation["responses"] |= {status: problems[status] for status in known if status in problems}
            _close_requests(document)
            for operations in document["paths"].values():
                if (operation := operations.get("patch")) is not None:
                    content = operation["requestBody"]["content"]
                    content["application/merge-patch+json"] = content["application/json"]
            app.openapi_schema = document
    return app.openapi_schema


def _close_requests(document: dict[str, Any]) -> None:
    """Say that bodies of requests take no other members; what answers have, too, gets a schema of its own for that."""
    schemas, operations = document["components"]["schemas"], [o for p in document["paths"].values() for o in p.values()]
    bodies = [operation["requestBody"] for operation in operations if "requestBody" in operation]
    asked, answered = (_find_schemas(part, schemas) for part in (bodies, [o["responses"] for o in operations]))
    asked = {name for name in asked if "enum" not in schemas[name]}
    names = {_REF + name: f"{_REF}{name}Input" for name in asked & answered}
    for name in sorted(asked):
        closed = _rename(deepcopy(schemas[name]), names)
        if "properties" in closed:
            closed["additionalProperties"] = False
        schemas[names.get(_REF + name, name).removeprefix(_REF)] = closed
    for body in bodies:
        _rename(body, names)


def _find_schemas(part: Any, schemas: Mapping[str, Any]) -> set[str]:
    """Return the names of all schemas that a part of the document refers to."""
    found, new = set[str](), {ref.removeprefix(_REF) for ref in _list_references(part)}
    while new:
        found |= new
        new = {ref.removeprefix(_REF) for name in new for ref in _list_references(schemas[name])} - found
    return found


def _list_references(part: Any) -> Iterator[str]:
    if isinstance(part, dict) and isinstance(part.get("$ref"), str):
        yield part["$ref"]
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _list_references(each)


def _rename(part: Any, names: Mapping[str, str]) -> Any:
    """Refer to schemas by other names, in place; return the part."""
    if isinstance(part, dict) and part.get("$ref") in names:
        part["$ref"] = names[part["$ref"]]
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _rename(each, names)
    return part


def _make_problem_responses(path: str, method: str) -> dict[str, Any]:
    causes = dict(_EVERYWHERE)
    if "{" in path:
        causes["404"] = "There is none of that id"
    causes |= {"422": _WITH_BODY["422"]} if method == "get" else _WITH_BODY
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": cause, "content": content} for status, cause in sorted(causes.items())}
