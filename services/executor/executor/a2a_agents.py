"""Call A2A servers (version 1.0, by JSON-RPC or HTTP+JSON): the card says where, and the work is a task."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Never, TypeVar
from urllib.parse import quote, urlencode
from weakref import WeakValueDictionary

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from contracts import templates
from contracts.events import check_handle
from executor import errors
from executor.http_agents import AgentResponse, HttpClient, PolledHttpAgent, find_own_url, parse_answer
from executor.outcomes import read_progress, to_printable
from executor.ports import Call
from executor.work import POLL_TIMEOUT_S, Done, Work
from signoff.errors import ErrorCode
from signoff.jsontext import json_text, parse_json

log = logging.getLogger(__name__)

VERSION: Final = "1.0"
CARD_PATH: Final = "/.well-known/agent-card.json"
#: Seconds for which a card counts as read, and how many are kept.
CARD_KEPT_S: Final = 300.0
CARDS_MAX: Final = 1_000
#: Tasks of a context that are looked through: pages of so many.
PAGE_SIZE: Final = 20
PAGES_MAX: Final = 10
#: Bytes that an answer may have beside a result: the messages of its tasks, among them the request.
HISTORY_BYTES: Final = 4 << 20
#: Skills of a card that are shown, tags of each, and characters of a tag: a page of agents has many cards.
SKILLS_MAX, TAGS_MAX, TAG_MAX = 50, 10, 40
#: Characters of a server's words in an error.
_EXCERPT_MAX: Final = 500

_JSON: Final = "application/json"
_JSONRPC: Final = "JSONRPC"
_HTTP_JSON: Final = "HTTP+JSON"
_METHODS: Final = {
    "SendMessage": ("POST", "/message:send"),
    "GetTask": ("GET", "/tasks/{id}"),
    "ListTasks": ("GET", "/tasks"),
    "CancelTask": ("POST", "/tasks/{id}:cancel"),
}
#: Codes of JSON-RPC and A2A, and the reasons that stand for them over HTTP+JSON.
_NO_TASK, _UNSUPPORTED, _NO_METHOD, _NO_VERSION = -32001, -32004, -32601, -32009
_REASONS: Final = {
    "TASK_NOT_FOUND": _NO_TASK,
    "UNSUPPORTED_OPERATION": _UNSUPPORTED,
    "VERSION_NOT_SUPPORTED": _NO_VERSION,
}
_INTERNAL: Final = frozenset({-32603, -32006})
#: Statuses by which a server says that it lists no tasks.
_NOT_LISTED: Final = frozenset({_UNSUPPORTED, _NO_METHOD, 400, 404, 405, 501})

_STATE: Final = "TASK_STATE_"
_RUNNING: Final = frozenset({"SUBMITTED", "WORKING"})
_INTERRUPTED: Final = {
    "INPUT_REQUIRED": ErrorCode.AGENT_INPUT_REQUIRED,
    "AUTH_REQUIRED": ErrorCode.AGENT_AUTH_REQUIRED,
}
_ENDED: Final = frozenset({"COMPLETED", "FAILED", "CANCELED", "REJECTED"})
_FAILED: Final = frozenset({"FAILED", "CANCELED", "REJECTED", *_INTERRUPTED})


class _Read(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", alias_generator=to_camel)


def _check_id(text: str) -> str:
    if text in {".", ".."}:
        raise ValueError("must be no step of a path")
    return check_handle(text)


_Id = Annotated[str, AfterValidator(_check_id)]


class _Interface(_Read):
    url: str
    protocol_binding: str
    protocol_version: str
    tenant: _Id | None = None

    @property
    def is_spoken(self) -> bool:
        """Whether it is one of those that are called here; the number of a patch says nothing."""
        spoken = self.protocol_version == VERSION or self.protocol_version.startswith(f"{VERSION}.")
        return spoken and self.protocol_binding in {_JSONRPC, _HTTP_JSON}


class _Skill(_Read):
    id: str = ""
    name: str | None = None
    description: str | None = None
    tags: list[str] | None = None


class _Card(_Read):
    name: str | None = None
    description: str | None = None
    version: str | None = None
    skills: list[_Skill] | None = None
    supported_interfaces: list[_Interface] | None = None
    protocol_version: str | None = Field(None, description="of a card of 0.3, which stands in its interfaces since")


class _Piece(_Read):
    """A message or an artifact."""

    message_id: str | None = None
    artifact_id: str | None = None
    name: str | None = None
    parts: list[dict[str, Any]] | None = None

    @property
    def texts(self) -> list[str]:
        return [part["text"] for part in self.parts or () if isinstance(part.get("text"), str)]


class _Status(_Read):
    state: str
    message: _Piece | None = None


class Task(_Read):
    """A task of an A2A server, as far as it is read."""

    id: Annotated[_Id, Field(min_length=1)]
    status: _Status
    artifacts: list[_Piece] | None = None
    history: list[_Piece] | None = None

    @property
    def state(self) -> str:
        """The name of its state, without what all names begin with."""
        return self.status.state.removeprefix(_STATE)

    @property
    def words(self) -> str:
        """The text of the message of its status, or an empty one."""
        return "" if self.status.message is None else " ".join(self.status.message.texts)


class _Tasks(_Read):
    tasks: list[Task] | None = None
    next_page_token: str | None = None


_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where, and by which binding, a server is called."""

    url: str
    binding: str
    tenant: str | None

    def write(self, operation: str, params: Mapping[str, Any]) -> tuple[str, str, bytes | None]:
        """Return the method, URL and body of a request."""
        if self.binding == _JSONRPC:
            named = {"tenant": self.tenant, **params} if self.tenant else params
            body = {"jsonrpc": "2.0", "id": 1, "method": operation, "params": named}
            return "POST", self.url, json_text(body).encode()
        method, path = _METHODS[operation]
        rest = {name: value for name, value in params.items() if name != "id"}
        tenant = f"/{quote(self.tenant, safe='')}" if self.tenant else ""
        url = f"{self.url.rstrip('/')}{tenant}{path.format(id=quote(params.get('id', ''), safe=''))}"
        if method == "POST":
            return method, url, json_text(rest).encode()
        return method, f"{url}?{urlencode(rest)}" if rest else url, None


