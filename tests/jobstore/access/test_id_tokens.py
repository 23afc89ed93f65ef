"""An ID token signs in whom it names, at this installation, with the secret that it is bound to, and nobody else."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
import warnings
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.oidc import CLIENT, Provider

from console.api.sign_in import JOBSTORE_S
from contracts.access import ACCESS
from jobstore.access import id_tokens
from jobstore.access.id_tokens import IdTokens, read_id_token
from jobstore.access.sign_in_rules import SignInRules
from jobstore.errors import ForbiddenError, UnauthenticatedError
from servicekit import clock, oidc
from servicekit.oidc import ProviderError, digest
from signoff.status import Role

RULES = SignInRules.parse('[[rule]]\nclaims = { groups = "press" }\nrole = "operator"\ntenants = ["press"]')
SECRET = "s" * 43
NONCE = digest(SECRET)
NOW = int(time.time())


@pytest.fixture
async def provider():
    async with Provider().serving() as provider:
        yield provider


@pytest.fixture
def tokens(provider):
    return IdTokens(oidc.Provider(provider.issuer), RULES, CLIENT, "signoff-cli")


def keys_of(*keys: object) -> web.Response:
    return web.json_response({"keys": keys})


@pytest.mark.parametrize("kind", ["ES256", "RS256", "EdDSA"])
async def test_a_token_signs_in_its_subject_by_the_rules(provider, tokens, kind):
    provider.rotate(kind=kind)
    caller = await tokens.find(provider.make_token(NONCE), SECRET)
    assert (caller.name, caller.actor, caller.role, caller.tenants) == ("ann", "user:ann-7", Role.OPERATOR, {"press"})
    assert base64.urlsafe_b64encode(caller.spends).decode().rstrip("=") == NONCE
    await tokens.find(provider.make_token(NONCE), SECRET)
    assert provider.asked["/keys"] == 1


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"email": "ann@example.com", "name": "Ann"}, "ann"),
        ({"preferred_username": None, "email": "ann@example.com", "name": "Ann"}, "ann@example.com"),
        ({"preferred_username": " ", "email": 7, "name": "Ann"}, "Ann"),
        ({"preferred_username": None}, "ann-7"),
    ],
)
async def test_a_person_is_called_as_the_provider_does(provider, tokens, claims, name):
    assert (await tokens.find(provider.make_token(NONCE, **claims), SECRET)).name == name


@pytest.mark.parametrize(("claims", "age_max_s"), [({}, 600), ({"nonce": None, "aud": "signoff-cli"}, 60)])
async def test_a_token_is_taken_for_a_while_by_a_clock_that_may_differ(
    provider, tokens, claims, age_max_s, monkeypatch
):
    token, made_at = provider.make_token(NONCE, iat=NOW, **claims), datetime.fromtimestamp(NOW, UTC)
    monkeypatch.setattr(clock, "now", lambda: made_at + timedelta(seconds=age_max_s + 30))
    await tokens.find(token, SECRET)
    monkeypatch.setattr(clock, "now", lambda: made_at + timedelta(seconds=age_max_s + 30.5))
    with pytest.raises(UnauthenticatedError) as refused:
        await tokens.find(token, SECRET)
    assert refused.value.reason == "time"
    late = provider.make_token(NONCE, exp=int(time.time()) - 20)
    monkeypatch.undo()
    await tokens.find(late, SECRET)


async def test_keys_that_do_not_come_are_given_up_within_ten_seconds_with_all_else(monkeypatch):
    assert id_tokens.PATIENCE_S < JOBSTORE_S
    assert JOBSTORE_S + oidc.TIMEOUT_S < 10

    class Silent(oidc.Provider):
        async def read_keys(self, _):
            await asyncio.Event().wait()

    monkeypatch.setattr(id_tokens, "PATIENCE_S", 0.05)
    async with Provider().serving() as provider:
        tokens = IdTokens(Silent(provider.issuer), RULES, CLIENT)
        with pytest.raises(ProviderError, match=r"did not give its keys within 0\.05 s"):
            await tokens.find(provider.make_token(NONCE), SECRET)


async def test_a_key_that_is_short_is_refused(provider, tokens):
    provider.keys = {"short": ("RS256", rsa.generate_private_key(65_537, 1_024))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        token = provider.make_token(NONCE)
    with pytest.raises(UnauthenticatedError) as refused:
        await tokens.find(token, SECRET)
    assert refused.value.reason == "key"


async def test_a_client_of_the_installation_may_be_one_of_several_audiences(provider, tokens):
    token = provider.make_token(NONCE, aud=["other", "signoff-cli"], azp="signoff-cli")
    assert (await tokens.find(token, SECRET)).actor == "user:ann-7"


async def test_without_a_nonce_a_token_of_a_device_is_taken_for_a_minute(provider, tokens):
    token = provider.make_token(NONCE, nonce=None, aud="signoff-cli")
    caller = await tokens.find(token, "")
    assert caller.spends == (await tokens.find(token, "another secret")).spends
    assert caller.spends == hashlib.sha256(token.rpartition(".")[0].encode()).digest()
    for claims in ({"iat": NOW - 100}, {"nonce": "of another"}, {"aud": CLIENT}, {"aud": [CLIENT, "signoff-cli"]}):
        with pytest.raises(UnauthenticatedError):
            await tokens.find(provider.make_token(NONCE, **{"nonce": None, "aud": "signoff-cli", **claims}), SECRET)


async def test_without_a_client_for_devices_each_token_needs_its_nonce(provider):
    tokens = IdTokens(oidc.Provider(provider.issuer), RULES, CLIENT)
    assert tokens.device_client_id == CLIENT
    with pytest.raises(UnauthenticatedError) as refused:
        await tokens.find(provider.make_token(NONCE, nonce=None), SECRET)
    assert refused.value.reason == "nonce"


WRONG = {
    "another issuer": ({"iss": "https://evil.example"}, "issuer"),
    "no issuer": ({"iss": None}, "iss"),
    "another audience": ({"aud": "another"}, "audience"),
    "no audience": ({"aud": None}, "aud"),
    "made for another client": ({"aud": [CLIENT, "another"], "azp": "another"}, "audience"),
    "over": ({"exp": NOW - 60}, "time"),
    "without an end": ({"exp": None}, "exp"),
    "of the future": ({"iat": NOW + 86_400}, "time"),
    "not yet good": ({"nbf": NOW + 86_400}, "time"),
    "old": ({"iat": NOW - 1_000}, "time"),
    "without a begin": ({"iat": None}, "iat"),
    "another nonce": ({"nonce": digest("t" * 43)}, "nonce"),
    "the secret itself": ({"nonce": SECRET}, "nonce"),
    "no nonce": ({"nonce": None}, "nonce"),
    "a nonce that is no text": ({"nonce": 7}, "nonce"),
    "no subject": ({"sub": None}, "sub"),
    "an empty subject": ({"sub": ""}, "sub"),
    "a subject of other characters": ({"sub": "ann\n"}, "sub"),
    "a subject that is no text": ({"sub": 7}, "malformed"),
}


@pytest.mark.parametrize(("claims", "reason"), WRONG.values(), ids=WRONG)
async def test_a_token_that_says_anything_wrong_is_refused_with_one_text(provider, tokens, claims, reason):
    with pytest.raises(UnauthenticatedError) as refused:
        await tokens.find(provider.make_token(NONCE, **claims), SECRET)
    assert (str(refused.value), refused.value.reason) == ("the sign-in is not accepted: sign in again", reason)


def encode(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def forge(provider: Provider, **header: object) -> str:
    """A token with this header, and the signature of another."""
    (kid,) = provider.keys
    _, claims, signature = provider.make_token(NONCE).split(".")
    return f"{encode({'kid': kid, **header})}.{claims}.{signature}"


def sign_by_public_key(provider: Provider) -> str:
    """A token whose HMAC has the public key as its secret, which everybody knows."""
    ((kid, (_, key)),) = provider.keys.items()
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{encode({'alg': 'HS256', 'kid': kid})}.{provider.make_token(NONCE).split('.')[1]}"
    signature = hmac.digest(pem, signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


FORGED = {
    "no signature": (lambda p: forge(p, alg="none").rpartition(".")[0] + ".", "algorithm"),
    "none": (lambda p: forge(p, alg="none"), "algorithm"),
    "another algorithm": (lambda p: forge(p, alg="RS256"), "algorithm"),
    "an algorithm that is not taken": (lambda p: forge(p, alg="ES512"), "algorithm"),
    "no algorithm": (forge, "algorithm"),
    "HMAC with the public key": (sign_by_public_key, "algorithm"),
    "another's key": (lambda p: Provider().make_token(NONCE, kid=next(iter(p.keys)), iss=p.issuer), "signature"),
    "tampered": (lambda p: ".".join([(t := p.make_token(NONCE).split("."))[0], t[1][:-4] + "AAAA", t[2]]), "signature"),
    "no key": (lambda p: jwt.encode({"iss": p.issuer}, next(iter(p.keys.values()))[1], "ES256"), "key"),
    "a key that is no text": (lambda p: forge(p, alg="ES256", kid=7), "malformed"),
    "an unknown key": (lambda p: p.make_token(NONCE, kid="unknown"), "key"),
    "no token": (lambda _: "x", "malformed"),
    "nothing": (lambda _: "", "malformed"),
}


@pytest.mark.parametrize(("make", "reason"), FORGED.values(), ids=FORGED)
async def test_a_token_that_the_provider_did_not_sign_so_is_refused(provider, tokens, make, reason):
    with pytest.raises(UnauthenticatedError, match="the sign-in is not accepted") as refused:
        await tokens.find(make(provider), SECRET)
    assert refused.value.reason == reason


async def test_a_key_for_secrets_that_a_provider_shows_opens_nothing(provider, tokens):
    provider.instead["/keys"] = keys_of({"kty": "oct", "k": encode("x" * 64), "kid": "k", "alg": "HS256"})
    token = jwt.encode({"iss": provider.issuer}, "x" * 64, "HS256", {"kid": "k"})
    with pytest.raises(UnauthenticatedError) as refused:
        await tokens.find(token, SECRET)
    assert refused.value.reason == "algorithm"


@pytest.mark.parametrize(
    "key",
    [{}, {"kty": "EC"}, {"kty": "EC", "crv": "P-256", "x": "!", "y": "!"}, {"kty": 7}, {"kty": "RSA", "alg": "x"}],
)
async def test_a_key_that_is_malformed_is_refused(provider, tokens, key):
    provider.instead["/keys"] = keys_of({**key, "kid": next(iter(provider.keys))})
    with pytest.raises(UnauthenticatedError) as refused:
        await tokens.find(provider.make_token(NONCE), SECRET)
    assert refused.value.reason == "key"


@pytest.mark.parametrize("reason", ["state", "code"])
async def test_what_a_console_refuses_by_itself_is_refused_with_its_reason(tokens, reason):
    with pytest.raises(UnauthenticatedError, match="the sign-in is not accepted") as refused:
        await tokens.find(reason, "")
    assert refused.value.reason == reason


async def test_somebody_without_a_rule_is_told_so(provider, tokens):
    with pytest.raises(ForbiddenError, match="no rule of SIGNOFF_OIDC_RULES gives bob a role") as refused:
        await tokens.find(provider.make_token(NONCE, groups=[], preferred_username="bob"), SECRET)
    assert refused.value.reason == "rule: user:ann-7"


async def test_a_name_is_shown_without_control_characters(provider, tokens):
    caller = await tokens.find(provider.make_token(NONCE, preferred_username="a\x1b[2Jnn" + "n" * 200), SECRET)
    assert caller.name == ("a?[2Jnn" + "n" * 200)[:100]


async def test_keys_may_be_rotated_and_forgotten(provider, tokens):
    old = provider.make_token(NONCE)
    await tokens.find(old, SECRET)
    provider.rotate()
    await tokens.find(provider.make_token(NONCE), SECRET)
    await tokens.find(old, SECRET)
    provider.rotate(forget=True)
    await tokens.find(provider.make_token(NONCE), SECRET)
    with pytest.raises(UnauthenticatedError):
        await tokens.find(old, SECRET)


async def test_tokens_of_unknown_keys_make_one_request_a_second(provider, tokens):
    forged = [tokens.find(provider.make_token(NONCE, kid=f"k{each}"), SECRET) for each in range(500)]
    refused = await asyncio.gather(*forged, return_exceptions=True)
    assert {type(each) for each in refused} == {UnauthenticatedError}
    assert provider.asked["/keys"] <= 2


@pytest.mark.parametrize("answer", [None, "nonsense"])
async def test_a_provider_that_is_slow_or_answers_nonsense_is_told_in_time(provider, tokens, answer, monkeypatch):
    monkeypatch.setattr(oidc, "TIMEOUT_S", 0.2)
    provider.instead["/keys"] = answer and web.Response(body=answer.encode())
    with pytest.raises(ProviderError):
        await tokens.find(provider.make_token(NONCE), SECRET)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("ID-Token a.b.c s", ("a.b.c", "s")),
        ("id-token a.b.c", ("a.b.c", "")),
        ("Bearer a.b.c s", None),
        ("", None),
        ("ID-Tokens a s", None),
        (b"ID-Token a s", ("a", "s")),
    ],
)
def test_a_token_is_read_with_its_secret(header, found):
    method = "/signoff.v1.IdentityService/CreateSession"
    assert ACCESS[method].audited
    assert read_id_token(method, [("authorization", header)]) == found
    assert read_id_token("/signoff.v1.JobService/ListJobs", [("authorization", header)]) is None
    assert read_id_token(method, [("other", "ID-Token a s")]) is None
    assert read_id_token(method, None) is None
