"""A provider of identities in this process, which signs in whom the test names, and misbehaves as it is told."""

import asyncio
import hashlib
import time
from base64 import b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_urlsafe
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

CLIENT, SECRET = "signoff", "the secret of a client"
ANN: dict[str, Any] = {"sub": "ann-7", "preferred_username": "ann", "groups": ["press", "readers"]}


class Provider:
    """Signs in `person` without asking. What its paths are asked is counted in `asked`."""

    def __init__(self) -> None:
        self.issuer = ""
        self.person = dict(ANN)
        self.asked: Counter[str] = Counter()
        #: By path: instead of the answer, other bytes, or a wait for ever (None).
        self.instead: dict[str, web.Response | None] = {}
        self.keys: dict[str, Any] = {}
        #: Of authorizations under way: what was asked for, by code; and by device code, of which some are approved.
        self.codes: dict[str, dict[str, str]] = {}
        self.devices: dict[str, dict[str, str]] = {}
        self.approved: set[str] = set()
        self.rotate()

    @staticmethod
    def refuse(text: str, status: int = 200) -> web.Response:
        """Make an answer that is no JSON."""
        return web.Response(body=text.encode(), status=status)

    def rotate(self, *, forget: bool = False, kind: str = "ES256") -> None:
        """Sign with a new key from now on; forget the others, or keep them in the JWKS."""
        if forget:
            self.keys.clear()
        new = {
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "RS256": lambda: rsa.generate_private_key(65_537, 2_048),
            "EdDSA": ed25519.Ed25519PrivateKey.generate,
        }
        self.keys[token_urlsafe(4)] = (kind, new[kind]())

    def make_token(self, nonce: str, /, *, kid: str | None = None, **claims: Any) -> str:
        """Make an ID token; a claim that is None is left out."""
        name = kid or list(self.keys)[-1]
        kind, key = self.keys.get(name) or list(self.keys.values())[-1]
        now = int(time.time())
        said = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            **self.person,
            **claims,
        }
        return jwt.encode({each: value for each, value in said.items() if value is not None}, key, kind, {"kid": name})

    def make_keys(self) -> dict[str, Any]:
        """Make the JWKS."""
        algorithms = jwt.get_algorithm_by_name
        return {
            "keys": [
                {**algorithms(kind).to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": kind}  # type: ignore[attr-defined]
                for kid, (kind, key) in self.keys.items()
            ]
        }

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Provider"]:
        """Serve at `issuer`."""
        app = web.Application(middlewares=[self._misbehave])
        app.router.add_get("/.well-known/openid-configuration", self._describe)
        app.router.add_get("/keys", self._keys)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/device", self._begin_device)
        app.router.add_post("/token", self._token)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    @web.middleware
    async def _misbehave(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked[request.path] += 1
        if request.path not in self.instead:
            return await handler(request)
        instead = self.instead[request.path]
        if instead is None:
            await asyncio.Event().wait()
        return web.Response(status=instead.status, body=instead.body, headers=instead.headers)

    async def _describe(self, _: web.Request) -> web.Response:
        paths = {
            "authorization_endpoint": "/authorize",
            "token_endpoint": "/token",
            "jwks_uri": "/keys",
            "device_authorization_endpoint": "/device",
        }
        return web.json_response({"issuer": self.issuer} | {name: self.issuer + path for name, path in paths.items()})

    async def _keys(self, _: web.Request) -> web.Response:
        return web.json_response(self.make_keys())

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        code = token_urlsafe()
        self.codes[code] = asked
        back = f"{asked['redirect_uri']}?code={code}&state={asked['state']}"
        raise web.HTTPFound(back)

    async def _begin_device(self, request: web.Request) -> web.Response:
        asked, code = dict(await request.post()), token_urlsafe()
        self.devices[code] = asked
        return web.json_response(
            {"device_code": code, "user_code": "ABCD-EFGH", "verification_uri": f"{self.issuer}/here", "expires_in": 60}
            | {"interval": 1}
        )

    async def _token(self, request: web.Request) -> web.Response:
        asked = dict(await request.post())
        if "device_code" in asked:
            device = self.devices[asked["device_code"]]
            if asked["device_code"] not in self.approved:
                return web.json_response({"error": "authorization_pending"}, status=400)
            return self._give(self.devices.pop(asked["device_code"])) if device else web.Response(status=500)
        scheme, _, basic = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic" or b64decode(basic).decode() != f"{CLIENT}:{SECRET.replace(' ', '+')}":
            return web.json_response({"error": "invalid_client"}, status=401)
        code = self.codes.pop(asked["code"], None)
        challenge = urlsafe_b64encode(hashlib.sha256(asked["code_verifier"].encode()).digest()).decode().rstrip("=")
        if not code or challenge != code["code_challenge"] or asked["redirect_uri"] != code["redirect_uri"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        return self._give(code)

    def _give(self, asked: dict[str, str]) -> web.Response:
        return web.json_response(
            {"id_token": self.make_token(asked.get("nonce", "")), "token_type": "Bearer", "access_token": "x"}
        )
