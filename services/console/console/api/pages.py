"""Endpoints beside the API: health, the session, and the page, as `web/` was built into `static/`."""

import mimetypes
import secrets
from collections.abc import Mapping
from contextlib import suppress
from html import escape
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse

from console.api.auth import CallersJobStore, Sessions, find_session, keep_session, session_cookie_name, token_of
from console.api.schemas import Health
from console.errors import ProblemError
from servicekit.errors import DATABASE_OUTAGES
from servicekit.process.runtime import VERSION
from signoff import InvalidError, SignoffError, UnauthenticatedError
from signoff.errors import ErrorCode

router = APIRouter()

#: Paths that are answered with the page, whose router shows what belongs there.
PAGES = (
    "/", "/jobs", "/jobs/{_}", "/new", "/batches", "/batches/{_}", "/agents", "/agents/{_}", "/agents/{_}/try",
    "/quality", "/quality/judges", "/quality/judges/{_}", "/quality/criteria-sets/{_}", "/quality/evaluations",
    "/quality/try", "/system", "/system/workers", "/system/limits", "/system/kept", "/system/dead-letters",
    "/sessions", "/tokens", "/tenants", "/audit", "/login",
)  # fmt: skip
#: Paths of pages until release 0.2.0, and where what they showed is now.
MOVED = {
    "/overview": "/system", "/limits": "/system/limits", "/dead-letters": "/system/dead-letters",
    "/judges": "/quality/judges", "/judges/{name}": "/quality/judges/{name}",
    "/criteria-sets/{name}": "/quality/criteria-sets/{name}", "/playground": "/quality/try",
    "/evaluations": "/quality/evaluations",
}  # fmt: skip
#: The scheme of an Authorization header that has the code of a login link, and the error of one that opens nothing.
LOGIN_CODE, UNKNOWN_LOGIN_CODE = "login-code", ErrorCode.UNKNOWN_LOGIN_CODE


@router.get("/api/health", tags=["health"], response_model_exclude_none=True, responses={503: {"model": Health}})
async def get_health(request: Request, response: Response) -> Health:
    """Whether the console can do its work; needs no token."""
    code = await request.app.state.jobstore.find_outage()
    outage = DATABASE_OUTAGES.get(code)
    response.status_code = 200 if code is None else 503
    return Health(
        status="ok" if code is None else "unavailable",
        jobstore=code is None or outage is not None,
        live=request.app.state.live.cursor is not None,
        version=VERSION,
        database=outage and str(outage),
        remedy=outage and outage.remedy,
    )


@router.post("/login", include_in_schema=False)
async def sign_in(request: Request) -> Response:
    """Begin a session of whoever has the token, or made the login link, in the Authorization header.

    The cookie has the session's token, which ends when the session does. A token of a service begins none.
    Forms and scripts of other sites cannot send this header.
    """
    sessions: Sessions = request.app.state.sessions
    scheme, _, code = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != LOGIN_CODE:
        owner = request.app.state.jobstore.with_token(token_of(request))
        begun = await owner.create_session("console", lasts_s=sessions.token_lasts_s)
        return _answer_with_session(request, begun.secret)
    try:
        token = await request.app.state.jobstore.spend_login_code(code.strip(), lasts_s=sessions.token_lasts_s)
    except SignoffError as error:
        if error.code != UNKNOWN_LOGIN_CODE:
            raise
        raise ProblemError(UNKNOWN_LOGIN_CODE, "The link was used already, or is too old.") from None
    return _answer_with_session(request, token)


@router.post("/logout", include_in_schema=False)
async def sign_out(request: Request) -> Response:
    """End the session."""
    token_of(request)  # raises for requests of other sites, which must not end a session
    if (session := find_session(request)) is not None:
        with suppress(UnauthenticatedError, InvalidError):  # it has ended; or its token is no session's, as of 0.2.0
            await request.app.state.jobstore.with_token(session.token).end_session()
        request.app.state.sessions.end(session)
    response = Response(status_code=204)
    response.delete_cookie(session_cookie_name(request), httponly=True, samesite="strict")
    return response


def _answer_with_session(request: Request, token: str) -> Response:
    response = Response(status_code=204)
    keep_session(request, response, token)
    return response


async def show_page(request: Request) -> Response:
    """Return the page of the console as HTML. The list of jobs was at `/`, with its filters: those lead on to it."""
    if request.url.path == "/" and request.url.query:
        return _lead_on(request, "/jobs")
    page: Response = request.app.state.page.show_index()
    return page


async def lead_on(request: Request) -> Response:
    """Lead on from where a page was until release 0.2.0, with what it was asked for."""
    return _lead_on(request, MOVED[request.scope["route"].path].format(**request.path_params))


def _lead_on(request: Request, path: str) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    # Not for ever: a browser would remember it after the release was rolled back.
    return RedirectResponse(quote(path, safe="/:") + query, status_code=307)


