"""Who asks: the caller's token, from a header or from the session cookie. The jobstore decides what it may do."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from console.errors import ProblemError
from contracts.client import JobStoreClient

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,4096}=*")  # RFC 6750

#: Only for the description of the API; `token_of` reads the header itself, and before the body.
_bearer = HTTPBearer(auto_error=False, description="A token of the jobstore; a session cookie of /login does as well.")


def session_cookie(request: Request) -> str:
    """The cookie's name. Browsers share cookies between the ports of a host, but two stacks share no tokens."""
    _, _, port = request.headers.get("host", "").rpartition(":")
    return f"signoff_session_{port}" if port.isdecimal() else "signoff_session"


def is_token(text: str) -> bool:
    """Whether this could be a token at all."""
    return _TOKEN.fullmatch(text) is not None


def token_of(request: Request) -> str:
    """The caller's token; a problem where there is none, or where another site may have sent the request."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    token = given.strip() if scheme.lower() == "bearer" else ""
    if not token:
        token = request.cookies.get(session_cookie(request), "")
        if token and request.method not in SAFE_METHODS and not _is_same_origin(request):
            raise ProblemError(403, "cross_origin", "With a session cookie, requests must come from the same origin.")
    if not is_token(token):
        raise ProblemError(401, "unauthenticated", "A token is needed: Authorization: Bearer <token>, or /login?token=")
    return token


def _is_same_origin(request: Request) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc == request.headers.get("host")


async def _jobstore(request: Request, _: Annotated[object, Depends(_bearer)]) -> JobStoreClient:
    client: JobStoreClient = request.app.state.jobstore
    return client.with_token(token_of(request))


#: The jobstore, as the caller may use it.
CallersJobStore = Annotated[JobStoreClient, Depends(_jobstore)]
