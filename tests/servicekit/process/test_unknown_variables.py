"""A variable that nothing reads is named in one line of the log, as a service begins."""

import json
import os
import subprocess
import sys

RUN = """
from servicekit.process.runtime import run

async def main(stop):
    pass

run("jobstore", main, log_level="INFO")
"""


def test_a_service_names_the_variables_that_nothing_reads() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_")}
    given = {"SIGNOFF_LEASES_S": "9", "SIGNOFF_JUDGE_MODEL": "of validators", "SIGNOFF_AGENT_KEY": "of agents"}
    ended = subprocess.run([sys.executable, "-c", RUN], env=environment | given, capture_output=True, check=True)
    (line,) = [json.loads(line) for line in ended.stderr.splitlines()]
    told = "nothing reads the variables SIGNOFF_LEASES_S (is SIGNOFF_LEASE_S meant?)"
    assert (line["level"], line["message"]) == ("WARNING", told)
