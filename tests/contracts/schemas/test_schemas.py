"""Schemas, examples and generated code are what the models and protobuf files give."""

import filecmp
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from contracts.schemas import SCHEMAS_DIR, schema_name, schemas
from contracts.topics import TOPIC_OF
from signoff.jsontext import parse_json

PROTO = SCHEMAS_DIR.parent
EXAMPLES_DIR = PROTO / "examples"
EXAMPLES = sorted(EXAMPLES_DIR.glob("*/*.json"))
PLUGINS = ("mypy_out=quiet:", "mypy_grpc_out=quiet:")
SCHEMAS = schemas()
EVENT_OF = {schema_name(event).removesuffix(".json"): event for event in TOPIC_OF}


def example_id(path):
    return f"{path.parent.name}/{path.stem}"


def test_schemas_are_what_the_models_give():
    assert {path.name: path.read_text("utf-8") for path in SCHEMAS_DIR.iterdir()} == SCHEMAS, "run `make proto`"


def test_every_event_has_examples_and_every_example_an_event():
    assert {path.name for path in EXAMPLES_DIR.iterdir() if path.is_dir()} == set(EVENT_OF)
    assert {path.parent.name for path in EXAMPLES} == set(EVENT_OF)


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_is_itself_well_formed_and_open_to_new_fields(name):
    schema = json.loads(SCHEMAS[name])
    Draft202012Validator.check_schema(schema)
    closed = [
        key
        for key, part in {"": schema, **schema.get("$defs", {})}.items()
        if part.get("additionalProperties") is False
    ]
    assert closed == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_examples_are_valid_by_model_and_schema(name):
    validator = Draft202012Validator(json.loads(SCHEMAS[name]))
    for path in (EXAMPLES_DIR / name.removesuffix(".json")).iterdir():
        event = EVENT_OF[path.parent.name].model_validate_json(path.read_bytes())
        validator.validate(parse_json(path.read_bytes()))
        validator.validate(parse_json(event.model_dump_json()))


@pytest.mark.parametrize("path", EXAMPLES, ids=example_id)
def test_example_comes_back_as_it_was(path):
    model = EVENT_OF[path.parent.name]
    event = model.model_validate_json(path.read_bytes())
    again = model.model_validate_json(event.model_dump_json())
    assert (again, again.event_id, again.key) == (event, event.event_id, event.key)
    if "newer" not in path.stem:
        assert parse_json(event.model_dump_json(exclude_unset=True, exclude_computed_fields=True)) == parse_json(
            path.read_bytes()
        )


def test_generated_code_is_what_protoc_gives(tmp_path):
    sources = sorted(str(path) for path in (PROTO / "signoff").rglob("*.proto"))
    outputs = [f"--{name}{tmp_path}" for name in ("python_out=", "grpc_python_out=", *PLUGINS)]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", *outputs, *sources],
        check=True,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
    )
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*_pb2*")}
    kept = {str(path.relative_to(PROTO)) for path in (PROTO / "signoff").rglob("*_pb2*.py*") if path.suffix != ".pyc"}
    assert kept == made, "run `make proto`"
    _, differing, missing = filecmp.cmpfiles(tmp_path, PROTO, made, shallow=False)
    assert (differing, missing) == ([], []), "run `make proto`"


@pytest.mark.parametrize("path", sorted((PROTO / "signoff").rglob("*.proto")), ids=lambda path: path.stem)
def test_proto_files_name_their_go_package_and_workers_calls_have_a_package_of_their_own(path):
    package, text = path.parent.relative_to(PROTO).as_posix(), path.read_text("utf-8")
    of_workers = package == "signoff/worker/v1"
    assert f"\npackage {package.replace('/', '.')};\n" in text
    assert f'"signoff.dev/api/{package};{"workerv1" if of_workers else "signoffv1"}"' in text
    assert of_workers or ("service WorkService" not in text and "signoff/worker" not in text)
