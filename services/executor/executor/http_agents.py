"""Call agents over HTTP, within bounds, at allowed addresses; a result comes at once or by polling."""

import logging
import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeVar

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from yarl import URL

from contracts.agents import DEFAULT_TENANT, ENV_PREFIX, may_name, tell_owners
from contracts.criteria import CRITERIA_MAX, CRITERION_MAX_CHARS, parse_stored_criteria
from contracts.fields import describe_problem
from contracts.resources import Usage
from contracts.topics import measure
from contracts.traceparent import TRACEPARENT, enter, name_call
from executor import errors
from executor.outcomes import read_progress, to_printable
from executor.ports import Call, Exchange, Grant
from executor.signing import SigningSecret, name_message, parse_secrets, sign
from executor.work import Done, PolledAgent, Work, choose_handle
from servicekit.addresses import ForbiddenAddressError, HostPort, Network, make_socket_factory, note_called
from servicekit.clock import now, read_retry_after
from servicekit.folders import read_below
from signoff.errors import ErrorCode
from signoff.jsontext import json_text, parse_json

log = logging.getLogger(__name__)

A = TypeVar("A")

#: The most bytes of a value.
VALUE_MAX_BYTES = 8 << 10
_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")


class HeaderValues:
    """Read the values of headers at each request, so that a replaced file takes effect from the next request on."""

    def __init__(self, environ: Mapping[str, str], folder: Path | None) -> None:
        self._environ = environ
        self._folder = folder

    def read(self, references: Mapping[str, str], tenant: str = DEFAULT_TENANT) -> dict[str, str]:
        """Return header values by name, from the references of an agent of a tenant.

        Raise AgentHeaderError, without values, if one is unusable; AgentValueForbiddenError if one is another tenant's.
        """
        return {name: self._read(f"the header {name} cannot be sent", ref, tenant) for name, ref in references.items()}

    def read_secrets(self, reference: str, tenant: str = DEFAULT_TENANT) -> list[SigningSecret]:
        """Return the secrets that sign calls, from a reference. Raise errors, without them, as `read` does."""
        problem = "the call cannot be signed"
        try:
            return parse_secrets(self._read(problem, reference, tenant))
        except ValueError as error:
            raise errors.AgentHeaderError(f"{problem}: {reference} does not hold {error}") from None

    def _read(self, problem: str, reference: str, tenant: str) -> str:
        if not may_name(reference, tenant):
            raise errors.AgentValueForbiddenError(f"{problem}: its reference {tell_owners(tenant)}")
        kind, _, place = reference.partition(":")
        if kind == "env" and place.startswith(ENV_PREFIX):
            source, value = f"the variable {place} of the executor", self._environ.get(place)
        elif kind == "file" and self._folder is not None:
            source, value = f"the file {place} below SIGNOFF_AGENT_HEADER_DIR", _read_file(self._folder, place, tenant)
        else:
            where = "SIGNOFF_AGENT_HEADER_DIR is not set" if kind == "file" else "its value is no reference"
            raise errors.AgentHeaderError(f"{problem}: {where}")
        if value is None:
            raise errors.AgentHeaderError(f"{problem}: {source} is missing, or cannot be read")
        if len(value) > VALUE_MAX_BYTES or not _VALUE.fullmatch(value):
            expected = f"1 to {VALUE_MAX_BYTES} printable characters of ASCII without spaces around them"
            raise errors.AgentHeaderError(f"{problem}: {source} does not hold {expected}")
        return value


def _read_file(folder: Path, place: str, tenant: str) -> str | None:
    """Return the text of a file below `folder`, without its last line break, cut just beyond VALUE_MAX_BYTES.

    Return None if it cannot be read, or is not in the folder of the tenant.
    """
    data = read_below(folder, place, VALUE_MAX_BYTES + 3, of_tenant="" if tenant == DEFAULT_TENANT else tenant)
    return None if data is None else data.decode("latin-1").removesuffix("\n").removesuffix("\r")


