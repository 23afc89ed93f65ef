"""For how long things are kept, from the command line."""

from datetime import UTC, datetime

import pytest

from cli.commands.retention import format_bytes, format_length
from signoff.keeping import Kept, KeptArchive, KeptBack, KeptGrowth, KeptJobs, KeptNext, RetentionEffect
from signoff.v1 import keeping_service_pb2 as pb

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


async def test_a_retention_is_set_shown_and_deleted(signoff, jobstore):
    assert "for ever" in (await signoff("retention", "show")).out
    ran = await signoff("retention", "set", "tenant:press", "--completed", "90d", "--failed", "36h", "--yes")
    assert (ran.status, ran.err) == (0, "")
    assert "tenant:press  90d        36h" in ran.out
    (asked,) = jobstore.asked(pb.SetRetentionRequest)
    assert (asked.retention.completed_s, list(asked.update_mask.paths)) == (7_776_000, ["completed_s", "failed_s"])
    ran = await signoff("retention", "set", "tenant:press", "--unset", "failed", "--yes", "--json")
    assert (ran.json["version"], "failed_s" in ran.json) == (2, False)
    assert (await signoff("retention", "show", "tenant:press", "--json")).json["completed_s"] == 7_776_000
    assert (await signoff("retention", "show", "--json")).json["items"][0]["name"] == "tenant:press"
    assert (await signoff("retention", "rm", "tenant:press")).status == 0
    ran = await signoff("retention", "rm", "tenant:press")
    assert (ran.status, "no retention tenant:press" in ran.err) == (3, True), ran.err


async def test_what_would_go_is_shown_and_nothing_is_set(signoff, jobstore):
    jobstore.effect = RetentionEffect(
        jobs=1_204, counts={"COMPLETED": 1_200, "FAILED": 4}, operations=3, bytes=9_800_000, oldest_at=AT
    )
    jobstore.kept_back = [KeptBack(code="no_archive", message="no archive is configured", remedy="set SIGNOFF_ARCHIVE")]
    ran = await signoff("retention", "set", "tenant:press", "--completed", "90d", "--dry-run")
    assert ran.status == 0
    expected = "1,204 jobs (COMPLETED 1,200, FAILED 4), 3 operations, about 9.8 MB"
    assert f"at once: {expected}\n" in ran.out
    assert f"within 30 days: {expected}\n" in ran.out
    assert "kept back: no archive is configured; set SIGNOFF_ARCHIVE" in ran.out
    assert not jobstore.asked(pb.SetRetentionRequest)
    ran = await signoff("retention", "set", "tenant:press", "--completed", "90d", "--dry-run", "--json")
    assert ran.json["now"]["counts"] == {"COMPLETED": 1_200, "FAILED": 4}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--completed", "90d"], "--yes"),
        (["--completed", "30s", "--yes"], "completed_s"),
        (["--completed", "-1d", "--yes"], "length of time"),
        (["--completed", "soon", "--yes"], "length of time"),
        (["--unset", "title", "--yes"], "there is no title"),
        (["--yes"], "say for how long"),
    ],
)
async def test_what_nobody_can_mean_is_a_usage_error(signoff, jobstore, words, found):
    ran = await signoff("retention", "set", "tenant:press", *words)
    assert (ran.status, found in ran.err) == (2, True), ran.err
    assert not jobstore.asked(pb.SetRetentionRequest)


async def test_it_is_shown_what_is_kept(signoff, jobstore):
    jobstore.kept = Kept(
        at=AT,
        is_on=True,
        database_bytes=8_241_152_000,
        jobs=[KeptJobs(tenant="press", status="COMPLETED", count=812_000, oldest_at=AT)],
        removed=12_000,
        uncut=40,
        holds=2,
        archive=KeptArchive(is_configured=True, bytes=912_004_210, parts=1_440, newest_at=AT, behind=120),
        growth=KeptGrowth(days=7, jobs_per_day=1_200, database_bytes_per_day=9_830_400),
        next=[KeptNext(tenant="press", kind="COMPLETED", at=AT, due=12)],
        kept_back=[KeptBack(code="job_held", count=2, message="held jobs that are due: 2", remedy="release them")],
    )
    shown = (await signoff("kept")).out
    for words in (
        "8.24 GB",
        "912 MB in 1,440 parts",
        "120 rows behind",
        "1,200 jobs, 9.83 MB of tables",
        "812,000",
        "2 jobs",
        "12,000 jobs; of 40",
        "kept back: held jobs that are due: 2; release them",
    ):
        assert words in shown, words
    assert (await signoff("kept", "--json")).json["holds"] == 2
    jobstore.kept = Kept(at=AT)
    shown = (await signoff("kept")).out
    assert "off: all is kept for ever" in shown
    assert "SIGNOFF_ARCHIVE" in shown


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, None), (7_776_000, "90d"), (129_600, "36h"), (90, "90s"), (120, "2m"), (60.5, "60.5s")]
)
def test_lengths_are_shown_as_they_are_given(seconds, text):
    assert format_length(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1_500, "1.5 KB"), (2e15, "2e+03 TB")])
def test_bytes_are_shown_in_the_unit_that_fits(count, text):
    assert format_bytes(count) == text
