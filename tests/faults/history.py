"""The history of a run, kept in a folder: what was planned, what happened, what was found; it can be run again."""

import json
import pickle
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faults.checking.observed import Observed
from faults.outcome import Outcome, Storm

_STORM, _PLAN, _EVENTS, _REPORT, _FINDINGS = "storm.json", "plan.txt", "events.jsonl", "report.txt", "findings.txt"
_SEEN = "seen.pickle"


def keep(outcome: Outcome, folder: Path) -> None:
    """Write everything about a run."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {name: value for name, value in asdict(outcome.storm).items() if name != "terms"}
    (folder / _STORM).write_text(json.dumps(told, indent=1))
    (folder / _PLAN).write_text("".join(f"{planned}\n" for planned in outcome.storm.plan))
    with (folder / _EVENTS).open("w") as events:
        for at, what, value in sorted(_events(outcome.seen), key=lambda event: event[0]):
            events.write(json.dumps({"at": datetime.fromtimestamp(at, UTC).isoformat(), "what": what, **value}) + "\n")
    (folder / _REPORT).write_text(f"{outcome}\n")
    findings = [*(str(violation) for violation in outcome.violations), *filter(None, [outcome.broken_off])]
    (folder / _FINDINGS).write_text("".join(f"{finding}\n" for finding in findings))
    (folder / _SEEN).write_bytes(pickle.dumps(outcome.seen))


def read_storm(folder: Path) -> Storm:
    """Return the storm of a run that was kept: the same schedule, clients and agents."""
    known = {field.name for field in fields(Storm)}
    told = json.loads((folder / _STORM).read_text())
    return replace(Storm(0, 0, 0), **{name: value for name, value in told.items() if name in known})


def read_seen(folder: Path) -> Observed:
    """Return what a run saw."""
    seen = pickle.loads((folder / _SEEN).read_bytes())
    assert isinstance(seen, Observed)
    return seen


def _events(seen: Observed) -> Iterator[tuple[float, str, dict[str, Any]]]:
    for fault in seen.faults:
        yield fault.began_at, "fault", asdict(fault)
    for death in seen.deaths:
        yield death.at, "death", asdict(death)
    for stop in seen.stops:
        yield stop.told_at, "stop", asdict(stop)
    for asked in seen.asked:
        yield asked.at, "asked", asdict(asked)
    for again in seen.rejudged:
        yield again.began_at, "judged again", asdict(again)
    for call in seen.agent_calls:
        yield call.begun_at, "agent call", asdict(call)
    for judged in seen.judge_calls:
        yield judged.at, "judge call", asdict(judged)
    for entry in seen.logs:
        yield entry.at, "entry", asdict(entry)
