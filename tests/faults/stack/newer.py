"""A worker of a version to come: `python -m faults.stack.newer executor`."""

import json
import runpy
import sys
from dataclasses import replace
from typing import Any

from servicekit.kafka import publisher

_to_record = publisher.to_record


def to_record(*arguments: Any, **options: Any) -> publisher.Outgoing:
    """Return the record of an event as it will be: with a field and a header more."""
    record = _to_record(*arguments, **options)
    body = {**json.loads(record.value), "yet_unknown": {"since": "the next version"}}
    return replace(record, value=json.dumps(body).encode(), headers=[*record.headers, ("signoff-yet-unknown", b"1")])


if __name__ == "__main__":
    publisher.to_record = to_record
    runpy.run_module(sys.argv.pop(), run_name="__main__", alter_sys=True)
