"""What commands ask for, write and answer, as text in which only what matters stands: no default, no chance."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from support.jobstore.builders import NOW
from support.jobstore.memory import CHANGES, POLICY, MemoryJobstore, list_changes

from jobstore.agents.rules import CircuitsWish
from jobstore.engine.parts import Command, Overlay, UnitOfWork, Wish, WishList
from jobstore.jobs.model import SIGNOFF, Actor, Execution, Job
from jobstore.jobs.rows import Jobs
from jobstore.limits.rules import QueuesWish
from servicekit.errors import PermanentError
from signoff.errors import ErrorCode
from signoff.status import JobStatus

#: Ids that a test draws, also where they stand in a text: numbered by their first appearance with a command.
DRAWN = re.compile(
    r"00-[0-9a-f]{32}-[0-9a-f]{16}-01|\b[0-9a-f]{32}\b|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\bjob-[0-9a-f]{8}\b"
)
#: Who asks, unless a test says who, so that it shows where that is not told.
SOMEBODY = Actor("somebody")
#: Read once, when all else is.
LAST = (QueuesWish, CircuitsWish)
TEXT_MAX = 400
NOTHING = (None, "", (), [], {}, 0)
#: Of a job that is answered; the rest is as it is asked for.
SHOWN = ("status", "agent_id", "execution_id", "live", "submission", "progress", "tokens", "batch_id", "updated_at")

#: With what a new one is compared, so that what is usual is not told.
MADE: Mapping[type, Any] = {
    Job: Job("", JobStatus.PENDING, 0),
    Execution: Execution(
        UUID(int=0), "", agent_id="writer", policy=POLICY.model_dump(exclude_none=True), flow=["agent:writer"]
    ),
}


class Story:
    """What the commands of a test did, one after the other: what they asked for, wrote and answered."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._names: dict[object, str] = {}

    def begin(self, commands: Sequence[Command[Any]]) -> None:
        self._names = {}
        self.show(list(commands))  # ids are named in the order in which they are asked for
        names = (type(each).__name__ + f" by {each.actor}" * (each.actor != SOMEBODY) for each in commands)
        self.told.append(f"{', '.join(names)}\n")
        self._tell("locks", WishList([each.locks() for each in commands]).values())

    def read(self, asked: WishList) -> None:
        self._tell("reads", [wish for wish in asked.values() if not isinstance(wish, LAST)])

    def read_last(self, asked: WishList) -> None:
        self._tell("reads last", [wish for wish in asked.values() if isinstance(wish, LAST)])

    def written(self, uow: UnitOfWork) -> None:
        for entry in uow[Jobs].entries:
            told = {name: getattr(entry, name) for name in ("result_version", "result_job_id", "next_attempt_at")}
            besides = "".join(f" {name}={self.show(value)}" for name, value in told.items() if value is not None)
            said = self.show(entry.report).removeprefix("Report")
            self._say(f"log {self.show(entry.job.id)} {entry.job.version} {entry.status.value} {said}{besides}")
        for name, value in list_changes(uow).items():
            if isinstance(value, Mapping):
                found = CHANGES[name](uow)
                stored = found.stored if isinstance(found, Overlay) else {}
                for key, after in value.items():
                    self._say(f"{name} {self.show(key)}: {self._show_change(stored.get(key), after)}")
            else:
                self._say(f"{name} {'; '.join(map(self.show, value))}")

    def answered(self, results: Sequence[Any]) -> None:
        for result in results:
            if isinstance(result, PermanentError):
                self._say(f"error {result.code}: {self.show(str(result))}")
            elif result is not None:
                self._say(f"answer {self.show(result)}")

    def _tell(self, what: str, asked: Iterable[Wish]) -> None:
        shown = (self.show(wish).replace("Wish", "", 1) for wish in asked)
        if told := "; ".join(sorted(shown)):
            self._say(f"{what} {told}")

    def _say(self, line: str) -> None:
        self.told[-1] += f"  {line}\n"

    def _show_change(self, before: Any, after: Any) -> str:
        if not is_dataclass(after) or isinstance(after, type):
            return self.show(after)
        before = before or MADE.get(type(after))
        if before is None:
            return self.show(after)
        changed = [each.name for each in fields(after) if getattr(before, each.name) != getattr(after, each.name)]
        return ", ".join(f"{name}={self.show(getattr(after, name))}" for name in changed)

    def show(self, value: Any) -> str:
        """Return a value as text; ids and hashes by their numbers, times from the beginning."""
        ways: dict[type | tuple[type, ...], Callable[[Any], str]] = {
            ErrorCode: lambda each: self._show_text(str(each)),  # as it is stored: a text
            Enum: lambda each: str(each.value),
            datetime: lambda each: f"{(each - NOW).total_seconds():+g} s",
            bytes: lambda each: self._names.setdefault(each, f"bytes {len(self._names) + 1}"),
            str: self._show_text,
            Execution: lambda each: f"execution {self.show(each.execution_id)}",
            BaseModel: lambda each: self.show(each.model_dump(exclude_defaults=True, mode="json")),
            Mapping: self._show_mapping,
            (set, frozenset): lambda each: f"{{{', '.join(sorted(map(self.show, each)))}}}",
            (list, tuple): lambda each: f"[{', '.join(map(self.show, each))}]",
        }
        if is_dataclass(value) and not isinstance(value, Execution):
            return self._show_fields(value, {each.name: _default(each) for each in fields(value)})
        if hasattr(value, "_fields"):
            return self._show_fields(value, dict.fromkeys(value._fields))
        way = next((way for kind, way in ways.items() if isinstance(value, kind)), None)
        return way(value) if way else DRAWN.sub(self._name, str(value))

    def _show_text(self, value: str) -> str:
        return repr(DRAWN.sub(self._name, value if len(value) <= TEXT_MAX else f"{len(value)} characters"))

    def _show_mapping(self, value: Mapping[Any, Any]) -> str:
        if {"version", "title"} <= value.keys():
            return f"job at {value['version']} {self.show({name: value[name] for name in SHOWN})}"
        told = [f"{key}: {self.show(each)}" for key, each in value.items() if each not in NOTHING]
        return f"{{{', '.join(told)}}}"

    def _show_fields(self, value: Any, defaults: Mapping[str, Any]) -> str:
        told = {name: (getattr(value, name), usual) for name, usual in defaults.items()}
        shown = [
            f"{name}={self.show(each)}"
            for name, (each, usual) in told.items()
            if each != usual and not (each in NOTHING and usual in (*NOTHING, MISSING))
        ]
        return f"{type(value).__name__}({', '.join(shown)})"

    def _name(self, drawn: re.Match[str]) -> str:
        return self._names.setdefault(drawn[0], f"id {len(self._names) + 1}")


