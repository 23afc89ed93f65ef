"""Call agents over HTTP: guarded, bounded, and with an error for each way to fail."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
from pydantic import ValidationError

from contracts.criteria import CRITERIA_MAX, CRITERION_MAX_CHARS, parse_stored_criteria
from contracts.fields import describe_problem
from contracts.resources import Usage
from contracts.sizes import measure
from executor.agents.header_values import HeaderValues
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
from executor.ports import Call, Grant
from servicekit.addresses import ForbiddenAddressError, HostPort, Network, make_socket_factory, note_called
from servicekit.clock import read_retry_after
from signoff.errors import ErrorCode
from signoff.jsontext import parse_json

log = logging.getLogger(__name__)

#: Statuses that ask to come again later, beside 5xx.
_BUSY = frozenset({408, 425, 429})
_SERVER_ERROR = 500
#: Characters of a failed response's body that its error shows.
_EXCERPT_MAX = 500
#: The longest wait that an agent may ask for.
RETRY_AFTER_MAX_S = 24 * 3600.0
#: Sent with every call: the number of the grant, and that of the call over all attempts.
ATTEMPT_HEADER = "Signoff-Attempt"
CALL_HEADER = "Signoff-Call"
#: Sent with the call: the bytes of the largest result that is taken and judged, so that an agent knows before it works.
RESULT_MAX_HEADER = "Signoff-Result-Max-Bytes"
#: Sent by an agent: why it will not do the job, and what the call consumed.
DECLINED_HEADER = "Signoff-Declined"
USAGE_HEADER = "Signoff-Usage"


@dataclass(frozen=True, slots=True)
class AgentResponse:
    """An agent's HTTP response. `body` is whole if the status is 2xx; `hide` takes out what nobody may see."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    hide: Callable[[str], str]

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - what 2xx is

    @property
    def retry_after_s(self) -> float | None:
        """Seconds to wait, from the header Retry-After."""
        return read_retry_after(self.headers, RETRY_AFTER_MAX_S)

    @property
    def usage(self) -> Usage | None:
        """What the call consumed, from the header Signoff-Usage."""
        text = self.headers.get(USAGE_HEADER)
        return None if text is None else parse_usage(text)

    def read_value(self) -> Any:
        """Return the JSON value of a 2xx. Raise AgentError for another status, or what is no JSON."""
        if not self.is_success:
            raise _to_error(self)
        try:
            return parse_json(self.body)
        except ValueError as error:
            raise AgentAnswerError(f"the answer is no JSON: {error}") from None


