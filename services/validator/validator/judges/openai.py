"""Ask judges behind OpenAI's API, or a server that implements it.

The SDK's client carries authentication, errors and connections. Its typed layer, which costs three times the CPU of
everything else, is not used: `servicekit.models` writes the request as plain JSON, reads the answer, and finds out and
remembers which features of the API a server does not support.
"""

import asyncio
import contextlib
import logging
import re
import ssl
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache, cached_property, partial
from http import HTTPStatus
from typing import Any, Final, Self

import aiohttp
import httpx2
from openai import APIStatusError, AsyncOpenAI, DefaultAioHttpClient, OpenAIError
from openai._models import FinalRequestOptions
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import to_json

from contracts.agents import DEFAULT_TENANT
from contracts.criteria import Criterion
from contracts.evidence import Evidence
from contracts.judging.policy import JudgeModel
from contracts.resources import Usage
from contracts.traceparent import TRACEPARENT
from servicekit.addresses import ForbiddenAddressError, HostPort, Network, make_socket_factory, read_host_port
from servicekit.models.forms import ApiName, Form, Output, Refusal, Role
from servicekit.models.pace import AnswerHeaders, Gate, Quota, Turn, make_metrics, read_headers, read_id
from servicekit.models.servers import FormRefusedError, Memory, Servers, ask_in_form
from servicekit.models.shapes import APIS, Api
from signoff.errors import ErrorCode
from signoff.fields import optional
from signoff.status import Outcome
from validator.errors import JudgeAnswerError, JudgeUnavailableError
from validator.judge_config import THINKING_TOKENS, JudgeConfig, JudgeKeys
from validator.judges.shapes import to_reply, to_request
from validator.ports import SENT_TRACE, Judge, Reply
from validator.prompt import Question, Questions
from validator.verdict import read_answer, to_shape_error, to_storable

log = logging.getLogger(__name__)


def make_client(config: JudgeConfig, allowed: Sequence[Network | HostPort] | None = None) -> "LeanClient":
    """Return a client of a judge's server. Raise JudgeUnavailableError if there is no key.

    `allowed` are the networks and hosts, besides the public internet, where the server may be; None allows any.
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
    """A client of one server without the SDK's options, copies, retries and casts, which cost as much as a request.

    The client sends all requests to one or two URLs with the same headers, and builds these only once.
    """

    async def send(self, path: str, body: bytes) -> httpx2.Response:
        """Post a body to a path of the server, and return the response, whose body may be cut at a bound.

        Raise the SDK's APIStatusError if the status is not 2xx; errors of the transport pass through unchanged.
        """
        if path not in self._places:
            options = await self._prepare_options(FinalRequestOptions.construct(method="post", url=path))
            self._places[path] = self._prepare_url(path), self._build_headers(options)
        url, headers = self._places[path]
        if trace := SENT_TRACE.get():
            headers = headers.copy()
            headers[TRACEPARENT] = trace
        response = await self._client.send(httpx2.Request("POST", url, headers=headers, content=body))
        if not response.is_success:
            raise self._make_status_error_from_response(response)
        return response

    @cached_property
    def _places(self) -> dict[str, tuple[httpx2.URL, httpx2.Headers]]:
        return {}


class _Http(DefaultAioHttpClient):
    """A transport that sends the SDK's requests unchanged: judges need no cookies, redirects or other authentication.

    The transport reads at most `answer_max_bytes` of the body of a response.
    """

    def __init__(self, config: JudgeConfig, allowed: Sequence[Network | HostPort] | None) -> None:
        trust_env = allowed is None  # a proxy would connect to addresses that are not checked
        super().__init__(trust_env=trust_env, verify=_make_ssl_context(trust_env))
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
        """Send a request, and return the response; a body beyond the bound is cut, and no body is decompressed."""
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


@cache
def _make_ssl_context(trust_env: bool) -> ssl.SSLContext:
    """Return an SSL context for all clients to share, since reading the system's certificates takes 30 ms."""
    return httpx2.create_ssl_context(trust_env=trust_env)


#: Of the servers of this process's judges.
METRICS: Final = make_metrics("judge", "Questions")


_RESULT: Final = {"answer": "Two and two are four."}
_CRITERION: Final = Criterion(text="It says how many two and two are")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Sample(_Frozen):
    """A judge's answer on a harmless result, and what is wrong with the answer, as a code or in words (`fault`)."""

    outcome: Outcome | None = None
    evidence: list[str] = Field(default_factory=list)
    comment: str | None = None
    fault: str | None = optional("of a sound pass there is none")


