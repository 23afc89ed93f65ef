"""The view of the overview tells what was not measured from what is zero."""

from signoff.types import read_model
from signoff.v1 import operations_service_pb2 as pb

UNSEEN = {"queued_max": None, "running_max": None, "judging_max": None}


def shown(**fields):
    """A point of an overview, as the other side reads it."""
    message = pb.GetOverviewResponse(points=[pb.OverviewPoint(at={"seconds": 60}, **fields)])
    (point,) = read_model(pb.GetOverviewResponse.FromString(message.SerializeToString())).points
    return point


def test_a_queue_that_nobody_looked_at_is_not_an_empty_one():
    assert shown(created=1).model_dump(include=UNSEEN.keys()) == UNSEEN
    seen = {"queued_max": 0, "running_max": 2, "judging_max": 0}
    assert shown(**seen).model_dump(include=UNSEEN.keys()) == seen


def test_what_was_not_measured_has_no_percentile():
    point = shown(wait=pb.Percentiles(p50=0.0))
    assert (point.wait.p50, point.wait.p99, point.duration.p50) == (0.0, None, None)
