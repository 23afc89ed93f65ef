"""The Python client says what happened where the jobstore does not do its part."""

import asyncio

import grpc
import pytest

from contracts.client import JobStoreClient, JobStoreError


async def test_a_jobstore_that_does_not_answer_is_an_error_of_the_clients_own():
    held = []
    async with await asyncio.start_server(lambda *streams: held.append(streams), "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        async with JobStoreClient(f"127.0.0.1:{port}", timeout_s=0.3) as client:
            with pytest.raises(JobStoreError) as failed:
                await client.get_latest_cursor()
        for _, writer in held:
            writer.close()
    assert failed.value.grpc_status is grpc.StatusCode.DEADLINE_EXCEEDED