#: Statuses that ask to come again later, beside 5xx.
_BUSY = frozenset({408, 425, 429})
_SERVER_ERROR = 500
#: Characters of a failed response's body that its error shows.
_EXCERPT_MAX = 500
#: The longest wait that an agent may ask for.
RETRY_AFTER_MAX_S = 24 * 3600.0
#: Request headers: the number of the grant, and that of the call over all attempts.
ATTEMPT_HEADER = "Signoff-Attempt"
CALL_HEADER = "Signoff-Call"
#: Bytes of a body that are read at once, and of one that is not large.
_CHUNK_BYTES: Final = 64 * 1024
_ACCEPT = {"Accept": "application/json"}
_JSON_HEADERS = {"Content-Type": "application/json", **_ACCEPT}
#: A request header: the bytes of the largest result that is taken and judged, for the agent to know before it works.
RESULT_MAX_HEADER = "Signoff-Result-Max-Bytes"
#: Response headers: the reason why the agent declines the job, and the usage of the call.
DECLINED_HEADER = "Signoff-Declined"
USAGE_HEADER = "Signoff-Usage"


@dataclass(frozen=True, slots=True)
class AgentResponse:
    """An agent's HTTP response. `body` may be cut unless the status is 2xx; `hide` removes secrets from texts."""

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
        """The seconds to wait, from the header Retry-After; None if it states none."""
        return read_retry_after(self.headers, RETRY_AFTER_MAX_S)

    def spend(self, call: Call, stated: Any = None) -> None:
        """Spend the usage of a call, from the header Signoff-Usage, else as `stated`, unless it has none."""
        text = self.headers.get(USAGE_HEADER)
        usage = None if text is None else parse_usage(text)
        if usage is None and stated is not None:
            usage = parse_usage(stated)
        if usage is not None:
            call.spend(usage)

    def to_error(self) -> errors.AgentError:
        """Return the error of a status that is not 2xx."""
        status, why = self.status, self.headers.get(DECLINED_HEADER)
        if why is not None and status < _SERVER_ERROR:
            return errors.AgentDeclinedError(why or "the agent declined", status=status)
        excerpt = self.hide(self.body.decode(errors="replace"))[:_EXCERPT_MAX]
        message = f"the agent answered {status}: {excerpt}" if excerpt else f"the agent answered {status}"
        if status in _BUSY or status >= _SERVER_ERROR:
            return errors.AgentBusyError(message, status=status, retry_after_s=self.retry_after_s)
        code = ErrorCode.AGENT_REDIRECT if status < 400 else None  # noqa: PLR2004 - what 3xx is
        return errors.AgentStatusError(message, code=code, status=status)

    def check(self) -> Self:
        """Return the response. Raise AgentError if its status is not 2xx."""
        if not self.is_success:
            raise self.to_error()
        return self

    def read_value(self) -> Any:
        """Return the JSON value of the body. Raise AgentError if the status is not 2xx, or the body is no JSON."""
        self.check()
        try:
            return parse_json(self.body)
        except ValueError as error:
            raise errors.AgentAnswerError(f"the answer is no JSON: {error}") from None


