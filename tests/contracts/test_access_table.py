"""The table of who may call what has every method that a jobstore serves, and no other."""

from contracts.access import ACCESS, ADMINISTRATORS, OPERATORS, VIEWERS, Of, name_roles
from signoff.status import Role
from signoff.v1 import (
    agent_service_pb2,
    identity_service_pb2,
    job_service_pb2,
    judge_service_pb2,
    judging_service_pb2,
    keeping_service_pb2,
    operations_service_pb2,
    receipt_service_pb2,
)
from signoff.worker.v1 import work_service_pb2

FILES = (
    *(agent_service_pb2, identity_service_pb2, job_service_pb2, judge_service_pb2, judging_service_pb2),
    *(keeping_service_pb2, operations_service_pb2, receipt_service_pb2, work_service_pb2),
)


def test_every_method_is_in_the_table_and_nothing_else() -> None:
    served = {
        f"/{service.full_name}/{method.name}"
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert {name for name in ACCESS if name.startswith("/signoff.")} == served


def test_who_may_more_may_what_others_may() -> None:
    assert ADMINISTRATORS < OPERATORS < VIEWERS
    for name, access in ACCESS.items():
        people = access.roles & VIEWERS
        assert not people or Role.ADMINISTRATOR in people, name
        assert Role.VIEWER not in people or people == VIEWERS, name


def test_workers_have_work_and_nothing_that_is_somebodys() -> None:
    for name, access in ACCESS.items():
        if access.of in {Of.TENANT, Of.ALL}:
            assert not access.roles & {Role.EXECUTOR, Role.VALIDATOR}, name
        assert (access.of is Of.WORK) == ("WorkService" in name)


def test_a_message_names_the_roles_in_their_order() -> None:
    assert name_roles({Role.ADMINISTRATOR, Role.OPERATOR}) == "operator or administrator"
