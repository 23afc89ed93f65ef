"""What commands wish is joined for each part, asked for in rounds, and handed to the stores of which it is wished."""

import asyncio
from collections.abc import Iterator
from contextvars import Context
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import AfterValidator
from support.jobstore.builders import NOW
from support.jobstore.terms import TERMS

from contracts.criteria import CriteriaError
from contracts.fields import Patch
from jobstore.access.callers import CALLER, Caller
from jobstore.engine import parts
from jobstore.engine.parts import (
    NOTHING,
    Listeners,
    Overlay,
    Part,
    UnitOfWork,
    Wish,
    Wishes,
    WishList,
    check_size,
    merge_patch,
)
from jobstore.engine.runner import ROUNDS_MAX, Rounds, Store, Stores
from jobstore.errors import InvalidError
from jobstore.executions.rows import ExecutionsWish
from jobstore.jobs.model import BOOTSTRAP, Clock, RequestKey
from jobstore.jobs.rows import JobsWish, RequestKeys
from jobstore.limits.rules import Limits, LimitsLock, LimitsWish
from signoff.errors import ErrorCode
from signoff.fields import Model
from signoff.status import Role

SHARED = LimitsWish(lock=LimitsLock.SHARED)


def test_wishes_of_one_part_are_joined_and_empty_ones_are_none() -> None:
    asked = WishList([(SHARED, JobsWish(locked=frozenset("a"))), (), (JobsWish(locked=frozenset("b")), LimitsWish())])
    assert set(asked.values()) == {SHARED, JobsWish(locked=frozenset("ab"))}
    assert asked[ExecutionsWish] == ExecutionsWish()
    assert ExecutionsWish not in asked
    assert not WishList([(LimitsWish(),)])


def test_what_was_asked_for_is_not_asked_for_again() -> None:
    before = WishList([(LimitsWish(named=frozenset("a")), JobsWish(specs=frozenset("a")))])
    after = WishList([(LimitsWish(lock=LimitsLock.SHARED, named=frozenset("ab")), JobsWish(specs=frozenset("a")))])
    assert list(after.subtract(before).values()) == [LimitsWish(lock=LimitsLock.SHARED, named=frozenset("b"))]
    assert not before.subtract(after)


def test_commands_are_asked_again_while_they_ask_for_more_but_not_for_ever() -> None:
    def ask(*rounds: str) -> list[list[str]]:
        answers = iter(rounds)
        asking = Rounds(lambda: [(JobsWish(specs=frozenset(next(answers))),)])
        return [sorted(asked[JobsWish].specs) for asked in asking]

    assert ask("") == [[]]
    assert ask("a", "a") == [["a"]]
    assert ask("a", "ab", "ab") == [["a"], ["b"]]
    assert ask("a", "ab", "abc", "abcd") == [["a"], ["b"], ["c"]]
    assert ROUNDS_MAX == 3


def test_a_wish_alone_is_what_it_was_and_the_same_number_is_not_asked_for_again() -> None:
    assert WishList([(SHARED,)])[LimitsWish] is SHARED
    assert LimitsWish.join([SHARED]) == SHARED
    more = LimitsWish(lock=LimitsLock.SHARED, named=frozenset("a"))
    assert more.subtract(SHARED) == LimitsWish(named=frozenset("a"))


def test_a_size_may_be_the_limit_itself() -> None:
    check_size(5, 5)
    with pytest.raises(InvalidError, match="6 bytes"):
        check_size(6, 5)


def refuse(labels: dict[str, str]) -> dict[str, str]:
    raise CriteriaError("are none", ErrorCode.CRITERIA_EMPTY) if "coded" in labels else ValueError("are wrong")


class Given(Model):
    labels: Annotated[dict[str, str], AfterValidator(refuse)]


class GivenPatch(Patch):
    labels: dict[str, str]


@pytest.mark.parametrize(("label", "code"), [("coded", "criteria_empty"), ("other", "invalid_request")])
def test_what_no_new_one_may_have_is_refused_with_its_code(label: str, code: str) -> None:
    with pytest.raises(InvalidError) as refused:
        merge_patch(SimpleNamespace(labels={}), GivenPatch(labels={label: ""}), Given)
    assert refused.value.code == code


def test_a_part_is_of_a_unit_of_work_which_it_does_not_show() -> None:
    with pytest.raises(TypeError):
        parts.Part()  # type: ignore[call-arg]
    part = parts.Part(UnitOfWork(TERMS))
    assert (part.is_missed, "uow" in repr(part)) == (False, False)
    assert WishList([(SHARED,), ()]).of_each == [(SHARED,), ()]