for path in PAGES:
    router.add_api_route(path, show_page, include_in_schema=False)
for path in MOVED:
    router.add_api_route(path, lead_on, include_in_schema=False)


@router.get("/jobs/{job_id}/trace", include_in_schema=False)
async def show_trace(request: Request, jobstore: CallersJobStore, job_id: str) -> Response:
    """Lead on to where the trace of a job's last execution is shown."""
    template: str = request.app.state.page.trace_url
    execution_id = (await jobstore.get_job(job_id)).execution_id if template else None
    trace_id = None if execution_id is None else (await jobstore.get_execution(execution_id)).trace_id
    if trace_id is None:
        raise ProblemError(ErrorCode.NOT_FOUND, "The job has no trace, or the console has no SIGNOFF_TRACE_URL.")
    address = template.replace("{trace_id}", trace_id).replace("{job_id}", quote(job_id, safe=""))
    return RedirectResponse(address, status_code=307)


@router.get("/docs", include_in_schema=False)
async def show_docs(request: Request) -> Response:
    """Return the page that describes the API."""
    docs: Response = request.app.state.page.show_docs()
    return docs


@router.get("/icon.svg", include_in_schema=False)
@router.get("/assets/{name}", include_in_schema=False)
async def get_file(request: Request) -> Response:
    """Return a file of the page; its name changes with its content, so that browsers keep it for ever."""
    file: Response | None = request.app.state.page.find_file(request, request.url.path[1:])
    if file is None:
        raise ProblemError(ErrorCode.NOT_FOUND, "The page has no such file.")
    return file


DIRECTORY = Path(__file__).parents[1] / "static"
#: The word in the built page that is replaced by each response's own nonce.
NONCE = "NONCE"

# Scripts only from here; styles from here, or by the answer's nonce (a dialog locks the scrolling with one).
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        f"style-src 'self' 'nonce-{NONCE}'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "frame-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types signoff",
    )
)
# Swagger UI makes HTML of the descriptions, which are our own.
_DOCS_POLICY = "; ".join(part for part in _POLICY.split("; ") if "trusted-types" not in part)
_HEADERS = {
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_FOR_EVER = "public, max-age=31536000, immutable"  # the name changes with the content
_FOR_A_DAY = "public, max-age=86400"
_NOT_BUILT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Signoff</title></head>
<body><h1>Signoff</h1>
<p>This console was installed without its page; <code>make setup</code> builds it.
The API is described in <a href="/openapi.json">/openapi.json</a>.</p></body>
</html>
"""


class Page:
    """The built files of the page, which are listed once, so that a request can open no other file."""

    def __init__(self, directory: Path = DIRECTORY, provider_name: str = "", trace_url: str = "") -> None:
        """Take the files of a directory; `provider_name` is that of the provider at which people sign in.

        `trace_url` is where traces are shown, with `{trace_id}` in it; empty: they are not.
        """
        self._provider_name = provider_name
        self.trace_url = trace_url
        self._index, self._docs = (_read(directory / name) for name in ("index.html", "docs.html"))
        self._files: Mapping[str, Path] = {
            str(path.relative_to(directory)): path for path in sorted(directory.rglob("*")) if path.is_file()
        }

    def show_index(self, problem: str = "") -> Response:
        """Return the page as HTML, with a new nonce for the styles that it may use.

        It says where people sign in, and a problem of a sign-in that they came back from; and if traces are shown.
        """
        shown = "shown" if self.trace_url else ""
        said = {"sign-in-provider": self._provider_name, "sign-in-problem": problem, "traces": shown}
        tags = "".join(f'<meta name="{name}" content="{escape(text)}">' for name, text in said.items() if text)
        return _respond(self._index.replace("</head>", f"{tags}</head>", 1), _POLICY)

    def show_docs(self) -> Response:
        """Return the page on which people read and try the description of the API, with a new nonce for its styles."""
        return _respond(self._docs, _DOCS_POLICY)

    def find_file(self, request: Request, name: str) -> Response | None:
        """Return the file `name` of the page, compressed if the browser accepts gzip; None if there is no such file."""
        path = self._files.get(name)
        if path is None or path.suffix in {".html", ".gz"}:
            return None
        headers = {
            "Cache-Control": _FOR_EVER if name.startswith("assets/") else _FOR_A_DAY,
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        media_type = mimetypes.guess_type(name)[0]
        compressed = self._files.get(f"{name}.gz")
        if compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            path = compressed
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}  # GZipMiddleware adds Vary to the others
        return FileResponse(path, headers=headers, media_type=media_type)


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else _NOT_BUILT


def _respond(text: str, policy: str) -> Response:
    nonce = secrets.token_urlsafe(16)
    headers = _HEADERS | {"Content-Security-Policy": policy.replace(NONCE, nonce)}
    return HTMLResponse(text.replace(NONCE, nonce), headers=headers)
