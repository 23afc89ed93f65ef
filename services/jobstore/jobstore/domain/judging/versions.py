"""Judge policies and criteria sets as named lists of versions, which never change. Pure."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from contracts.judging.policy import DEFAULT_POLICY, JudgePolicy, join_reference
from signoff import types
from signoff.errors import ErrorCode
from signoff.jsontext import json_text, parse_json

#: Names of one kind at most, and versions of one name.
NAMES_MAX: Final = 1_000
VERSIONS_MAX: Final = 1_000
#: The highest number that a version may have: what a reference takes.
VERSION_MAX: Final = 999_999_999
#: Bytes of a judge policy, as it is stored.
POLICY_MAX_BYTES: Final = 64 << 10
#: The largest number of characters that a grant says.
CHARS_MAX: Final = 2**53


class Kind(StrEnum):
    """What has names and versions; as tables know it."""

    JUDGE = "judge"
    CRITERIA = "criteria"
    GOLDEN = "golden"  # of a policy, by the policy's name

    @property
    def word(self) -> str:
        """The word in codes and messages."""
        return "judge_policy" if self is Kind.JUDGE else f"{self}_set"

    @property
    def unknown(self) -> ErrorCode:
        """The code for a reference to nothing."""
        return _CODES[self][0]

    @property
    def conflict(self) -> ErrorCode:
        """The code for a change of a version that is not the newest."""
        return _CODES[self][1]

    @property
    def words(self) -> str:
        """The words for people."""
        return self.word.replace("_", " ")


_CODES: Final = {
    Kind.JUDGE: (ErrorCode.UNKNOWN_JUDGE_POLICY, ErrorCode.JUDGE_POLICY_CONFLICT),
    Kind.CRITERIA: (ErrorCode.UNKNOWN_CRITERIA_SET, ErrorCode.CRITERIA_SET_CONFLICT),
    Kind.GOLDEN: (ErrorCode.UNKNOWN_GOLDEN_SET, ErrorCode.GOLDEN_SET_CONFLICT),
}


class Named(NamedTuple):
    """The name of a judge policy or a criteria set."""

    kind: Kind
    name: str


#: The name that only validators change, by their settings.
RESERVED: Final = Named(Kind.JUDGE, DEFAULT_POLICY)


class Wanted(NamedTuple):
    """A reference that somebody gives, such as `strict` or `strict@3`."""

    kind: Kind
    reference: str

    def describe_obstacle(self, found: "Version | None") -> str:
        """Return why nothing can be judged by what was found, and what to do."""
        why = "is not known" if found is None else "is retired" if found.is_retired else "cannot be held to a version"
        return f"the {self.kind.words} {self.reference} {why}: name another one, or put it first"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a name. `body`: a policy's JSON without name and version, or a set's criteria in their text form.

    `is_retired`: no new execution may be judged by the name.
    """

    name: str
    version: int
    body: str
    is_retired: bool

    @property
    def reference(self) -> str:
        """The name and the version, as an execution freezes them."""
        return join_reference(self.name, self.version)

    @property
    def policy_json(self) -> str:
        """The whole policy as JSON text, of a judge policy."""
        head = json_text({"name": self.name, "version": self.version})
        return f"{head[:-1]},{self.body[1:]}"

    @property
    def result_max_chars(self) -> int | None:
        """How many characters of criteria and result a judge policy takes; None: as many as the validator."""
        return bound_chars(parse_json(self.body).get("result_max_chars"))


@dataclass(frozen=True, slots=True)
class Versions:
    """What is known of a name: hashes of its versions' bodies, which is current, how often that was moved.

    `names` counts the names of its kind. A name without versions is not known.
    """

    hashes: Mapping[int, bytes] = field(default_factory=dict)
    current: int | None = None
    moves: int = 0
    names: int = 0

    @property
    def newest(self) -> int:
        """The number of the newest version, 0 where there is none."""
        return max(self.hashes, default=0)


def bound_chars(most: int | str | None) -> int | None:
    """Return how many characters a judge takes, of which a policy may name any number: above CHARS_MAX as many."""
    return None if most is None else min(int(most), CHARS_MAX)


def hash_body(body: str) -> bytes:
    """Return the hash by which bodies are told apart."""
    return hashlib.sha256(body.encode()).digest()


def format_body(policy: JudgePolicy) -> str:
    """Return a judge policy as it is stored: with all that it leaves to defaults, so that a version never changes."""
    return policy.model_dump_json(exclude={"name", "version"})


def list_wanted(policy: types.Policy) -> Iterator[Wanted]:
    """Yield the references that a policy gives. What validators are set to has no body that anybody is told."""
    return _list(policy.judge, policy.criteria_set)


def list_frozen(policy: Mapping[str, object] | None) -> Iterator[Wanted]:
    """Yield the references that the policy of an execution froze."""
    return _list(policy.get("judge"), policy.get("criteria_set")) if policy else iter(())


def _list(judge: object, criteria_set: object) -> Iterator[Wanted]:
    if judge is not None and judge != DEFAULT_POLICY:
        yield Wanted(Kind.JUDGE, str(judge))
    if criteria_set is not None:
        yield Wanted(Kind.CRITERIA, str(criteria_set))