class HttpClient:
    """A client that calls agents over HTTP. It follows no redirects, uses no proxy, and bounds a response's size."""

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
        """Send a call's request, and return the response. AgentError: none comes, or one of 2xx is too large."""
        grant = call.grant
        data, headers = grant.request.encode(), build_headers(call)
        headers[RESULT_MAX_HEADER] = str(self._find_result_max(grant))
        return await self.request(call, "POST", grant.url, data=data, headers=headers)

    async def request(  # noqa: C901 - each way to fail has its error
        self,
        call: Call,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        envelope_bytes: int = 0,
    ) -> AgentResponse:
        """Send a request of a call, with the headers of the agent and `headers`, or those of JSON.

        Return the response, whose body may have `envelope_bytes` more than the largest result. Raise AgentError if none
        comes, or a too large one.
        """
        connect_s = call.grant.policy.connect_timeout_s
        values = self._header_values.read(call.grant.headers, call.grant.agent_tenant)
        if values:
            call.keep_secret(values.values())
        if headers is None:
            headers = _JSON_HEADERS if method == "POST" else _ACCEPT
        # Of names that are the same without their case, aiohttp sends the last.
        sent = {**values, **headers, **_name_span(call)}
        if call.grant.signing is not None:
            sent |= self._sign(call, method, data or b"")
        began, response = time.monotonic(), None
        try:
            note_called(url)
            async with self._session.request(
                method,
                url,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=connect_s),
                data=data,
                headers=sent,
            ) as opened:
                limit = self._result_max_bytes + envelope_bytes
                response = AgentResponse(
                    opened.status, opened.headers, await _read_body(opened, limit, call), call.hide
                )
        except aiohttp.ServerTimeoutError as error:
            raise errors.AgentConnectTimeoutError(f"no connection to {url} within {connect_s:g} s") from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(getattr(error, "os_error", None), ForbiddenAddressError):
                raise errors.AgentForbiddenError(f"{url}: {error.os_error}") from error
            raise errors.AgentUnreachableError(f"no connection to {url}: {_describe(error)}") from error
        except ForbiddenAddressError as error:
            raise errors.AgentForbiddenError(f"{url}: {error}") from error
        except (aiohttp.NonHttpUrlClientError, ValueError) as error:  # also if a user stands in both URL and header
            raise errors.AgentStatusError(
                f"the agent's URL cannot be called: {error!r}", code=ErrorCode.AGENT_INVALID_URL
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise errors.AgentBrokenOffError(f"the connection to {url} was lost: {error!r}") from error
        finally:
            if call.note_exchange is not None:
                call.note_exchange(call, _make_exchange(method, url, sent, data, response, time.monotonic() - began))
        call.note_body(len(response.body))
        if response.is_success and len(response.body) > limit:
            raise errors.AgentAnswerError(f"the answer has more than {limit} bytes", code=ErrorCode.RESULT_TOO_LARGE)
        return response

    def _sign(self, call: Call, method: str, body: bytes) -> dict[str, str]:
        """Return the headers that sign a request of a call. Raise AgentHeaderError if it cannot be signed."""
        assert call.grant.signing is not None
        secrets = self._header_values.read_secrets(call.grant.signing, call.grant.agent_tenant)
        call.keep_secret(secret.text for secret in secrets)
        message_id = name_message(str(call.grant.lease.execution_id), method)
        return sign(secrets, message_id, int(now().timestamp()), body + b" " if call.forges else body)

    def _find_result_max(self, grant: Grant) -> int:
        """Return the most bytes that a result may have to be stored, and to be judged together with the criteria.

        The judge's limit is in characters; it can bound bytes, since each character has at least one byte.
        """
        bytes_max, chars = self._result_max_bytes, grant.judged_max_chars
        if chars is None or chars >= bytes_max + CRITERIA_MAX * CRITERION_MAX_CHARS:
            return bytes_max
        criteria = parse_stored_criteria(parse_json(grant.request)["acceptance_criteria"])
        return max(0, min(bytes_max, chars - sum(len(criterion.text) for criterion in criteria)))

    def read_result(self, call: Call, response: AgentResponse) -> Any:
        """Return the result in a call's response, and count the call's usage. Raise AgentError if there is none."""
        response.spend(call)
        return self.check_size(response.read_value())

    def check_size(self, result: Any) -> Any:
        """Return `result` unchanged. Raise AgentAnswerError if it is too large to be stored."""
        if (size := measure(result)) > self._result_max_bytes:
            message = f"the result has {size} bytes, more than {self._result_max_bytes}"
            raise errors.AgentAnswerError(message, code=ErrorCode.RESULT_TOO_LARGE)
        return result


def _make_exchange(
    method: str, url: str, sent: Mapping[str, str], data: bytes | None, response: AgentResponse | None, took_s: float
) -> Exchange:
    """Return a request and its response; None: the present error says why none came."""
    if response is None:
        return Exchange(method, url, sent, data or b"", None, {}, b"", took_s, sys.exception())
    return Exchange(method, url, sent, data or b"", response.status, response.headers, response.body, took_s, None)


def parse_usage(value: Any) -> Usage | None:
    """Return an agent's usage from a JSON value or JSON text; if it is malformed, log that, and return None."""
    try:
        return Usage.model_validate_json(value) if isinstance(value, str) else Usage.model_validate(value)
    except ValidationError as error:
        why = "; ".join(
            map(describe_problem, error.errors(include_input=False))
        )  # without the input, which may have secrets
        log.warning("an agent's usage is ignored", extra={"reason": why[:500]})
        return None


def parse_answer(parse: Callable[[Any], A], value: Any, what: str) -> A:
    """Return what an agent answered, by its model. Raise AgentProtocolError, without the value, if it is no `what`."""
    try:
        return parse(value)
    except ValidationError as error:
        why = "; ".join(map(describe_problem, error.errors(include_input=False)[:3]))
        raise errors.AgentProtocolError(f"the answer is no {what}: {why}") from None


async def _read_body(response: aiohttp.ClientResponse, limit: int, call: Call) -> bytes:
    """Return the decompressed body; one of more than `limit` bytes is cut a little beyond the limit.

    All but the first bytes of a large body are read once there is memory for as many as it may have.
    """
    chunks, size = [], 0
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        if size + len(chunk) > _CHUNK_BYTES:
            await call.reserve(limit)
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            response.close()
            break
    return b"".join(chunks)


def _describe(error: aiohttp.ClientConnectorError) -> str:
    """Return why there is no connection, without what the caller says already: the address, and how it is called."""
    cause = getattr(error, "os_error", None)
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused: nothing listens there"
    return str(error) if cause is None else cause.strerror or str(cause)


def _name_span(call: Call) -> dict[str, str]:
    """Return the header by which what an agent does in a call belongs to the call's span; nothing without a trace."""
    grant = call.grant
    if not grant.traceparent:
        return {}
    execution_id = grant.lease.execution_id
    span_id = name_call(execution_id, grant.attempt, call.number)
    return {TRACEPARENT: enter(grant.traceparent, execution_id, span_id)}


def build_headers(call: Call) -> dict[str, str]:
    """Return a call's headers. An execution's calls share an Idempotency-Key, so that an agent can work just once."""
    return {
        **_JSON_HEADERS,
        "Idempotency-Key": str(call.grant.lease.execution_id),
        ATTEMPT_HEADER: str(call.grant.attempt),
        CALL_HEADER: str(call.number),
    }


class HttpAgent:
    """An adapter for agents that answer a call with the result."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def call(self, call: Call) -> Any:
        """Call the agent, and return its result. Raise AgentError if there is no usable result."""
        return self._client.read_result(call, await self._client.post(call))


#: Bytes that a status may have beside a result.
ENVELOPE_BYTES = 64 << 10
_ACCEPTED = 202


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class Failure(_Strict):
    """Why the agent's work failed, or was declined, as the agent reports it; `code` is the agent's own."""

    code: str | None = None
    message: str | None = None
    retryable: bool = False


class Status(_Strict):
    """The status of work, as the agent reports it. If it has a `heartbeat`, only a changed one is a sign of life."""

    state: Literal["running", "succeeded", "failed", "declined"]
    progress: float | None = Field(None, ge=0, le=1)
    message: str | None = None
    partial: Any = None
    result: Any = None
    error: Failure | None = None
    heartbeat: Any = None
    usage: Any = None


class PolledHttpAgent(PolledAgent):
    """An adapter for agents whose work is polled over HTTP."""

    def __init__(self, client: HttpClient, poll_max_s: float) -> None:
        super().__init__(poll_max_s)
        self._client = client

    def check(self, result: Any) -> Any:
        """Return a result. Raise AgentAnswerError if it is too large to be stored."""
        return self._client.check_size(result)


class HttpAsyncAgent(PolledHttpAgent):
    """An adapter for agents that accept work with 202, and are polled less and less often until the work ends."""

    async def find(self, call: Call) -> "_AcceptedWork | None":
        """Return the work whose place an earlier call has kept, at the agent's present address."""
        url = find_own_url(call.grant.url, call.handle) if call.handle else None
        # None of another origin, too: whoever answers at this one knows the key, or begins anew.
        return None if url is None else _AcceptedWork(self._client, call, url)

    async def send(self, call: Call) -> "_AcceptedWork | Done":
        """Post the request, which has the same key each time: the agent may answer with the work that it has."""
        response = await self._client.post(call)
        if response.status != _ACCEPTED:
            return Done(self._client.read_result(call, response))
        location = response.headers.get("Location")
        url = None if location is None else find_own_url(call.grant.url, location)
        if url is None:
            where = (
                f"with the Location {to_printable(location)!r}, of another origin"
                if location
                else "202 without a Location"
            )
            raise errors.AgentAnswerError(f"the agent answered {where}", code=ErrorCode.AGENT_INVALID_LOCATION)
        work = _AcceptedWork(self._client, call, url)
        work.retry_after_s = response.retry_after_s
        return work


class _AcceptedWork(Work[Status]):
    """Work that an agent has accepted, at an address of its own."""

    def __init__(self, client: HttpClient, call: Call, url: str) -> None:
        # Without its origin, which has moved if the agent's URL has, and may hold a password.
        super().__init__(call, f"the work at {url}", handle=choose_handle(URL(url).raw_path_qs))
        self._client = client
        self._url = url
        self._last_heartbeat: int | None = None  # a hash, so that a large one is not kept
        self._end: AgentResponse

    async def ask(self) -> Status | None:
        response = await self._client.request(self.call, "GET", self._url, envelope_bytes=ENVELOPE_BYTES)
        status = parse_answer(Status.model_validate, response.read_value(), "status")
        self.retry_after_s = response.retry_after_s
        if status.state != "running":
            self._end = response
            return status
        self._note_heartbeat(status)
        message = None if status.message is None else self.call.hide(status.message)
        self.call.report_progress(read_progress(status.progress, message, status.partial))
        return None

    def spend(self, status: Status) -> None:
        self._end.spend(self.call, status.usage)

    def read(self, status: Status) -> Any:
        error = status.error or Failure()
        why = error.message or status.message
        if status.state == "declined":
            raise errors.AgentDeclinedError(why or "the agent declined", status=error.code)
        if status.state == "failed":
            message = ": ".join(part for part in ("the agent's work failed", error.code, why) if part)
            raise errors.AgentFailedError(message, status=error.code, retryable=error.retryable)
        return status.result

    async def stop(self) -> None:
        (await self._client.request(self.call, "DELETE", self._url, headers={})).check()

    def _note_heartbeat(self, status: Status) -> None:
        """Note a sign of life: if the status has a heartbeat, only a changed one is one."""
        if status.heartbeat is not None:
            heartbeat = hash(json_text(status.heartbeat))
            if heartbeat == self._last_heartbeat:
                self.last_poll = "it answered with the same heartbeat as before"
                return
            self._last_heartbeat = heartbeat
        self.note_life()


def find_own_url(agent_url: str, place: str) -> str | None:
    """Return the URL that an agent names, absolute or from its own, if its origin is the agent's; otherwise None."""
    try:
        agent = URL(agent_url)
        url = agent.join(URL(place))
        return str(url) if url.origin() == agent.origin() else None
    except ValueError:
        return None
