"""Ask a provider of identities (OpenID Connect) over HTTP: its keys, and an ID token for a code or a device.

A provider that is away, slow or answers nonsense is a ProviderError within TIMEOUT_S.
"""

import asyncio
import hashlib
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any, Final, Generic, TypeVar
from urllib.parse import quote_plus, urlencode, urlsplit

import aiohttp
from pydantic import AfterValidator, BaseModel, Field, ValidationError

from servicekit.addresses import is_loopback
from servicekit.errors import PermanentError, TransientError
from signoff.errors import ErrorCode

#: Seconds for all that a step of a sign-in asks of the provider, and bytes of an answer.
TIMEOUT_S: Final = 4.0
ANSWER_MAX_BYTES: Final = 1 << 20
#: Seconds for which an answer is kept, and from one reading of it to the next.
KEPT_S: Final = 300.0
PAUSE_S: Final = 1.0
#: Seconds for which a person may take to agree to a device, and which a provider that is asked too often wants more.
DEVICE_MAX_S: Final = 1_800.0
SLOWER_S: Final = 5.0
#: Seconds after which a provider that failed may be asked again by a client: later than a call of a client lasts.
RETRY_AFTER_S: Final = 15.0
_DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_SCOPE: Final = "openid profile email"
#: Statuses of an answer with an `error` to a request of the client.
_REFUSALS: Final = range(400, 500)
M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


class ProviderError(TransientError):
    """The provider of identities is away, slow, or answers nonsense. The person is told, and no client asks at once."""

    code = ErrorCode.SIGN_IN_UNAVAILABLE

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_after_s=RETRY_AFTER_S)


class SignInRefusedError(PermanentError):
    """The provider gives no ID token: the code is not good, or the person has not agreed."""

    code = ErrorCode.UNAUTHENTICATED


def digest(text: str) -> str:
    """Return the SHA-256 of a text as base64url: the challenge of a PKCE verifier, and the nonce of a secret."""
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def check_address(url: str) -> str:
    """Return the URL unchanged. ValueError: it is neither https, nor an address of this machine."""
    parts = urlsplit(url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not parts.hostname or not is_safe:
        raise ValueError("must begin with https://, or with http:// for this machine (127.0.0.1, [::1], localhost)")
    return url


Address = Annotated[str, AfterValidator(check_address)]
#: A text that is shown on a terminal: without escape sequences.
Shown = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,2048}$")]


class Endpoints(BaseModel):
    """The description of a provider, as OpenID Connect Discovery names its fields."""

    issuer: str
    authorization_endpoint: Address
    token_endpoint: Address
    jwks_uri: Address
    device_authorization_endpoint: Address | None = None


class Device(BaseModel):
    """A sign-in of a device, as RFC 8628 names its fields: a person opens the address, and enters `user_code`."""

    device_code: str
    user_code: Shown
    verification_uri: Annotated[Shown, AfterValidator(check_address)]
    verification_uri_complete: Annotated[Shown, AfterValidator(check_address)] | None = None
    expires_in: float = Field(gt=0)
    interval: float = Field(5.0, ge=0, le=60)


class _Keys(BaseModel):
    keys: list[dict[str, Any]]


class _Tokens(BaseModel):
    id_token: str


class Kept(Generic[T]):
    """Keeps what it reads for KEPT_S, and reads it once in PAUSE_S at most; callers that wait share a reading."""

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._lock = asyncio.Lock()
        self._began_at = self._read_at = float("-inf")
        self._has_ended = True
        self._value: T | None = None
        self._failure: ProviderError | None = None

    async def get(self, is_enough: Callable[[T], bool] = lambda _: True) -> T:
        """Return the value, read anew if it is old or not enough for the caller. ProviderError: it cannot be read."""
        arrived_at = time.monotonic()
        if self._value is not None and arrived_at - self._read_at < KEPT_S and is_enough(self._value):
            return self._value
        async with self._lock:
            if self._began_at < arrived_at or not self._has_ended:  # or its caller was cancelled
                await asyncio.sleep(self._began_at + PAUSE_S - time.monotonic())
                await self._read_anew()
            if self._failure is not None:
                raise ProviderError(str(self._failure))
            assert self._value is not None
            return self._value

    async def _read_anew(self) -> None:
        self._began_at, self._has_ended = time.monotonic(), False
        try:
            self._value, self._failure = await self._read(), None
            self._read_at = self._began_at
        except ProviderError as error:
            self._failure = error
        self._has_ended = True


