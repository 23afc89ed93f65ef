"""Answer every error with a problem of RFC 9457 and a stable code."""

import http
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi import HTTPException as FastAPIHTTPException
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from contracts.fields import code_of, message_of
from servicekit.errors import DATABASE_OUTAGES
from signoff import SignoffError
from signoff.errors import ErrorCode, find_code, find_http_status, is_retryable

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = "1"
#: By the name of a field of gRPC's requests: the header that it is here.
_HEADERS_OF_FIELDS: Final = {"idempotency_key": "Idempotency-Key", "newest": "If-Match", "version": "If-Match"}
#: Fields of gRPC's requests that hold the resource, which is the body here.
_RESOURCES: Final = frozenset({"job", "agent", "limit", "operation", "retention"})
#: The one answer to every credential that opens nothing: the jobstore's log says which of the reasons holds.
CREDENTIAL_NEEDED: Final = "A known token is needed: `Authorization: Bearer <token>`, or a session of /login."
#: Fields that a detail names; `errors` has all.
FIELDS_MAX = 3
#: Characters of a path in a log line.
PATH_MAX = 200

HEADERS = {
    401: {"WWW-Authenticate": "Bearer"},
    408: {"Connection": "close"},
    429: {"Retry-After": RETRY_AFTER_S},
    503: {"Retry-After": RETRY_AFTER_S},
    507: {"Retry-After": RETRY_AFTER_S},
}


class FieldProblem(BaseModel):
    """What is wrong with one part of a request: of the body (a JSON pointer), or of the address and headers."""

    pointer: str | None = Field(None, examples=["#/policy/max_calls"])
    parameter: str | None = None
    message: str


class Problem(BaseModel):
    """An error (RFC 9457). `code` is stable; `detail` is for people."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    retryable: bool = Field(description="whether the same request may succeed later, with nothing mended")
    request_id: str | None = None
    job_id: str | None = None
    errors: list[FieldProblem] | None = None


class ProblemError(FastAPIHTTPException):
    """An error that code at or below an endpoint raises, and that is answered with a problem of RFC 9457."""

    def __init__(self, code: ErrorCode, detail: str, *, reason: str | None = None) -> None:
        """`reason`: what the log says in place of `detail`."""
        super().__init__(find_status(code), detail)
        self.code = code
        self.reason = reason


def find_status(code: ErrorCode) -> int:
    """Return the HTTP status with which an error code is answered."""
    assert code.answer.http is not None, f"{code} is recorded only"
    return code.answer.http


def document_problem(description: str) -> dict[str, Any]:
    """Return the description, in the OpenAPI document, of an answer that is a problem."""
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


def install(app: FastAPI) -> None:
    """Make the application answer every error with a problem of RFC 9457."""
    app.add_exception_handler(SignoffError, _on_jobstore_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_bug)


async def _on_jobstore_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SignoffError)
    status = find_http_status(error.code, error.grpc_status.name)
    if status == http.HTTPStatus.SERVICE_UNAVAILABLE:  # gRPC's message names internal addresses: only the log has it
        outage = DATABASE_OUTAGES.get(error.code)
        detail = f"{outage}; try again." if outage else "The jobstore cannot be reached now; try again."
        if error.code == ErrorCode.SIGN_IN_UNAVAILABLE:
            detail = ErrorCode.SIGN_IN_UNAVAILABLE.sentence
        return make_problem(request, status, error.code, detail, reason=error.message, retryable=error.retryable)
    if error.code == ErrorCode.UNAUTHENTICATED and not _is_sign_in(request):
        return make_problem(request, status, error.code, CREDENTIAL_NEEDED, reason=error.message)
    if error.fields:  # whose names in gRPC's request the message has, and the caller does not know
        errors = [_translate_field(request, *field) for field in error.fields]
        return make_problem(request, status, error.code, _join(errors), errors, reason=error.message)
    return make_problem(request, status, error.code, error.message, retryable=error.retryable)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = error.errors()
    body = getattr(request.scope.get("route"), "body_field", None)
    kind = None if body is None else body.field_info.annotation
    errors = [_make_field_problem(problem, kind) for problem in problems]
    return make_problem(request, 422, code_of(problems[0]) or ErrorCode.INVALID_REQUEST, _join(errors), errors)


def _join(errors: Sequence[FieldProblem]) -> str:
    """Return the messages of the first FIELDS_MAX problems in one line, and how many more there are."""
    detail = "; ".join(map(_describe, errors[:FIELDS_MAX]))
    if len(errors) > FIELDS_MAX:
        detail += f"; and {len(errors) - FIELDS_MAX} more in `errors`"
    return detail


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = error.code if isinstance(error, ProblemError) else http.HTTPStatus(error.status_code).name.lower()
    detail, headers = error.detail, dict(error.headers or {})
    if error.status_code == http.HTTPStatus.METHOD_NOT_ALLOWED:  # the framework names one route's methods only
        code, headers["Allow"] = ErrorCode.METHOD_NOT_ALLOWED, ", ".join(_list_methods(request))
        detail = f"This address does not take {request.method}: use {headers['Allow']}."
    elif error.status_code == http.HTTPStatus.NOT_FOUND and detail == http.HTTPStatus.NOT_FOUND.phrase:
        detail = "There is nothing at this address; /docs lists what there is."
    reason = error.reason if isinstance(error, ProblemError) else None
    response = make_problem(request, error.status_code, code, detail, reason=reason)
    response.headers.update(headers)
    return response


def _list_methods(request: Request) -> list[str]:
    """Return the methods that a request's path takes; only those of the route of this very path, if there is one."""
    routes, methods = request.app.router.routes, ("GET", "POST", "PUT", "PATCH", "DELETE")
    scopes = [{**request.scope, "method": method} for method in methods]
    allowed = [s["method"] for s in scopes if any(route.matches(s)[0] is Match.FULL for route in routes)]
    own = request.app.openapi()["paths"].get(request.url.path)
    known = allowed if own is None else [method for method in allowed if method.lower() in own]
    return [known[0], "HEAD", *known[1:]] if "GET" in known else known  # as console.clients answers it


