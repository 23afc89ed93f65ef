"""Run the whole system within the process of a test, which may change its services, kill and freeze them."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from localstack.data_check import check_data
from localstack.datadir import DataDir
from localstack.process import ServiceSpec
from localstack.services import Addresses, Fleet, Port, make_service_specs
from localstack.stack import Stack, StackSettings


@asynccontextmanager
async def running_stack(
    folder: Path,
    services: Callable[[Addresses, Fleet, Port], Sequence[ServiceSpec]] = make_service_specs,
    **settings: Any,
) -> AsyncIterator[tuple[Stack, Addresses]]:
    """Run the whole system on a data directory as `signoff up` does; `services` makes those that run."""
    seen: list[Addresses] = []

    def make_services(addresses: Addresses, fleet: Fleet, port: Port) -> Sequence[ServiceSpec]:
        seen.append(addresses)
        return services(addresses, fleet, port)

    check_data(folder)
    data_dir = DataDir(folder)
    with data_dir.lock():
        stack = Stack(StackSettings(folder, local_judge=True, services=make_services, **settings), data_dir)
        try:
            await stack.start()
            yield stack, seen[0]
        finally:
            await stack.stop()
