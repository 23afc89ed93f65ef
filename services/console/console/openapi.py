"""Describe the API: FastAPI's document, with the errors as they really are."""

from typing import Any

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
    "409": "Contradicts what stands; `code` says what",
    "413": "The body is too large",
    "415": "The body is not application/json",
    "422": "Not well formed; `errors` says where",
    "429": "Too much at once",
}
_OPEN = {"/api/health", "/api/receipt-keys"}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the application; it is made once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = document["components"]["schemas"]
        for model in (Problem, JobChange):
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= schema.pop("$defs", {}) | schemas | {model.__name__: schema}
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for path, operations in document["paths"].items():
            if path not in _OPEN:
                for method, operation in operations.items():
                    operation["responses"] |= _make_problem_responses(path, method)
        app.openapi_schema = document
    return app.openapi_schema


def _make_problem_responses(path: str, method: str) -> dict[str, Any]:
    causes = dict(_EVERYWHERE)
    if "{" in path:
        causes["404"] = "There is none of that id"
    causes |= {"422": _WITH_BODY["422"]} if method == "get" else _WITH_BODY
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": cause, "content": content} for status, cause in sorted(causes.items())}