class Capabilities(_Frozen):
    """The capabilities of a model at a server, as found by one harmless question, with the answer to it."""

    api: ApiName
    output: Output = Field(description="how an answer is held to its schema: `text` by the prompt alone")
    bounds_strings: bool = Field(description="whether the API takes a schema that bounds the length of strings")
    role: Role = Field(description="who speaks the instructions")
    left_out: list[str] = Field(default_factory=list, description="fields that the server does not take")
    thinks: bool = Field(description="whether the model was given room for thoughts before its answer")
    model: str | None = optional("as the server names it")
    usage: Usage | None = optional("None: the server does not report it")
    requests: Quota | None = optional("by the headers of rate limits, as are tokens")
    tokens: Quota | None = None
    request_id: str | None = None
    latency_s: float | None = None
    sample: Sample


def read_sample(question: Question, reply: Reply) -> Sample:
    """Return a judge's answer on the harmless result, with its fault, if any, by the rules for all answers."""
    try:
        (found,) = read_answer(reply.text, question.count, *question.words).criteria
    except JudgeAnswerError as error:
        return Sample(fault=error.code)
    _, fault = Evidence(_RESULT, [_CRITERION.text]).sift(found.evidence, _CRITERION.text)
    if found.outcome is not Outcome.PASS:
        fault = "it should have passed"
    quotes = [to_storable(quote) for quote in found.evidence]
    return Sample(outcome=found.outcome, evidence=quotes, comment=to_storable(found.comment), fault=fault)


def describe(
    form: Form, headers: AnswerHeaders, sample: Sample, answer: Reply | JudgeAnswerError, *, thinks: bool
) -> Capabilities:
    """Return the capabilities that one ask showed, by its form, its answer and the headers of the response."""
    return Capabilities(
        api=form.api,
        output=form.output,
        bounds_strings=form.bounds_strings,
        role=form.role,
        left_out=sorted(form.without),
        thinks=thinks,
        model=to_storable(answer.model) if isinstance(answer, Reply) and answer.model else None,
        usage=answer.usage,
        requests=headers.requests,
        tokens=headers.tokens,
        request_id=answer.request_id,
        latency_s=None if answer.latency_s is None else round(answer.latency_s, 3),
        sample=sample,
    )


#: A code of the judge's that may be shown.
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
#: A token of a request has about so many bytes.
_BYTES_A_TOKEN: Final = 4

#: Statuses of a request that is wrong in itself, so that a retry is of no use.
_REJECTED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY})
_UNAVAILABLE_CODES: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: ErrorCode.JUDGE_UNAUTHORIZED,
    HTTPStatus.FORBIDDEN: ErrorCode.JUDGE_UNAUTHORIZED,
    HTTPStatus.NOT_FOUND: ErrorCode.JUDGE_NOT_FOUND,
    HTTPStatus.TOO_MANY_REQUESTS: ErrorCode.JUDGE_RATE_LIMITED,
}


