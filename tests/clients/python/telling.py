"""Run the stories of a client in their order, and say of each that it went as it should."""

import time
from collections.abc import Callable
from typing import TypeVar
from uuid import uuid4

T = TypeVar("T")


def run(*stories: Callable[[], None]) -> None:
    for story in stories:
        story()
        print(story.__name__, flush=True)


def new_id() -> str:
    return f"story-{uuid4().hex[:12]}"


def until(ask: Callable[[], T], is_so: Callable[[T], bool]) -> T:
    """Ask until it is so."""
    for _ in range(600):
        answer = ask()
        if is_so(answer):
            return answer
        time.sleep(0.1)
    raise TimeoutError(answer)
