"""Explore every state that a model can reach, breadth first, and report what is violated."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

S = TypeVar("S")

#: A label, whether the system takes the step by itself, and the state that it leads to.
Step = tuple[str, bool, S]


class Model(Protocol[S]):
    """A model to explore. `steps` and `check` append what is violated to `violations`; that step is not taken."""

    violations: list[str]

    def initial(self) -> S:
        """Return the state to begin with."""

    def steps(self, state: S) -> Iterator[Step[S]]:
        """Yield every step that is possible in a state."""

    def check(self, state: S) -> None:
        """Append what a state violates."""

    def is_at_rest(self, state: S) -> bool:
        """Return whether nothing is left to be done; such a state must be reachable from everywhere."""

    def describe_stuck(self, state: S) -> str:
        """Name the violation of a state from which the system alone never comes to rest."""


@dataclass
class SearchResult:
    """The result of a search: its extent, and by violation the shortest story that leads to it."""

    states: int = 0
    steps: int = 0
    seconds: float = 0.0
    is_complete: bool = True
    violations: dict[str, list[str]] = field(default_factory=dict)


class Search(Generic[S]):
    """Explore one model, once."""

    def __init__(self, model: Model[S], states_max: int, until: str | None = None) -> None:
        self._model = model
        self._states_max = states_max
        self._until = until
        self._states: list[S] = []
        self._index: dict[S, int] = {}
        self._story: list[tuple[int, str]] = []
        self._predecessors: list[list[int]] = []  # of each state, by steps that the system takes by itself
        self._at_rest: list[int] = []
        self._queue: deque[int] = deque()
        self.result = SearchResult()

    def run(self) -> SearchResult:
        """Explore until nothing is new, there are more than `states_max` states, or a violation begins with `until`."""
        began = time.monotonic()
        self._reach(self._model.initial(), -1, "")
        while self._queue and self.result.is_complete and not self._is_found():
            self._explore(self._queue.popleft())
        if self.result.is_complete and not self._is_found():
            self._find_stuck()
        self.result.states, self.result.seconds = len(self._states), time.monotonic() - began
        return self.result

    def _is_found(self) -> bool:
        return self._until is not None and any(v.startswith(self._until) for v in self.result.violations)

    def _explore(self, number: int) -> None:
        model, state = self._model, self._states[number]
        model.violations.clear()
        model.check(state)
        noted = self._note(number, 0)
        for label, is_system, following in model.steps(state) if not noted else ():
            if len(model.violations) > noted:
                noted = self._note(number, noted, label)
                continue
            self.result.steps += 1
            successor = self._reach(following, number, label)
            if is_system:
                self._predecessors[successor].append(number)
        if model.violations or model.is_at_rest(state):
            self._at_rest.append(number)

    def _note(self, number: int, noted: int, *step: str) -> int:
        """Note the violations after the first `noted`, with the step that met them; return how many there are."""
        for violation in self._model.violations[noted:]:
            self.result.violations.setdefault(violation, [*self._story_to(number), *step])
        return len(self._model.violations)

    def _reach(self, state: S, predecessor: int, label: str) -> int:
        """Return the number of a state; a new one is queued, unless there are too many states."""
        number = self._index.get(state)
        if number is not None:
            return number
        if len(self._states) >= self._states_max:
            self.result.is_complete = False
            return predecessor
        self._index[state] = number = len(self._states)
        self._states.append(state)
        self._story.append((predecessor, label))
        self._predecessors.append([])
        self._queue.append(number)
        return number

    def _find_stuck(self) -> None:
        """Check invariant 1: from every state the system alone can end every accepted execution."""
        ends, left = set(self._at_rest), list(self._at_rest)
        while left:
            for earlier in self._predecessors[left.pop()]:
                if earlier not in ends:
                    ends.add(earlier)
                    left.append(earlier)
        for number, state in enumerate(self._states):
            if number not in ends:
                self.result.violations.setdefault(self._model.describe_stuck(state), self._story_to(number))

    def _story_to(self, number: int) -> list[str]:
        story = []
        while number > 0:
            number, label = self._story[number]
            story.append(label)
        return story[::-1]
