"""Note each request to PostgreSQL and Kafka; Python imports this file first in the processes that are counted.

The counter (`measuring/counting.py`) copies this file into a folder of its own, where each process appends a line of
JSON a request to a file that is named by its id. A request is periodic where a loop made it that nothing woke.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

SERVICES = {"jobstore", "executor", "validator", "console"}
#: A loop that waits for less is in the middle of something.
STEP_S = 0.1
#: A timer may be early by so much.
TICK_S = 0.005

is_periodic: ContextVar[bool] = ContextVar("is_periodic", default=False)


class Notes:
    """What one process has asked for."""

    def __init__(self, service: str) -> None:
        name = Path(__file__).parent / f"{os.getpid()}.jsonl"
        self._service, self._file = service, name.open("a", buffering=1)

    def add(
        self, began: float, kind: str, what: str, by: object, *, ends: bool = False, periodic: bool | None = None
    ) -> None:
        """Note a request that is answered, and the connection that it was made by. `ends`: it ended a transaction."""
        note = {
            "service": self._service,
            "began": began,
            "ended": time.monotonic(),
            "kind": kind,
            "what": what,
            "connection": id(by),
            "ends": ends,
            "periodic": is_periodic.get() if periodic is None else periodic,
        }
        self._file.write(json.dumps(note) + "\n")


def note_statements(notes: Notes) -> None:
    """Note each statement that is carried out, whatever sends it through asyncpg."""
    protocol = importlib.import_module("asyncpg.protocol.protocol").Protocol

    def wrap(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def run(self: Any, *arguments: Any, **named: Any) -> Any:
            began, asked = time.monotonic(), named["state"] if "state" in named else arguments[0]
            was_open = self.is_in_transaction()
            try:
                return await original(self, *arguments, **named)
            finally:
                text, is_open = " ".join(getattr(asked, "query", asked).split()), self.is_in_transaction()
                begins_too = is_open and not was_open and not text.startswith("BEGIN")
                ends_too = was_open and not is_open and not text.startswith(("COMMIT", "ROLLBACK"))
                told = ["BEGIN"] * begins_too + [text] + ["COMMIT"] * ends_too
                for each in told if "pg_catalog" not in text else ():  # a new connection asks for its types
                    notes.add(began, "sql", each, self, ends=not is_open and each is told[-1])

        return run

    for name in ("query", "bind_execute", "bind_execute_many", "execute"):
        setattr(protocol, name, wrap(getattr(protocol, name)))


def note_requests(notes: Notes) -> None:
    """Note each request to the broker, with the topics of its records; a fetch that brought none is periodic."""
    connection = importlib.import_module("aiokafka.conn").AIOKafkaConnection
    send = connection.send

    def noted_send(self: Any, request: Any, *arguments: Any, **named: Any) -> Any:
        began, answer = time.monotonic(), send(self, request, *arguments, **named)

        async def wait() -> Any:
            answered = await answer
            kind = type(request).__name__.removesuffix("Request").lower()
            topics = getattr(request, "_topics", ()) if kind == "produce" else ()
            if kind == "fetch":  # a topic: its name, then partitions, of which the last field are records
                topics = [each for each in answered.topics if any(partition[-1] for partition in each[1])]
            periodic = kind not in {"produce", "fetch", "offsetcommit"} or (kind == "fetch" and not topics)
            notes.add(began, kind, " ".join(each[0] for each in topics), self, periodic=periodic)
            return answered

        return wait()

    connection.send = noted_send


def tell_periodic() -> None:
    """Tell loops that go on by themselves from those that were woken, in the one place that waits for both."""
    runtime = importlib.import_module("servicekit.process.runtime")
    run_forever, wait_for_wake = runtime.run_forever, runtime.wait_for_wake

    async def run_periodically(*arguments: Any, **named: Any) -> None:
        is_periodic.set(True)
        await run_forever(*arguments, **named)

    async def wait_and_tell(event: Any, within_s: float) -> None:
        began = time.monotonic()
        await wait_for_wake(event, within_s)
        is_periodic.set(within_s >= STEP_S and time.monotonic() - began >= within_s - TICK_S)

    runtime.run_forever, runtime.wait_for_wake = run_periodically, wait_and_tell


def tell_renewals() -> None:
    """Tell the renewals of leases, for which each worker asks by the clock."""
    service = importlib.import_module("jobstore.api.work_service").WorkService
    renew = service.RenewLeases

    async def renew_periodically(self: Any, *arguments: Any) -> Any:
        is_periodic.set(True)
        return await renew(self, *arguments)

    service.RenewLeases = renew_periodically


def count() -> None:
    """Count in a service, and in no other program."""
    module = sys.orig_argv[sys.orig_argv.index("-m") + 1] if "-m" in sys.orig_argv[:-1] else ""
    if module in SERVICES:
        notes = Notes(module)
        note_statements(notes)
        note_requests(notes)
        tell_periodic()
        if module == "jobstore":
            tell_renewals()


count()
