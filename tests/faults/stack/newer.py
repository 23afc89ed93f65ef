"""A worker of a version to come: `python -m faults.stack.newer executor`."""

import json
import runpy
import sys
from dataclasses import replace
from typing import Any

from servicekit.kafka import publisher

_outgoing = publisher.outgoing


def outgoing(*arguments: Any, **options: Any) -> publisher.Outgoing:
    """An event as it will be: with a field and a header more."""
    record = _outgoing(*arguments, **options)
    body = {**json.loads(record.value), "yet_unknown": {"since": "the next version"}}
    return replace(record, value=json.dumps(body).encode(), headers=[*record.headers, ("signoff-yet-unknown", b"1")])


if __name__ == "__main__":
    publisher.outgoing = outgoing
    runpy.run_module(sys.argv.pop(), run_name="__main__", alter_sys=True)
