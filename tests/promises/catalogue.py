"""Read every promise of each door from what declares it: a line of proto/catalogue.txt says one.

A line has a kind, a subject, and facts about it: `rest.request NewJob.title: max_length=500 required type=string`. What
holds of requests, of answers or of both has a kind of its own, since what breaks the one may be fine for the other.
"""

import inspect
import json
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Union, get_args, get_origin

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from pydantic import BaseModel

from cli.errors import ExitStatus
from contracts.topics import Topic
from signoff.errors import ErrorCode

Facts = dict[str, str]
Schema = Mapping[str, Any]
#: What somebody asks for, and what they are answered.
REQUEST, ANSWER = "request", "answer"
#: By the word of a JSON Schema, a bound's name here; that of a list or an object is one of its items.
BOUNDS: Final = {
    "minimum": "min",
    "maximum": "max",
    "exclusiveMinimum": "min_exclusive",
    "exclusiveMaximum": "max_exclusive",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_items",
    "maxItems": "max_items",
    "minProperties": "min_items",
    "maxProperties": "max_items",
    "pattern": "pattern",
}
#: Topics of which strangers write or read the records; the others are between our own services.
STRANGERS: Final = "upstream"


@dataclass(frozen=True, order=True)
class Promise:
    """One promise: what kind it is, what it is about, and what it says of that. A fact without a value has none."""

    kind: str
    subject: str
    facts: Facts = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        """Return its line in the catalogue."""
        facts = " ".join(f"{name}={_escape(value)}" if value else name for name, value in sorted(self.facts.items()))
        return f"{self.kind} {self.subject}" + (f": {facts}" if facts else "")

    @property
    def door(self) -> str:
        """The door at which it holds."""
        return self.kind.partition(".")[0]

    @property
    def owners(self) -> list[str]:
        """The subjects that this one may be a part of, the nearest first."""
        marks = [at for at, mark in enumerate(self.subject) if mark in ". "]
        return [self.subject[:at] for at in reversed(marks)]


def parse(line: str) -> Promise:
    """Return the promise that a line of the catalogue says."""
    head, _, facts = line.partition(": ")
    kind, _, subject = head.partition(" ")
    pairs = (pair.partition("=") for pair in facts.split())
    return Promise(kind, subject, {name: value.replace("%20", " ").replace("%25", "%") for name, _, value in pairs})


def _escape(value: str) -> str:
    return value.replace("%", "%25").replace(" ", "%20")


def _flags(**given: object) -> Facts:
    """Return facts of those that are given: true ones without a value, others as text, none where there is none."""
    there = {name: value for name, value in given.items() if value is not None and value is not False}
    return {name: "" if value is True else str(value) for name, value in there.items()}


# gRPC


def read_grpc(files: Iterable[FileDescriptorProto]) -> Iterator[Promise]:
    """Read services, calls, messages by whether they are asked or answered, fields and words."""
    messages: dict[str, DescriptorProto] = {}
    asked: list[str] = []
    answered: list[str] = []
    for file in files:
        messages |= {f".{file.package}.{each.name}": each for each in file.message_type}
        for enum in file.enum_type:
            for word in enum.value:
                facts = _flags(number=str(word.number), deprecated=word.options.deprecated)
                yield Promise("grpc.word", f"{enum.name}.{word.name}", facts)
        for service in file.service:
            yield Promise("grpc.service", f"{file.package}.{service.name}")
            for call in service.method:
                asked.append(call.input_type)
                answered.append(call.output_type)
                facts = _flags(
                    request=call.input_type[1:],
                    answer=call.output_type[1:],
                    stream=call.server_streaming,
                    deprecated=call.options.deprecated,
                )
                yield Promise("grpc.call", f"{file.package}.{service.name}.{call.name}", facts)
    for role, roots in ((REQUEST, asked), (ANSWER, answered)):
        for name in sorted(_reach(messages, roots)):
            message = messages[name]
            yield Promise(f"grpc.{role}", message.name)
            maps = {f"{name}.{entry.name}": entry for entry in message.nested_type if entry.options.map_entry}
            for each in message.field:
                yield Promise(f"grpc.{role}", f"{message.name}.{each.name}", _describe_field(each, maps))


def _reach(messages: Mapping[str, DescriptorProto], roots: Iterable[str]) -> set[str]:
    """Return the messages that others lead to, the roots among them."""
    reached: set[str] = set()
    left = list(roots)
    while left:
        name = left.pop()
        if name in reached or name not in messages:
            continue
        reached.add(name)
        inside = [messages[name], *messages[name].nested_type]
        left += [each.type_name for part in inside for each in part.field if each.type_name]
    return reached


