"""Read the caller's token, from the Authorization header or the session cookie, in which it is sealed."""

import asyncio
import math
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from secrets import token_urlsafe
from typing import Annotated, Final
from urllib.parse import urlsplit

import grpc
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from fastapi import Depends, Request, Response
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ValidationError

from console.errors import CREDENTIAL_NEEDED, ProblemError
from contracts.traceparent import TRACEPARENT
from servicekit.traceparents import take_traceparent
from signoff import AsyncClient, SignoffError
from signoff.errors import ErrorCode
from signoff.identity import Caller

#: Seconds that jobstores let a session last at most.
SESSION_MAX_S: Final = 2_592_000.0


class Session(BaseModel):
    """The sealed contents of a session's cookie. `ends_at` is in seconds since 1970."""

    id: str
    ends_at: float
    token: str


class Sessions:
    """Seals, opens and ends sessions. Nothing is stored but the ids of sessions that this process has ended early."""

    def __init__(self, keys: Sequence[bytes], lasts_s: float) -> None:
        """Take `keys` of 32 bytes: the first seals cookies, and all open them. A session lasts for `lasts_s`."""
        self._cipher = MultiFernet([Fernet(urlsafe_b64encode(key)) for key in keys])
        self.lasts_s = lasts_s
        self._ended: dict[str, float] = {}

    def begin(self, token: str) -> str:
        """Begin a session for a token, and return the session's cookie, in which the token is sealed."""
        session = Session(id=token_urlsafe(), ends_at=time.time() + self.lasts_s, token=token)
        return self._cipher.encrypt(session.model_dump_json().encode()).decode()

    def open(self, cookie: str) -> Session | None:
        """Return the session in a cookie; None if the session has ended, or none of the keys has sealed the cookie."""
        try:
            session = Session.model_validate_json(self._cipher.decrypt(cookie.encode()))
        except (InvalidToken, ValidationError):
            return None
        return None if session.ends_at <= time.time() or session.id in self._ended else session

    @property
    def token_lasts_s(self) -> float:
        """How long the token of a session that is begun now is to last, as far as jobstores allow."""
        return min(self.lasts_s, SESSION_MAX_S)

    def end(self, session: Session) -> None:
        """End a session early in this process; one of 0.2.0, whose token is no session's, ends nowhere else."""
        now = time.time()
        self._ended = {id_: ends_at for id_, ends_at in self._ended.items() if ends_at > now}
        self._ended[session.id] = session.ends_at


SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: Seconds after which the jobstore is asked again about a token that it accepted. Until it answers, bodies of requests
#: with the token are still read, but no longer than for the second number of seconds.
KNOWN_FOR_S, TRUSTED_FOR_S = 5.0, 60.0
_REFUSALS = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,4096}=*")  # RFC 6750

#: Only for the description of the API: `token_of` reads the header itself, before the body is read.
_bearer = HTTPBearer(auto_error=False, description="A token of the jobstore; a session cookie of /login does as well.")


def session_cookie_name(request: Request) -> str:
    """Return the session cookie's name."""
    return name_cookie(request, "signoff_session")


def name_cookie(request: Request, name: str) -> str:
    """Return a cookie's name with the port in the header Host: browsers share cookies between ports."""
    _, _, port = request.headers.get("host", "").rpartition(":")
    return f"{name}_{port}" if port.isdecimal() else name


def is_https(request: Request) -> bool:
    """Return whether the browser uses TLS, by the URL or by headers; a client that forges these harms only itself."""
    origin = urlsplit(request.headers.get("origin", "")).scheme
    return "https" in {request.url.scheme, request.headers.get("x-forwarded-proto"), origin}


def keep_session(request: Request, response: Response, token: str) -> None:
    """Begin a session for a token, and set its cookie."""
    sessions: Sessions = request.app.state.sessions
    response.set_cookie(
        session_cookie_name(request),
        sessions.begin(token),
        max_age=int(sessions.lasts_s),
        httponly=True,
        samesite="strict",
        secure=is_https(request),
    )


def find_session(request: Request) -> Session | None:
    """Return the session in a request's cookie; None if the cookie is missing or invalid, or the session has ended."""
    sessions: Sessions = request.app.state.sessions
    return sessions.open(request.cookies.get(session_cookie_name(request), ""))


def token_of(request: Request) -> str:
    """Return the caller's token. Raise ProblemError if there is none, or another site may have sent the request."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    token = credentials.strip() if scheme.lower() == "bearer" else ""
    if not token and (session := find_session(request)) is not None:
        token = session.token
        if request.method not in SAFE_METHODS and not _is_same_origin(request):
            detail = "With a session cookie, requests must come from the same origin."
            raise ProblemError(ErrorCode.CROSS_ORIGIN, detail)
    if not _TOKEN.fullmatch(token):
        raise ProblemError(ErrorCode.UNAUTHENTICATED, CREDENTIAL_NEEDED)
    return token


def _is_same_origin(request: Request) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc == request.headers.get("host")


class KnownTokens:
    """Remembers for a minute which tokens the jobstore accepted; bodies are read only of requests with such tokens."""

    def __init__(self, jobstore: AsyncClient) -> None:
        self._jobstore = jobstore
        self._accepted_at: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[Caller]] = {}

    async def check(self, token: str) -> None:
        """Ask the jobstore about a token, unless it accepted the token lately. Raise SignoffError if it refuses it.

        For TRUSTED_FOR_S after it accepted the token, nobody waits for its answer. Concurrent requests share a call.
        """
        age_s = time.monotonic() - self._accepted_at.get(token, -math.inf)
        if age_s <= KNOWN_FOR_S:
            return
        asking = self._begin_asking(token)
        if age_s > TRUSTED_FOR_S:
            try:
                await asyncio.shield(asking)
            except SignoffError as error:
                if error.code != ErrorCode.TOO_MANY_CALLS:
                    raise

    async def find_caller(self, token: str) -> Caller:
        """Return who has a token, as the jobstore says now. Raise SignoffError if it refuses the token."""
        return await asyncio.shield(self._begin_asking(token))

    def _begin_asking(self, token: str) -> asyncio.Task[Caller]:
        if token not in self._asking:
            self._asking[token] = asyncio.create_task(self._ask(token))
            self._asking[token].add_done_callback(lambda asked: asked.cancelled() or asked.exception())
        return self._asking[token]

    async def _ask(self, token: str) -> Caller:
        try:
            caller = await self._jobstore.with_token(token).get_caller()
        except SignoffError as error:
            if error.grpc_status in _REFUSALS:
                self._accepted_at.pop(token, None)
            if error.code == ErrorCode.TOO_MANY_CALLS:
                self._accept(token)
            raise
        finally:
            del self._asking[token]
        self._accept(token)
        return caller

    def _accept(self, token: str) -> None:
        now = time.monotonic()
        self._accepted_at = {known: at for known, at in self._accepted_at.items() if now - at <= TRUSTED_FOR_S}
        self._accepted_at[token] = now


async def _jobstore(request: Request, response: Response, _: Annotated[object, Depends(_bearer)]) -> AsyncClient:
    client: AsyncClient = request.app.state.jobstore

    def mark_replay() -> None:
        """Set the status to 200 and mark the response as a repetition: an earlier request has created the resource."""
        response.status_code = 200
        response.headers["Idempotency-Replayed"] = "true"

    trace = take_traceparent(request.headers.get(TRACEPARENT), "rest")
    return client.with_token(token_of(request), mark_replay, traceparent=trace)


#: A client of the jobstore that calls with the caller's token.
CallersJobStore = Annotated[AsyncClient, Depends(_jobstore)]
