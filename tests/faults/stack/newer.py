"""A worker of a version to come: `python -m faults.stack.newer executor`."""

import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from contracts.signing import SIGNATURE_HEADER, SigningKey
from localstack.process import ServiceSpec
from servicekit.kafka import publisher

TESTS = Path(__file__).parents[2]

_to_record = publisher.to_record


def to_record(*arguments: Any, signed_by: SigningKey | None = None, **options: Any) -> publisher.Outgoing:
    """Return the record of an event as it will be: with a field and a header more, and signed as it is then."""
    record = _to_record(*arguments, **options)
    value = json.dumps({**json.loads(record.value), "yet_unknown": {"since": "the next version"}}).encode()
    signature = [(SIGNATURE_HEADER, signed_by.sign(value).encode())] if signed_by is not None else []
    return replace(record, value=value, headers=[*record.headers, ("signoff-yet-unknown", b"1"), *signature])


def of_newer(spec: ServiceSpec, kind: str) -> ServiceSpec:
    """Return a worker of today as it will be."""
    path = f"{TESTS}:{spec.env.get('PYTHONPATH', '')}".rstrip(":")
    return replace(spec, argv=[sys.executable, "-m", "faults.stack.newer", kind], env={**spec.env, "PYTHONPATH": path})


if __name__ == "__main__":
    publisher.to_record = to_record
    runpy.run_module(sys.argv.pop(), run_name="__main__", alter_sys=True)
