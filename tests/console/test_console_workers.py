"""Who serves, over REST."""

from signoff.types import Worker, Workers


async def test_who_serves_is_read(http, jobstore):
    stuck = Worker(id="w", kind="executor", silent_s=41.0, code="silent", message="It is silent.", remedy="Start one.")
    jobstore.workers = Workers(workers=[stuck])
    async with http.get("/api/workers") as answer:
        (told,) = (await answer.json())["workers"]
    assert (told["id"], told["kind"], told["code"], told["remedy"]) == ("w", "executor", "silent", "Start one.")