class OpenAIJudge:
    """A judge that is asked through one client, which keeps its connections; close the judge when done.

    Judges with the same `servers` share what is known of each server, and the pace at which it is asked.
    """

    def __init__(
        self, config: JudgeConfig, servers: Servers | None = None, allowed: Sequence[Network | HostPort] | None = None
    ) -> None:
        self._config = config
        self._client = make_client(config, allowed)
        servers = servers or Servers(METRICS)
        base_url = str(self._client.base_url)
        self._memory: Memory = servers.recall(base_url, config.model, config.api)
        self._gate: Gate = servers.find_gate(base_url, self._client.api_key)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def ask(self, question: Question) -> Reply:
        """Ask once; if the server does not support the form of the request, ask again in other forms.

        The supported form is remembered, and so is a model that used up its tokens by thinking: it gets more next time.
        """
        room = self._config.thinking_tokens
        if room is None:
            room = THINKING_TOKENS if self._memory.thinks else 0
        try:
            return await ask_in_form(
                self._memory,
                partial(self._post, question, room),
                parameters=self._config.parameters,
                may_switch=self._config.api is None,
            )
        except JudgeAnswerError as error:
            self._memory.thinks |= error.needs_room
            raise

    async def probe(self) -> Capabilities:
        """Ask about a harmless result, and return the capabilities of the model at its server.

        Raise JudgeUnavailableError if the server did not answer, and JudgeAnswerError if it refuses every form.
        """
        question = Questions(_RESULT).ask([_CRITERION])
        answer = await self._ask_for_sample(question)
        if isinstance(answer, JudgeAnswerError) and answer.needs_room:
            answer = await self._ask_for_sample(question)
        sample = read_sample(question, answer) if isinstance(answer, Reply) else Sample(fault=answer.code)
        memory = self._memory
        return describe(memory.form, memory.headers, sample, answer, thinks=memory.thinks)

    async def _ask_for_sample(self, question: Question) -> Reply | JudgeAnswerError:
        try:
            return await self.ask(question)
        except JudgeAnswerError as error:
            if error.is_final:
                raise
            return error

    async def _post(self, question: Question, room: int, form: Form, *, teaches: bool) -> Reply:
        """Wait for the question's turn, and ask in `form`. If `teaches`, remember that the server accepted the form.

        Raise FormRefusedError if the server may accept another form. `room` is the number of tokens for thoughts.
        """
        api = APIS[form.api]
        tokens_max = question.tokens_max + room
        request = to_request(self._config.model, question, tokens_max, form, self._config.parameters)
        body = to_json(api.write(request))
        turn = await self._gate.enter(len(body) // _BYTES_A_TOKEN + tokens_max)
        begun = time.monotonic()
        try:
            response = await self._send(api.path, body)
        except APIStatusError as error:
            raise self._note_status(error, turn) from error
        except BaseException:
            self._gate.leave()
            raise
        headers = self._memory.headers = read_headers(response.headers)
        self._gate.note_answer(turn, headers)
        if teaches:
            self._memory.learn(form)
        return self._read(api, response.content, headers, time.monotonic() - begun)

    async def _send(self, path: str, body: bytes) -> httpx2.Response:
        try:
            async with asyncio.timeout(self._config.timeout_s):
                return await self._client.send(path, body)
        except TimeoutError as error:
            raise JudgeUnavailableError(
                f"the judge did not answer within {self._config.timeout_s:g} s", code=ErrorCode.JUDGE_TIMEOUT
            ) from error
        except APIStatusError:
            raise
        except (OpenAIError, httpx2.HTTPError, aiohttp.ClientError, OSError) as error:
            if (forbidden := _find_forbidden(error)) is not None:
                raise JudgeUnavailableError(str(forbidden), code=ErrorCode.JUDGE_ADDRESS_FORBIDDEN) from error
            cause = type(error).__name__
            raise JudgeUnavailableError(
                f"the judge cannot be reached: {cause}", code=ErrorCode.JUDGE_UNREACHABLE
            ) from error

    def _note_status(self, error: APIStatusError, turn: Turn) -> Exception:
        """Report the status of a failed request to the gate, and return the error to raise for it."""
        meant = _to_error(error, self._gate.note_status(turn, error.status_code, error.response.headers))
        refusal = Refusal(error.status_code, f"{error.code or ''} {error.type or ''}", error.message)
        return FormRefusedError(meant, refusal) if refusal.may_be_of_form else meant

    def _read(self, api: Api, body: bytes, headers: AnswerHeaders, latency_s: float) -> Reply:
        parsed, fault = api.parse(body)
        usage = _read_usage(api, parsed)
        try:
            if fault is not None:
                raise to_shape_error(fault) from fault
            reply = to_reply(api.read(parsed))
        except JudgeAnswerError as error:
            error.usage, error.request_id, error.latency_s = usage, headers.request_id, latency_s
            raise
        request_id = headers.request_id or read_id(reply.request_id)
        return replace(reply, usage=usage, request_id=request_id, latency_s=latency_s)


def _read_usage(api: Api, parsed: Any) -> Usage | None:
    try:
        return api.read_usage(parsed)
    except ValueError as error:
        log.warning("the judge's usage is ignored", extra={"reason": str(error)[:500]})
        return None


def _to_error(error: APIStatusError, retry_after_s: float | None) -> JudgeUnavailableError | JudgeAnswerError:
    """Return the error for a status. The error shows only the server's code: a server's message may repeat the key."""
    named = f" ({error.code})" if error.code and _CODE.fullmatch(error.code) else ""
    message = f"the judge's API answered {error.status_code}{named}"
    if error.status_code in _REJECTED:
        rejection = JudgeAnswerError(message, code=ErrorCode.JUDGE_REQUEST_REJECTED)
        rejection.is_final = True
        return rejection
    code = _UNAVAILABLE_CODES.get(error.status_code, ErrorCode.JUDGE_UNAVAILABLE)
    if error.code == "insufficient_quota":
        code = ErrorCode.JUDGE_QUOTA_EXCEEDED
    unavailable = JudgeUnavailableError(message, code=code, retry_after_s=retry_after_s)
    unavailable.status = error.status_code
    return unavailable


def _find_forbidden(error: BaseException | None) -> ForbiddenAddressError | None:
    """Return the ForbiddenAddressError that caused an error, or None if none did."""
    while error is not None:
        inner = getattr(error, "os_error", error)
        if isinstance(inner, ForbiddenAddressError):
            return inner
        error = error.__cause__
    return None


#: Judges that are kept; beyond, the least recently asked are closed.
JUDGES_MAX: Final = 64


class JudgeRoster:
    """The judges of one validator: its own judge, and those of policies. Leaving the context closes all of them."""

    def __init__(self, own: JudgeConfig, keys: JudgeKeys, allowed: list[Network | HostPort]) -> None:
        """Raise JudgeUnavailableError if the validator's own judge is not configured."""
        self._servers = Servers(METRICS)
        self._own = OpenAIJudge(own, self._servers)
        self._keys = keys
        self._allowed = allowed
        self._judges: OrderedDict[tuple[str, str], _KeptJudge] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._own.close()
        for judge in self._judges.values():
            await judge.retire()

    def count_paced(self) -> int:
        """Return how many asks wait for the pace that their judges' servers take."""
        return self._servers.count_waiting()

    def judge_of(self, model: JudgeModel | None, tenant: str = DEFAULT_TENANT) -> Judge:
        """Return the judge of a model of a tenant's policy or, for None, the validator's own judge."""
        return self._own if model is None else _Named(self, model, tenant)

    async def probe(self, model: JudgeModel | None, tenant: str = DEFAULT_TENANT) -> JsonValue:
        """Return a model's capabilities (None: the own judge's) as JSON. Raise as OpenAIJudge.probe does."""
        judge = self._own if model is None else await self.find(model, tenant)
        return (await judge.probe()).model_dump(mode="json", exclude_none=True)

    async def find(self, model: JudgeModel, tenant: str = DEFAULT_TENANT) -> "_KeptJudge":
        """Return the judge of a model of a tenant's policy, which is made once for the tenant, and kept.

        Raise JudgeUnavailableError if settings forbid it.
        """
        name = tenant, model.asked_as
        if (kept := self._judges.get(name)) is None:
            config = self._keys.resolve(model, tenant)
            # An operator may place the own judge anywhere; policies are held to the public internet.
            allowed = None if self._keys.is_own(config.base_url) else self._allowed
            kept = self._judges[name] = _KeptJudge(OpenAIJudge(config, self._servers, allowed))
            if len(self._judges) > JUDGES_MAX:
                await self._judges.popitem(last=False)[1].retire()
        self._judges.move_to_end(name)
        return kept


class _Named:
    """The judge of a policy's model, looked up in the roster at each ask, so that corrected settings take effect."""

    def __init__(self, roster: JudgeRoster, model: JudgeModel, tenant: str) -> None:
        self._roster = roster
        self._model = model
        self._tenant = tenant

    async def ask(self, question: Question) -> Reply:
        """Ask the model's judge once."""
        return await (await self._roster.find(self._model, self._tenant)).ask(question)


class _KeptJudge:
    """A judge that is closed as soon as it has been retired and no ask of it is under way."""

    def __init__(self, judge: OpenAIJudge) -> None:
        self._judge = judge
        self._asks = 0
        self._is_retired = False

    async def ask(self, question: Question) -> Reply:
        async with self._kept():
            return await self._judge.ask(question)

    async def probe(self) -> Capabilities:
        async with self._kept():
            return await self._judge.probe()

    @asynccontextmanager
    async def _kept(self) -> AsyncIterator[None]:
        self._asks += 1
        try:
            yield
        finally:
            self._asks -= 1
            if self._is_retired and not self._asks:
                await self._judge.close()

    async def retire(self) -> None:
        """Close the judge now or, if asks are under way, when the last of them has ended."""
        self._is_retired = True
        if not self._asks:
            await self._judge.close()