#: The agent's URL, and the references of its headers: a server may answer another key otherwise.
_Key = tuple[str, tuple[tuple[str, str], ...]]


def _name_server(call: Call) -> _Key:
    return call.grant.url, tuple(sorted(call.grant.headers.items()))


class _Reading:
    """The reading of a card by one of the calls that wait for it; if that failed, for all of them."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.failure: errors.AgentError | None = None
        self.failed_at = 0.0


class A2AAgent(PolledHttpAgent):
    """An adapter for A2A servers: a job is a context, an execution a message, and its work a task.

    A message may make a task each time it is sent, so the context's tasks are listed before it is sent again. A server
    that lists none is asked for the task that it named, if that is known.
    """

    def __init__(self, client: HttpClient, poll_max_s: float) -> None:
        super().__init__(client, poll_max_s)
        self._endpoints: dict[_Key, tuple[Endpoint, float]] = {}
        self._readings: WeakValueDictionary[_Key, _Reading] = WeakValueDictionary()

    async def find(self, call: Call) -> "_TaskWork | None":
        """Return the execution's task: one that goes on or is completed before others, the newest of these."""
        endpoint = await self._open(call)
        try:
            listed = await self._list(call, endpoint)
        except errors.AgentError as error:
            if not call.handle and error.status not in _NOT_LISTED:
                raise
            listed = []
        ours = [task for task in listed if _is_of(task, call)]
        task_id = min(ours, key=lambda task: task.state in _FAILED).id if ours else call.handle
        return _TaskWork(self, call, endpoint, task_id) if task_id else None

    async def send(self, call: Call) -> "_TaskWork | Done":
        """Send the execution's message, which refers to the task of the submission before."""
        endpoint = await self._open(call)
        params = {
            "message": _write_message(call, await self._find_earlier(call, endpoint)),
            "configuration": {
                "returnImmediately": True,
                "historyLength": 0,
                "acceptedOutputModes": ["text/plain", "application/json"],
            },
        }
        try:
            response, answer = await self.request(call, endpoint, "SendMessage", params)
        except errors.AgentError as error:
            if not error.retryable:
                self._endpoints.pop(_name_server(call), None)  # the next call reads the card anew
            if error.status == _NO_METHOD:
                raise errors.AgentVersionError(f"{error}: it does not speak A2A {VERSION}") from error
            raise
        if answer.get("message") is not None:
            response.spend(call)
            return Done(_read_parts(call, [_parse(_Piece, answer["message"], "message")]))
        task = _parse(Task, answer.get("task"), "task")
        return _TaskWork(self, call, endpoint, task.id)

    async def read_card(self, call: Call) -> dict[str, Any]:
        """Return what the agent says of itself, bounded, and whether it lists tasks. Raise AgentError."""
        card = await self._read_card(call)
        endpoint = choose_endpoint(card, call.grant.url)
        try:
            await self.request(call, endpoint, "ListTasks", {"contextId": call.grant.message_id, "pageSize": 1})
            lists_tasks = True
        except errors.AgentError as error:
            if error.status not in _NOT_LISTED:
                raise
            lists_tasks = False

        def show(text: str | None) -> str:
            return _show(call.hide(text or ""))

        skills = [
            {
                "id": show(skill.id),
                "name": show(skill.name),
                "description": show(skill.description),
                "tags": [show(tag)[:TAG_MAX] for tag in (skill.tags or ())[:TAGS_MAX]],
            }
            for skill in sorted(card.skills or (), key=lambda skill: skill.id)[:SKILLS_MAX]
        ]
        words = {name: show(getattr(card, name)) for name in ("name", "description", "version")}
        where = {"url": show(endpoint.url), "binding": endpoint.binding}
        return {**words, **where, "lists_tasks": lists_tasks, "skills": skills}

    async def request(
        self, call: Call, endpoint: Endpoint, operation: str, params: Mapping[str, Any]
    ) -> tuple[AgentResponse, dict[str, Any]]:
        """Send a request, and return the response and the object that answers it. Raise AgentError if none does."""
        method, url, body = endpoint.write(operation, params)
        kind = _JSON if endpoint.binding == _JSONRPC else "application/a2a+json"
        headers = {"A2A-Version": VERSION, "Accept": kind if kind == _JSON else f"{kind}, {_JSON}"}
        if body is not None:
            headers["Content-Type"] = kind
        response = await self._client.request(
            call, method, url, headers=headers, data=body, envelope_bytes=HISTORY_BYTES
        )
        return response, _read_answer(response, endpoint.binding)

    async def _open(self, call: Call) -> Endpoint:
        """Return where the agent is called, by its card, which is read once in a while."""
        server, began = _name_server(call), time.monotonic()
        reading = self._readings.setdefault(server, _Reading())
        async with reading.lock:  # thousands of calls that begin together read it once
            endpoint, read_at = self._endpoints.get(server, (None, 0.0))
            if endpoint is not None and time.monotonic() - read_at <= CARD_KEPT_S:
                return endpoint
            if reading.failure is not None and reading.failed_at >= began:
                raise reading.failure.with_traceback(None)
            before = endpoint
            try:
                endpoint = choose_endpoint(await self._read_card(call), call.grant.url)
            except errors.AgentError as error:
                reading.failure, reading.failed_at = error, time.monotonic()
                raise
            if before not in {None, endpoint}:
                log.warning("the card of an agent names another endpoint", extra={"url": call.hide(endpoint.url)})
            self._endpoints.pop(server, None)
            if len(self._endpoints) >= CARDS_MAX:
                del self._endpoints[next(iter(self._endpoints))]
            self._endpoints[server] = endpoint, time.monotonic()
            return endpoint

    async def _read_card(self, call: Call) -> _Card:
        url = find_card_url(call.grant.url)
        headers = {"A2A-Version": VERSION, "Accept": _JSON}
        try:
            async with asyncio.timeout(POLL_TIMEOUT_S):
                response = await self._client.request(call, "GET", url, headers=headers)
                return _parse(_Card, response.read_value(), "card")
        except (errors.AgentUnreachableError, errors.AgentForbiddenError):
            raise
        except errors.AgentError as error:
            message = f"the card at {url} cannot be read: {error}"
            raise errors.AgentCardError(message, status=error.status, retry_after_s=error.retry_after_s) from error
        except TimeoutError:
            raise errors.AgentCardError(f"no card came from {url} within {POLL_TIMEOUT_S:g} s") from None

    async def _list(self, call: Call, endpoint: Endpoint) -> list[Task]:
        """Return the tasks of the job's context, those that changed last first. Raise AgentError if they cannot be."""
        listed: list[Task] = []
        params: dict[str, Any] = {"contextId": call.grant.context_id, "pageSize": PAGE_SIZE}
        for _ in range(PAGES_MAX):
            _, answer = await self.request(call, endpoint, "ListTasks", params)
            page = _parse(_Tasks, answer, "list of tasks")
            listed += page.tasks or []
            if not page.next_page_token or any(_is_of(task, call) and task.state not in _FAILED for task in listed):
                break
            params["pageToken"] = page.next_page_token
        return listed

    async def _find_earlier(self, call: Call, endpoint: Endpoint) -> str | None:
        """Return the id of the task of an earlier submission, completed before others; None if the server shows none.

        The context alone has the agent find it, too: a failure here stops nothing.
        """
        if call.grant.submission <= 1:
            return None
        try:
            async with asyncio.timeout(POLL_TIMEOUT_S):
                listed = await self._list(call, endpoint)
        except (errors.AgentError, TimeoutError):
            return None
        earlier = [task for task in listed if not _is_of(task, call)]
        return min(earlier, key=lambda task: task.state != "COMPLETED").id if earlier else None


