"""For how long things are kept is decided on rows, without a database."""

from datetime import UTC, datetime
from typing import Any

import pytest
from support.jobstore.memory import list_changes
from support.jobstore.terms import TERMS

from contracts.resources import NewRetention, RetentionPatch
from jobstore.access.audited import Audit, Entry
from jobstore.engine.parts import Command, UnitOfWork
from jobstore.errors import InvalidError, NotFoundError, RefusedError
from jobstore.jobs.model import BOOTSTRAP, Clock
from jobstore.keeping.commands import DeleteRetention, SetRetention
from jobstore.keeping.rules import GENERAL, RetentionChange, Retentions, RetentionsWish, Rule, find_kept_s
from jobstore.tenants.rules import Tenants, TenantsWish
from servicekit.errors import PermanentError
from signoff.keeping import Retention
from signoff.status import RESTING, JobStatus

BEFORE, NOW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
PRESS = "tenant:press"
STORED = Retention(name=PRESS, completed_s=60, failed_s=90, version=3, updated_at=BEFORE)


def unit_of_work(*stored: Retention) -> UnitOfWork:
    uow = UnitOfWork(TERMS, Clock(NOW, lease_s=10.0, offer_again_s=5.0))
    uow[Tenants].names = {"press": "press", "The Mill": "the-mill"}
    uow[Retentions].retentions.stored.update((each.name, each) for each in stored)
    return uow


def set_to(change: Any, name: str = PRESS, **options: Any) -> SetRetention:
    return SetRetention(name, change=change, actor=BOOTSTRAP, **options)


def decided(command: Command[Any], *stored: Retention) -> dict[str, RetentionChange]:
    uow = unit_of_work(*stored)
    command.decide(uow)
    return uow[Retentions].changes


def refused(command: Command[Any], error: type[PermanentError], code: str, *stored: Retention) -> None:
    uow = unit_of_work(*stored)
    with pytest.raises(error) as caught:
        command.decide(uow)
    assert caught.value.code == code
    assert list_changes(uow) == {}


def test_a_retention_is_locked_by_its_name_and_its_tenant_is_read() -> None:
    command = set_to(NewRetention(completed_s=60))
    assert command.locks() == (RetentionsWish(named=frozenset({PRESS})),)
    assert command.reads(unit_of_work()) == (TenantsWish(names=frozenset({"press"})),)
    for name in (GENERAL, "tenant:default"):
        assert not set_to(NewRetention(), name).reads(unit_of_work())[0]


def test_a_new_retention_is_as_it_was_given() -> None:
    made = decided(set_to(NewRetention(completed_s=60, operations_s=3600)))
    expected = Retention(name=PRESS, completed_s=60, operations_s=3600, version=1, updated_at=NOW)
    assert made == {PRESS: (expected, BOOTSTRAP, True)}


def test_a_patch_changes_what_it_gives_and_a_whole_replaces() -> None:
    patched = decided(set_to(RetentionPatch(completed_s=None, rejected_s=120)), STORED)[PRESS].retention
    assert patched == Retention(name=PRESS, failed_s=90, rejected_s=120, version=4, updated_at=NOW)
    whole = decided(set_to(NewRetention(rejected_s=120)), STORED)[PRESS]
    assert whole == (Retention(name=PRESS, rejected_s=120, version=4, updated_at=NOW), BOOTSTRAP, False)
    assert decided(set_to(RetentionPatch(failed_s=60)))[PRESS].is_new


def test_one_that_sets_nothing_is_deleted() -> None:
    assert decided(set_to(NewRetention()), STORED) == {PRESS: (None, BOOTSTRAP, False)}
    assert decided(set_to(RetentionPatch(completed_s=None))) == {}
    assert decided(DeleteRetention(PRESS, actor=BOOTSTRAP), STORED) == {PRESS: (None, BOOTSTRAP, False)}
    refused(DeleteRetention(PRESS, actor=BOOTSTRAP), NotFoundError, "unknown_retention")


def test_what_is_deleted_and_set_in_one_transaction_is_still_the_stored_row() -> None:
    uow = unit_of_work(STORED)
    DeleteRetention(PRESS, actor=BOOTSTRAP).decide(uow)
    set_to(NewRetention(failed_s=60)).decide(uow)
    assert uow[Retentions].changes[PRESS].is_new is False


@pytest.mark.parametrize("command", [set_to(NewRetention(), version=2), DeleteRetention(PRESS, 2, actor=BOOTSTRAP)])
def test_another_version_than_the_callers_is_a_conflict(command: Command[Any]) -> None:
    refused(command, RefusedError, "version_conflict", STORED)
    refused(command, RefusedError, "version_conflict")


def test_a_retention_is_of_a_tenant_that_is_registered_by_this_name() -> None:
    refused(set_to(NewRetention(failed_s=60), "tenant:nobody"), InvalidError, "unknown_tenant")
    refused(set_to(NewRetention(failed_s=60), "tenant:The Mill"), InvalidError, "unknown_tenant")


@pytest.mark.parametrize("name", [GENERAL, PRESS])
def test_who_administers_other_tenants_finds_none(name: str) -> None:
    stored = STORED.model_copy(update={"name": name})
    limited: Any = {"actor": BOOTSTRAP, "limited_to": frozenset({"games"})}
    refused(SetRetention(name, change=NewRetention(), **limited), NotFoundError, "unknown_retention", stored)
    refused(DeleteRetention(name, **limited), NotFoundError, "unknown_retention", stored)
    own: Any = {"actor": BOOTSTRAP, "limited_to": frozenset({"press"})}
    assert decided(DeleteRetention(PRESS, **own), STORED)


def test_a_change_is_audited() -> None:
    uow, entry = unit_of_work(STORED), Entry(BOOTSTRAP, "/signoff.v1.KeepingService/DeleteRetention")
    DeleteRetention(PRESS, actor=BOOTSTRAP, entry=entry).decide(uow)
    assert uow[Audit].entries == [entry]


def test_a_tenants_own_retention_goes_before_that_of_each_tenant() -> None:
    general = Retention(name=GENERAL, completed_s=600, rejected_s=700, updated_at=BEFORE)
    stored = {PRESS: STORED, GENERAL: general}
    assert [find_kept_s(rule, "press", stored) for rule in Rule] == [60, 90, 700, None, None, None]
    assert [find_kept_s(rule, "games", stored) for rule in Rule] == [600, None, 700, None, None, None]
    assert find_kept_s(Rule.COMPLETED, "press", {}) is None


def test_rules_are_about_every_status_in_which_an_execution_ended_and_about_no_live_one() -> None:
    resting = {JobStatus.PENDING, JobStatus.ASSIGNED, *RESTING}
    assert frozenset().union(*(rule.statuses for rule in Rule)) == resting
    assert {rule.field for rule in Rule} == set(NewRetention.model_fields)


@pytest.mark.parametrize("kept_s", [59.9, 0, -1, float("nan"), float("inf"), "60", True, 4_000_000_000])
@pytest.mark.parametrize("model", [NewRetention, RetentionPatch])
def test_nothing_is_kept_for_less_than_a_minute_or_no_time(model: Any, kept_s: Any) -> None:
    with pytest.raises(ValueError, match="completed_s"):
        model(completed_s=kept_s)
