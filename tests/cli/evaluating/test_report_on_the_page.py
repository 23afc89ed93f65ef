"""The page reads the reports that the command line writes: one of each kind stands beside the page's tests.

Who changes reports has it written anew (`SIGNOFF_WRITE_EXPECTED=1`), and runs the page's tests.
"""

import json
import os
from pathlib import Path
from uuid import UUID

from cli.evaluating import check_file, evaluate

EXPECTED = Path(__file__).parents[3] / "services/console/web/src/testing/report.json"


async def test_the_page_is_tested_with_a_report_as_it_is_written(cases, judge):
    judge.say = lambda case, policy, _: "-" if case.id == "case-3" else "p" if case.label or policy == "lax" else "f"
    file = check_file(cases({}, {"label": False}, {"label": False}, "{"), skip_bad=True)
    report = await evaluate(file, ["strict@2", "lax"], 1, judge, UUID(int=7))
    if "SIGNOFF_WRITE_EXPECTED" in os.environ:
        EXPECTED.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    assert json.loads(EXPECTED.read_text("utf-8")) == report