class _TaskWork(Work[Task]):
    """A task of an A2A server."""

    def __init__(self, agent: A2AAgent, call: Call, endpoint: Endpoint, task_id: str) -> None:
        super().__init__(call, f"the task {to_printable(task_id)} at {endpoint.url}", handle=task_id)
        self._agent = agent
        self._endpoint = endpoint
        self._id = task_id
        self._end: AgentResponse

    async def ask(self) -> Task | None:
        asked = {"id": self._id, "historyLength": 0}
        response, answer = await self._agent.request(self.call, self._endpoint, "GetTask", asked)
        task = _parse(Task, answer, "task")
        self.retry_after_s = response.retry_after_s
        if task.state in _RUNNING:
            self.note_life()
            self.call.report_progress(read_progress(None, self.call.hide(task.words) or None, None))
            return None
        if task.state in _INTERRUPTED:  # it would wait for ever
            await self.stop_in_time()
        self._end = response
        return task

    def spend(self, status: Task) -> None:
        del status
        self._end.spend(self.call)

    def read(self, status: Task) -> Any:
        words = to_printable(status.words)[:_EXCERPT_MAX]
        if (code := _INTERRUPTED.get(status.state)) is not None:
            raise errors.AgentError(f"the agent's task waits, and was canceled: {words or status.state}", code=code)
        match status.state:
            case "REJECTED":
                raise errors.AgentDeclinedError(words or "the agent rejected the task")
            case "FAILED":
                message = f"the agent's task failed: {words}".removesuffix(": ")
                raise errors.AgentFailedError(message, status=None, retryable=False)
            case "CANCELED":
                message = f"the agent's task was canceled at the agent: {words}".removesuffix(": ")
                raise errors.AgentError(message, code=ErrorCode.AGENT_CANCELED)
        artifacts = status.artifacts or []
        if not artifacts and status.status.message is not None:  # some servers answer by their last message
            artifacts = [status.status.message]
        return _read_parts(self.call, artifacts)

    async def stop(self) -> None:
        await self._agent.request(self.call, self._endpoint, "CancelTask", {"id": self._id})