class HttpClient:
    """Call agents over HTTP. Follow no redirect and no proxy, and read no more than a bound."""

    def __init__(
        self, *, allowed: list[Network | HostPort], header_values: HeaderValues, result_max_bytes: int
    ) -> None:
        self._header_values = header_values
        self._result_max_bytes = result_max_bytes
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                ttl_dns_cache=30,
                socket_factory=make_socket_factory(allowed, "SIGNOFF_AGENT_NETWORKS"),
                enable_cleanup_closed=True,
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

    async def post(self, call: Call) -> AgentResponse:
        """Send a call's request, and return the response. Raise AgentError if there is none, or one too large."""
        grant = call.grant
        data, headers = grant.request.encode(), build_headers(call)
        headers[RESULT_MAX_HEADER] = str(self._find_result_max(grant))
        return await self.request(call, "POST", grant.url, grant.policy.connect_timeout_s, data=data, headers=headers)

    async def request(
        self,
        call: Call,
        method: str,
        url: str,
        connect_s: float | None,
        *,
        headers: Mapping[str, str],
        data: bytes | None = None,
        envelope_bytes: int = 0,
    ) -> AgentResponse:
        """Return the response to a request of a call, with the agent's headers and these.

        Raise AgentError if there is none, or one too large. `connect_s` bounds connecting; `envelope_bytes` are allowed
        beside the largest result.
        """
        values = self._header_values.read(call.grant.headers)
        call.keep_secret(values.values())
        try:
            note_called(url)
            async with self._session.request(
                method,
                url,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=connect_s),
                data=data,
                headers={**values, **headers},
            ) as opened:
                limit = self._result_max_bytes + envelope_bytes
                response = AgentResponse(opened.status, opened.headers, await _read_body(opened, limit), call.hide)
        except aiohttp.ServerTimeoutError as error:
            raise AgentConnectTimeoutError(f"no connection to {url} within {connect_s:g} s") from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(getattr(error, "os_error", None), ForbiddenAddressError):
                raise AgentForbiddenError(f"{url}: {error}") from error
            raise AgentUnreachableError(f"no connection to {url}: {error}") from error
        except ForbiddenAddressError as error:
            raise AgentForbiddenError(f"{url}: {error}") from error
        except (aiohttp.NonHttpUrlClientError, ValueError) as error:  # also of a user said twice, in URL and header
            raise AgentStatusError(
                f"the agent's URL cannot be called: {error!r}", code=ErrorCode.AGENT_INVALID_URL
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise AgentBrokenOffError(f"the connection to {url} was lost: {error!r}") from error
        if response.is_success and len(response.body) > limit:
            raise AgentAnswerError(f"the answer has more than {limit} bytes", code=ErrorCode.RESULT_TOO_LARGE)
        return response

    def _find_result_max(self, grant: Grant) -> int:
        """Return the bytes of the largest result that is taken, whoever takes it: a character has one at least."""
        most, chars = self._result_max_bytes, grant.judged_max_chars
        if chars is None or chars >= most + CRITERIA_MAX * CRITERION_MAX_CHARS:
            return most
        criteria = parse_stored_criteria(parse_json(grant.request)["acceptance_criteria"])
        return max(0, min(most, chars - sum(len(criterion.text) for criterion in criteria)))

    def check_size(self, result: Any) -> Any:
        """Return a result. Raise AgentAnswerError if it is too large to be stored."""
        if (size := measure(result)) > self._result_max_bytes:
            message = f"the result has {size} bytes, more than {self._result_max_bytes}"
            raise AgentAnswerError(message, code=ErrorCode.RESULT_TOO_LARGE)
        return result


def parse_usage(value: Any) -> Usage | None:
    """Return what an agent says a call consumed, from a JSON value or its text. What is malformed is only logged."""
    try:
        return Usage.model_validate_json(value) if isinstance(value, str) else Usage.model_validate(value)
    except ValidationError as error:
        why = "; ".join(map(describe_problem, error.errors(include_input=False)))  # it may repeat what it was sent
        log.warning("an agent's usage is ignored", extra={"reason": why[:500]})
        return None


async def _read_body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return the decoded body, up to a little over the limit."""
    chunks, size = [], 0
    async for chunk in response.content.iter_chunked(64 * 1024):
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            response.close()
            break
    return b"".join(chunks)


def _to_error(response: AgentResponse) -> AgentError:
    status = response.status
    why = response.headers.get(DECLINED_HEADER)
    if why is not None and status < _SERVER_ERROR:
        return AgentDeclinedError(why or "the agent declined", status=status)
    excerpt = response.hide(response.body.decode(errors="replace"))[:_EXCERPT_MAX]
    message = f"the agent answered {status}: {excerpt}" if excerpt else f"the agent answered {status}"
    if status in _BUSY or status >= _SERVER_ERROR:
        return AgentBusyError(message, status=status, retry_after_s=response.retry_after_s)
    code = ErrorCode.AGENT_REDIRECT if status < 400 else None  # noqa: PLR2004 - what 3xx is
    return AgentStatusError(message, code=code, status=status)


def build_headers(call: Call) -> dict[str, str]:
    """Return a call's headers. All calls of an execution have one key, so that an agent that knows it works once."""
    return {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Idempotency-Key": str(call.grant.lease.execution_id),
        ATTEMPT_HEADER: str(call.grant.attempt),
        CALL_HEADER: str(call.number),
    }
