"""HTTP as agents are called by it: guarded, bounded, and with every failure told as what it is."""

import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Self

import aiohttp

from contracts.jsontext import parse_json
from contracts.resources import Usage
from executor import reporting
from executor.agents.guard import ForbiddenAddressError, Network, guarded_socket
from executor.errors import (
    AgentAnswerError,
    AgentBrokenOffError,
    AgentBusyError,
    AgentConnectTimeoutError,
    AgentDeclinedError,
    AgentError,
    AgentForbiddenError,
    AgentStatusError,
    AgentUnreachableError,
)
from executor.ports import Call

log = logging.getLogger(__name__)

_BUSY = frozenset({408, 425, 429})
_SERVER_ERROR = 500
_EXCERPT_BYTES = 500
RETRY_AFTER_MAX_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent answered. `body` is whole where the status is 2xx."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - what 2xx is

    @property
    def retry_after_s(self) -> float | None:
        """How long to wait, as the header says."""
        return _seconds(self.headers.get("Retry-After"))

    @property
    def usage(self) -> Usage | None:
        """What the call consumed, as the header says."""
        said = self.headers.get(reporting.USAGE_HEADER)
        return None if said is None else usage_of(said)

    def value(self) -> Any:
        """The JSON value of a 2xx. AgentError: it is another status, or no JSON."""
        if not self.is_success:
            raise _refusal(self)
        try:
            return parse_json(self.body)
        except ValueError as error:
            raise AgentAnswerError(f"the answer is no JSON: {error}") from None


class HttpClient:
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

    async def post(self, call: Call) -> Answer:
        """The answer to a call's request."""
        grant = call.grant
        data, headers = grant.request.encode(), reporting.headers(call)
        return await self.request("POST", grant.url, grant.policy.connect_timeout_s, data=data, headers=headers)

    async def request(
        self, method: str, url: str, connect_s: float | None, *, envelope_bytes: int = 0, **fields: Any
    ) -> Answer:
        """An answer, in which there may be so much beside a result. AgentError: there is none, or one too large."""
        try:
            async with self._session.request(
                method,
                url,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=connect_s),
                **fields,
            ) as response:
                most = self._result_max_bytes + envelope_bytes
                answer = Answer(response.status, response.headers, await _read(response, most))
        except aiohttp.ServerTimeoutError as error:
            raise AgentConnectTimeoutError(f"no connection to {url} within {connect_s:g} s") from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(getattr(error, "os_error", None), ForbiddenAddressError):
                raise AgentForbiddenError(f"{url}: {error}") from error
            raise AgentUnreachableError(f"no connection to {url}: {error}") from error
        except ForbiddenAddressError as error:
            raise AgentForbiddenError(f"{url}: {error}") from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, UnicodeError) as error:
            raise AgentStatusError(f"the agent's URL cannot be called: {error!r}", code="agent_invalid_url") from error
        except (aiohttp.ClientError, OSError) as error:
            raise AgentBrokenOffError(f"the connection to {url} was lost: {error!r}") from error
        if answer.is_success and len(answer.body) > most:
            raise AgentAnswerError(f"the answer has more than {most} bytes", code="result_too_large")
        return answer

    def checked(self, result: Any) -> Any:
        """A result that is not too large to be stored."""
        if (size := reporting.result_size(result)) > self._result_max_bytes:
            message = f"the result has {size} bytes, more than {self._result_max_bytes}"
            raise AgentAnswerError(message, code="result_too_large")
        return result


def usage_of(said: Any) -> Usage | None:
    """What an agent says that a call consumed, as a JSON value or its text; what is malformed is ignored."""
    try:
        return Usage.model_validate_json(said) if isinstance(said, str) else Usage.model_validate(said)
    except ValueError as error:
        log.warning("an agent's usage is ignored", extra={"reason": str(error)[:500]})
        return None


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The decoded body, up to a little over the limit."""
    chunks, size = [], 0
    async for chunk in response.content.iter_chunked(64 * 1024):
        chunks.append(chunk)
        size += len(chunk)
        if size > most:
            response.close()
            break
    return b"".join(chunks)


def _refusal(answer: Answer) -> AgentError:
    status = answer.status
    why = answer.headers.get(reporting.DECLINED_HEADER)
    if why is not None and status < _SERVER_ERROR:
        return AgentDeclinedError(why or "the agent declined", status=status)
    excerpt = answer.body[:_EXCERPT_BYTES].decode(errors="replace")
    message = f"the agent answered {status}: {excerpt}" if excerpt else f"the agent answered {status}"
    if status in _BUSY or status >= _SERVER_ERROR:
        return AgentBusyError(message, status=status, retry_after_s=answer.retry_after_s)
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