def find_card_url(agent_url: str) -> str:
    """Return the URL of an agent's card: below the agent's URL, unless that is the card's itself."""
    base = agent_url.partition("#")[0].partition("?")[0].rstrip("/")
    return base if base.endswith(CARD_PATH) else f"{base}{CARD_PATH}"


def choose_endpoint(card: _Card, agent_url: str) -> Endpoint:
    """Return the first endpoint in a card that is spoken here and of the agent's origin, where its headers may go.

    Raise AgentError if the card has none.
    """
    offered = card.supported_interfaces or []
    spoken = [each for each in offered if each.is_spoken]
    for each in spoken:
        if (url := find_own_url(agent_url, each.url)) is not None:
            return Endpoint(url.partition("#")[0], each.protocol_binding, each.tenant)
    if spoken:
        message = f"the card's interface {_show(spoken[0].url)} is not of the agent's origin: register its own URL"
        raise errors.AgentAnswerError(message, code=ErrorCode.AGENT_INVALID_LOCATION)
    shown = ", ".join(f"{_show(each.protocol_binding)} {_show(each.protocol_version)}" for each in offered[:5])
    has = shown or (f"version {_show(card.protocol_version)}" if card.protocol_version else "no interface")
    raise errors.AgentVersionError(f"the card offers {has}; {_JSONRPC} and {_HTTP_JSON} of {VERSION} are called")


