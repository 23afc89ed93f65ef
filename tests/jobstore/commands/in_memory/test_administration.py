"""What administrators ask for is decided on rows, without a database."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from support.jobstore.memory import list_changes
from support.jobstore.terms import TERMS

from contracts.resources import AgentPatch, LimitPatch, NewAgent, NewJob, NewLimit
from jobstore.agents.commands import DisableAgent, RegisterAgent, UpdateAgent
from jobstore.agents.rules import CLOSED, Agents, AgentsWish, Breaker, Circuits, CircuitsWish
from jobstore.engine.parts import Command, UnitOfWork, Wishes, WishList
from jobstore.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, RefusedError
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import BOOTSTRAP, SIGNOFF, Clock, Job, Refusal
from jobstore.jobs.rows import Jobs, JobsWish
from jobstore.judging.rules import Judgings
from jobstore.limits.commands import ConfirmLimits, PauseLimit, RemoveLimit, SetLimit
from jobstore.limits.rules import Limits, LimitsLock, LimitsWish, batch_limit
from jobstore.operations.commands import (
    AnswerItems,
    CarryOutItem,
    CreateOperation,
    EndOperation,
    Item,
    ItemAnswer,
    MoveOperation,
    Operations,
    OperationSpec,
    OperationsWish,
    RemoveOperation,
    StoredOperation,
)
from jobstore.tenants.rules import Tenants, TenantsWish
from servicekit.errors import PermanentError
from signoff.status import BATCH_KINDS, JobStatus, OperationKind, OperationState, Protocol
from signoff.types import Agent, Limit

BEFORE, NOW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
URL, SECRET_URL = "http://127.0.0.1:1/", "http://user:password@127.0.0.1:1/"
NEW = NewAgent(name="a writer", url=URL, headers={"Authorization": "env:SIGNOFF_AGENT_KEY"})
ID = uuid4()
STATES = list(OperationState)


def unit_of_work(
    *, unfinished: Any = (), open_items: Any = (), has_circuits: bool = False, **stored: Any
) -> UnitOfWork:
    uow = UnitOfWork(TERMS, Clock(NOW, lease_s=10.0, offer_again_s=5.0))
    uow[Operations].unfinished, uow[Operations].open_items = unfinished, open_items
    uow[Circuits].are_stored = has_circuits
    uow[Tenants].names = {"a": "a", "press": "press", "The Mill": "the-mill"}
    rows = {
        "agents": uow[Agents].agents,
        "circuits": uow[Circuits].circuits,
        "jobs": uow[Jobs].jobs,
        "limits": uow[Limits].limits,
        "operations": uow[Operations].operations,
    }
    for name, of_name in stored.items():
        rows[name].stored.update(of_name)
    return uow


def agent(**fields: Any) -> Agent:
    return Agent(**{**NEW.model_dump(), "id": "writer", "created_at": BEFORE, "updated_at": BEFORE, **fields})


def operation(state: OperationState, kind: OperationKind = OperationKind.EXECUTE) -> dict[str, Any]:
    return {"operations": {ID: StoredOperation(state, kind)}}


def decided(command: Command[Any], **stored: Any) -> UnitOfWork:
    uow = unit_of_work(**stored)
    command.decide(uow)
    return uow


def refused(command: Command[Any], error: type[PermanentError], code: str, **stored: Any) -> str:
    """What the refusal says."""
    uow = unit_of_work(**stored)
    with pytest.raises(error) as caught:
        command.decide(uow)
    assert caught.value.code == code
    assert " " in str(caught.value), "a sentence says why"
    assert list_changes(uow) == {}
    return str(caught.value)


def test_a_new_agent_is_as_it_was_given_and_known_from_now_on() -> None:
    uow = decided(RegisterAgent("writer", NEW, actor=BOOTSTRAP))
    (change,) = uow[Agents].changes
    assert change == (agent(created_at=NOW, updated_at=NOW), BOOTSTRAP, True)
    assert uow[Agents].agents["writer"] is change.agent


def test_an_agent_that_is_registered_again_changes_nothing() -> None:
    again = RegisterAgent("writer", NEW.model_copy(update={"id": "writer"}), actor=SIGNOFF)
    assert decided(again, agents={"writer": agent()})[Agents].changes == []
    refused(again, ConflictError, "agent_conflict", agents={"writer": agent(name="another")})


@pytest.mark.parametrize("command", [RegisterAgent, UpdateAgent])
def test_what_everybody_would_read_is_refused(command: Any) -> None:
    stored = {"agents": {"writer": agent()}} if command is UpdateAgent else {}
    refused(
        command("writer", NEW.model_copy(update={"url": SECRET_URL}), actor=SIGNOFF),
        InvalidError,
        "url_has_userinfo",
        **stored,
    )


def test_an_update_replaces_all_but_the_age_and_closes_the_circuit() -> None:
    command = UpdateAgent("writer", NewAgent(name="other", url=URL, enabled=False), actor=BOOTSTRAP)
    failing = Breaker(failures=5, opened=1, open_until=NOW, probe_id=None)
    uow = decided(command, agents={"writer": agent()}, has_circuits=True, circuits={"writer": failing})
    (change,) = uow[Agents].changes
    assert (change.agent.name, change.agent.enabled, change.agent.headers) == ("other", False, {})
    assert (change.agent.created_at, change.agent.updated_at) == (BEFORE, NOW)
    assert (change.is_new, uow[Circuits].circuits.changes) == (False, {"writer": CLOSED})
    assert command.locks() == (AgentsWish(locked=frozenset({"writer"})),)
    assert CircuitsWish(agents=frozenset({"writer"})) in command.reads(uow)


def test_a_user_in_a_url_of_old_stays_while_nobody_says_it_again() -> None:
    stored = {"agents": {"writer": agent(url=SECRET_URL, headers={})}}
    shown = NewAgent(name="a writer", url="http://***@127.0.0.1:1/")
    (change,) = decided(UpdateAgent("writer", shown, actor=SIGNOFF), **stored)[Agents].changes
    assert change.agent.url == SECRET_URL
    said_twice = shown.model_copy(update={"headers": {"AUTHORIZATION": "env:SIGNOFF_AGENT_KEY"}})
    refused(UpdateAgent("writer", said_twice, actor=SIGNOFF), InvalidError, "url_has_userinfo", **stored)


def test_a_patch_of_an_agent_changes_what_it_gives_and_is_refused_what_no_new_one_may_have() -> None:
    stored = {"agents": {"writer": agent()}}
    patch = AgentPatch(name="other", headers={"Authorization": None})
    (change,) = decided(UpdateAgent("writer", patch, actor=SIGNOFF), **stored)[Agents].changes
    assert change.agent == agent(name="other", headers={}, version=2, updated_at=NOW)
    many = AgentPatch(headers={f"X-{number}": "env:SIGNOFF_AGENT_KEY" for number in range(100)})
    refused(UpdateAgent("writer", many, actor=SIGNOFF), InvalidError, "invalid_request", **stored)


def test_settings_change_member_by_member_and_are_refused_with_their_place() -> None:
    stored = {"agents": {"writer": agent(protocol=Protocol.OPENAI, settings={"model": "a", "background": True})}}
    patch = AgentPatch(settings={"model": "b", "background": None}, protocol=Protocol.OPENAI)
    (change,) = decided(UpdateAgent("writer", patch, actor=SIGNOFF), **stored)[Agents].changes
    assert change.agent.settings == {"model": "b"}
    for wrong, field in (
        (AgentPatch(settings={"model": None}), "agent.settings.model"),
        (AgentPatch(settings={"template": "{{weather}}"}), "agent.settings.template"),
        (AgentPatch(signing="file:key"), "agent.signing"),
    ):
        command = UpdateAgent("writer", wrong, actor=SIGNOFF)
        assert refused(command, InvalidError, "invalid_request", **stored).startswith(f"{field}: ")
    other = UpdateAgent("writer", AgentPatch(protocol=Protocol.HTTP), actor=SIGNOFF)
    refused(other, RefusedError, "agent_protocol_fixed", **stored)


def test_an_agent_is_disabled_and_nothing_else_of_it_changes() -> None:
    (change,) = decided(DisableAgent("writer", actor=SIGNOFF), agents={"writer": agent()})[Agents].changes
    assert change.agent == agent(enabled=False, version=2, updated_at=NOW)


@pytest.mark.parametrize("command", [DisableAgent("nobody", actor=SIGNOFF), UpdateAgent("nobody", NEW, actor=SIGNOFF)])
def test_who_is_not_registered_cannot_be_changed(command: Command[Any]) -> None:
    refused(command, NotFoundError, "unknown_agent")


def test_the_tenant_of_an_agent_is_named_as_it_is_or_was_called() -> None:
    mine = {"agents": {"the-mill:writer": agent(id="the-mill:writer", tenant="the-mill", shared=False)}}
    change = NewAgent(**NEW.model_dump() | {"name": "other", "tenant": "The Mill"})
    command = UpdateAgent("the-mill:writer", change, actor=SIGNOFF)
    assert TenantsWish(names=frozenset({"The Mill"})) in command.reads(unit_of_work(**mine))
    (changed,) = decided(command, **mine)[Agents].changes
    assert (changed.agent.name, changed.agent.tenant) == ("other", "the-mill")
    again = NewAgent(**NEW.model_dump() | {"tenant": "The Mill", "shared": False})
    assert decided(RegisterAgent("the-mill:writer", again, actor=SIGNOFF), **mine)[Agents].changes == []
    for tenant in ("press", "default", "made up"):
        command = UpdateAgent("the-mill:writer", NewAgent(**NEW.model_dump() | {"tenant": tenant}), actor=SIGNOFF)
        refused(command, InvalidError, "invalid_request", **mine)


def limit(name: str, **fields: Any) -> Limit:
    return Limit(name=name, updated_at=NOW, **fields)


MONEY = {"usd_per_day": Decimal(20), "judge_policies": ["cheap"]}
OWN: dict[str, Any] = {"actor": SIGNOFF, "limited_to": frozenset({"press"})}


def test_a_limit_of_money_is_of_a_tenant_alone() -> None:
    for field, value in MONEY.items():
        refused(SetLimit("agent:writer", NewLimit(**{field: value}), actor=SIGNOFF), InvalidError, "invalid_request")


def test_who_replaces_a_limit_and_knows_nothing_of_money_leaves_it() -> None:
    stored = {"tenant:press": limit("tenant:press", **MONEY)}
    replaced = decided(SetLimit("tenant:press", NewLimit(concurrency=2), actor=SIGNOFF), limits=stored)
    assert replaced[Limits].limits["tenant:press"] == limit("tenant:press", **MONEY, concurrency=2, version=2)
    given = decided(SetLimit("tenant:press", NewLimit(usd_per_day="5"), actor=SIGNOFF), limits=stored)
    assert given[Limits].limits["tenant:press"] == limit("tenant:press", **MONEY | {"usd_per_day": 5}, version=2)
    unset = SetLimit("tenant:press", LimitPatch(usd_per_day=None, judge_policies=None), actor=SIGNOFF)
    assert decided(unset, limits=stored)[Limits].limits["tenant:press"] is None


def test_who_administers_a_tenant_limits_it_but_not_its_money() -> None:
    stored = {"tenant:press": limit("tenant:press", **MONEY)}
    own = decided(SetLimit("tenant:press", LimitPatch(concurrency=2), **OWN), limits=stored)
    assert own[Limits].limits["tenant:press"] == limit("tenant:press", **MONEY, concurrency=2, version=2)
    assert decided(PauseLimit("tenant:press", paused=True, **OWN), limits=stored)[Limits].changes
    changes = (LimitPatch(usd_per_day="21"), LimitPatch(judge_policies=None), NewLimit(**MONEY | {"usd_per_day": 9}))
    for change in changes:
        refused(SetLimit("tenant:press", change, **OWN), ForbiddenError, "forbidden", limits=stored)
    refused(RemoveLimit("tenant:press", **OWN), ForbiddenError, "forbidden", limits=stored)
    assert decided(RemoveLimit("tenant:press", **OWN), limits={"tenant:press": limit("tenant:press", rate=1)})


def test_a_limit_is_of_a_tenant_that_is_registered() -> None:
    """One of another would be the first that a rebuild registers."""
    stored = {"tenant:made-up": limit("tenant:made-up", rate=1)}
    for command in (
        SetLimit("tenant:made-up", NewLimit(rate=2), actor=SIGNOFF),
        PauseLimit("tenant:made-up", True, actor=SIGNOFF),
    ):
        assert command.reads(unit_of_work()) == (TenantsWish(names=frozenset({"made-up"})),)
        assert refused(command, InvalidError, "unknown_tenant", limits=stored) == "no tenant has the name made-up"
    assert decided(RemoveLimit("tenant:made-up", actor=SIGNOFF), limits=stored)[Limits].changes
    for name in ("tenant:press", "tenant:default", "tenant:*", "label:tenant=made-up", "agent:made-up"):
        assert decided(SetLimit(name, NewLimit(rate=2), actor=SIGNOFF))[Limits].changes
        assert decided(PauseLimit(name, True, actor=SIGNOFF))[Limits].changes


def test_a_limit_is_named_by_the_present_name_of_its_tenant() -> None:
    command = SetLimit("tenant:The Mill", NewLimit(rate=2), actor=SIGNOFF)
    told = refused(command, InvalidError, "unknown_tenant")
    assert told == "the tenant The Mill is called the-mill now: name tenant:the-mill"


@pytest.mark.parametrize("name", ["tenant:games", "tenant:*", "agent:writer", "agent:*", "label:team=red", "batch:b"])
def test_who_administers_a_tenant_finds_no_other_limit(name: str) -> None:
    """As if it were not there, whether it is or not."""
    for stored in ({}, {name: limit(name, rate=1)}):
        for command in (
            SetLimit(name, NewLimit(concurrency=1), **OWN),
            RemoveLimit(name, **OWN),
            PauseLimit(name, paused=True, **OWN),
        ):
            told = refused(command, NotFoundError, "unknown_limit", limits=stored, agents={"writer": agent()})
            assert told == f"there is no limit {name}"


def test_who_administers_a_tenant_limits_its_agents() -> None:
    agents = {"press:a": agent(id="press:a", tenant="press", shared=False)}
    assert decided(PauseLimit("agent:press:a", paused=True, **OWN), agents=agents)[Limits].changes


def test_a_limit_is_set_and_removed_while_no_execution_is_asked_for() -> None:
    command, name = SetLimit("tenant:a", NewLimit(weight=2.0), actor=BOOTSTRAP), "tenant:a"
    assert LimitsWish(lock=LimitsLock.EXCLUSIVE, named=frozenset({name, "tenant:*"})) in command.locks()
    assert decided(command)[Limits].changes == {name: (limit(name, weight=2.0), BOOTSTRAP)}
    removed = decided(RemoveLimit(name, actor=BOOTSTRAP), limits={name: limit(name)})
    assert removed[Limits].changes == {name: (None, BOOTSTRAP)}
    refused(RemoveLimit(name, actor=SIGNOFF), NotFoundError, "unknown_limit")


def test_limits_are_confirmed_by_whoever_asks_while_no_execution_is_asked_for() -> None:
    confirm = ConfirmLimits(actor=BOOTSTRAP)
    assert confirm.locks() == (LimitsWish(lock=LimitsLock.EXCLUSIVE),)
    assert decided(confirm)[Limits].confirmed_by == BOOTSTRAP


@pytest.mark.parametrize("field", ["weight", "queue_max"])
def test_only_a_tenants_limit_has_a_weight_and_a_queue(field: str) -> None:
    refused(SetLimit("agent:writer", NewLimit(**{field: 1}), actor=SIGNOFF), InvalidError, "invalid_request")


def test_a_pause_keeps_the_rest_of_a_limit() -> None:
    one, other = "agent:writer", "agent:other"
    paused = decided(PauseLimit(one, paused=True, actor=SIGNOFF), limits={one: limit(one, concurrency=3)})
    assert paused[Limits].limits[one] == limit(one, concurrency=3, paused=True, version=2)
    assert decided(PauseLimit(other, paused=True, actor=SIGNOFF))[Limits].limits[other] == limit(other, paused=True)
    assert paused[Limits].changes[one] == (paused[Limits].limits[one], SIGNOFF)


def test_a_patch_of_a_limit_changes_what_it_gives() -> None:
    name, patch = "agent:writer", LimitPatch(rate=None, concurrency=2)
    patched = decided(SetLimit(name, patch, actor=SIGNOFF), limits={name: limit(name, rate=1, paused=True)})
    assert patched[Limits].limits[name] == limit(name, concurrency=2, paused=True, version=2)


def test_pausing_an_agent_by_its_limit_is_a_change_of_the_agent_whose_version_counts() -> None:
    stored = {"agents": {"writer": agent(version=3)}}
    pause = PauseLimit("agent:writer", paused=True, version=3, actor=SIGNOFF)
    (change,) = decided(pause, **stored)[Agents].changes
    assert change.agent == agent(version=4, updated_at=NOW)
    late = PauseLimit("agent:writer", paused=True, version=2, actor=SIGNOFF)
    refused(late, RefusedError, "version_conflict", **stored)


@pytest.mark.parametrize("fields", [{}, {"rate": 1}])
def test_the_answer_to_a_pause_says_whether_it_is_paused_also_where_its_limit_says_nothing_of_that(
    fields: dict[str, Any],
) -> None:
    uow = unit_of_work(limits={"agent:a": limit("agent:a", **fields)})
    for version, is_paused in ((2, True), (3, False)):
        answer = PauseLimit("agent:a", paused=is_paused, actor=SIGNOFF).decide(uow)
        assert answer == limit("agent:a", paused=is_paused, version=version, **fields)


@pytest.mark.parametrize(
    ("stored", "command", "left"),
    [
        ({}, PauseLimit("agent:a", paused=False, actor=SIGNOFF), None),
        ({"agent:a": {"paused": True}}, PauseLimit("agent:a", paused=False, actor=SIGNOFF), None),
        ({"agent:a": {"paused": True, "rate": 1}}, PauseLimit("agent:a", paused=False, actor=SIGNOFF), {"rate": 1}),
        ({"agent:*": {"paused": True}}, PauseLimit("agent:a", paused=False, actor=SIGNOFF), {"paused": False}),
        ({"agent:*": {"paused": True}}, PauseLimit("agent:*", paused=False, actor=SIGNOFF), None),
        ({"agent:*": {"rate": 1}}, PauseLimit("agent:a", paused=True, actor=SIGNOFF), {"paused": True}),
        (
            {"agent:a": {"paused": True, "rate": 1}},
            SetLimit("agent:a", NewLimit(concurrency=1), actor=SIGNOFF),
            {"paused": True, "concurrency": 1},
        ),
        ({"agent:a": {"paused": True}}, SetLimit("agent:a", NewLimit(), actor=SIGNOFF), {"paused": True}),
        ({"agent:a": {"rate": 1}}, SetLimit("agent:a", NewLimit(rate_period_s=9.0), actor=SIGNOFF), None),
        (
            {"agent:a": {"paused": True}},
            SetLimit("agent:a", NewLimit(rate=1, paused=False), actor=SIGNOFF),
            {"rate": 1},
        ),
    ],
)
def test_a_limit_holds_what_is_set_of_it_and_is_removed_where_nothing_is_left(
    stored: dict[str, dict[str, Any]], command: Command[Any], left: dict[str, Any] | None
) -> None:
    uow = unit_of_work(limits={name: limit(name, **fields) for name, fields in stored.items()})
    command.decide(uow)
    name = command.name  # type: ignore[attr-defined]
    version = 2 if name in stored else 1
    assert uow[Limits].limits.get(name) == (None if left is None else limit(name, version=version, **left))
    assert (name in uow[Limits].changes) == (left is not None or name in stored)


def test_commands_of_one_transaction_see_each_other() -> None:
    uow = unit_of_work()
    for command in (
        SetLimit("agent:a", NewLimit(rate=1), actor=SIGNOFF),
        PauseLimit("agent:a", paused=True, actor=SIGNOFF),
    ):
        command.decide(uow)
    assert uow[Limits].changes["agent:a"].limit == limit("agent:a", rate=1, paused=True, version=2)
    RemoveLimit("agent:a", actor=SIGNOFF).decide(uow)
    with pytest.raises(NotFoundError):
        RemoveLimit("agent:a", actor=SIGNOFF).decide(uow)
    RegisterAgent("writer", NEW, actor=SIGNOFF).decide(uow)
    DisableAgent("writer", actor=SIGNOFF).decide(uow)
    changes = [(change.is_new, change.agent.enabled, change.agent.version) for change in uow[Agents].changes]
    assert changes == [(True, True, 1), (False, False, 2)]
    CreateOperation(ID, OperationSpec(), actor=SIGNOFF).decide(uow)
    CreateOperation(ID, OperationSpec(), actor=SIGNOFF).decide(uow)
    assert len(uow[Operations].new) == 1
    other = uuid4()
    CreateOperation(other, OperationSpec(OperationKind.REJUDGE), actor=SIGNOFF).decide(uow)
    MoveOperation(other, OperationState.CANCELLING, actor=SIGNOFF).decide(uow)
    assert uow[Operations].operations[other].state is OperationState.CANCELLED


def test_an_operation_is_made_once_by_one_request() -> None:
    command = CreateOperation(ID, OperationSpec(items=[Item(0, "a")]), actor=BOOTSTRAP)
    (new,) = decided(command)[Operations].new
    assert (new.id, new.actor, new.spec.items) == (ID, BOOTSTRAP, [Item(0, "a")])
    assert decided(command, **operation(OperationState.DONE))[Operations].new == []


def test_an_operation_without_items_says_why_if_that_is_no_use() -> None:
    obstacle = RefusedError("no job matches the filter", code="nothing_matches")
    refused(CreateOperation(ID, OperationSpec(), obstacle=obstacle, actor=SIGNOFF), RefusedError, "nothing_matches")
    repeated = CreateOperation(ID, OperationSpec(), obstacle=obstacle, actor=SIGNOFF)
    assert decided(repeated, **operation(OperationState.DONE))[Operations].new == []
    many = [Item(number, "a") for number in range(10_001)]
    refused(CreateOperation(ID, OperationSpec(items=many), actor=SIGNOFF), InvalidError, "batch_too_large")
    most = CreateOperation(ID, OperationSpec(items=many[1:]), actor=SIGNOFF)
    assert len(decided(most)[Operations].new) == 1


@pytest.mark.parametrize("state", STATES)
def test_a_batch_is_paused_resumed_and_cancelled_from_where_it_can_be(state: OperationState) -> None:
    running, paused, cancelling = OperationState.RUNNING, OperationState.PAUSED, OperationState.CANCELLING
    moves = {paused: {running}, running: {paused}, cancelling: {running, paused}}
    repeats = {(cancelling, OperationState.CANCELLED), (paused, paused), (running, running), (cancelling, cancelling)}
    for to, sources in moves.items():
        command = MoveOperation(ID, to, actor=BOOTSTRAP)
        if state not in sources and (to, state) not in repeats:
            refused(command, RefusedError, "operation_ended", **operation(state))
            continue
        uow = decided(command, **operation(state))
        moved = [(to, {"actor": BOOTSTRAP})] if state in sources else []
        assert [(move.state, move.about) for move in uow[Operations].moves] == moved
        assert uow[Operations].operations[ID].state is (to if state in sources else state)


def test_a_paused_batch_has_a_limit_that_goes_when_it_is_resumed() -> None:
    name = batch_limit(ID)
    pause = MoveOperation(ID, OperationState.PAUSED, actor=BOOTSTRAP)
    assert pause.locks()[0] == LimitsWish(lock=LimitsLock.EXCLUSIVE, named=frozenset({name}))
    uow = decided(pause, **operation(OperationState.RUNNING))
    assert uow[Limits].changes == {name: (limit(name, paused=True), BOOTSTRAP)}
    stored = operation(OperationState.PAUSED) | {"limits": {name: limit(name, paused=True)}}
    resumed = decided(MoveOperation(ID, OperationState.RUNNING, actor=SIGNOFF), **stored)
    assert resumed[Limits].changes[name].limit is None


def test_a_cancel_keeps_what_is_said_of_it_beside_who_asked() -> None:
    cancel = MoveOperation(ID, OperationState.CANCELLING, "no more", actor=BOOTSTRAP)
    (move,) = decided(cancel, **operation(OperationState.PAUSED))[Operations].moves
    assert move.about == {"reason": "no more", "actor": BOOTSTRAP}
    assert not move.has_ended


@pytest.mark.parametrize("kind", OperationKind)
def test_of_what_executes_nothing_a_cancel_is_the_end(kind: OperationKind) -> None:
    cancel, name = MoveOperation(ID, OperationState.CANCELLING, actor=SIGNOFF), batch_limit(ID)
    stored = operation(OperationState.PAUSED, kind=kind) | {"limits": {name: limit(name, paused=True)}}
    changes = decided(cancel, **stored)
    assert changes[Judgings].cancelled == [ID]
    is_over = kind not in BATCH_KINDS
    (move,) = changes[Operations].moves
    assert (move.state, move.has_ended) == ("CANCELLED" if is_over else "CANCELLING", is_over)
    left = changes[Limits].changes[name].limit
    assert left is None if is_over else left is not None and left.paused


@pytest.mark.parametrize(
    "command", [MoveOperation(ID, OperationState.PAUSED, actor=SIGNOFF), EndOperation(ID, actor=SIGNOFF)]
)
def test_what_is_no_batch_cannot_be_moved(command: Command[Any]) -> None:
    assert refused(command, NotFoundError, "unknown_batch") == f"no batch has the id {ID}"


@pytest.mark.parametrize("state", STATES)
def test_a_batch_ends_when_nothing_of_it_is_left(state: OperationState) -> None:
    ends = {OperationState.RUNNING: "DONE", OperationState.PAUSED: "DONE", OperationState.CANCELLING: "CANCELLED"}
    name = batch_limit(ID)
    uow = decided(EndOperation(ID, actor=SIGNOFF), limits={name: limit(name)}, **operation(state))
    assert [(move.state, move.has_ended) for move in uow[Operations].moves] == [
        (end, True) for end in [ends.get(state)] if end
    ]
    assert set(uow[Limits].changes) == ({name} if state in ends else set())
    assert decided(EndOperation(ID, actor=SIGNOFF), unfinished={ID}, **operation(state))[Operations].moves == []


def test_answers_to_items_are_kept() -> None:
    answers = [ItemAnswer(0, uuid4()), ItemAnswer(1, None, "unknown_job", "no job has the id a")]
    changes = decided(AnswerItems(ID, answers, 2.5, actor=SIGNOFF), **operation(OperationState.RUNNING))
    assert (changes[Operations].answers, changes[Operations].rests_s) == ({ID: answers}, {ID: 2.5})


ITEM = Item(3, "a")
OPEN = {"open_items": {(ID, 3)}, "jobs": {"a": Job("a", JobStatus.ASSIGNED, 1, agent_id="writer")}}


class Recorded(Command[None]):
    """Records that it was carried out, in place of a change; or fails."""

    def locks(self) -> Wishes:
        return (JobsWish(locked=frozenset({"a"})),)

    def decide(self, uow: UnitOfWork) -> None:
        uow[Limits].put("tenant:a", NewLimit(weight=1.0), self.actor)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("open_items", [OPEN["open_items"], frozenset()])
def test_an_item_is_carried_out_once_while_its_operation_runs(state: OperationState, open_items: Any) -> None:
    execution_id = uuid4()
    command = CarryOutItem(ID, ITEM, Recorded(actor=SIGNOFF), execution_id, actor=SIGNOFF)
    uow = decided(command, **operation(state), **{**OPEN, "open_items": open_items})
    if state is OperationState.RUNNING and open_items:
        assert uow[Operations].answers == {ID: [ItemAnswer(3, execution_id)]}
        assert uow[Operations].rests_s == {ID: 0.0}, "the next item has its turn at once"
        assert set(uow[Limits].changes) == {"tenant:a"}
    else:
        assert list_changes(uow) == {}
    assert list_changes(decided(command, **OPEN)) == {}  # there is no such operation


def test_what_an_item_is_refused_is_its_answer() -> None:
    stored = {**operation(OperationState.RUNNING), **OPEN}
    unknown = decided(CarryOutItem(ID, ITEM, DisableAgent("nobody", actor=SIGNOFF), actor=SIGNOFF), **stored)[
        Operations
    ].answers[ID]
    assert [(answer.item, answer.code) for answer in unknown] == [(3, "unknown_agent")]
    guarded = CarryOutItem(
        ID, ITEM, Recorded(actor=SIGNOFF), guard=lambda job: Refusal("moved_on", f"it is {job.status}"), actor=SIGNOFF
    )
    uow = decided(guarded, **stored)
    assert uow[Operations].answers == {ID: [ItemAnswer(3, None, "moved_on", "it is ASSIGNED")]}
    assert uow[Limits].changes == {}
    without_guard = CarryOutItem(ID, ITEM, Recorded(actor=SIGNOFF), guard=lambda _: None, actor=SIGNOFF)
    assert decided(without_guard, **stored)[Operations].answers == {ID: [ItemAnswer(3)]}


def test_an_item_locks_and_reads_what_its_command_does_and_its_operation() -> None:
    command = CarryOutItem(ID, ITEM, Recorded(actor=SIGNOFF), actor=SIGNOFF)
    assert command.locks() == (JobsWish(locked=frozenset({"a"})), OperationsWish(locked=frozenset({ID})))
    assert command.reads(unit_of_work()) == (OperationsWish(open_items=frozenset({(ID, 3)})),)
    created = CreateJob(NewJob(title="A", acceptance_criteria="c"), "a", actor=SIGNOFF)
    assert CarryOutItem(ID, ITEM, created, actor=SIGNOFF).size == created.size


@pytest.mark.parametrize(
    ("command", "locks"),
    [
        (CreateOperation(ID, OperationSpec(), actor=SIGNOFF), (OperationsWish(locked=frozenset({ID})),)),
        (AnswerItems(ID, [], 0.0, actor=SIGNOFF), (OperationsWish(locked=frozenset({ID})),)),
        (
            EndOperation(ID, actor=SIGNOFF),
            (OperationsWish(locked=frozenset({ID})), LimitsWish(named=frozenset({batch_limit(ID)}))),
        ),
        (
            MoveOperation(ID, OperationState.PAUSED, actor=SIGNOFF),
            (
                LimitsWish(lock=LimitsLock.EXCLUSIVE, named=frozenset({batch_limit(ID)})),
                OperationsWish(locked=frozenset({ID})),
            ),
        ),
    ],
)
def test_what_is_changed_is_locked(command: Command[Any], locks: Wishes) -> None:
    assert command.locks() == locks


def test_an_operation_weighs_what_its_new_jobs_do() -> None:
    items = [Item(0, "one", '{"title": "One"}'), Item(1, "two")]
    assert CreateOperation(ID, OperationSpec(items=items), actor=SIGNOFF).size == len('{"title": "One"}')


def test_the_strongest_lock_of_limits_counts() -> None:
    wishes = [LimitsWish(), LimitsWish(lock=LimitsLock.EXCLUSIVE), LimitsWish(lock=LimitsLock.SHARED)]
    assert WishList([wishes])[LimitsWish].lock is LimitsLock.EXCLUSIVE
    assert WishList([])[LimitsWish].lock is LimitsLock.NONE


def test_whether_anything_of_a_batch_is_left_is_read_once_it_is_locked() -> None:
    assert EndOperation(ID, actor=SIGNOFF).reads(unit_of_work()) == (OperationsWish(unfinished=frozenset({ID})),)


@pytest.mark.parametrize("state", STATES)
def test_an_operation_that_has_ended_is_removed_and_no_other(state: OperationState) -> None:
    command = RemoveOperation(ID, actor=SIGNOFF)
    assert command.locks() == (OperationsWish(locked=frozenset({ID})),)
    uow = unit_of_work(**operation(state))
    has_ended = state in {OperationState.CANCELLED, OperationState.DONE}
    assert command.decide(uow) is has_ended
    assert uow[Operations].removed == ({ID: SIGNOFF} if has_ended else {})


def test_an_operation_that_is_gone_is_removed_already() -> None:
    uow = unit_of_work()
    assert RemoveOperation(ID, actor=SIGNOFF).decide(uow)
    assert list_changes(uow) == {}
