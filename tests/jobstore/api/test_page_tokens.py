"""Page tokens: each goes on with the list that gave it, and with no other list, filter or order."""

from typing import Any

import pytest

from jobstore.api.requests import make_page_token, parse_page_size, parse_page_token
from jobstore.errors import InvalidError
from signoff.v1 import agent_service_pb2 as agents_pb
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import operations_service_pb2 as pb

GIVEN = jobs_pb.ListJobsRequest(filter={"tenant": "press", "labels": {"a": "1", "b": "2"}}, page_size=2)


def changed(request: Any, **fields: Any) -> Any:
    copy = type(request)()
    copy.CopyFrom(request)
    copy.MergeFrom(type(request)(**fields))
    return copy


def test_a_token_goes_on_with_its_list_whatever_the_size_of_its_pages() -> None:
    token = make_page_token(GIVEN, (3, "x"))
    assert parse_page_token(changed(GIVEN, page_token=token, page_size=9), lambda *last: last) == (3, "x")
    bare = pb.ListLimitsRequest()
    assert parse_page_token(bare, str) is None
    assert make_page_token(bare, None) == ""


def test_a_filter_that_is_given_and_empty_is_none() -> None:
    token = make_page_token(jobs_pb.ListJobsRequest(filter={}), (1,))
    assert parse_page_token(jobs_pb.ListJobsRequest(page_token=token), int) == 1


@pytest.mark.parametrize(
    "other",
    [
        changed(GIVEN, filter={"tenant": "books"}),
        changed(GIVEN, filter={"text": "x"}),
        changed(GIVEN, filter={"labels": {"b": "3"}}),
        changed(GIVEN, order=jobs_pb.JOB_ORDER_UPDATED),
        jobs_pb.ListJobsRequest(),
        jobs_pb.ListJobFacetsRequest(filter=GIVEN.filter),
        agents_pb.ListAgentsRequest(),
        pb.ListOperationItemsRequest(operation_id="x"),
    ],
)
def test_a_token_is_refused_by_another_filter_order_or_list(other: Any) -> None:
    other.page_token = make_page_token(GIVEN, (3,))
    with pytest.raises(InvalidError) as refused:
        parse_page_token(other, int)
    assert refused.value.code == "invalid_page_token"


@pytest.mark.parametrize("token", ["?", "AAAA", "e30=", "W10=", "WyJ4Il0="])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidError) as refused:
        parse_page_token(pb.ListLimitsRequest(page_token=token), str)
    assert refused.value.code == "invalid_page_token"


def test_a_page_above_the_largest_is_the_largest_and_a_negative_one_is_refused() -> None:
    assert [parse_page_size(size, 50) for size in (0, 1, 500, 501, 2**31 - 1)] == [50, 1, 500, 500, 500]
    with pytest.raises(InvalidError):
        parse_page_size(-1, 50)
