"""A service's README names every setting."""

import re

import pytest
from composition import OPENAI, SETTINGS
from dockerfiles import ROOT


@pytest.mark.parametrize("service", ["jobstore", "executor", "validator"])
def test_a_readme_names_every_setting(service):
    _, _, table = (ROOT / "services" / service / "README.md").read_text().partition("## Settings")
    named = {name for row in table.splitlines() for name in re.findall(r"`([A-Z_]{3,})`", row.split(" | ")[0])}
    settings = {f"SIGNOFF_{name.upper()}" for name in SETTINGS[service].model_fields}
    if service == "validator":
        settings |= OPENAI
    assert {name if name.startswith(("SIGNOFF_", "OPENAI_")) else f"SIGNOFF_{name}" for name in named} == settings
