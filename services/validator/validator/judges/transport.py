"""Send requests with the SDK's client, without what it does anew for each of them, and a judge does not need.

Its options, their copies, retries and casts took as long as sending and reading.
"""

import contextlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import aiohttp
import httpx2
from openai import AsyncOpenAI, DefaultAioHttpClient, OpenAIError
from openai._models import FinalRequestOptions

from servicekit.addresses import HostPort, Network, make_socket_factory, read_host_port
from signoff.errors import ErrorCode
from validator.errors import JudgeUnavailableError
from validator.judge_config import JudgeConfig


def make_client(config: JudgeConfig, allowed: Sequence[Network | HostPort] | None = None) -> "LeanClient":
    """Return a client of a judge's server. Raise JudgeUnavailableError if there is no key.

    `allowed` is where it may be besides the public internet; None: anywhere.
    """
    try:
        return LeanClient(
            api_key=config.api_key,
            base_url=config.base_url,
            timeout=None,
            max_retries=0,
            default_headers={"Accept-Encoding": "identity"},
            http_client=_Http(config, allowed),
        )
    except OpenAIError as error:
        raise JudgeUnavailableError(str(error), code=ErrorCode.JUDGE_NOT_CONFIGURED) from error


class LeanClient(AsyncOpenAI):
    """The SDK's client of one server: all its requests go to one or two places, with the same headers."""

    async def send(self, path: str, body: bytes) -> httpx2.Response:
        """Post a body, and return the response as far as it is read.

        Raise the SDK's APIStatusError for a status that is no success, and what the transport raises without one.
        """
        if path not in self._places:
            options = await self._prepare_options(FinalRequestOptions.construct(method="post", url=path))
            self._places[path] = self._prepare_url(path), self._build_headers(options)
        url, headers = self._places[path]
        response = await self._client.send(httpx2.Request("POST", url, headers=headers, content=body))
        if not response.is_success:
            raise self._make_status_error_from_response(response)
        return response

    @cached_property
    def _places(self) -> dict[str, tuple[httpx2.URL, httpx2.Headers]]:
        return {}


class _Http(DefaultAioHttpClient):
    """Send the SDK's requests as they are: a judge needs no cookies, redirects or other ways to authenticate.

    Of an answer, at most `bytes_max` are read.
    """

    def __init__(self, config: JudgeConfig, allowed: Sequence[Network | HostPort] | None) -> None:
        super().__init__(trust_env=allowed is None)  # a proxy would connect for us to what nobody checked
        self._timeouts = {"connect": config.connect_timeout_s}
        self._bytes_max = config.answer_max_bytes
        if allowed is not None:
            called = read_host_port(config.base_url or "")
            factory = make_socket_factory(allowed, "SIGNOFF_JUDGE_NETWORKS", called)
            transport: Any = self._transport
            transport.client = lambda: aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=transport.ssl_context, socket_factory=factory)
            )

    async def send(self, request: httpx2.Request, **_: Any) -> httpx2.Response:
        """Send a request, and return the response with its body as far as it is read."""
        request.extensions["timeout"] = self._timeouts
        answer = await self._transport_for_url(request.url).handle_async_request(request)
        assert isinstance(answer.stream, httpx2.AsyncByteStream)
        body = b""
        async with contextlib.aclosing(answer.stream) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) >= self._bytes_max:
                    break
        # No encoding was asked for, and a small body that is decoded could be a huge one.
        answer.headers.pop("Content-Encoding", None)
        return httpx2.Response(
            answer.status_code, headers=answer.headers, content=body[: self._bytes_max], request=request
        )