class Provider:
    """A provider of identities, asked within bounds of time and size; its answers lead to no other address."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._endpoints = Kept(self._read_endpoints)
        self._keys = Kept(self._read_keys)

    async def read_keys(self, kid: str | None) -> list[dict[str, Any]]:
        """Return the provider's public keys, read anew if none has the id `kid`."""
        return await self._keys.get(lambda keys: any(key.get("kid") == kid for key in keys))

    async def make_address(self, client_id: str, back: str, *, state: str, verifier: str, secret: str) -> str:
        """Return the address at which a person signs in; from there the browser comes `back` with a code."""
        asked = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": back,
            "scope": _SCOPE,
            "state": state,
            "nonce": digest(secret),
            "code_challenge": digest(verifier),
            "code_challenge_method": "S256",
        }
        async with self._bound():
            address = (await self._endpoints.get()).authorization_endpoint
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"

    async def exchange_code(
        self, client_id: str, back: str, *, code: str, verifier: str, client_secret: str | None
    ) -> str:
        """Return the ID token for a code that a browser came back with. SignInRefusedError: the code is not good."""
        asked = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        async with self._bound():
            answer = await self._ask((await self._endpoints.get()).token_endpoint, asked, client_id, client_secret)
        return self._accept(_Tokens, answer).id_token

    async def begin_device(self, client_id: str, secret: str) -> Device:
        """Begin the sign-in of a device. SignInRefusedError: the provider signs in no devices, or not this client's."""
        async with self._bound():
            address = (await self._endpoints.get()).device_authorization_endpoint
            if address is None:
                raise SignInRefusedError(f"{self.issuer} signs in no devices: sign in with a token")
            answer = await self._ask(address, {"scope": _SCOPE, "nonce": digest(secret)}, client_id)
        return self._accept(Device, answer)

    async def wait_for_device(self, client_id: str, device: Device) -> str:
        """Return the ID token once the person has agreed. SignInRefusedError: the person has not, or too late."""
        asked = {"grant_type": _DEVICE_GRANT, "device_code": device.device_code}
        interval_s, ends_at = max(device.interval, PAUSE_S), time.monotonic() + min(device.expires_in, DEVICE_MAX_S)
        while time.monotonic() < ends_at:
            await asyncio.sleep(interval_s)
            async with self._bound():
                answer = await self._ask((await self._endpoints.get()).token_endpoint, asked, client_id)
            if answer.get("error") == "slow_down":
                interval_s += SLOWER_S
            elif answer.get("error") != "authorization_pending":
                return self._accept(_Tokens, answer).id_token
        raise SignInRefusedError("nobody agreed in time: sign in again")

    async def _read_endpoints(self) -> Endpoints:
        async with self._bound():
            answer = await self._fetch("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        endpoints = self._parse(Endpoints, answer)
        if endpoints.issuer != self.issuer:
            message = f"{self.issuer} calls itself {_cut(endpoints.issuer)}: set SIGNOFF_OIDC_ISSUER to that"
            raise ProviderError(message)
        return endpoints

    async def _read_keys(self) -> list[dict[str, Any]]:
        async with self._bound():
            return self._parse(_Keys, await self._fetch("GET", (await self._endpoints.get()).jwks_uri)).keys

    def _accept(self, kind: type[M], answer: Mapping[str, Any]) -> M:
        """Return what the provider gives. SignInRefusedError: it gives nothing, and says why."""
        if "error" in answer:
            raise SignInRefusedError(f"{self.issuer} refuses: {_cut(answer['error'])}")
        return self._parse(kind, answer)

    def _parse(self, kind: type[M], answer: Mapping[str, Any]) -> M:
        try:
            return kind.model_validate(answer)
        except ValidationError as error:
            wrong = ", ".join(str(each["loc"][0]) for each in error.errors())
            raise ProviderError(f"{self.issuer} answers without a usable {wrong}") from None

    @asynccontextmanager
    async def _bound(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                yield
        except TimeoutError:
            raise ProviderError(f"{self.issuer} did not answer within {TIMEOUT_S:g} s") from None

    async def _ask(
        self, url: str, asked: Mapping[str, str], client_id: str, client_secret: str | None = None
    ) -> Mapping[str, Any]:
        """Ask in the name of the client, which proves itself if it has a secret."""
        if client_secret is None:
            return await self._fetch("POST", url, {**asked, "client_id": client_id})
        # RFC 6749 encodes both as a form does, before base64.
        basic = aiohttp.encode_basic_auth(quote_plus(client_id), quote_plus(client_secret))
        return await self._fetch("POST", url, asked, {"Authorization": basic})

    async def _fetch(
        self, method: str, url: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """Return the JSON object of an answer, which may tell an error. ProviderError: there is none."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, url, data=form, headers=headers, allow_redirects=False) as response,
            ):
                body = b""
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > ANSWER_MAX_BYTES:
                        raise ProviderError(f"{self.issuer} answers more than {ANSWER_MAX_BYTES} bytes at {url}")
        except aiohttp.ClientError as error:
            raise ProviderError(f"{self.issuer} cannot be asked at {url}: {error}") from None
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        is_refusal = form is not None and response.status in _REFUSALS
        if isinstance(answer, dict) and (response.status == HTTPStatus.OK or (is_refusal and "error" in answer)):
            return answer
        raise ProviderError(f"{self.issuer} answers {response.status} at {url}: {_cut(body[:200])}")


def _cut(value: object) -> str:
    """Return what a provider said, for a log line."""
    return repr(value)[:200]
