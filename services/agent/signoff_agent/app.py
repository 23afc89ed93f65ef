"""Make an async function an agent: an ASGI app that takes work by POST, shows it by GET, and stops it by DELETE.

Of one Idempotency-Key there is one piece of work at a time. It goes on when its caller is gone, and is answered to
each later call. What a process left undone is told as lost, and is not done again unless the agent `is_repeatable`.
"""

import asyncio
import hashlib
import inspect
import json
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypedDict, TypeVar, Unpack, overload
from urllib.parse import parse_qs

from signoff_agent import signing
from signoff_agent.store import SqliteStore, Store, StoreError, Work
from signoff_agent.task import AgentError, DeclinedError, Task, check_json, to_json, to_text

T = TypeVar("T")
Function = Callable[[Task], Coroutine[Any, Any, Any]]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
log = logging.getLogger(__name__)

#: The variable of the path of the store, and that of the secrets that sign requests.
STORE_VARIABLE: Final = "SIGNOFF_AGENT_STORE"
SECRETS_VARIABLE: Final = "SIGNOFF_AGENT_SIGNING"
#: Seconds between two signs of life to other processes, of which each brings the requests to stop from them.
BEAT_S: Final = 0.5
FORGET_EVERY_S: Final = 600.0
#: Seconds for a request's body to come, and for a function that is cancelled to end.
BODY_S: Final = 10.0
CUT_S: Final = 5.0
#: Seconds for which, at a stop, the end of work is kept to be asked for.
TELL_S: Final = 10.0
#: Requests whose bodies are read at once.
READING_MAX: Final = 64
RETRY_AFTER_S: Final = 2
_KEY: Final = re.compile(r"[!-~]{1,255}")


