"""Call models behind OpenAI's API, or a server that implements it: by one request, or by one whose work is polled.

What a server takes is found out, and its rate kept, by `servicekit.models`, as by validators. No tool is run here: a
request has one answer.
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Any, Final

from pydantic_core import from_json, to_json

from contracts.agent_settings import TOKENS_PARAMETERS
from contracts.checks.languages import compile_schema
from contracts.fields import describe_problem
from contracts.templates import DEFAULT, fill_text
from executor import errors
from executor.http_agents import AgentResponse, HttpClient, PolledHttpAgent
from executor.ports import Call
from executor.work import Done, Work
from servicekit.models.forms import ApiName, Form, Output, Refusal
from servicekit.models.pace import Gate, make_metrics, read_headers
from servicekit.models.servers import FormRefusedError, Memory, Servers, ask_in_form
from servicekit.models.shapes import APIS, Api, Request, Response, find_answer
from signoff.errors import ErrorCode
from signoff.jsontext import json_text, parse_json

log = logging.getLogger(__name__)

#: Bytes that an answer may have beside the result, such as what its tools found.
ENVELOPE_BYTES: Final = 1 << 20
#: A token of a request has about so many bytes.
_BYTES_A_TOKEN: Final = 4
#: The smallest bound of an answer's tokens that Responses take.
TOKENS_MIN: Final = 16
#: Statuses of a response that goes on.
_RUNNING: Final = frozenset({"queued", "in_progress"})
#: The assistant's message after instructions that only a user may give.
_UNDERSTOOD: Final = "Understood."
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_QUOTA: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_FILTERED: Final = frozenset({"content_filter", "content_policy_violation"})
#: Codes of failed responses after which another may succeed.
_PASSING: Final = frozenset({"server_error", "rate_limit_exceeded", "vector_store_timeout"})
#: Of the servers of this process's models.
METRICS: Final = make_metrics("model", "Requests")


class OpenAIAgent(PolledHttpAgent):
    """An adapter for models: a request has its answer at once or, in the background, is polled until it ends."""

    def __init__(self, client: HttpClient, poll_max_s: float) -> None:
        super().__init__(client, poll_max_s)
        self._servers = Servers(METRICS)

    async def find(self, call: Call) -> "_Response | None":
        """Return the response whose id an earlier call has kept."""
        return _Response(self._client, call, call.handle) if call.handle else None

    async def send(self, call: Call) -> "_Response | Done":
        """Ask the model, in a form that its server takes."""
        grant, settings = call.grant, call.grant.settings
        api: ApiName | None = "responses" if self.goes_on(call) else settings.get("api")
        output: Output = "text" if settings.get("schema") is None else "json_schema"
        memory = self._servers.recall(grant.url, settings["model"], api, output)
        gate = self._servers.find_gate(grant.url, json_text(dict(grant.headers)))
        post = partial(self._post, call, memory, gate)
        return await ask_in_form(memory, post, parameters={}, may_switch=api is None)

    def goes_on(self, call: Call) -> bool:
        """Return whether the response is made in the background; any other ends with its request."""
        return bool(call.grant.settings.get("background"))

    async def _post(self, call: Call, memory: Memory, gate: Gate, form: Form, *, teaches: bool) -> "_Response | Done":
        """Wait for the request's turn, and send it. Raise FormRefusedError if another form may be taken."""
        api, request = APIS[form.api], _write(call, form)
        body, url = to_json(api.write(request)), join_url(call.grant.url, api.path)
        turn = await gate.enter(len(body) // _BYTES_A_TOKEN + (request.tokens_max or 0))
        try:
            response = await self._client.request(call, "POST", url, data=body, envelope_bytes=ENVELOPE_BYTES)
        except BaseException:
            gate.leave()
            raise
        if not response.is_success:
            raise _to_error(call, response, url, gate.note_status(turn, response.status, response.headers))
        gate.note_answer(turn, read_headers(response.headers))
        if teaches:
            memory.learn(form)
        return self._take(call, api, response)

    def _take(self, call: Call, api: Api, response: AgentResponse) -> "_Response | Done":
        parsed = _parse(call, api, response)
        if getattr(parsed, "status", None) not in _RUNNING or not self.goes_on(call):
            _spend(call, api, parsed)
            return Done(_read(call, api, parsed))
        if not isinstance(parsed.id, str) or not _ID.fullmatch(parsed.id):
            raise errors.AgentProtocolError("the response goes on, and has no usable id")
        work = _Response(self._client, call, parsed.id)
        work.retry_after_s = response.retry_after_s
        return work


class _Response(Work[Response]):
    """A response that is made in the background."""

    def __init__(self, client: HttpClient, call: Call, response_id: str) -> None:
        super().__init__(call, f"the response {response_id}", handle=response_id)
        self._client = client
        self._url = join_url(call.grant.url, f"responses/{response_id}")

    async def ask(self) -> Response | None:
        response = await self._client.request(self.call, "GET", self._url, envelope_bytes=ENVELOPE_BYTES)
        try:
            parsed: Response = _parse(self.call, APIS["responses"], response.check())
        except errors.AgentOutputError as error:  # asked again, it would say the same
            raise errors.AgentProtocolError(str(error)) from error
        self.retry_after_s = response.retry_after_s
        if parsed.status not in _RUNNING:
            return parsed
        self.note_life()
        return None

    def spend(self, status: Response) -> None:
        _spend(self.call, APIS["responses"], status)

    def read(self, status: Response) -> Any:
        return _read(self.call, APIS["responses"], status)

    async def stop(self) -> None:
        url = f"{self._url}/cancel"
        (await self._client.request(self.call, "POST", url, envelope_bytes=ENVELOPE_BYTES)).check()


def join_url(base: str, path: str) -> str:
    """Return the URL of a path below the base of a server, whose query stays, such as Azure's version of the API."""
    place, mark, query = base.partition("?")
    return f"{place.rstrip('/')}/{path}{mark}{query}"


def _write(call: Call, form: Form) -> Request:
    settings = call.grant.settings
    parameters = settings.get("parameters") or {}
    bounds = [value for name in TOKENS_PARAMETERS if (value := parameters.get(name)) is not None]
    if call.tokens_left is not None:
        bounds.append(max(call.tokens_left, TOKENS_MIN))
    task = fill_text(settings.get("template") or DEFAULT, from_json(call.grant.request))
    extra = {name: value for name, value in parameters.items() if name not in TOKENS_PARAMETERS}
    return Request(
        settings["model"],
        [("user", task)],
        form,
        settings.get("instructions"),
        _UNDERSTOOD,
        settings.get("schema"),
        tokens_max=min(bounds, default=None),
        extra=extra | ({"background": True, "store": True} if settings.get("background") else {}),
    )


def _to_error(call: Call, response: AgentResponse, url: str, pause_s: float | None) -> Exception:
    """Return the error of a status that is no success; FormRefusedError if the request's form may be the reason."""
    said = _read_said(response.body)
    code, kind, param = (str(said.get(name) or "") for name in ("code", "type", "param"))
    error = response.to_error()
    if response.status == HTTPStatus.NOT_FOUND and not code:
        hint = "an agent's URL is the server's base, such as https://api.openai.com/v1"
        error.args = (f"{error}; asked at {url}: {hint}",)
    if not _QUOTA.isdisjoint({code, kind}):
        error = errors.AgentError(str(error), code=ErrorCode.AGENT_QUOTA_EXHAUSTED, status=response.status)
    elif not _FILTERED.isdisjoint({code, kind}):
        error = errors.AgentFilteredError(str(error), status=response.status)
    error.retry_after_s = pause_s
    refusal = Refusal(response.status, f"{code} {kind}", str(said.get("message") or ""))
    is_given = re.split(r"[.\[]", param)[0] in set(call.grant.settings.get("parameters") or {}) - TOKENS_PARAMETERS
    return FormRefusedError(error, refusal) if refusal.may_be_of_form and not is_given else error


def _read_said(body: bytes) -> Mapping[str, Any]:
    """Return what a server says of an error, in OpenAI's form or a text; empty if it says nothing that is known."""
    try:
        value = parse_json(body)
    except ValueError:
        return {}
    error = value.get("error", value) if isinstance(value, dict) else None
    return error if isinstance(error, dict) else {"message": error} if isinstance(error, str) else {}


def _parse(call: Call, api: Api, response: AgentResponse) -> Any:
    """Return the parsed body of an answer. Raise AgentError, with the usage spent, if its shape is another."""
    parsed, fault = api.parse(response.body)
    if fault is None:
        return parsed
    first = fault.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        raise errors.AgentAnswerError(f"the answer is no JSON: {first['ctx']['error']}")
    _spend(call, api, parsed)
    if (said := _read_said(response.body)).get("message"):
        raise _to_failure(said)
    raise errors.AgentOutputError(f"the answer is none of {api.path}: {describe_problem(first)}")


def _spend(call: Call, api: Api, parsed: Any) -> None:
    try:
        usage = api.read_usage(parsed)
    except ValueError as error:
        log.warning("a model's usage is ignored", extra={"reason": str(error)[:500]})
        return
    if usage is not None:
        call.spend(usage)


def _read(call: Call, api: Api, parsed: Any) -> Any:
    """Return the result in an answer. Raise AgentError if the answer is not usable."""
    answer = api.read(parsed)
    match answer.end:
        case "cut_off":
            raise errors.AgentTruncatedError("the answer reached its bound of tokens, and was cut off")
        case "filtered":
            raise errors.AgentFilteredError("a content filter stopped the answer")
        case "refused":
            raise errors.AgentError(f"the model refused: {answer.reason}", code=ErrorCode.AGENT_REFUSED)
        case "failed":
            said = parsed.error if isinstance(parsed.error, dict) else {}
            raise _to_failure({"code": parsed.status, **said})
    if not answer.text.strip():
        if isinstance(fault := getattr(parsed, "error", None), dict):
            raise _to_failure(fault)
        raise errors.AgentOutputError(f"the answer has no text{_name_others(parsed)}")
    schema = call.grant.settings.get("schema")
    return answer.text if schema is None else _read_json(find_answer(answer.text), schema)


def _to_failure(said: Mapping[str, Any]) -> errors.AgentError:
    code = str(said.get("code") or said.get("type") or "")[:100]
    message = ": ".join(part for part in ("the model's server failed", code, str(said.get("message") or "")) if part)
    if code in _QUOTA:
        return errors.AgentError(message, code=ErrorCode.AGENT_QUOTA_EXHAUSTED, status=code)
    return errors.AgentFailedError(message, status=code or None, retryable=code in _PASSING)


def _name_others(parsed: Any) -> str:
    """Name what an answer has in place of a text, such as a call of a tool that somebody else has to run."""
    kinds = {item.type[:50] for item in getattr(parsed, "output", ())} - {"message", "reasoning"}
    return f"; it has {', '.join(sorted(kinds)[:5])}, after which nobody asks it again here" if kinds else ""


def _read_json(text: str, schema: Mapping[str, Any]) -> Any:
    try:
        result = parse_json(text)
    except ValueError as error:
        raise errors.AgentOutputError(f"the answer is no JSON: {error}") from None
    written = json_text(schema)
    if len(text) * _count_parts(written) > WORK_MAX:
        return result
    fault = next(iter(_compile(written).iter_errors(result)), None)
    if fault is not None:
        place = "".join(f"/{part}" for part in fault.instance_path)
        raise errors.AgentOutputError(f"the answer is not of the schema, at {place or 'the root'}: {fault.message}")
    return result


#: Parts of a schema, times characters of an answer, above which the answer is not checked here: the loop would wait.
WORK_MAX: Final = 20_000_000


@lru_cache(maxsize=64)
def _compile(schema: str) -> Any:
    return compile_schema(json.loads(schema))


@lru_cache(maxsize=64)
def _count_parts(schema: str) -> int:
    """Return how many parts a schema has where its references are followed, WORK_MAX at most."""
    root = json.loads(schema)
    waiting, count = [root], 0
    while waiting and count < WORK_MAX:
        count += 1 if count < _PARTS_MAX else WORK_MAX
        waiting.extend(_list_parts(waiting.pop(), root))
    return count


#: Parts that are counted: a schema that refers to itself has no end.
_PARTS_MAX: Final = 20_000


def _list_parts(part: Any, root: Any) -> Iterator[Any]:
    if isinstance(part, dict):
        yield from part.values()
        for name in ("$ref", "$dynamicRef", "$recursiveRef"):
            if name in part:
                yield _find_referred(str(part[name]), root)
    elif isinstance(part, list):
        yield from part


def _find_referred(reference: str, root: Any) -> Any:
    """Return the part to which a reference leads; where that is not plain, the whole, which has no end then."""
    found = root
    for step in reference.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, dict) else None
    return root if found is None else found