def _describe_field(each: FieldDescriptorProto, maps: Mapping[str, DescriptorProto]) -> Facts:
    entry = maps.get(each.type_name)
    kind = f"map<{','.join(_name_type(part) for part in entry.field)}>" if entry else _name_type(each)
    is_list = each.label == FieldDescriptorProto.LABEL_REPEATED and entry is None
    return _flags(
        number=str(each.number),
        type=kind + "[]" * is_list,
        optional=each.proto3_optional,
        deprecated=each.options.deprecated,
    )


def _name_type(each: FieldDescriptorProto) -> str:
    if each.type_name:
        return each.type_name.rpartition(".")[2]
    return FieldDescriptorProto.Type.Name(each.type).removeprefix("TYPE_").lower()


# JSON: REST, events and settings


class JsonDoor:
    """Reads promises of one door from JSON Schemas; those that have names are read once, by how they are used."""

    def __init__(self, door: str, components: Mapping[str, Schema]) -> None:
        self._door, self._components = door, components
        self._used: set[tuple[str, str]] = set()
        self._waiting: list[tuple[str, str]] = []

    def read_components(self) -> Iterator[Promise]:
        """Read those that have been named by what was read before, and those that these name."""
        while self._waiting:
            role, name = self._waiting.pop()
            yield from self.read(role, f"{self._door}.{role}", name, self._components[name])

    def read(self, role: str, kind: str, subject: str, schema: Schema, **more: object) -> Iterator[Promise]:
        """Read a schema: its subject, what is said of it besides, and each member and word below it."""
        facts: Facts = {}
        words = self._describe(role, schema, facts, "")
        facts["type"] = self._form(role, schema)
        closed = role == REQUEST and schema.get("additionalProperties") is False
        facts |= _flags(**{"closed": closed, "deprecated": schema.get("deprecated"), **more})
        yield Promise(kind, subject, facts)
        for word in words:
            yield Promise(f"{self._door}.{role}.word", f"{subject}.{word}")
        for part, mark in _parts_of(schema):
            for name, member in part.get("properties", {}).items():
                required = name in part.get("required", ())
                yield from self.read(role, f"{self._door}.{role}", f"{subject}{mark}.{name}", member, required=required)

    def _describe(self, role: str, schema: Schema, facts: Facts, prefix: str) -> list[str]:
        """Put a schema's bounds into facts, and return its words."""
        words = [str(word) for word in schema.get("enum", schema.get("x-extensible-enum", ())) if word is not None]
        if "const" in schema:
            words.append(str(schema["const"]))
        if role == REQUEST:
            facts |= {prefix + BOUNDS[word]: _number(schema[word]) for word in BOUNDS if word in schema}
            if (default := schema.get("default", schema.get("x-default"))) is not None:
                facts[f"{prefix}default"] = json.dumps(default, ensure_ascii=False, sort_keys=True)
        elif "x-extensible-enum" in schema:
            facts["open"] = ""
        for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
            words += self._describe(role, each, facts, prefix)
        for part, name in (("items", "items."), ("additionalProperties", "values."), ("propertyNames", "keys.")):
            if isinstance(schema.get(part), Mapping):
                words += self._describe(role, schema[part], facts, prefix + name)
        return words

    def _form(self, role: str, schema: Schema) -> str:
        """Return the type of a schema as a text; alternatives are divided by `|`."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if (role, name) not in self._used:
                self._used.add((role, name))
                self._waiting.append((role, name))
            return name
        for word, divider in (("anyOf", "|"), ("oneOf", "|"), ("allOf", "&")):
            if word in schema:
                return divider.join(sorted({self._form(role, each) for each in schema[word]}))
        kind = schema.get("type", "any")
        if kind == "array":
            return f"{self._form(role, schema.get('items', {}))}[]"
        if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
            return f"{self._form(role, schema['additionalProperties'])}{{}}"
        return f"{kind}({schema['format']})" if "format" in schema else str(kind)


def _number(value: object) -> str:
    """Return a bound as a text, a whole number as such."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _parts_of(schema: Schema, mark: str = "") -> Iterator[tuple[Schema, str]]:
    """Return the schemas without names within one, each with its mark: of items of a list, of values of an object."""
    yield schema, mark
    for word in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(word, ()):
            yield from _parts_of(each, mark)
    for word, sign in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(schema.get(word), Mapping):
            yield from _parts_of(schema[word], mark + sign)


