"""The task of an execution: what its agent was asked, as judges see it, cut to a bound. Pure."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from pydantic_core import from_json

from contracts.judging.policy import DEFAULT_POLICY, JudgePolicy
from signoff.jsontext import json_text, parse_json

#: Characters of a task that a judge is shown, whatever the agent was asked: no task keeps a result from being judged.
TASK_MAX_CHARS: Final = 20_000
#: Ends a member that is cut.
CUT: Final = " [cut here: the rest is not shown]"
_DEFAULT: Final = tuple(JudgePolicy(name=DEFAULT_POLICY).task)
#: The members that are JSON of any kind, and a value of them that says nothing.
_JSON: Final = {"payload", "feedback"}
_NULL: Final = "null"


class Task(NamedTuple):
    """What an agent was asked. `payload` and `feedback` are JSON texts; none need have more than is shown."""

    title: str
    description: str
    payload: str
    feedback: str | None = None


def read_task(body: Mapping[str, str]) -> Task:
    """Return the task in the body of an execution's calls, given by its members as JSON texts."""
    title, description = (from_json(body.get(name, '""')) for name in ("title", "description"))
    return Task(title, description, body.get("payload", _NULL), body.get("feedback"))


@lru_cache(maxsize=100)
def list_members(judge_policy: str) -> Collection[str]:
    """Return which members a policy, as JSON text, shows its judges; empty text: the validators' own settings."""
    members: Collection[str] = parse_json(judge_policy).get("task", _DEFAULT) if judge_policy else _DEFAULT
    return frozenset(members)


def format_task(task: Task, judge_policy: str) -> str:
    """Return the JSON text of what a policy shows of a task, in all TASK_MAX_CHARS at most; empty if that is nothing.

    What is cut is a string of its first characters. The shortest members are cut last.
    """
    shown = list_members(judge_policy)
    given = {name: text for name, text in task._asdict().items() if name in shown and text}
    given = {name: text for name, text in given.items() if name not in _JSON or text != _NULL}
    left, cut = TASK_MAX_CHARS, dict[str, str]()
    for place, (name, text) in enumerate(sorted(given.items(), key=lambda item: len(item[1]))):
        room = left // (len(given) - place)
        if len(text) > room:
            cut[name] = text[: room - len(CUT)] + CUT
        left -= min(len(text), room)
    written = [
        f'"{name}":{text if name in _JSON and name not in cut else json_text(cut.get(name, text))}'
        for name, text in given.items()
    ]
    return f"{{{','.join(written)}}}" if written else ""
