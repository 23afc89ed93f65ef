"""Who serves what, from the command line."""

from signoff.types import Worker, Workers

STUCK = Worker(
    id="executor-7",
    kind="executor",
    version="0.3.0",
    silent_s=125,
    capacity=16,
    room=4,
    bound="memory",
    partitions=0,
    protocols=["a2a", "openai"],
    code="no_partitions",
    message="it reads no partition",
    remedy="Start fewer executors.",
)
WELL = Worker(id="validator-1", kind="validator", silent_s=1, judge="0a1b", ends=True)


async def test_workers_are_shown_with_what_they_serve_and_what_is_wrong(signoff, jobstore):
    jobstore.workers = Workers(workers=[STUCK, WELL])
    ran = await signoff("workers")
    rows = [line.split() for line in ran.out.splitlines()]
    assert rows[1][0] == "executor-7"
    for words in ("0.3.0", "a2a, openai, 0 partitions", "4 of 16 (memory)", "2m 05s ago", "no_partitions"):
        assert words in ran.out.splitlines()[1]
    assert "default@0a1b" in ran.out.splitlines()[2]
    assert ran.out.splitlines()[2].endswith("ends")
    assert ran.out.splitlines()[3:] == ["", "executor executor-7: it reads no partition", "    Start fewer executors."]
    assert [each["id"] for each in (await signoff("workers", "-o", "json")).json["workers"]] == [
        "executor-7",
        "validator-1",
    ]


async def test_no_worker_is_said(signoff, jobstore):
    jobstore.workers = Workers(workers=[])
    ran = await signoff("workers")
    assert (ran.status, "signoff doctor" in ran.out) == (0, True)