def read_rest(document: Mapping[str, Any]) -> Iterator[Promise]:
    """Read routes, parameters, bodies, statuses, headers and schemas from an OpenAPI document."""
    door = JsonDoor("rest", document["components"]["schemas"])
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            route = f"{method.upper()} {path}"
            problems = sorted(status for status in operation["responses"] if status >= "400")
            facts = _flags(
                name=operation["operationId"], problems="|".join(problems), deprecated=operation.get("deprecated")
            )
            yield Promise("rest.route", route, facts)
            for one in operation.get("parameters", ()):
                subject = f"{route} {one['in']}:{one['name']}"
                is_old, required = one.get("deprecated"), one.get("required")
                yield from door.read(
                    REQUEST, "rest.request", subject, one["schema"], required=required, deprecated=is_old
                )
                for earlier in one.get("x-earlier-names", ()):
                    yield Promise("rest.request", f"{route} {one['in']}:{earlier}", _flags(deprecated=True))
            body = operation.get("requestBody", {})
            for media, content in body.get("content", {}).items():
                subject, schema = f"{route} body:{media}", content.get("schema", {})
                yield from door.read(REQUEST, "rest.request", subject, schema, required=body.get("required"))
            for status, response in operation["responses"].items():
                if status < "400":
                    yield from _read_answer(door, f"{route} {status}", response)
    yield from door.read_components()


def _read_answer(door: JsonDoor, subject: str, response: Mapping[str, Any]) -> Iterator[Promise]:
    yield Promise("rest.answer", subject)
    for media, content in response.get("content", {}).items():
        yield from door.read(ANSWER, "rest.answer", f"{subject} body:{media}", content.get("schema", {}))
    for name in response.get("headers", {}):
        yield Promise("rest.answer", f"{subject} header:{name}")


def read_events(
    schemas: Mapping[str, Schema], topics: Iterable[Topic], headers: Iterable[str], groups: Iterable[str]
) -> Iterator[Promise]:
    """Read topics, the types and members of events that strangers write or read, records' headers, consumer groups."""
    for topic in topics:
        is_asked, is_answered = STRANGERS in topic.producers, STRANGERS in topic.consumers
        retention = None if topic.retention is None else topic.retention.days
        facts = _flags(
            partitions=str(topic.partitions),
            retention_days=retention,
            internal=not (is_asked or is_answered),
            ce_type=topic.event and topic.event.type,
        )
        yield Promise("topic", topic.name, facts)
        if topic.event is None or not (is_asked or is_answered):
            continue
        schema = schemas[topic.name]
        door = JsonDoor("event", schema.get("$defs", {}))
        role = REQUEST if is_asked else ANSWER
        yield from door.read(role, f"event.{role}", topic.name, schema)
        yield from door.read_components()
    for name in headers:
        yield Promise("event.header", name)
    for group in groups:
        yield Promise("group", group)


def read_variables(settings: Mapping[str, Schema], known: Iterable[str]) -> Iterator[Promise]:
    """Read environment variables: those of each process with what its settings say, and all others by name."""
    named = set()
    for process, schema in settings.items():
        yield Promise("variable", process)
        door = JsonDoor("variable", schema.get("$defs", {}))
        for name, member in schema.get("properties", {}).items():
            variable = f"SIGNOFF_{name.upper()}"
            named.add(variable)
            required = name in schema.get("required", ())
            yield from door.read(REQUEST, "variable", f"{process} {variable}", member, required=required)
        yield from door.read_components()
    for name in known:
        if name not in named:
            yield Promise("variable", name)


# Codes, commands, the client


def read_codes(codes: Iterable[ErrorCode]) -> Iterator[Promise]:
    """Read error codes, with their statuses."""
    for code in codes:
        answer = code.answer
        yield Promise("code", str(code), _flags(grpc=answer.grpc, http=answer.http, retryable=answer.is_retryable))


def read_commands(root: str, commands: Mapping[str, Any], statuses: Iterable[ExitStatus]) -> Iterator[Promise]:
    """Read commands with their arguments and options, by each name that they have, and exit statuses."""
    shared: dict[str, Promise] = {}
    for name, command in commands.items():
        yield from _read_command(f"{root} {name}", command, shared)
    yield from shared.values()
    for status in statuses:
        yield Promise("cli.status", status.name, _flags(number=str(status.value)))


