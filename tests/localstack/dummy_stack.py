"""`signoff up` with dummies in place of the services."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from localstack.process import ServiceSpec
from localstack.services import Addresses, Fleet, Port, make_service_specs
from localstack.stack import StackSettings, run_stack


def dummies(addresses: Addresses, fleet: Fleet, port: Port) -> Sequence[ServiceSpec]:
    """Take the real services' specifications and change the commands."""
    command = [sys.executable, str(Path(__file__).parent / "dummy_service.py")]
    return [replace(service, argv=command) for service in make_service_specs(addresses, fleet, port)]


if __name__ == "__main__":
    settings = StackSettings(Path(sys.argv[1]), fleet=Fleet(executors=2), local_judge=True, services=dummies)
    sys.exit(asyncio.run(run_stack(settings)))
