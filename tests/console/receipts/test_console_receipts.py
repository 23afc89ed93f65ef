"""Receipts over REST: with a token the receipt of a job, and without any the keys that verify it."""

import asyncio

import aiohttp
import pytest
from support.fake_operations import Refusal, Status
from support.receipts_to_forge import NEW, OLD, RECEIPT, STATEMENT

from console.api import receipts
from contracts.receipts import PublicKeys, verify
from signoff.v1 import receipt_service_pb2 as pb
from signoff.v1 import resources_pb2 as resources_pb


@pytest.fixture
async def stranger(console):
    async with aiohttp.ClientSession(console) as session:
        yield session


async def test_a_receipt_is_downloaded_as_it_was_signed(http, jobstore):
    jobstore.receipts["a-poem"] = RECEIPT.decode()
    async with http.get("/api/jobs/a-poem/receipt") as answer:
        assert (answer.status, await answer.read()) == (200, RECEIPT)
        assert answer.content_type == "application/vnd.in-toto.verdict+dsse"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="a-poem-7.receipt.json"'
        assert "public" not in answer.headers.get("Cache-Control", "")
    as_json = {"Accept": "application/json"}  # which is all that some generated clients take
    async with http.get("/api/jobs/a-poem/receipt?submission=2&view=basic", headers=as_json) as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
    asked = pb.GetReceiptRequest(job_id="a-poem", submission=2, view=resources_pb.VIEW_BASIC)
    assert jobstore.asked(pb.GetReceiptRequest)[-1] == asked


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [(None, 404, "no_verdict"), (Refusal(Status.FAILED_PRECONDITION, "unjudged"), 409, "unjudged")],
)
async def test_where_there_is_none_it_says_why(http, jobstore, refusal, status, code):
    jobstore.refusals["GetReceipt"] = refusal
    async with http.get("/api/jobs/a-poem/receipt") as answer:
        assert (answer.status, (await answer.json())["code"]) == (status, code)


@pytest.mark.parametrize("query", ["version=0", "version=x", "submission=0", f"version={2**63}", "texts=perhaps"])
async def test_a_choice_that_is_none_is_refused(http, query):
    async with http.get(f"/api/jobs/a-poem/receipt?{query}") as answer:
        assert (answer.status, (await answer.json())["code"]) == (422, "invalid_request")


async def test_a_stranger_gets_the_keys_and_no_receipt(stranger, jobstore):
    jobstore.receipts["a-poem"] = RECEIPT.decode()
    jobstore.receipt_keys = [NEW.public, OLD.public]
    async with stranger.get("/api/jobs/a-poem/receipt") as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "unauthenticated")
    assert jobstore.asked(pb.GetReceiptRequest) == []
    async with stranger.get("/api/receipt-keys") as answer:
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "public, max-age=60")
        assert verify(RECEIPT, PublicKeys.parse(await answer.read()))[1] == STATEMENT


async def test_a_wrong_token_does_not_matter_for_the_keys(stranger):
    async with stranger.get("/api/receipt-keys", headers={"Authorization": "Bearer wrong"}) as answer:
        assert (answer.status, await answer.json()) == (200, {"items": []})
    async with stranger.post("/api/receipt-keys") as answer:
        assert answer.status == 405


async def test_strangers_cost_the_jobstore_one_call_in_a_while(stranger, jobstore):
    async def ask() -> int:
        async with stranger.get("/api/receipt-keys") as answer:
            return answer.status

    assert set(await asyncio.gather(*(ask() for _ in range(50)))) == {200}
    assert len(jobstore.asked(pb.ListReceiptKeysRequest)) == 1


async def test_a_key_that_was_added_is_served_soon(stranger, jobstore, monkeypatch):
    monkeypatch.setattr(receipts, "KEPT_S", 0)
    for keys in ([OLD.public], [NEW.public, OLD.public]):
        jobstore.receipt_keys = keys
        async with stranger.get("/api/receipt-keys") as answer:
            assert [key["keyid"] for key in (await answer.json())["items"]] == [key.keyid for key in keys]


async def test_an_outage_is_told_and_over_when_it_is(stranger, jobstore):
    jobstore.refusals["ListReceiptKeys"] = Refusal(Status.UNAVAILABLE, "database_unreachable")
    async with stranger.get("/api/receipt-keys") as answer:
        assert answer.status == 503
    del jobstore.refusals["ListReceiptKeys"]
    jobstore.receipt_keys = [NEW.public]
    async with stranger.get("/api/receipt-keys") as answer:
        assert [key["keyid"] for key in (await answer.json())["items"]] == [NEW.public.keyid]