def _show(text: str) -> str:
    return to_printable(text[:200])


def _write_message(call: Call, earlier: str | None) -> dict[str, Any]:
    grant, request = call.grant, parse_json(call.grant.request)
    settings = grant.settings
    parts = [{"text": templates.fill_text(settings.get("template") or templates.DEFAULT, request)}]
    if "data" in settings:
        parts.append({"data": templates.fill_json(settings["data"], request)})
    message = {"messageId": grant.message_id, "contextId": grant.context_id, "role": "ROLE_USER", "parts": parts}
    return message if earlier is None else {**message, "referenceTaskIds": [earlier]}


def _is_of(task: Task, call: Call) -> bool:
    return any(message.message_id == call.grant.message_id for message in task.history or ())


def _read_answer(response: AgentResponse, binding: str) -> dict[str, Any]:
    """Return the object that answers. Raise AgentError if it is an error, which JSON-RPC sends with status 200."""
    try:
        answer = parse_json(response.body)
    except ValueError:
        answer = response.read_value()  # which says why
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        _refuse(response, error)
    response.check()
    if binding == _JSONRPC and isinstance(answer, dict):
        answer = answer.get("result")
    if not isinstance(answer, dict):
        raise errors.AgentProtocolError("the answer has no result of A2A")
    if "kind" in answer:
        raise errors.AgentVersionError(f"the agent answered as A2A 0.3 does, and {VERSION} is spoken here")
    return answer


def _refuse(response: AgentResponse, error: Mapping[str, Any]) -> Never:
    """Raise the AgentError that a server's error object says."""
    details = next((each for each in (error.get("data"), error.get("details")) if isinstance(each, list)), [])
    reasons = (_REASONS.get(str(each.get("reason"))) for each in details if isinstance(each, dict))
    given = error.get("code")
    code = next((each for each in reasons if each is not None), given if isinstance(given, int) else None)
    message = f"the agent answered {code}: {response.hide(str(error.get('message')))[:_EXCERPT_MAX]}"
    if code == _NO_VERSION:
        raise errors.AgentVersionError(message)
    if code == _NO_TASK:
        raise errors.AgentStatusError(message, status=404)
    if response.is_success or code in {_UNSUPPORTED, _NO_METHOD}:
        if code in _INTERNAL:
            raise errors.AgentBusyError(message, status=code, retry_after_s=response.retry_after_s)
        raise errors.AgentStatusError(message, status=code)
    raise response.to_error()


def _parse(model: type[_Model], value: Any, what: str) -> _Model:
    parsed = parse_answer(model.model_validate, value, f"{what} of A2A")
    if isinstance(parsed, Task) and parsed.state not in _RUNNING | _ENDED | _INTERRUPTED.keys():
        if parsed.status.state.islower():
            raise errors.AgentVersionError(f"the task's state {_show(parsed.state)} is one of A2A 0.3")
        raise errors.AgentProtocolError(f"the task's state {_show(parsed.state)} is not known")
    return parsed


def _read_parts(call: Call, artifacts: Sequence[_Piece]) -> Any:
    """Return the result in artifacts: a part's value, or a list of several, unless the settings say otherwise.

    Raise AgentAnswerError for a part that is neither text nor data, or if the settings want another.
    """
    wanted, output = call.grant.settings.get("artifact"), call.grant.settings.get("output")
    if wanted is not None:
        artifacts = [each for each in artifacts if wanted in {each.name, each.artifact_id}]
    if output == "text":
        return "\n".join("".join(each.texts) for each in artifacts)
    parts = [part for each in artifacts for part in each.parts or ()]
    if output == "data":
        parts = [part for part in parts if "data" in part]
        if len(parts) != 1:
            raise _part_error(f"the result has {len(parts)} data parts, and one is wanted")
    values = [_read_part(part) for part in parts]
    if output == "parts" or len(values) > 1:
        return values
    return values[0] if values else None


def _read_part(part: Mapping[str, Any]) -> Any:
    if isinstance(text := part.get("text"), str):
        return text
    if "data" in part:
        return part["data"]
    raise _part_error("the result has a part that is neither text nor data, and files are not taken")


def _part_error(message: str) -> errors.AgentError:
    return errors.AgentAnswerError(message, code=ErrorCode.AGENT_PART_UNSUPPORTED)