def _default(each: "Field[Any]") -> Any:
    return each.default_factory() if each.default_factory is not MISSING else each.default


def listen(jobstore: type[MemoryJobstore], story: Story, patch: Any) -> None:
    """Have every jobstore in memory tell its story."""
    carry_out, load, write = jobstore.carry_out, jobstore._load, jobstore._write
    load_last = jobstore._load_last

    def telling(self: MemoryJobstore, *asked: Command[Any]) -> list[Any]:
        commands = [replace(each, actor=SOMEBODY) if each.actor == SIGNOFF else each for each in asked]
        story.begin(commands)
        results = carry_out(self, *commands)
        story.answered(results)
        return results

    def loading(self: MemoryJobstore, uow: UnitOfWork, asked: WishList) -> None:
        story.read(asked)
        load(self, uow, asked)

    def loading_last(self: MemoryJobstore, uow: UnitOfWork, asked: WishList) -> None:
        story.read_last(asked)
        load_last(self, uow, asked)

    def writing(self: MemoryJobstore, uow: UnitOfWork) -> None:
        story.written(uow)
        write(self, uow)

    patch.setattr(jobstore, "carry_out", telling)
    patch.setattr(jobstore, "_load", loading)
    patch.setattr(jobstore, "_load_last", loading_last)
    patch.setattr(jobstore, "_write", writing)
