"""What is changed, and which tests have to see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mutants.making import Source

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Part:
    """Modules that decide something, and the tests that have to see them change: of these none needs a server."""

    name: str
    changed: Sequence[str]
    tests: Sequence[str]

    def read_sources(self, only: str = "") -> list[Source]:
        """Read the modules; or those whose path has a text in it, unless it is the name of the part."""
        paths = [path for pattern in self.changed for path in sorted(ROOT.glob(pattern))]
        wanted = "" if only == self.name else only
        return [Source.read(ROOT, path) for path in paths if wanted in str(path.relative_to(ROOT))]


#: What SQL decides is not here: a database takes too long to ask it a thousand times.
PARTS = (
    Part(
        "jobs",
        [
            f"services/jobstore/jobstore/{name}.py"
            for name in (
                *("*/commands", "*/rows", "*/rules", "access/upstreams", "engine/parts", "executions/claims"),
                *("executions/requesting", "executions/states", "jobs/model"),
                *("jobs/transitions", "jobs/waiting", "judging/judgings"),
            )
        ],
        ["tests/jobstore/domain", "tests/jobstore/commands"],
    ),
    Part(
        "worker",
        [f"services/servicekit/servicekit/leasing/{name}.py" for name in ("slots", "worker")],
        ["tests/servicekit/leasing"],
    ),
    Part(
        "verdict",
        [*(f"services/validator/validator/{name}.py" for name in ("verdict", "panel", "sections", "judging"))],
        [
            "tests/validator/test_verdict.py",
            "tests/validator/test_verdict_check.py",
            "tests/validator/test_validate_agent_response.py",
            "tests/validator/checks/test_checking.py",
            "tests/validator/policies",
            "tests/validator/judges/test_gate.py",
            "tests/contracts/test_resources.py",
        ],
    ),
    Part(
        "pace",
        ["services/servicekit/servicekit/models/pace.py"],
        ["tests/validator/judges/test_gate.py", "tests/servicekit/models/test_pace.py"],
    ),
    Part("checks", ["proto/contracts/checks/[!_]*.py", "proto/contracts/lint*.py"], ["tests/contracts/checks"]),
    Part(
        "calibration",
        [f"proto/contracts/judging/{name}.py" for name in ("cases", "evaluation", "statistics", "versions")],
        ["tests/contracts/calibration"],
    ),
    Part(
        "policy",
        ["proto/contracts/judging/policy.py"],
        [
            *("tests/contracts/test_judge_policy.py", "tests/contracts/checks/test_vacuous_checks.py"),
            *("tests/validator/test_verdict.py", "tests/validator/test_verdict_check.py"),
        ],
    ),
    Part(
        "sign-ins",
        [f"services/jobstore/jobstore/access/{name}.py" for name in ("id_tokens", "sign_in_rules")],
        ["tests/jobstore/access/test_id_tokens.py", "tests/jobstore/access/test_sign_in_rules.py"],
    ),
    Part("inbox", ["services/jobstore/jobstore/insights/grouping.py"], ["tests/jobstore/domain/test_inbox_groups.py"]),
    Part("receipts", ["proto/contracts/receipts.py"], ["tests/contracts/receipts"]),
)