class _RefusalError(Exception):
    """A request that is answered with a status and a message."""

    def __init__(self, status: int, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


class Options(TypedDict, total=False):
    """The options of an agent, which `Agent` describes."""

    store: Store | str | Path | None
    secrets: str | list[str] | None
    max_running: int
    body_max_bytes: int
    grace_s: float
    is_repeatable: bool


@dataclass
class _Run:
    """Work that goes on in this process; `cut_as` is the state that it gets if it is cancelled.

    The function has a task of its own, so that one that is cancelled before it begins is seen to end, too.
    """

    work: Work
    task: Task
    calling: asyncio.Task[Any]
    carrying: asyncio.Task[None] | None = None
    cut_as: str | None = None
    beaten: dict[str, Any] = field(default_factory=dict)

    def cut(self, state: str) -> None:
        """Cancel the function, once."""
        if self.cut_as is None:
            self.cut_as = state
            self.calling.cancel()


@dataclass(eq=False)
class Agent:
    """An ASGI app around an async function.

    `store`, or the variable SIGNOFF_AGENT_STORE, is the path of its SQLite file, or another store. `secrets`, or the
    variable SIGNOFF_AGENT_SIGNING, has the secrets by which requests must be signed; two while they rotate. It does
    `max_running` pieces of work at once. At a stop work goes on for `grace_s`; what is cut then, or by a crash, begins
    anew if it `is_repeatable`, when Signoff calls again, and is told as lost otherwise.
    """

    function: Function
    _: KW_ONLY
    store: Store | str | Path | None = None
    secrets: str | list[str] | None = field(default=None, repr=False)
    max_running: int = 100
    body_max_bytes: int = 4 << 20
    grace_s: float = 20.0
    is_repeatable: bool = False

    def __post_init__(self) -> None:
        if not inspect.iscoroutinefunction(self.function):
            raise TypeError("an agent is an async function; what blocks is called by asyncio.to_thread in it")
        self.name: str = self.function.__name__
        self._secrets: list[bytes] = []
        self._store: Store | None = None
        self._opening = asyncio.Lock()
        self._beating: asyncio.Task[None] | None = None
        self._finishing: set[asyncio.Task[Any]] = set()  # what goes on if the request that asked for it is cancelled
        self._runs: dict[str, _Run] = {}
        self._unkept: dict[str, Work] = {}  # the ends of work that the store has not taken yet
        self._untold: dict[str, float] = {}  # when work ended whose end nobody has asked for
        self._reading = self._beginning = 0  # requests whose bodies are read, and those that have room to begin
        self.is_stopping = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or the server's own start and stop."""
        if scope["type"] == "lifespan":
            await self._serve_lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve_request(scope, receive, send)
        else:
            raise ValueError(f"an agent serves no {scope['type']}")

    async def open(self, store: Store | None = None) -> None:
        """Open the store, or the one given; the first request does so where no server did.

        Raise StoreError, or ValueError if the secrets are none.
        """
        async with self._opening:
            if self._store is not None:
                return
            secrets = os.environ.get(SECRETS_VARIABLE) if self.secrets is None else self.secrets
            if secrets is not None:  # an empty one is a mistake, and not a wish to take unsigned requests
                self._secrets = signing.parse_secrets(secrets)
            place = store or self.store or os.environ.get(STORE_VARIABLE, f".signoff-agent/{self.name}.sqlite3")
            opened = SqliteStore(place) if isinstance(place, str | Path) else place
            await opened.open()
            self._store, self.is_stopping = opened, False
            self._beating = asyncio.create_task(self._beat(opened))

    async def drain(self, grace_s: float, *, tells: bool) -> None:
        """Take no new work, let what goes on end within the grace, and cut the rest as lost.

        Where it `tells`, requests are still answered, and it waits until they have asked for what ended.
        """
        self.is_stopping = True
        until = time.monotonic() + grace_s
        while (self._finishing or self._runs or (tells and self._has_untold())) and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        if self._finishing:
            await asyncio.wait(self._finishing)  # work that is being begun is cut, too
        for run in self._runs.values():
            run.cut("lost")
        if carrying := [run.carrying for run in self._runs.values() if run.carrying is not None]:
            await asyncio.wait(carrying, timeout=CUT_S)

    async def close(self) -> None:
        """Stop: drain, unless that was done, and close the store."""
        if self._store is None:
            return
        await self.drain(0 if self.is_stopping else self.grace_s, tells=False)
        assert self._beating is not None
        self._beating.cancel()
        store, self._store = self._store, None
        await store.close()

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            kind = (await receive())["type"].removeprefix("lifespan.")
            try:
                await (self.open() if kind == "startup" else self.close())
            except (StoreError, ValueError) as error:
                await send({"type": f"lifespan.{kind}.failed", "message": str(error)})
                return
            await send({"type": f"lifespan.{kind}.complete"})
            if kind == "shutdown":
                return

    async def _serve_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = {"content-type": "application/json", "cache-control": "no-store"}
        try:
            status, answer = await self._answer(scope, receive, sent)
        except StoreError as error:
            log.error("a request is refused: %s", error)  # noqa: TRY400 - the store has logged where
            status, answer = 503, to_json({"error": "the agent's store cannot be used now"})
            sent["retry-after"] = str(RETRY_AFTER_S)
        except _RefusalError as error:
            status, answer = error.status, to_json({"error": str(error)})
            if error.retry_after_s is not None:
                sent["retry-after"] = str(error.retry_after_s)
        sent["content-length"] = str(len(answer))
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        await send({"type": "http.response.body", "body": answer})

    async def _answer(self, scope: Scope, receive: Receive, sent: dict[str, str]) -> tuple[int, bytes]:
        """Return the status and the body of an answer, and add its headers to `sent`."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        work_id = parse_qs(query).get("work", [""])[-1]
        if scope["method"] == "GET":
            return await self._get(work_id, headers)
        if scope["method"] == "DELETE":
            return await self._delete(work_id, headers)
        if scope["method"] != "POST":
            raise _RefusalError(405, "an agent takes POST, GET and DELETE")
        # Relative, so that it is right behind a proxy that serves the agent at another path.
        sent["location"] = f"?{query}{'&' if query else ''}work={await self._post(headers, receive)}"
        return 202, b'{"state":"running"}'

    async def _post(self, headers: dict[str, str], receive: Receive) -> str:
        """Begin the work of a request, or find it, and return its id. Raise _RefusalError."""
        key = headers.get("idempotency-key", "")
        if not _KEY.fullmatch(key):
            raise _RefusalError(400, "the header Idempotency-Key must have 1 to 255 characters without spaces")
        task = Task(
            key,
            {},
            _read_number(headers, "signoff-attempt") or 1,
            _read_number(headers, "signoff-call") or 1,
            _read_number(headers, "signoff-result-max-bytes"),
        )
        if self._reading >= READING_MAX:
            raise _RefusalError(503, "too many requests are read at once", retry_after_s=RETRY_AFTER_S)
        self._reading += 1
        try:
            body = await self._read_body(headers, receive)
        finally:
            self._reading -= 1
        store = await self._ready()
        if self._secrets and self._check_signature(headers, body) != key:
            raise _RefusalError(401, "the signature is of another request: its id is not the Idempotency-Key")
        task.request = _parse(body)
        return await self._finish(self._begin(store, task, hashlib.sha256(body).hexdigest()))

    async def _begin(self, store: Store, task: Task, digest: str) -> str:
        """Begin the work of a task, or find that of its key, and return its id. Raise _RefusalError."""
        under_way = len(self._runs) + len(self._unkept) + self._beginning
        has_room = not self.is_stopping and under_way < self.max_running
        self._beginning += has_room
        try:
            begun = await store.begin(task.key, digest, has_room=has_room, is_repeatable=self.is_repeatable)
        finally:
            self._beginning -= has_room
        if begun is None:
            why = "the agent is being stopped" if self.is_stopping else f"{self.max_running} pieces of work go on"
            raise _RefusalError(503, f"{why}: come again later", retry_after_s=RETRY_AFTER_S)
        if begun.is_new:
            task.checkpoints = {name: json.loads(value) for name, value in begun.checkpoints.items()}
            task.keep = lambda name, value: store.checkpoint(task.key, name, value)
            run = _Run(begun.work, task, asyncio.create_task(self.function(task), name=f"work {task.key}"))
            self._runs[begun.work.id] = run
            run.carrying = asyncio.create_task(self._carry_out(run, store))
            return run.work.id
        work = self._see(begun.work)
        if work.digest != digest:
            raise _RefusalError(422, "the Idempotency-Key was used for another request: take a new one")
        if work.is_stopping:
            raise _RefusalError(503, "the work of this key is being stopped: come again", retry_after_s=1)
        if work.state == "lost":
            raise _RefusalError(410, "the work of this key was cut, and may have been done in part: it is not repeated")
        if work.state in {"failed", "stopped"}:  # the store has not taken that end yet
            raise _RefusalError(503, "the end of this work is being kept: come again", retry_after_s=RETRY_AFTER_S)
        return work.id

    async def _get(self, work_id: str, headers: dict[str, str]) -> tuple[int, bytes]:
        """Return the status of work and its text; of no work, whether the agent takes any."""
        if not work_id:
            return (503, b'{"status":"stopping"}') if self.is_stopping else (200, b'{"status":"ready"}')
        work = await self._find(work_id, headers, "get")
        if (run := self._runs.get(work_id)) is not None:
            return 200, _show_running(run.task.status, time.time_ns())
        if work.state == "running":
            return 200, _show_running(json.loads(work.status), work.heartbeat)
        if work.state in {"stopped", "lost"}:
            raise _RefusalError(410, f"the work was {'stopped on request' if work.state == 'stopped' else 'cut'}")
        return 200, work.status.encode()

    async def _delete(self, work_id: str, headers: dict[str, str]) -> tuple[int, bytes]:
        """Stop work, or ask the process that runs it to do so."""
        work = await self._find(work_id, headers, "delete")
        if (run := self._runs.get(work_id)) is not None:
            run.cut("stopped")
        elif work.state == "running":
            await (await self._ready()).stop(work_id)
        else:
            return 200, b'{"state":"ended"}'
        return 202, b'{"state":"stopping"}'

    async def _ready(self) -> Store:
        if self._store is None and not self.is_stopping:
            await self._finish(self.open())
        if self._store is None:
            raise _RefusalError(503, "the agent is being stopped", retry_after_s=RETRY_AFTER_S)
        return self._store

    async def _finish(self, doing: Coroutine[Any, Any, T]) -> T:
        """Do something to its end, also if the server cancels the request in the middle."""
        task = asyncio.create_task(doing)
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)
        return await asyncio.shield(task)

    async def _find(self, work_id: str, headers: dict[str, str], method: str) -> Work:
        """Return work. Raise _RefusalError if there is none, or the request is not signed for it and this method."""
        store = await self._ready()
        run = self._runs.get(work_id)
        work = run.work if run is not None else self._unkept.get(work_id) or await store.find(work_id)
        if work is None:
            raise _RefusalError(404, "no such work is known")
        if self._secrets and not self._check_signature(headers).startswith(f"{work.key}_{method}"):
            raise _RefusalError(401, "the signature is of another request: its id has another key or method")
        self._untold.pop(work_id, None)
        return self._see(work)

    def _see(self, work: Work) -> Work:
        """Return work as this process knows it, where the store does not know as much."""
        if work.state != "running" or not work.is_own:
            return work
        if (run := self._runs.get(work.id)) is not None:
            return replace(work, is_stopping=run.cut_as is not None)
        return self._unkept.get(work.id) or replace(work, state="lost")

    async def _read_body(self, headers: dict[str, str], receive: Receive) -> bytes:
        too_large = _RefusalError(413, f"the body has more than {self.body_max_bytes} bytes")
        if (_read_number(headers, "content-length") or 0) > self.body_max_bytes:
            raise too_large
        chunks, size = [], 0
        try:
            async with asyncio.timeout(BODY_S):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _RefusalError(400, "the body is not whole")
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    if size > self.body_max_bytes:
                        raise too_large
                    if not message.get("more_body"):
                        return b"".join(chunks)
        except TimeoutError:
            raise _RefusalError(408, f"the body did not come within {BODY_S:g} s") from None

    def _check_signature(self, headers: dict[str, str], body: bytes = b"") -> str:
        try:
            return signing.check(self._secrets, headers, body, time.time())
        except signing.SignatureError as error:
            raise _RefusalError(401, str(error)) from None

    async def _carry_out(self, run: _Run, store: Store) -> None:
        """Wait for the function, and keep how it ended."""
        state, status = "failed", dict[str, Any]()
        try:
            result = await run.calling
            state, status = "succeeded", {"result": _check_result(result, run.task.result_max_bytes)}
        except DeclinedError as error:
            state, status = "declined", {"message": to_text(error)}
        except AgentError as error:
            status = _fail(to_text(error.code, 100), to_text(error), is_retryable=bool(error.retryable))
        except asyncio.CancelledError:
            state = run.cut_as or "failed"
            status = _fail("function_error", "the function was cancelled, by itself")
        except Exception as error:
            log.exception("the function failed", extra={"key": run.task.key})
            what = f"the function raised {type(error).__name__}; the agent's log has it"  # its text may have secrets
            status = _fail("function_error", what)
        if run.task.used:
            status["usage"] = run.task.used
        text = to_json({"state": state, **status}).decode()
        work_id = run.work.id
        self._unkept[work_id] = replace(run.work, state=state, status=text)
        self._untold[work_id] = time.monotonic()
        del self._runs[work_id]
        with suppress(StoreError):  # then it is tried again
            await self._keep(store, work_id)

    async def _keep(self, store: Store, work_id: str) -> None:
        work = self._unkept[work_id]
        await store.end(work_id, work.state, work.status)
        self._unkept.pop(work_id, None)

    async def _beat(self, store: Store) -> None:
        """Show other processes that this one lives and how its work goes, stop what they ask for, and tidy up."""
        forgets_at = time.monotonic() + FORGET_EVERY_S
        while True:
            await asyncio.sleep(BEAT_S)
            with suppress(StoreError):  # which the store has logged
                changed = [run for run in self._runs.values() if run.beaten is not run.task.status]
                if self._runs:
                    texts = {run.work.id: to_json(run.task.status).decode() for run in changed}
                    for run in changed:
                        run.beaten = run.task.status
                    for work_id in await store.beat(texts):
                        if (stopped := self._runs.get(work_id)) is not None:
                            stopped.cut("stopped")
                for work_id in list(self._unkept):
                    await self._keep(store, work_id)
                if time.monotonic() > forgets_at:
                    forgets_at = time.monotonic() + FORGET_EVERY_S
                    self._has_untold()
                    await store.forget()

    def _has_untold(self) -> bool:
        """Return whether work ended so shortly ago that its end may still be asked for; forget what did not."""
        recent = time.monotonic() - TELL_S
        self._untold = {work_id: ended for work_id, ended in self._untold.items() if ended > recent}
        return bool(self._untold)


@overload
def agent(function: Function, /) -> Agent: ...


@overload
def agent(**options: Unpack[Options]) -> Callable[[Function], Agent]: ...


def agent(function: Function | None = None, /, **options: Unpack[Options]) -> Agent | Callable[[Function], Agent]:
    """Make an async function an agent; `Agent` has the options."""
    return (lambda function: Agent(function, **options)) if function is None else Agent(function, **options)


def _read_number(headers: dict[str, str], name: str) -> int | None:
    text = headers.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise _RefusalError(400, f"the header {name} is no number")
    return int(text)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _RefusalError(400, "the body is no JSON object")
    return value


def _show_running(status: dict[str, Any], heartbeat: int) -> bytes:
    return to_json({"state": "running", **status, "heartbeat": heartbeat})


def _check_result(result: Any, max_bytes: int | None) -> Any:
    """Return a result. Raise AgentError if it is no JSON value, or larger than Signoff takes."""
    try:
        size = len(check_json(result))
    except ValueError as error:
        raise AgentError(f"the result is no JSON value: {error}", code="result_not_json") from None
    if max_bytes is not None and size > max_bytes:
        what = f"the result has {size} bytes as JSON, and Signoff takes {max_bytes}"
        raise AgentError(what, code="result_too_large")
    return result


def _fail(code: str, message: str, *, is_retryable: bool = False) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "retryable": is_retryable}}
