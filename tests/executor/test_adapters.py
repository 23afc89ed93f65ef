"""Each protocol of the contracts has an adapter in the executor."""

import pytest

from executor.app import make_agents
from executor.config import Settings
from executor.http_agents import HeaderValues, HttpClient
from signoff.status import Protocol


async def test_each_protocol_has_an_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNOFF_EXECUTOR_TOKEN", "e" * 32)
    async with HttpClient(allowed=[], header_values=HeaderValues({}, None), result_max_bytes=1) as client:
        assert make_agents(client, Settings()).keys() == set(Protocol)