def test_a_command_says_by_name_whose_it_is_and_is_of_the_tenants_of_its_caller() -> None:
    @dataclass(frozen=True, slots=True)
    class Asking(parts.Command[None]):
        about: str

        def locks(self) -> Wishes:
            return NOTHING

        def decide(self, uow: UnitOfWork) -> None:
            """Do nothing."""

    with pytest.raises(TypeError):
        Asking("a job", BOOTSTRAP)  # type: ignore[misc, call-arg]
    with pytest.raises(TypeError):
        Asking("a job")  # type: ignore[call-arg]
    called = Context()
    called.run(CALLER.set, Caller("eve", BOOTSTRAP, Role.VIEWER, frozenset({"press"})))
    assert called.run(lambda: Asking("a job", actor=BOOTSTRAP)).limited_to == {"press"}
    assert Context().run(lambda: Asking("a job", actor=BOOTSTRAP)).limited_to is None


def test_nobody_listens_unless_it_is_said() -> None:
    assert UnitOfWork(TERMS).listeners == Listeners()


def test_what_is_no_calls_is_of_all_tenants() -> None:
    assert Context().run(parts._find_tenants) is None
    of_press = Caller("eve", BOOTSTRAP, Role.VIEWER, frozenset({"press"}))
    called = Context()
    called.run(CALLER.set, of_press)
    assert called.run(parts._find_tenants) == {"press"}


def test_rows_are_changed_before_they_are_stored() -> None:
    rows = Overlay({"a": 1}, {"a": 0, "b": 0})
    rows["b"] = 2
    assert (rows["a"], rows["b"], rows.get("c"), "c" in rows, "b" in rows) == (1, 2, None, False, True)
    assert (rows.changes, rows.stored) == ({"a": 1, "b": 2}, {"a": 0, "b": 0})


def test_a_part_is_made_as_it_is_asked_for() -> None:
    uow = UnitOfWork(TERMS)
    assert Limits not in uow
    assert uow[Limits] is uow[Limits]
    assert Limits in uow


def test_only_what_needs_the_missing_limits_lock_is_set_aside() -> None:
    uow, wishes = UnitOfWork(TERMS), [(JobsWish(), SHARED), (LimitsWish(),), (JobsWish(),)]
    assert uow[RequestKeys].is_missed is uow[Limits].is_missed is False
    assert uow.find_set_aside(wishes) == [False, False, False]
    uow[Limits].is_missed = True
    assert uow.find_set_aside(wishes) == [True, False, False]
    assert not uow[RequestKeys].misses(SHARED)


def test_a_wish_is_named_by_the_first_of_what_it_locks() -> None:
    ids = [UUID(int=2), UUID(int=1)]
    wishes = (JobsWish(locked=frozenset("ba")), ExecutionsWish(locked=frozenset(ids)), SHARED)
    assert [wish.name() for wish in wishes] == [{"job_id": "a"}, {"execution_id": str(ids[1])}, {}]
    assert JobsWish().name() == ExecutionsWish().name() == {}


def test_keys_are_known_by_their_tenant_or_that_of_their_job() -> None:
    keys = UnitOfWork(TERMS)[RequestKeys]
    of_tenant = RequestKey("m", "k", b"", tenant="t")
    assert list(keys.list_ids([of_tenant, RequestKey("m", "k", b"", job_id="unknown")]).values()) == [of_tenant]


@dataclass(eq=False, slots=True)
class Noted(Part):
    steps: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedWish(Wish):
    names: frozenset[str] = frozenset()


class Noting(Store):
    """Notes at which steps it is visited."""

    part, wish = Noted, NotedWish

    async def lock(self, _connection: Any, uow: UnitOfWork, _asked: WishList) -> None:
        uow[Noted].steps.append(f"{type(self).__name__} locks")

    async def load(self, _connection: Any, uow: UnitOfWork, asked: WishList) -> None:
        uow[Noted].steps.append(f"{type(self).__name__} loads {''.join(sorted(asked[NotedWish].names))}")


class Last(Noting):
    is_last = True


class Always(Noting):
    wish = Wish
    is_always_locked = is_always_loaded = True


async def visit(*rounds: str) -> list[str]:
    """The steps of a transaction whose commands ask for this."""
    uow, answers = UnitOfWork(TERMS, Clock(NOW, 10.0, 5.0)), iter(rounds)

    def ask() -> Iterator[tuple[Wish, ...]]:
        yield (NotedWish(names=frozenset(next(answers))),)

    stores, connection = Stores(Last(), Noting(), Always()), Any
    await stores.lock(connection, uow, list(ask()))  # type: ignore[arg-type] # nothing is executed
    await stores.load(connection, uow, ask)  # type: ignore[arg-type]
    await stores.write(connection, uow)  # type: ignore[arg-type]
    stores.settle(uow)
    return uow[Noted].steps


def test_a_part_that_nobody_wishes_is_skipped() -> None:
    assert asyncio.run(visit("", "")) == ["Always locks", "Always loads "]


def test_a_part_is_visited_for_what_is_new_and_the_last_ones_once() -> None:
    assert asyncio.run(visit("a", "b", "bc", "bc")) == [
        *("Last locks", "Noting locks", "Always locks"),
        *("Noting loads b", "Always loads b"),
        *("Noting loads c", "Always loads c"),
        "Last loads bc",
    ]
