"""Sign people in at a provider of OpenID Connect: send the browser there, and begin a session when it comes back."""

import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ValidationError
from starlette.responses import RedirectResponse

from console.api.auth import is_https, keep_session, name_cookie
from console.errors import ProblemError
from servicekit.oidc import Provider, ProviderError, SignInRefusedError
from signoff import AsyncClient, SignoffError
from signoff.errors import ErrorCode

router = APIRouter()

#: The path at which a sign-in begins, to which alone its cookie is sent.
PATH: Final = "/login/oidc"
#: Seconds that a person may take at the provider, and for the jobstore's answer: with the provider's, less than 10.
SIGN_IN_S: Final = 600
JOBSTORE_S: Final = 5.0
#: Sign-ins that may wait for a provider that is slow, so that they leave requests of others their turn.
WAITING_MAX: Final = 20
#: The one text of every refusal, which jobstores have, too: which of the reasons holds, log and audit say.
REFUSAL: Final = "the sign-in is not accepted: sign in again"
FOUND: Final = 303


class Begun(BaseModel):
    """The sealed contents of the cookie of a sign-in that is under way, in one browser; `to` is the page it is for."""

    state: str
    verifier: str
    secret: str
    to: str


class SignIns:
    """Sign-ins at a provider, called `name` on the page. Nothing is stored: cookies hold what is under way, sealed."""

    def __init__(
        self, provider: Provider, client_id: str, client_secret: str | None, name: str, keys: Sequence[bytes]
    ) -> None:
        """Take `keys` of 32 bytes: the first seals cookies, and all open them."""
        self.name = name or urlsplit(provider.issuer).hostname or ""
        self._provider, self._client_id, self._client_secret = provider, client_id, client_secret
        self._cipher = MultiFernet([Fernet(urlsafe_b64encode(key)) for key in keys])
        self._waiting = 0

    async def begin(self, back: str, to: str) -> tuple[str, str]:
        """Return the provider's address at which a person signs in, and the cookie of the sign-in."""
        begun = Begun(
            state=secrets.token_urlsafe(), verifier=secrets.token_urlsafe(), secret=secrets.token_urlsafe(), to=to
        )
        parts = {"state": begun.state, "verifier": begun.verifier, "secret": begun.secret}
        with self._ask():
            address = await self._provider.make_address(self._client_id, back, **parts)
        return address, self._cipher.encrypt(begun.model_dump_json().encode()).decode()

    def open(self, cookie: str, state: str) -> Begun:
        """Return the sign-in of a cookie. ProblemError: none of ours, too old, or of another state than the answer."""
        try:
            begun = Begun.model_validate_json(self._cipher.decrypt(cookie, ttl=SIGN_IN_S))
        except (InvalidToken, ValidationError):
            raise refuse("the browser has no cookie of a sign-in that is under way") from None
        if not hmac.compare_digest(begun.state.encode(), state.encode()):
            raise refuse("the state is of another sign-in")
        return begun

    async def exchange(self, begun: Begun, back: str, answer: dict[str, str]) -> str:
        """Return the ID token for what the browser came back with. ProblemError: it is not good."""
        if answer.get("iss", self._provider.issuer) != self._provider.issuer:
            raise refuse("the answer is of another issuer")
        if "code" not in answer:
            raise refuse(f"the provider refuses: {answer.get('error', '')[:100]!r}")
        with self._ask():
            return await self._provider.exchange_code(
                self._client_id, back, code=answer["code"], verifier=begun.verifier, client_secret=self._client_secret
            )

    @contextmanager
    def _ask(self) -> Iterator[None]:
        """Raise ProblemError for what a provider refuses or fails at, or if too many wait for it."""
        if self._waiting >= WAITING_MAX:
            raise ProblemError(ErrorCode.TOO_MANY_REQUESTS, "Many people sign in at once; try again a little later.")
        self._waiting += 1
        try:
            yield
        except SignInRefusedError as error:
            raise refuse(str(error)) from None
        except ProviderError as error:
            sentence = ErrorCode.SIGN_IN_UNAVAILABLE.sentence
            raise ProblemError(ErrorCode.SIGN_IN_UNAVAILABLE, sentence, reason=str(error)) from None
        finally:
            self._waiting -= 1


def refuse(reason: str) -> ProblemError:
    """Return the error of a sign-in that is not accepted, with the reason for the log alone."""
    return ProblemError(ErrorCode.UNAUTHENTICATED, REFUSAL, reason=reason)


@router.get(PATH, include_in_schema=False)
async def begin_sign_in(request: Request) -> Response:
    """Send the browser to the provider."""
    address, cookie = await _find(request).begin(_name_back(request), _read_target(request))
    response = RedirectResponse(address, FOUND)
    response.set_cookie(
        _name_cookie(request),
        cookie,
        max_age=SIGN_IN_S,
        path=PATH,
        httponly=True,
        samesite="lax",  # the way back begins at another site
        secure=is_https(request),
    )
    return response


@router.get(f"{PATH}/callback", include_in_schema=False)
async def finish_sign_in(request: Request) -> Response:
    """Begin a session for whom the provider names, in the browser that began the sign-in."""
    sign_ins, answer = _find(request), dict(request.query_params)
    jobstore, sessions = request.app.state.jobstore, request.app.state.sessions
    async with _telling(jobstore, "state"):
        begun = sign_ins.open(request.cookies.get(_name_cookie(request), ""), answer.get("state", ""))
    async with _telling(jobstore, "code"):
        id_token = await sign_ins.exchange(begun, _name_back(request), answer)
    caller = jobstore.with_id_token(id_token, begun.secret)
    session = await caller.create_session("console", lasts_s=sessions.token_lasts_s, timeout_s=JOBSTORE_S)
    response = RedirectResponse(begun.to, FOUND)
    keep_session(request, response, session.secret)
    response.delete_cookie(_name_cookie(request), path=PATH, httponly=True, samesite="lax")
    return response


@asynccontextmanager
async def _telling(jobstore: AsyncClient, reason: str) -> AsyncIterator[None]:
    """Tell the jobstore of a sign-in that the block refuses: with the reason in place of an ID token, for the audit."""
    try:
        yield
    except ProblemError as error:
        if error.code == ErrorCode.UNAUTHENTICATED:
            with suppress(SignoffError):
                await jobstore.with_id_token(reason, "").create_session("console", timeout_s=JOBSTORE_S)
        raise


def _find(request: Request) -> SignIns:
    sign_ins: SignIns | None = request.app.state.sign_ins
    if sign_ins is None:
        raise ProblemError(ErrorCode.NOT_FOUND, "People sign in with tokens here: SIGNOFF_OIDC_ISSUER is not set.")
    return sign_ins


def _name_cookie(request: Request) -> str:
    return name_cookie(request, "signoff_sign_in")


def _name_back(request: Request) -> str:
    """Return the address of the callback, as the browser knows this console: the provider has to know it, too."""
    return f"{'https' if is_https(request) else 'http'}://{request.headers.get('host', '')}{PATH}/callback"


def _read_target(request: Request) -> str:
    """Return the path of the page to which a sign-in leads: never to another site."""
    to = request.query_params.get("to", "/")
    is_own = to.startswith("/") and to[1:2] not in {"/", "\\"} and to.isprintable() and not to.startswith("/login")
    return to if is_own else "/"
