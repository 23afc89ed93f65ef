"""How much is accepted, from the command line."""

from signoff.types import Quality, QualityCounts, QualityOf, QualityOfCriterion
from signoff.v1 import operations_service_pb2 as pb

SEEN = Quality(
    points=[],
    totals=QualityCounts(judged=4, accepted=3, unjudged=1, compared=5, flipped=2),
    agents=[QualityOf(name="writer", judged=4, accepted=3)],
    judges=[QualityOf(name="strict@3", judged=4, accepted=3, compared=5, flipped=2, models={"a-model": 4})],
    criteria=[QualityOfCriterion(text="It rhymes", passed=2, failed=1, unassessed=1)],
    others=QualityOfCriterion(text="", passed=9),
)


async def test_quality_is_shown_by_agent_judge_and_criterion(signoff, jobstore):
    jobstore.quality = SEEN
    shown = (await signoff("quality", "--range", "31d", "--judge", "strict", "--criterion", "It rhymes")).out
    assert shown.startswith("last 31d: 4 judged, 75% accepted, 1 not judged, 2 of 5 flipped\n")
    for words in (
        "strict@3  4       75%       0           2 of 5   a-model",
        "It rhymes  2       1       1",
        "(others)",
    ):
        assert words in shown
    (asked,) = jobstore.asked(pb.GetQualityRequest)
    assert (asked.range_s, asked.judge, asked.of_criterion) == (31 * 86_400, "strict", "It rhymes")
    assert (await signoff("quality", "--json")).json["totals"]["accepted"] == 3


async def test_nothing_judged_is_said(signoff):
    assert (await signoff("quality")).out == "last 7d: 0 judged\n"
