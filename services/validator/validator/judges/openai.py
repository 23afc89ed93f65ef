"""Ask a judge behind OpenAI's API, or whatever speaks it.

The SDK's client carries authentication, errors and connections. Its typed layer, which costs three times the CPU of
everything else, is not used: `shapes` writes the request as plain JSON and reads the answer.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Self

import aiohttp
import httpx2
from openai import APIStatusError, AsyncOpenAI, DefaultAioHttpClient, OpenAIError

from contracts.resources import Usage
from servicekit.clock import read_retry_after
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
        timeout = httpx2.Timeout(None, connect=config.connect_timeout_s)
        try:
            self._client = AsyncOpenAI(
                api_key=config.api_key,
                base_url=config.base_url,
                timeout=timeout,
                max_retries=0,
                default_headers={"Accept-Encoding": "identity"},
                http_client=DefaultAioHttpClient(
                    timeout=timeout,
                    follow_redirects=False,
                    event_hooks={"response": [_make_cap(config.answer_max_bytes)]},
                ),
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
        body = self._api.write(Request(self._config.model, question, schema, tokens_max))
        try:
            async with asyncio.timeout(self._config.timeout_s):
                response = await self._client.post(self._api.path, body=body, cast_to=httpx2.Response)
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


class _CappedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, bytes_max: int) -> None:
        self._stream = stream
        self._left = bytes_max

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk[: self._left]
            self._left -= len(chunk)
            if self._left <= 0:
                return

    async def aclose(self) -> None:
        await self._stream.aclose()


def _make_cap(bytes_max: int) -> Callable[[httpx2.Response], Awaitable[None]]:
    async def cap(response: httpx2.Response) -> None:
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _CappedStream(response.stream, bytes_max)
        # No encoding was asked for, and a small body that is decoded could be a huge one.
        response.headers.pop("Content-Encoding", None)

    return cap


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
    retry_after_s = read_retry_after(error.response.headers, _RETRY_AFTER_MAX_S)
    return JudgeUnavailableError(message, code=code, retry_after_s=retry_after_s)
