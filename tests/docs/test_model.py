"""The models of the protocol, explored as far as there is time for in a test; `make model` explores all of them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def explored(*arguments):
    command = [sys.executable, ROOT / "docs" / "model", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.real
def test_the_protocol_holds_with_all_rules_and_not_without_one():
    """As far as 3,000 states of each scenario, which are too few to find what goes wrong without some of the rules."""
    short = explored("--states-max", "3000")
    assert "VIOLATED" not in short.stdout
    assert short.stdout.count("without") - short.stdout.count("NOT FOUND") > short.stdout.count("NOT FOUND") > 0
    assert short.returncode == 1, "what is not found is a failure"


def test_a_name_that_is_none_is_said_so():
    assert "no scenario and no rule: nonsense" in explored("nonsense").stderr