async def _on_bug(request: Request, _: Exception) -> Response:
    return make_problem(
        request, 500, ErrorCode.INTERNAL, "The console failed; its log says more under this request id."
    )


def make_problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    errors: Sequence[FieldProblem] | None = None,
    *,
    reason: str | None = None,
    retryable: bool | None = None,
) -> Response:
    """Return the response to a failed request: a problem, or the page if a browser asked for it and gets a 401 or 404.

    A browser that a provider of identities sent back gets the page whatever went wrong, and the page says it. Log the
    failure with `reason`, which may say more than the response; by default with `detail`.
    """
    _log_failure(request, status, code, reason or detail)
    is_sign_in = _is_sign_in(request)
    if (status in {401, 404} or is_sign_in) and _is_for_people(request):
        page: Response = request.app.state.page.show_index(detail if is_sign_in else "")
        page.status_code = status
        return page
    body = build_problem(
        code,
        detail,
        status=status,
        retryable=is_retryable(code) if retryable is None else retryable,
        request_id=getattr(request.state, "request_id", None),
        job_id=request.path_params.get("job_id"),
        errors=None if errors is None else list(errors),
    )
    return Response(body.model_dump_json(exclude_none=True), status, HEADERS.get(status), MEDIA_TYPE)


def build_problem(code: str, detail: str, *, status: int | None = None, **fields: Any) -> Problem:
    """Return a problem with an error code, by default with the HTTP status of the code."""
    known = find_code(code)
    if status is None:
        assert known is not None
        status = find_status(known)
    title = http.HTTPStatus(status).phrase
    fields = {"retryable": is_retryable(code), **fields}
    return Problem(title=title, status=status, detail=detail, code=code, **fields)


def _log_failure(request: Request, status: int, code: str, reason: str) -> None:
    """Log a request that failed, without its body and its query, which may hold secrets."""
    fields = {
        "method": request.method,
        "path": request.url.path[:PATH_MAX],
        "status": status,
        "code": code,
        "reason": reason,
        "job_id": request.path_params.get("job_id"),
        "request_id": getattr(request.state, "request_id", None),
    }
    level = logging.WARNING if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO
    log.log(level, "a request failed", extra={name: value for name, value in fields.items() if value is not None})


def _is_sign_in(request: Request) -> bool:
    """Return whether a browser is on its way to or from a provider of identities."""
    return request.url.path.startswith("/login/")


def _is_for_people(request: Request) -> bool:
    is_page = not request.url.path.startswith(("/api/", "/assets/"))
    return is_page and request.method == "GET" and "text/html" in request.headers.get("accept", "")


def _describe(field: FieldProblem) -> str:
    where = "the body" if field.pointer == "#" else field.pointer or field.parameter
    return f"{where}: {field.message}"


def _translate_field(request: Request, field: str, message: str) -> FieldProblem:
    """Return the problem of a field of a gRPC request, by the name that the field has in the REST request."""
    first, *rest = field.split(".")
    if request.method in {"GET", "HEAD"} or first in request.path_params or first in request.query_params:
        return FieldProblem(parameter=".".join(rest) or first, message=message)
    if first in _HEADERS_OF_FIELDS:
        return FieldProblem(parameter=_HEADERS_OF_FIELDS[first], message=message)
    steps = rest if first in _RESOURCES and rest else [first, *rest]  # a body is the resource itself
    return FieldProblem(pointer="#" + "".join(f"/{step}" for step in steps), message=message)


def _make_field_problem(problem: Mapping[str, Any], kind: Any) -> FieldProblem:
    where, *path = problem["loc"]
    if where != "body":
        return FieldProblem(parameter=str(path[0] if path else where), message=message_of(problem))
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
    pointer = "#" + "".join(f"/{step}" for step in steps)
    return FieldProblem(pointer=pointer, message=message_of(problem, kind, path))
