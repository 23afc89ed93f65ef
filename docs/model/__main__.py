"""Explore the models with all rules, and once without each: `python docs/model [NAME ...]`.

It fails where a violation is result with all rules, or none without one of them.
"""

import argparse
import sys
from typing import Any

from execution_model import ExecutionModel, Scenario
from relay_model import RELAY_SCENARIOS, RelayModel
from removal_model import RemovalModel
from search import Model, Search

SCENARIOS = {
    "one": Scenario(),
    "calm": Scenario(("rpc", "rpc")),
    "crash": Scenario(faults={"crash": 2, "retry": 1}),
    "freeze": Scenario(faults={"freeze": 2}),
    "freeze-retry": Scenario(faults={"freeze": 1, "retry": 1}, retries_in_worker=True),
    "lost-answer": Scenario(("event", "none"), {"lost_answer": 1, "rebalance": 1}),
    "late-answer": Scenario(("event", "none"), {"late_answer": 1, "cancel": 1}),
    "once": Scenario(("event", "none"), {"lost_answer": 1, "rebalance": 1, "crash": 1}, at_most_once=True),
    "once-stop": Scenario(("event", "none"), {"stop": 1, "freeze": 1}, at_most_once=True),
    "once-follow": Scenario(faults={"crash": 1, "stop": 1, "freeze": 1}, at_most_once=True, finds=True),
    "empty": Scenario(faults={"empty": 1, "crash": 1}),
    "empty-event": Scenario(("event", "rpc"), {"empty": 1}),
    "cancel": Scenario(faults={"cancel": 1, "crash": 1, "freeze": 1}),
    "cancel-again": Scenario(("rpc", "rpc"), {"cancel": 1, "freeze": 1}, workers=1),
    "cancel-event": Scenario(("event", "none"), {"cancel": 1}),
    "deadline": Scenario(("rpc", "rpc"), {"deadline": 1}),
    "two-events": Scenario(("event", "event"), {"rebalance": 1}),
    "replay-two": Scenario(("event", "event"), replays=True, workers=1),
    "replay-again": Scenario(("event", "rpc"), {"retry": 1}, replays=True, workers=1),
    "replay-cancel": Scenario(("event", "none"), {"cancel": 1}, replays=True, workers=1),
    "replay-purged": Scenario(("event", "none"), replays=True, purges=True, workers=1),
    "unproven": Scenario(("rpc", "rpc"), automatic=True, workers=1),
    "mixed": Scenario(("event", "none"), {"crash": 1, "freeze": 1, "empty": 1}),
}

#: How often the broker may come back empty while a job is removed.
REMOVAL_SCENARIOS = {"removal": 0, "removal-empty": 2}

#: By rule, a scenario that shows what goes wrong without it, and how that violation's text begins.
WITHOUT = {
    "claim-begins": ("empty", "I1 never ends: the job is ASSIGNED"),
    "request-assigns": ("deadline", "I1 a live execution has no arrow"),
    "attempt-at-grant": ("freeze-retry", "I4 a result is refused"),
    "judging-lease": ("once-stop", "I3 a fenced judging lease decided"),
    "mark-before-publish": ("one", "I4 the agent was called again"),
    "offer-again": ("empty", "I1 never ends"),
    "regrant-to-owner": ("once", "I1 FAILED, although nobody called"),
    "begin-a-lease-once": ("late-answer", "I4 the agent was called again"),
    "new-owner-at-start": ("once", "I4 an agent that may be called once"),
    "keep-answers": ("replay-two", "I5 a replay changed the state"),
    "cancel-before-arrival": ("cancel-event", "a request was executed although it had been cancelled"),
    "repeats-by-the-row": ("once-stop", "I1 never ends"),
    "calls-are-not-attempts": ("freeze-retry", "I3 a fenced lease changed the state"),
    "no-hand-back-once-begun": ("once-stop", "I4 an agent that may be called once"),
    "follow-never-send": ("once-follow", "I4 an agent that may be called once"),
    "unproven-fails": ("unproven", "an agent was called since its judge had proven nothing"),
    "rejudge-the-last": ("unproven", "I1 never ends"),
    "publish-from-first-unacknowledged": ("relay-faults", "I2 a reader"),
    "apply-next-version-only": ("relay-leaders", "I2 a reader"),
    "begin-again": ("relay-faults", "I2 a reader"),
    "settled-before-published": ("relay", "I2 a watch was told"),
    "older-epochs-end": ("relay-leaders", "I2 a reader"),
    "next-version-from-memory": ("relay-memory", "I2 a reader"),
    "recent-behind-looks": ("relay-memory", "I2 a watch that is told from memory"),
    "archived-before-removed": ("removal-empty", "I2 a version of a removed job is nowhere"),
    "reuse-goes-first": ("removal", "I4 a claim quotes a result that is gone"),
    "rest-before-cut": ("removal", "I5 the id of a removed job may be created anew"),
    "last-needs-none-before": ("removal-empty", "I2 a reader of the topic alone"),
}

STATES_MAX = 3_000_000  # of each exploration


def model_of(name: str, without: str | None = None) -> Model[Any]:
    """Return the model of a scenario, without one of its rules if one is named."""
    if name in REMOVAL_SCENARIOS:
        return RemovalModel(REMOVAL_SCENARIOS[name], without)
    if name in RELAY_SCENARIOS:
        return RelayModel(RELAY_SCENARIOS[name], without)
    return ExecutionModel(SCENARIOS[name], without)


def has_no_violation(name: str, states_max: int) -> bool:
    """Explore a scenario with all rules, and return whether nothing is violated."""
    result = Search(model_of(name), states_max).run()
    extent = "" if result.is_complete else ", and there are more"
    print(f"{name:14} {result.states:8} states {result.steps:8} steps {result.seconds:6.1f} s{extent}", flush=True)
    for violation, story in result.violations.items():
        print(f"  VIOLATED {violation}\n    {' > '.join(story)}")
    return not result.violations


def is_needed(rule: str, states_max: int) -> bool:
    """Explore without a rule, and return whether the violation that it prevents is result."""
    name, expected = WITHOUT[rule]
    result = Search(model_of(name, rule), states_max, until=expected).run()
    stories = {violation: story for violation, story in result.violations.items() if violation.startswith(expected)}
    print(f"without {rule} ({name}, {result.states} states, {result.seconds:.1f} s)")
    for violation, story in list(stories.items())[:1]:
        print(f"  {violation}\n    {' > '.join(story)}", flush=True)
    if not stories:
        print(f"  NOT FOUND {expected} ..., but {list(result.violations)}")
    return bool(stories)


def main(arguments: list[str]) -> int:
    """Explore the named scenarios and rules; return 1 if anything is not as it must be."""
    parser = argparse.ArgumentParser(prog="make model ARGS=", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a scenario, or a rule to do without; all when none")
    parser.add_argument("--states-max", type=int, default=STATES_MAX, help="explore no more states of each")
    options = parser.parse_args(arguments)
    scenarios = [*RELAY_SCENARIOS, *REMOVAL_SCENARIOS, *SCENARIOS]
    names = options.names or [*scenarios, *WITHOUT]
    if unknown := set(names) - {*scenarios, *WITHOUT}:
        parser.error(f"no scenario and no rule: {', '.join(sorted(unknown))}")
    results = [(is_needed if name in WITHOUT else has_no_violation)(name, options.states_max) for name in names]
    print(f"{results.count(True)} of {len(results)} are as they must be")
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
