"""Agents of protocol `http`: POST the request, and 2xx with any JSON is the result."""

import re
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Self

import aiohttp

from contracts.jsontext import parse_json
from executor import execution
from executor.agents.guard import ForbiddenAddressError, Network, guarded_socket
from executor.errors import (
    AgentAnswerError,
    AgentBrokenOffError,
    AgentBusyError,
    AgentConnectTimeoutError,
    AgentDeclinedError,
    AgentForbiddenError,
    AgentStatusError,
    AgentUnreachableError,
)
from executor.ports import Call

_BUSY = frozenset({408, 425, 429})
_SERVER_ERROR = 500
_EXCERPT_BYTES = 500
RETRY_AFTER_MAX_S = 24 * 3600.0


class HttpAgent:
    """Calls agents over HTTP; redirects and proxies are not followed, and what is read is bounded."""

    def __init__(self, *, allowed: list[Network], result_max_bytes: int) -> None:
        self._result_max_bytes = result_max_bytes
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, ttl_dns_cache=30, socket_factory=guarded_socket(allowed), enable_cleanup_closed=True
            ),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            headers={"User-Agent": "signoff"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def call(self, call: Call) -> Any:
        """The agent's result."""
        grant = call.grant
        connect_s = grant.policy.connect_timeout_s
        try:
            async with self._session.post(
                grant.url,
                data=grant.request.encode(),
                headers=execution.headers(call),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=connect_s),
            ) as response:
                body = await self._read(response)
                return _result(response, body, self._result_max_bytes)
        except aiohttp.ServerTimeoutError as error:
            raise AgentConnectTimeoutError(f"no connection to {grant.url} within {connect_s:g} s") from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(getattr(error, "os_error", None), ForbiddenAddressError):
                raise AgentForbiddenError(f"{grant.url}: {error}") from error
            raise AgentUnreachableError(f"no connection to {grant.url}: {error}") from error
        except ForbiddenAddressError as error:
            raise AgentForbiddenError(f"{grant.url}: {error}") from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, UnicodeError) as error:
            raise AgentStatusError(f"the agent's URL cannot be called: {error!r}", code="agent_invalid_url") from error
        except (aiohttp.ClientError, OSError) as error:
            raise AgentBrokenOffError(f"the connection to {grant.url} was lost: {error!r}") from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The decoded body, up to one byte over the limit."""
        chunks, size = [], 0
        async for chunk in response.content.iter_chunked(64 * 1024):
            chunks.append(chunk)
            size += len(chunk)
            if size > self._result_max_bytes:
                response.close()
                break
        return b"".join(chunks)


def _result(response: aiohttp.ClientResponse, body: bytes, most: int) -> Any:
    status = response.status
    if not 200 <= status < 300:  # noqa: PLR2004 - what 2xx is
        raise _refusal(response, body)
    if len(body) > most:
        raise AgentAnswerError(f"the result has more than {most} bytes", code="result_too_large")
    try:
        result = parse_json(body)
    except ValueError as error:
        raise AgentAnswerError(f"the answer is no JSON: {error}") from None
    if (size := execution.result_size(result)) > most:
        raise AgentAnswerError(f"the result has {size} bytes, more than {most}", code="result_too_large")
    return result


def _refusal(response: aiohttp.ClientResponse, body: bytes) -> Exception:
    status = response.status
    why = response.headers.get(execution.DECLINED_HEADER)
    if why is not None and status < _SERVER_ERROR:
        return AgentDeclinedError(why or "the agent declined", status=status)
    excerpt = body[:_EXCERPT_BYTES].decode(errors="replace")
    message = f"the agent answered {status}: {excerpt}" if excerpt else f"the agent answered {status}"
    if status in _BUSY or status >= _SERVER_ERROR:
        return AgentBusyError(message, status=status, retry_after_s=_seconds(response.headers.get("Retry-After")))
    code = "agent_redirect" if status < 400 else None  # noqa: PLR2004 - what 3xx is
    return AgentStatusError(message, code=code, status=status)


def _seconds(retry_after: str | None) -> float | None:
    """Seconds, or the time of a date (RFC 9110), at most a day; None for anything else."""
    if retry_after is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return min(float(retry_after), RETRY_AFTER_MAX_S)
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    wait_s = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - time.time()
    return min(max(wait_s, 0.0), RETRY_AFTER_MAX_S)
