"""Ask a judge behind OpenAI's API, or whatever speaks it.

The SDK's client carries authentication, errors and connections. Its typed layer, which costs three times the CPU of
everything else, is not used: `shapes` writes the request as plain JSON and reads the answer. Nor is what it does anew
for each request, or its HTTP client does besides sending: together that costs as much as the request itself.
"""

import asyncio
import contextlib
import logging
import math
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Self

import aiohttp
import httpx2
from openai import APIStatusError, AsyncOpenAI, DefaultAioHttpClient, OpenAIError
from pydantic_core import to_json

from contracts.resources import Usage
from validator.errors import JudgeAnswerError, JudgeUnavailableError
from validator.judge_config import JudgeConfig
from validator.judges.shapes import APIS, Request
from validator.ports import Reply
from validator.prompt import Question, write_schema

log = logging.getLogger(__name__)

#: The longest wait that a judge may ask for.
_RETRY_AFTER_MAX_S = 3_600.0
#: A code of the judge's that may be shown.
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")

#: Statuses that say of the request itself that it is wrong: asking again is no use.
_REJECTED = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY},
)
_UNAVAILABLE_CODES: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "judge_unauthorized",
    HTTPStatus.FORBIDDEN: "judge_unauthorized",
    HTTPStatus.NOT_FOUND: "judge_not_found",
    HTTPStatus.TOO_MANY_REQUESTS: "judge_rate_limited",
}


class OpenAIJudge:
    """Ask a judge through one client, which keeps its connections; close it when done."""

    def __init__(self, config: JudgeConfig) -> None:
        self._config = config
        self._is_bounded = True
        self._api = APIS[config.api]
        try:
            self._client = _Client(
                api_key=config.api_key,
                base_url=config.base_url,
                timeout=None,
                max_retries=0,
                default_headers={"Accept-Encoding": "identity"},
                http_client=_Http(config.connect_timeout_s, config.answer_max_bytes),
            )
        except OpenAIError as error:
            raise JudgeUnavailableError(str(error), code="judge_not_configured") from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def ask(self, question: Question) -> Reply:
        """Ask once, as the port says; a second time if the API takes no bounds of strings, which is remembered."""
        try:
            return await self._post(question)
        except _UnboundedOnlyError:
            self._is_bounded = False
            return await self._post(question)

    async def _post(self, question: Question) -> Reply:
        schema = write_schema(question.count, is_bounded=self._is_bounded)
        tokens_max = question.tokens_max + self._config.thinking_tokens
        body = to_json(self._api.write(Request(self._config.model, question, schema, tokens_max)))
        try:
            async with asyncio.timeout(self._config.timeout_s):
                response = await self._client.post(self._api.path, content=body, cast_to=httpx2.Response)
        except TimeoutError as error:
            raise JudgeUnavailableError(
                f"the judge did not answer within {self._config.timeout_s:g} s", code="judge_timeout"
            ) from error
        except APIStatusError as error:
            if self._is_bounded and "maxLength" in error.message:
                raise _UnboundedOnlyError from error
            raise _to_error(error) from error
        except (OpenAIError, aiohttp.ClientError) as error:
            cause = type(error.__cause__ or error).__name__
            raise JudgeUnavailableError(f"the judge cannot be reached: {cause}", code="judge_unreachable") from error
        usage = self._read_usage(response.content)
        try:
            return replace(self._api.read(response.content), usage=usage)
        except JudgeAnswerError as error:
            error.usage = usage
            raise

    def _read_usage(self, body: bytes) -> Usage | None:
        try:
            return self._api.read_usage(body)
        except ValueError as error:
            log.warning("the judge's usage is ignored", extra={"reason": str(error)[:500]})
            return None


class _UnboundedOnlyError(Exception):
    """The API refuses a schema that bounds strings, as OpenAI's own did."""


class _Client(AsyncOpenAI):
    """The SDK's client of one judge: all its requests go to one place, with the same headers."""

    _url_and_headers: tuple[httpx2.URL, httpx2.Headers] | None = None

    def _build_request(self, options: Any, *, retries_taken: int = 0) -> httpx2.Request:
        del retries_taken  # there are none
        if self._url_and_headers is None:
            self._url_and_headers = self._prepare_url(options.url), self._build_headers(options)
        url, headers = self._url_and_headers
        return httpx2.Request("POST", url, headers=headers, content=options.content)


class _Http(DefaultAioHttpClient):
    """Send the SDK's requests as they are: a judge needs no cookies, redirects or other ways to authenticate.

    Of an answer, at most `bytes_max` are read.
    """

    def __init__(self, connect_timeout_s: float, bytes_max: int) -> None:
        super().__init__()
        self._timeouts = {"connect": connect_timeout_s}
        self._bytes_max = bytes_max

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


def _to_error(error: APIStatusError) -> JudgeUnavailableError | JudgeAnswerError:
    """Return the error of a status. Of the judge's words it shows the code alone: its messages may repeat the key."""
    named = f" ({error.code})" if error.code and _CODE.fullmatch(error.code) else ""
    message = f"the judge's API answered {error.status_code}{named}"
    if error.status_code in _REJECTED:
        rejection = JudgeAnswerError(message, code="judge_request_rejected")
        rejection.is_final = True
        return rejection
    code = _UNAVAILABLE_CODES.get(error.status_code, "judge_unavailable")
    if error.code == "insufficient_quota":
        code = "judge_quota_exceeded"
    retry_after_s = _parse_retry_after(error.response.headers.get("Retry-After", ""))
    return JudgeUnavailableError(message, code=code, retry_after_s=retry_after_s)


def _parse_retry_after(value: str) -> float | None:
    """Return the seconds from now that a number or an HTTP date means (RFC 9110); None for anything else."""
    try:
        wait = float(value)
    except ValueError:
        try:
            wait = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(wait, 0.0), _RETRY_AFTER_MAX_S) if math.isfinite(wait) else None
