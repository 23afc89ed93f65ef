"""The code of an error tells a call that was cut off from an execution that was cancelled."""

import grpc
import grpc.aio

from signoff import SignoffError
from signoff.connection import make_error


def _end(status: grpc.StatusCode, *codes: tuple[str, str]) -> SignoffError:
    return make_error(grpc.aio.AioRpcError(status, grpc.aio.Metadata(), grpc.aio.Metadata(*codes), "so it ended"))


def test_a_call_that_was_cut_off_has_another_code_than_an_execution_that_was_cancelled() -> None:
    cut_off = _end(grpc.StatusCode.CANCELLED)
    refused = _end(grpc.StatusCode.FAILED_PRECONDITION, ("signoff-code", "cancelled"))
    assert (cut_off.code, refused.code) == ("call_cancelled", "cancelled")


def test_a_call_without_a_code_has_that_of_its_status() -> None:
    assert _end(grpc.StatusCode.UNAVAILABLE).code == "unavailable"
