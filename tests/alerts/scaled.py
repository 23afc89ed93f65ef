"""Scale the durations of rules down, so that all alerts can be seen to fire and to clear within minutes."""

import re
from typing import Final

#: By how much what lasts long is shorter.
BY: Final = 120.0
#: In seconds: nothing becomes shorter, since a jobstore samples each ten seconds, and another takes over after fifteen.
LEAST_S: Final = 25.0
#: Of a stack that writes a checkpoint every CHECKPOINT_EVERY_S, and looks as often whether one is due.
CHECKPOINT_EVERY_S: Final = 60.0
CHECKPOINT_LATE_S: Final = 140.0
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
#: A window, what has to last (`for`), an offset; and a threshold that is a time.
_DURATION: Final = re.compile(r"(?P<before>\[|\bfor: |\boffset )(?P<number>\d+)(?P<unit>[smhd])\b")
_THRESHOLD: Final = re.compile(r'(?P<before>of: \w+_seconds\}, expr: ")(?P<number>\d+)(?=")')
_CHECKPOINT: Final = re.compile(r'(?<=of: checkpoint_seconds\}, expr: ")\d+')


def scale(rules: str) -> str:
    """Return the text of rules with each duration divided by BY, but none below LEAST_S unless it was so before.

    A checkpoint is late after CHECKPOINT_LATE_S: two days would still be long. Objectives, factors of burn rates and
    all other numbers stay as they are, and so do the buckets of histograms.
    """
    durations = _DURATION.sub(lambda found: f"{found['before']}{_scale(found)}s", rules)
    durations = _CHECKPOINT.sub(str(round(CHECKPOINT_LATE_S * BY)), durations)
    return _THRESHOLD.sub(lambda found: f"{found['before']}{_scale(found)}", durations)


def _scale(found: re.Match[str]) -> int:
    seconds = float(found["number"]) * _SECONDS[found.groupdict().get("unit") or "s"]
    return round(min(seconds, max(LEAST_S, seconds / BY)))
