"""The models of the protocol, explored as far as there is time for in a test; `make model` explores all of them."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
STATES_MAX = 25_000


def explored(*arguments):
    command = [sys.executable, ROOT / "docs" / "model", "--states-max", str(STATES_MAX), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_protocol_holds_with_all_rules_and_with_none_left_out():
    whole = explored()
    assert whole.returncode == 0, whole.stdout
    assert "VIOLATED" not in whole.stdout
    assert "NOT FOUND" not in whole.stdout


def test_what_is_not_found_is_a_failure():
    """Two states are too few to find out what goes wrong without a rule."""
    short = explored("--states-max", "2", "keep-answers")
    assert (short.returncode, "NOT FOUND" in short.stdout) == (1, True)


def test_a_name_that_is_none_is_said_so():
    assert "no scenario and no rule: nonsense" in explored("nonsense").stderr
