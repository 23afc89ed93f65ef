"""What is not the API itself: health, the session, and the page at the root."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from console.api.caller import is_token, session_cookie
from console.api.shapes import Health
from console.errors import ProblemError

router = APIRouter()

_ROOT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Signoff</title></head>
<body><h1>Signoff</h1>
<p>The API is described at <a href="/docs">/docs</a> and in <a href="/openapi.json">/openapi.json</a>.</p></body>
</html>
"""


@router.get("/api/health", tags=["health"], responses={503: {"model": Health}})
async def get_health(request: Request, response: Response) -> Health:
    """Whether the console can do its work; needs no token."""
    jobstore = await request.app.state.jobstore.is_serving()
    response.status_code = 200 if jobstore else 503
    live = request.app.state.live.cursor is not None
    return Health(status="ok" if jobstore else "unavailable", jobstore=jobstore, live=live)


@router.get("/login", include_in_schema=False)
async def login(request: Request, token: str = "") -> Response:
    """Keep a token that the jobstore knows in a session cookie, and lead to the page."""
    if not is_token(token):
        raise ProblemError(401, "unauthenticated", "Open /login?token=<token>.")
    await request.app.state.jobstore.with_token(token).list_jobs(limit=1)
    response = RedirectResponse("/", status_code=303)
    is_https = request.url.scheme == "https"
    response.set_cookie(session_cookie(request), token, httponly=True, samesite="strict", secure=is_https)
    response.headers["Referrer-Policy"] = "no-referrer"  # the address holds the token
    return response


@router.get("/", include_in_schema=False)
async def root() -> HTMLResponse:
    """Say where to look."""
    return HTMLResponse(_ROOT)
