"""Every door offers the protocols by which executors call agents, and no other: there is one list."""

import re
from pathlib import Path

from contracts.agent_settings import MODELS
from signoff.status import CALLABLE_PROTOCOLS, FIRST_PROTOCOLS, Protocol
from signoff.v1 import resources_pb2 as pb

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "services/console/web/src/agents/protocols.ts"


def test_contracts_and_grpc_have_those_that_are_called() -> None:
    assert {name.removeprefix("PROTOCOL_").lower() for name in pb.Protocol.DESCRIPTOR.values_by_name} - {
        "unspecified"
    } == set(Protocol)
    assert MODELS.keys() == set(CALLABLE_PROTOCOLS) - FIRST_PROTOCOLS


def test_the_command_line_offers_them() -> None:
    promised = (ROOT / "proto/catalogue.txt").read_text()
    for command in ("create", "update"):
        words = re.findall(rf"^cli.word signoff agents {command} --protocol\.(\w+)$", promised, re.MULTILINE)
        assert set(words) == set(CALLABLE_PROTOCOLS)


def test_the_page_offers_them_with_all_their_settings() -> None:
    """The type checker compares the settings of each with the API's; what is offered is the table's names."""
    offered = PAGE.read_text().partition("\nconst PROTOCOLS")[2].partition("\n};")[0]
    assert re.findall(r"^  (\w+): \{", offered, re.MULTILINE) == list(CALLABLE_PROTOCOLS)
