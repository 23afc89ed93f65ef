"""Check the ID tokens of a provider of identities, and find whom they sign in.

An ID token is bound to a secret, whose SHA-256 is its nonce: who reads one in a log makes nothing of it. Many providers
leave the nonce of a device out: such a token is taken for a minute, and of the client for devices alone (ADR 79).
"""

import asyncio
import hmac
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import jwt

from jobstore.access.callers import Caller
from jobstore.access.sign_in_rules import SignInRules
from jobstore.access.tokens import Metadata, read_credential
from jobstore.errors import ForbiddenError, UnauthenticatedError
from jobstore.jobs.model import Actor
from servicekit import clock
from servicekit.oidc import Provider, ProviderError, digest

#: With keys of these kinds, and no others, a provider may sign.
ALGORITHMS: Final = ("ES256", "RS256", "EdDSA")
#: Seconds by which clocks may differ, for which a token may be spent, with and without a nonce, and for which keys may
#: be waited for.
LEEWAY_S: Final = 30
AGE_MAX_S: Final = 600
UNBOUND_AGE_MAX_S: Final = 60
PATIENCE_S: Final = 4.5
NAME_MAX: Final = 100
#: The method that takes an ID token in place of a token.
SIGNS_IN: Final = "/signoff.v1.IdentityService/CreateSession"
#: The one text of every refusal: which of the reasons holds, the log and the audit say.
REFUSAL: Final = "the sign-in is not accepted: sign in again"
#: In place of a token: why a console refuses a sign-in by itself, so that the audit has it.
_OF_CONSOLES: Final = ("state", "code")
_REQUIRED: Final = ("exp", "iat", "iss", "aud", "sub")
_SUBJECT: Final = re.compile(r"[\x20-\x7e]{1,255}")
_REASONS: Final = {
    jwt.InvalidIssuerError: "issuer",
    jwt.InvalidAudienceError: "audience",
    jwt.InvalidAlgorithmError: "algorithm",
    jwt.InvalidSignatureError: "signature",
    jwt.InvalidKeyError: "key",
    jwt.PyJWKError: "key",
    jwt.ExpiredSignatureError: "time",
    jwt.ImmatureSignatureError: "time",
}
#: The claims by which a person is called.
_NAMES: Final = ("preferred_username", "email", "name", "sub")


def read_id_token(method: str, metadata: Metadata | None) -> tuple[str, str] | None:
    """Return the ID token and the secret of a call's `authorization: ID-Token <jwt> <secret>`, or None without them.

    No other method than that which begins sessions takes them.
    """
    presented = read_credential(metadata, "id-token") if method == SIGNS_IN else None
    if presented is None:
        return None
    token, _, secret = presented.partition(" ")
    return token, secret


class IdTokens:
    """Check ID tokens that a provider makes for the two clients of an installation: the console's and for devices."""

    def __init__(self, provider: Provider, rules: SignInRules, client_id: str, device_client_id: str = "") -> None:
        self.issuer = provider.issuer
        self.device_client_id = device_client_id or client_id
        self._provider = provider
        self._rules = rules
        self._client_ids = (client_id, self.device_client_id)
        self._may_be_unbound = bool(device_client_id)

    async def find(self, token: str, secret: str) -> Caller:
        """Return whom an ID token signs in; `spends` of the caller has to be spent, once, for a session.

        UnauthenticatedError: the token is not good. ForbiddenError: no rule gives its subject anything.
        ProviderError: the provider's keys cannot be read.
        """
        claims, spends = await self._check(token, secret)
        name = _find_name(claims)
        grant = self._rules.find_grant(claims)
        if grant is None:
            message = f"no rule of SIGNOFF_OIDC_RULES gives {name} a role: ask an administrator for one"
            raise ForbiddenError(message, reason=f"rule: user:{claims['sub']}")
        return Caller(name, Actor(f"user:{claims['sub']}"), grant.role, grant.tenants, spends=spends)

    async def _check(self, token: str, secret: str) -> tuple[Mapping[str, object], bytes]:
        """Return the claims of a token, and what it spends. UnauthenticatedError: the token is not good."""
        if token in _OF_CONSOLES:
            raise UnauthenticatedError(REFUSAL, reason=token)
        try:
            header = jwt.get_unverified_header(token)
            key = await self._find_key(header.get("kid"))
            if header.get("alg") != key.algorithm_name:
                raise jwt.InvalidAlgorithmError
            claims: Mapping[str, object] = jwt.decode(
                *(token, key, ALGORITHMS),
                audience=self._client_ids,
                issuer=self.issuer,
                leeway=LEEWAY_S,
                options={"require": [*_REQUIRED], "enforce_minimum_key_length": True},
            )
            return claims, self._check_claims(claims, token, secret)
        except jwt.PyJWTError as error:
            raise UnauthenticatedError(REFUSAL, reason=_explain(error)) from None

    async def _find_key(self, kid: object) -> jwt.PyJWK:
        """Return the key of an id, of those of the provider. PyJWTError: there is none, or of another kind."""
        if not isinstance(kid, str):
            raise jwt.InvalidKeyError
        try:
            async with asyncio.timeout(PATIENCE_S):
                keys = await self._provider.read_keys(kid)
        except TimeoutError:
            raise ProviderError(f"{self.issuer} did not give its keys within {PATIENCE_S:g} s") from None
        found = next((key for key in keys if key.get("kid") == kid), None)
        if found is None:
            raise jwt.InvalidKeyError
        key = jwt.PyJWK(found)
        if key.algorithm_name not in ALGORITHMS:
            raise jwt.InvalidAlgorithmError
        return key

    def _check_claims(self, claims: Mapping[str, object], token: str, secret: str) -> bytes:
        """Return what a token spends: its nonce, or the hash of what is signed. PyJWTError: it is not good."""
        if not _SUBJECT.fullmatch(str(claims["sub"])):
            raise jwt.MissingRequiredClaimError("sub")
        if "azp" in claims and claims["azp"] not in self._client_ids:
            raise jwt.InvalidAudienceError
        is_bound = "nonce" in claims
        if is_bound and not hmac.compare_digest(str(claims["nonce"]).encode(), digest(secret).encode()):
            raise jwt.MissingRequiredClaimError("nonce")
        if not is_bound and not (
            self._may_be_unbound and claims["aud"] in (self.device_client_id, [self.device_client_id])
        ):
            raise jwt.MissingRequiredClaimError("nonce")
        age_max_s = AGE_MAX_S if is_bound else UNBOUND_AGE_MAX_S
        if clock.now().timestamp() - float(str(claims["iat"])) > age_max_s + LEEWAY_S:
            raise jwt.ExpiredSignatureError
        return sha256((secret if is_bound else token.rpartition(".")[0]).encode()).digest()


def _explain(error: jwt.PyJWTError) -> str:
    """Return the word by which log and audit say what is wrong with a token."""
    if isinstance(error, jwt.MissingRequiredClaimError):
        return error.claim
    return next((word for kind, word in _REASONS.items() if isinstance(error, kind)), "malformed")


def _find_name(claims: Mapping[str, object]) -> str:
    """Return what the provider calls a person, as logs and lists can show it."""
    texts = (value for name in _NAMES if isinstance(value := claims.get(name), str) and value.strip())
    return "".join(each if each.isprintable() else "?" for each in next(texts))[:NAME_MAX]
