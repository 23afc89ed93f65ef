"""How much is accepted, over REST."""

from signoff.types import Quality, QualityCounts, QualityOfCriterion
from signoff.v1 import operations_service_pb2 as pb


async def test_quality_is_read_of_a_range(http, jobstore):
    totals = QualityCounts(judged=4, accepted=3)
    jobstore.quality = Quality(points=[], totals=totals, criteria=[QualityOfCriterion(text="It rhymes", failed=1)])
    asked = {"range": "90d", "agent_id": "writer", "judge": "strict@3", "of_criterion": "It rhymes", "tenant": "press"}
    async with http.get("/api/quality", params=asked) as answer:
        told = await answer.json()
    assert (told["totals"]["acceptance_rate"], told["criteria"][0]["failed"]) == (0.75, 1)
    (request,) = jobstore.asked(pb.GetQualityRequest)
    assert (request.range_s, request.agent_id, request.tenant) == (90 * 86_400, "writer", "press")
    async with http.get("/api/quality", params={"range": "2y"}) as answer:
        assert answer.status == 422
