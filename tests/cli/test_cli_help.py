"""The help says of every argument and option what it is for, in words that a stranger understands."""

import re

import pytest
from support.commands import list_commands

COMMANDS = list_commands()
#: Words that say how something came to be here rather than what it does.
UNCLEAR = re.compile(r"\b(?:said|likewise|or then|the same is|yours)\b", re.IGNORECASE)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_argument_and_no_option_lacks_its_help(name: str) -> None:
    helps = {parameter.opts[-1]: parameter.help for parameter in COMMANDS[name].params} | {"": COMMANDS[name].help}
    assert [
        option for option, text in helps.items() if not text or len(text.split()) < 2 or not text.endswith(".")
    ] == []
    assert [text for text in helps.values() if UNCLEAR.search(text)] == []


async def test_help_names_what_an_option_takes_as_people_do(signoff):
    shown = (await signoff("jobs", "create", "--help")).out
    assert re.search(r"--priority N +9 comes first", shown)
    assert "<str>" not in shown
    assert shown.index("Connection:") > shown.index("--plain")