def _read_command(path: str, command: Any, shared: dict[str, Promise]) -> Iterator[Promise]:
    """Read a command; options that connect one, or say how it prints, are the same everywhere and read once."""
    everywhere = {*getattr(command, "connection_options", ()), "as_json", "plain"}
    own = [each for each in command.params if each.name not in everywhere]
    names = [name for each in command.params if each.name in everywhere for name in each.opts]
    yield Promise("cli.command", path, _flags(options="|".join(sorted(names)), deprecated=command.deprecated))
    for each in command.params:
        if each.name in everywhere:
            shared |= {name: Promise("cli.option", f"* {name}", _describe_option(each)) for name in each.opts}
    arguments = [each for each in own if each.param_type_name == "argument"]
    for place, each in enumerate(arguments, 1):
        yield Promise("cli.argument", f"{path} {each.name}", _describe_option(each) | {"place": str(place)})
    for each in own:
        facts = _describe_option(each)
        choices = get_args(each.type_descriptor.annotation) or (each.type_descriptor.annotation,)
        for name in (*each.opts, *each.secondary_opts) if each not in arguments else ():
            yield Promise("cli.option", f"{path} {name}", facts)
            for word in choices[0] if isinstance(choices[0], type) and issubclass(choices[0], Enum) else ():
                yield Promise("cli.word", f"{path} {name}.{word.value}")
    for name, child in getattr(command, "commands", {}).items():
        yield from _read_command(f"{path} {name}", child, shared)


def _describe_option(option: Any) -> Facts:
    kind = option.type_descriptor
    default = option.default.value if isinstance(option.default, Enum) else option.default
    bounds = _flags(min=kind.parameter_info.min, max=kind.parameter_info.max)
    return bounds | _flags(
        type=render_type(kind.annotation),
        required=option.required,
        default=None if default == "" or callable(default) else default,
        variable=option.envvar if isinstance(option.envvar, str) else None,
    )


def read_python(module: Any) -> Iterator[Promise]:
    """Read what a package exports: its classes, their members and calls, functions and values."""
    for name in getattr(module, "__all__", ()):
        exported = getattr(module, name)
        if not inspect.isclass(exported):
            yield from _read_call(name, exported) if callable(exported) else [Promise("python.value", name)]
            continue
        bases = [base.__name__ for base in exported.__mro__[1:] if base.__name__ in module.__all__]
        yield Promise("python.class", name, _flags(bases="|".join(bases)))
        yield from _read_class(name, exported)


def _read_class(name: str, exported: type) -> Iterator[Promise]:
    if issubclass(exported, Enum):
        for word in exported:
            yield Promise("python.word", f"{name}.{word.name}", _flags(value=str(word.value)))
        return
    if issubclass(exported, BaseModel):
        for member, info in exported.model_fields.items():
            yield Promise("python.answer", f"{name}.{member}", {"type": render_type(info.annotation)})
        return
    if "__init__" in vars(exported) and not issubclass(exported, BaseException):
        yield from _read_call(f"{name}.__init__", exported.__init__)
    for member in sorted({member for base in exported.__mro__ for member in vars(base) if base is not object}):
        value = inspect.getattr_static(exported, member)
        if member.startswith("_") or hasattr(BaseException, member):
            continue
        if inspect.isroutine(value):
            yield from _read_call(f"{name}.{member}", getattr(exported, member))
        else:
            yield Promise("python.value", f"{name}.{member}")


def _read_call(name: str, call: Any) -> Iterator[Promise]:
    signature = inspect.signature(call)
    yield Promise("python.call", name, _flags(answer=render_type(signature.return_annotation)))
    place = 0
    for each in signature.parameters.values():
        if each.name in {"self", "cls"}:
            continue
        is_open = each.kind in {each.VAR_KEYWORD, each.VAR_POSITIONAL}
        has_place = each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}
        place += has_place
        facts = _flags(
            type=render_type(each.annotation),
            required=each.default is each.empty and not is_open,
            place=str(place) if has_place else None,
            default=None if each.default in (each.empty, None) or type(each.default) is object else each.default,
        )
        yield Promise("python.parameter", f"{name} {each.name}", facts)


def render_type(kind: Any) -> str:
    """Return a type as a text, the same in each version of Python."""
    if isinstance(kind, str):
        return kind.replace(" | ", "|")
    if isinstance(kind, (list, tuple)):
        return f"[{','.join(map(render_type, kind))}]"
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return "|".join(sorted(map(render_type, arguments)))
    if origin is not None:
        is_annotated = hasattr(kind, "__metadata__")
        name = f"{getattr(origin, '__name__', origin)}[{','.join(map(render_type, arguments))}]"
        return render_type(arguments[0]) if is_annotated else name
    name = str(getattr(kind, "__name__", kind))
    return {"NoneType": "None", "_empty": "any"}.get(name, name)
