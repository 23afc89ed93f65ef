"""Read a file of another tool: JSON lines one by one, or one document of JSON or YAML, with the places in it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from cli.importers.base import DOCUMENT_MAX_BYTES, Fields, Imported, Skipped, skip_repeats
from cli.importers.promptfoo import Promptfoo
from contracts.judging.cases import LINE_MAX_BYTES

#: Bytes of a YAML document, and its values, each alias counted as what it stands for.
YAML_MAX_BYTES: Final = 8 << 20
VALUES_MAX: Final = 1_000_000


def import_cases(path: Path, fields: Fields) -> Iterator[Imported | Skipped]:
    """Return the cases in a file of promptfoo."""
    return skip_repeats(_read_file(path, fields))


def _read_file(path: Path, fields: Fields) -> Iterator[Imported | Skipped]:
    importer = Promptfoo(fields)
    for place, value in _read_values(path):
        if isinstance(value, _Unread):
            yield Skipped(place, value.reason)
        else:
            yield from importer.read(place, value)


def _is_yaml(path: Path) -> bool:
    return path.suffix.lower() in {".yaml", ".yml"}


class _Unread:
    def __init__(self, reason: str) -> None:
        self.reason = reason


def _read_values(path: Path) -> Iterator[tuple[str, Any]]:
    if _is_yaml(path):
        yield from _read_yaml(path)
        return
    with path.open("rb") as file:
        is_document = path.suffix.lower() != ".jsonl" and isinstance(_parse(file.readline(LINE_MAX_BYTES + 1)), _Unread)
        file.seek(0)
        if is_document:
            text = file.read(DOCUMENT_MAX_BYTES + 1)
            too_long = len(text) > DOCUMENT_MAX_BYTES
            yield "the file", _Unread(f"is longer than {DOCUMENT_MAX_BYTES} bytes") if too_long else _parse(text)
        else:
            yield from _read_lines(file)


def _read_lines(file: BinaryIO) -> Iterator[tuple[str, Any]]:
    number = 0
    while line := file.readline(LINE_MAX_BYTES + 1):
        number += 1
        if len(line) > LINE_MAX_BYTES:
            yield f"line {number}", _Unread(f"is longer than {LINE_MAX_BYTES} bytes")
            while line and not line.endswith(b"\n"):
                line = file.readline(LINE_MAX_BYTES)
        elif line.strip():
            yield f"line {number}", _parse(line)


def _parse(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        return _Unread(f"is no JSON: {error}")


def _read_yaml(path: Path) -> Iterator[tuple[str, Any]]:
    """Return the tests of a configuration, each with its line."""
    import yaml  # noqa: PLC0415 - only needed here

    with path.open("rb") as file:
        text = file.read(YAML_MAX_BYTES + 1)
    if len(text) > YAML_MAX_BYTES:
        yield "the file", _Unread(f"is longer than {YAML_MAX_BYTES} bytes")
        return
    try:
        loader = yaml.CSafeLoader(text)
        root = loader.get_single_node()
        _check_size(root)
        value = None if root is None else loader.construct_document(root)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        yield "the file", _Unread(f"is no YAML that can be read: {' '.join(str(error).split())}")
        return
    yield from _place_tests(root, value)


def _place_tests(root: Any, value: Any) -> Iterator[tuple[str, Any]]:
    shared, tests, nodes = {}, value, root
    if isinstance(value, dict):
        shared, tests = {"defaultTest": value.get("defaultTest")}, value.get("tests")
        nodes = {key.value: node for key, node in root.value}.get("tests")  # the last of several, as in `value`
    if not isinstance(tests, list) or nodes is None:
        yield "the file", value
        return
    for node, test in zip(nodes.value, tests, strict=True):
        yield f"line {node.start_mark.line + 1}", {**shared, "tests": [test]}


def _check_size(root: Any) -> None:
    """Raise ValueError if a document stands for more values than anyone wrote: aliases of aliases, or of themselves."""
    sizes: dict[int, int] = {}
    under_way: set[int] = set()

    def measure(node: Any) -> int:
        if id(node) in sizes:
            return sizes[id(node)]
        if id(node) in under_way:
            msg = "something in it contains itself"
            raise ValueError(msg)
        under_way.add(id(node))
        parts = [] if node is None or isinstance(node.value, str) else node.value
        size = 1 + sum(measure(one) for part in parts for one in (part if isinstance(part, tuple) else (part,)))
        under_way.discard(id(node))
        if size > VALUES_MAX:
            msg = f"it stands for more than {VALUES_MAX} values"
            raise ValueError(msg)
        sizes[id(node)] = size
        return size

    measure(root)
