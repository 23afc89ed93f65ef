"""The way to one server: who may go goes at once, by what the server said."""

import asyncio
import random

import pytest
from prometheus_client import REGISTRY

from validator.judges.gate import Gate
from validator.judges.quotas import Quota, Said


async def test_who_may_go_by_what_the_server_said_goes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.0)
    gate = Gate("a-server")
    async with asyncio.timeout(0):  # which ends whatever waits at all
        gate.answered(await gate.enter(1_000), Said(tokens=Quota(1_000, 10_000, 50)))
        gate.refused(await gate.enter(1_000), Said(), 0.0)
        await gate.enter(0)
    assert REGISTRY.get_sample_value("signoff_judge_refusals_total", {"server": "a-server"}) == 1
