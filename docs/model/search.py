"""Explores every state that a model can reach, breadth first, and tells what it violates."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

S = TypeVar("S")

#: A label, whether the system takes the step by itself, and the state that it leads to.
Step = tuple[str, bool, S]


class Model(Protocol[S]):
    """What is explored. What `steps` or `check` find violated, they append to `violations`; that step is not taken."""

    violations: list[str]

    def initial(self) -> S:
        """Return the state to begin with."""

    def steps(self, state: S) -> Iterator[Step[S]]:
        """Yield every step that is possible in a state."""

    def check(self, state: S) -> None:
        """Append what a state violates."""

    def is_at_rest(self, state: S) -> bool:
        """Tell whether nothing is left to be done; the system must be able to come here from everywhere."""

    def stuck(self, state: S) -> str:
        """Name the violation of a state from which the system alone never comes to rest."""


@dataclass
class Found:
    """The outcome of a search: by violation, the shortest story that leads to it."""

    states: int = 0
    steps: int = 0
    seconds: float = 0.0
    is_complete: bool = True
    violations: dict[str, list[str]] = field(default_factory=dict)


class Search(Generic[S]):
    """One exploration of one model."""

    def __init__(self, model: Model[S], states_max: int, until: str | None = None) -> None:
        self._model = model
        self._states_max = states_max
        self._until = until
        self._states: list[S] = []
        self._index: dict[S, int] = {}
        self._story: list[tuple[int, str]] = []
        self._led_here: list[list[int]] = []  # by steps that the system takes
        self._at_rest: list[int] = []
        self._queue: deque[int] = deque()
        self.found = Found()

    def run(self) -> Found:
        """Explore until nothing is new, there are more than `states_max` states, or a violation begins with `until`."""
        began = time.monotonic()
        self._reach(self._model.initial(), -1, "")
        while self._queue and self.found.is_complete and not self._is_found():
            self._explore(self._queue.popleft())
        if self.found.is_complete and not self._is_found():
            self._find_stuck()
        self.found.states, self.found.seconds = len(self._states), time.monotonic() - began
        return self.found

    def _is_found(self) -> bool:
        return self._until is not None and any(v.startswith(self._until) for v in self.found.violations)

    def _explore(self, here: int) -> None:
        model, state = self._model, self._states[here]
        model.violations.clear()
        model.check(state)
        told = self._note(here, 0)
        for label, is_system, following in model.steps(state) if not told else ():
            if len(model.violations) > told:
                told = self._note(here, told, label)
                continue
            self.found.steps += 1
            there = self._reach(following, here, label)
            if is_system:
                self._led_here[there].append(here)
        if model.violations or model.is_at_rest(state):
            self._at_rest.append(here)

    def _note(self, here: int, told: int, *step: str) -> int:
        """Note the violations that were not noted yet, with the step that met them; return how many there are."""
        for violation in self._model.violations[told:]:
            self.found.violations.setdefault(violation, [*self._told(here), *step])
        return len(self._model.violations)

    def _reach(self, state: S, since: int, label: str) -> int:
        known = self._index.get(state)
        if known is not None:
            return known
        if len(self._states) >= self._states_max:
            self.found.is_complete = False
            return since
        self._index[state] = number = len(self._states)
        self._states.append(state)
        self._story.append((since, label))
        self._led_here.append([])
        self._queue.append(number)
        return number

    def _find_stuck(self) -> None:
        """Invariant 1: from every state the system alone can bring every accepted execution to its end."""
        ends, left = set(self._at_rest), list(self._at_rest)
        while left:
            for earlier in self._led_here[left.pop()]:
                if earlier not in ends:
                    ends.add(earlier)
                    left.append(earlier)
        for number, state in enumerate(self._states):
            if number not in ends:
                self.found.violations.setdefault(self._model.stuck(state), self._told(number))

    def _told(self, number: int) -> list[str]:
        story = []
        while number > 0:
            number, label = self._story[number]
            story.append(label)
        return story[::-1]
