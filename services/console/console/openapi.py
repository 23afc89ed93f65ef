"""Describe the API: FastAPI's document, changed to how the API really answers, and to what generators can read."""

import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from threading import Lock
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from console.api.access import find_access
from console.api.examples import EXAMPLES, SEVERAL
from console.api.receipts import ReceiptEnvelope
from console.api.requests import EARLIER_PARAMETERS
from console.errors import Problem, document_problem
from console.live import JobChange, StreamPing, StreamPlace
from contracts.agent_settings import MODELS
from signoff.errors import ErrorCode
from signoff.fields import Model
from signoff.status import Role

#: The answers that any operation may have instead of its own, by status: the name of the response, and when it comes.
_PROBLEMS: Final = {
    "400": ("BadRequest", "The body is not JSON"),
    "401": ("Unauthorized", "No token, or one that the jobstore does not know"),
    "403": ("Forbidden", "Not allowed"),
    "404": ("NotFound", "What the address or the body names is not there; `code` says what"),
    "408": ("RequestTimeout", "The body comes too slowly"),
    "409": ("Conflict", "Contradicts what stands; `code` says what"),
    "412": ("PreconditionFailed", "It has another version than `If-Match` says; `code` says of what"),
    "413": ("ContentTooLarge", "The body is too large"),
    "415": ("UnsupportedMediaType", "The body is not application/json"),
    "422": ("UnprocessableContent", "Not well formed; `errors` says where"),
    "429": ("TooManyRequests", "Too much at once"),
    "431": ("HeadersTooLarge", "The address and the headers are too large together"),
    "500": ("InternalError", "The console failed"),
    "503": ("Unavailable", "Out of reach"),
    "507": ("InsufficientStorage", "A disk or the database is nearly full, and no new work is taken"),
}
_EVERYWHERE: Final = frozenset({"401", "403", "422", "429", "431", "500", "503"})
_OF_A_WRITE: Final = frozenset({"409"})
#: Of an operation that makes work.
_OF_NEW_WORK: Final = frozenset({"507"})
_MAKING_WORK: Final = frozenset(
    {
        "create_batch",
        "create_job",
        "create_judgings",
        "create_operation",
        "execute_job",
        "resubmit_job",
        "retry_batch",
        "retry_operation",
    }
)
_OF_A_BODY: Final = frozenset({"400", "404", "408", "413", "415"})
#: Addresses that need no token.
_OPEN: Final = {"/api/health": frozenset({"422", "431", "500"}), "/api/receipt-keys": _EVERYWHERE - {"401", "403"}}

_TEXT: Final = {"type": "string"}
#: Headers of answers, by name: where they are sent, and what they are.
_HEADERS: Final[dict[str, dict[str, Any]]] = {
    "X-Request-Id": {"description": "the caller's, or a new one: logs have it, and so has a Problem", "schema": _TEXT},
    "Location": {
        "description": "the address of what was made",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "ETag": {"description": "its version; `If-Match` takes it", "schema": _TEXT, "example": '"3"'},
    "Idempotency-Replayed": {"description": "it was made before", "schema": {"type": "string", "enum": ["true"]}},
    "Retry-After": {"description": "seconds after which to ask again", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "the scheme", "schema": {"type": "string", "enum": ["Bearer"]}},
}
_HEADERS_OF_PROBLEMS: Final = {
    "401": ["WWW-Authenticate"],
    "429": ["Retry-After"],
    "503": ["Retry-After"],
    "507": ["Retry-After"],
}

_TAGS: Final = {
    "jobs": "Jobs, and their executions",
    "logs": "What happened to a job, and its results",
    "receipts": "Signed statements about verdicts",
    "batches": "Jobs that are made and executed together",
    "operations": "Something done to many jobs",
    "judgings": "Judging without a job",
    "agents": "Who does jobs",
    "judges": "What results are judged by",
    "limits": "What holds executions back",
    "keeping": "How long jobs are kept, how much is kept, and what was removed",
    "access": "Who calls, tokens and sessions, and the audit",
    "overview": "How it goes, and what could not be processed",
    "events": "Changes as they happen",
    "health": "Whether the console can do its work",
}
#: Names of schemas whose classes have names that are unclear out of their module.
_NAMES: Final = {
    "Ask": "JudgeAsk",
    "Circuit": "AgentCircuit",
    "Counts": "LabelledCounts",
    "DeadLetters": "DeadLetterPage",
    "Flip": "VerdictFlip",
    "NameMove": "CurrentVersionChange",
    "Protocol": "AgentProtocol",
    "PublicKey": "ReceiptKey",
    "Reason": "WaitReason",
    "Resolved": "ResolvedDeadLetters",
    "NewResolution": "NewDeadLetterResolution",
    "Stage": "JudgeStage",
}
_REF: Final = "#/components/schemas/"
_MAKING: Final = Lock()


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the application, which is made at the first call."""
    with _MAKING:  # requests ask for it in threads, and FastAPI cannot make two at once
        if app.openapi_schema is None:
            app.openapi_schema = _make(app)
    return app.openapi_schema


def _make(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/", "description": "the console that serves this document"}],
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
    )
    components, schemas = document["components"], document["components"]["schemas"]
    for model in (Problem, ReceiptEnvelope, JobChange, StreamPlace, StreamPing):
        schema = model.model_json_schema(ref_template=_REF + "{model}", mode="serialization")
        schemas |= schema.pop("$defs", {}) | schemas | {model.__name__: schema}
    _describe_settings(schemas)
    schemas["Problem"]["properties"]["code"]["x-extensible-enum"] = [each for each in ErrorCode if each.answer.http]
    components["headers"] = _HEADERS
    components["responses"] = {name: _make_problem(status, text) for status, (name, text) in _PROBLEMS.items()}
    for path, methods in document["paths"].items():
        for operation in methods.values():
            _complete_operation(path, operation)
    names = {_REF + name: _REF + _name(name) for name in schemas}
    _visit(document, lambda part: _refer(part, names))
    schemas = components["schemas"] = {_name(name): schema for name, schema in schemas.items()}
    _split_schemas(document, _find_left_out())
    used = _find_schemas([document["paths"], components["responses"]], schemas)
    used |= {name for name, schema in schemas.items() if "enum" in schema}  # words of answers, as constants of clients
    components["schemas"] = {name: schemas[name] for name in sorted(used)}
    _add_examples(document)
    for operation in (methods["patch"] for methods in document["paths"].values() if "patch" in methods):
        content = operation["requestBody"]["content"]
        content["application/merge-patch+json"] = content["application/json"]
    return document


def _describe_settings(schemas: dict[str, Any]) -> None:
    """Add a schema of the settings of each protocol, to which `settings` of a new agent refers by the protocol."""
    settings = schemas["NewAgent"]["properties"]["settings"]
    settings["x-by-protocol"] = {}
    for protocol, model in MODELS.items():
        schema = model.model_json_schema(ref_template=_REF + "{model}")
        schemas |= schema.pop("$defs", {}) | {model.__name__: schema}
        settings["x-by-protocol"][protocol.value] = {"$ref": _REF + model.__name__}
        settings["description"] += f"; of `{protocol}`: `{model.__name__}Input`"


def _name(name: str) -> str:
    """Return the name of a schema in the document, which is clear without the module of the schema's class."""
    page = re.fullmatch(r"Page_(\w+)_", name)
    return f"{_name(page[1])}Page" if page else _NAMES.get(name, name)


def _make_problem(status: str, description: str) -> dict[str, Any]:
    headers = _list_headers(*_HEADERS_OF_PROBLEMS.get(status, ()))
    return {"description": description, "headers": headers, **document_problem(description)}


def _list_headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _complete_operation(path: str, operation: dict[str, Any]) -> None:
    """Complete an operation: its parameters, its body, the headers of its answers, and the problems among them."""
    operation.setdefault("security", [])  # of one that needs no token
    access = find_access(operation["operationId"])
    if access.calls:
        operation["x-calls"] = list(access.calls)
        operation["x-roles"] = [role.value for role in Role if role in access.roles]
        operation["x-all-tenants"] = access.of_all
    for parameter in operation.get("parameters", ()):
        _visit(parameter["schema"], _drop_null)
        parameter["schema"].pop("description", None)  # that the parameter has
        if earlier := [old for old, new in EARLIER_PARAMETERS.items() if new == parameter["name"]]:
            parameter["x-earlier-names"] = earlier
    if body := operation.get("requestBody"):
        body.setdefault("required", False)
        for content in body["content"].values():
            if "anyOf" in content["schema"]:
                content["schema"] = next(each for each in content["schema"]["anyOf"] if "$ref" in each)
    problems = {
        status: {"$ref": f"#/components/responses/{_PROBLEMS[status][0]}"} for status in _list_statuses(path, operation)
    }
    answers = {status: answer for status, answer in operation["responses"].items() if status not in {"412", "422"}}
    for status, answer in answers.items():
        made = ["Location"] if "201" in answers and status in {"200", "201"} else []
        own = () if status in _PROBLEMS else (*made, *answer.get("headers", ()), "X-Request-Id")
        answer["headers"] = _list_headers(*own)
    operation["responses"] = dict(sorted((problems | answers).items()))


def _list_statuses(path: str, operation: dict[str, Any]) -> frozenset[str]:
    """Return the HTTP statuses of the problems that an operation at `path` may be answered with."""
    verb = operation["operationId"].partition("_")[0]
    causes = [
        (_OF_A_BODY, "requestBody" in operation),
        (_OF_A_WRITE, verb not in {"get", "list", "count", "explain", "watch"}),
        (_OF_NEW_WORK, operation["operationId"] in _MAKING_WORK),
        ({"404"}, "{" in path),
        ({"412"}, any(each["name"] == "If-Match" for each in operation.get("parameters", ()))),
    ]
    return _OPEN.get(path, _EVERYWHERE).union(*(statuses for statuses, come in causes if come))


def _find_left_out(model: type[Model] = Model) -> dict[str, set[str]]:
    """Return, by schema, the fields of a model and its subclasses that answers may leave out (`exclude_if`)."""
    found = {_name(model.__name__): {name for name, field in model.model_fields.items() if field.exclude_if}}
    for each in model.__subclasses__():
        found |= _find_left_out(each)
    return found


def _split_schemas(document: dict[str, Any], left_out: Mapping[str, set[str]]) -> None:
    """Give requests and answers schemas of their own.

    The schema of a request allows no unknown members. The schema of an answer allows null only in the JSON of users,
    requires the members that answers always have, and allows unknown words and members.
    """
    schemas, operations = document["components"]["schemas"], [o for p in document["paths"].values() for o in p.values()]
    bodies = [operation["requestBody"] for operation in operations if "requestBody" in operation]
    answers = [document["components"]["responses"], *(operation["responses"] for operation in operations)]
    asked, answered = _find_schemas(bodies, schemas), _find_schemas(answers, schemas)
    named = {ref.removeprefix(_REF) for body in bodies for ref in _list_references(body)}
    parts = {name for name in asked - named if "enum" not in schemas[name]}  # of requests, and perhaps of answers, too
    inputs = {_REF + name: f"{_REF}{name.removeprefix('New')}Input" for name in parts}
    closed = {name: deepcopy(schemas[name]) for name in sorted(asked)}
    words = {_REF + name: schema["enum"] for name, schema in schemas.items() if "enum" in schema}
    for name in answered - {name.removeprefix(_REF) for name in words}:
        _require(schemas[name], left_out.get(name, set()))
        _visit(schemas[name], lambda part: _open(part, words))
    for name, schema in closed.items():
        if "properties" in schema:
            schema["additionalProperties"] = False
        _visit(schema, lambda part: _refer(part, inputs))
        schemas[inputs.get(_REF + name, name).removeprefix(_REF)] = schema
    for body in bodies:
        _visit(body, lambda part: _refer(part, inputs))
    for change in (_drop_title, _add_format):
        _visit([document["paths"], schemas], change)
    for schema in closed.values():
        for part in schema.get("properties", {}).values():
            _describe_default(part)


def _require(schema: dict[str, Any], left_out: set[str]) -> None:
    """Require, in the schema of an answer, the fields that are never null, never left out, and no JSON of users."""
    fields = schema.get("properties", {})
    always = [name for name, field in fields.items() if not _may_be_null(field) and name not in left_out]
    always = [name for name in always if name in schema.get("required", ()) or fields[name].keys() - _NO_TYPE]
    if fields:
        schema["required"] = always
    _visit(schema, _drop_null)
    for field in fields.values():
        for needless in ("default", "readOnly"):
            field.pop(needless, None)


#: What bounds the values of a schema.
_BOUNDS: Final = {
    *("maxItems", "maxLength", "maxProperties", "maximum", "exclusiveMaximum", "pattern"),
    *("minItems", "minLength", "minimum", "exclusiveMinimum"),
}
#: Members of the schema of any JSON.
_NO_TYPE: Final = {"title", "description", "default"}


def _open(part: dict[str, Any], words: Mapping[str, list[str]]) -> None:
    """Let a part of an answer's schema have other words, more members and values beyond bounds, for later versions."""
    if part.get("$ref") in words:
        part |= {"type": "string", "x-extensible-enum": words[part.pop("$ref")]}
    if isinstance(part.get("enum"), list):
        part["x-extensible-enum"] = part.pop("enum")
    if isinstance(part.get("prefixItems"), list):
        part["items"] = part.pop("prefixItems")[0]  # of a tuple, which generators have no type for
    if part.get("additionalProperties") is False:
        del part["additionalProperties"]
    for bound in [name for name in part if name in _BOUNDS and not isinstance(part[name], dict)]:
        del part[bound]


def _may_be_null(field: dict[str, Any]) -> bool:
    return {"type": "null"} in field.get("anyOf", ())


def _drop_null(part: dict[str, Any]) -> None:
    """Remove null from the types that a part of a schema allows."""
    if _may_be_null(part):
        others = [each for each in part.pop("anyOf") if each != {"type": "null"}]
        rest = dict(part)
        part.clear()
        part |= {**others[0], **rest} if len(others) == 1 else {"anyOf": others, **rest}
        if part.get("default", ...) is None:
            del part["default"]


def _drop_title(part: dict[str, Any]) -> None:
    """Remove the title of a part of a schema: it repeats the name, and some generators name classes after it."""
    if isinstance(part.get("title"), str):
        del part["title"]


def _add_format(part: dict[str, Any]) -> None:
    """Set the format of a number to `double`, for languages with several types of numbers."""
    if part.get("type") == "number":
        part["format"] = "double"


def _describe_default(part: dict[str, Any]) -> None:
    """Move a default into the description: some generators send each default, or require members with defaults."""
    default = part.pop("default", None)
    if default not in (None, "", [], {}, False):
        part["x-default"] = default
        words = f"`{str(default).lower() if isinstance(default, bool) else default}` when not given"
        part["description"] = f"{part['description']}; {words}" if "description" in part else words


def _add_examples(document: dict[str, Any]) -> None:
    """Add to each JSON body of a request or an answer the example of the body's schema."""
    for operation in (each for methods in document["paths"].values() for each in methods.values()):
        answers = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        for body in (operation.get("requestBody", {}), *answers):
            for media_type, content in body.get("content", {}).items():
                name = content["schema"].get("$ref", "").removeprefix(_REF)
                if media_type != "application/json":
                    continue
                if name in EXAMPLES:
                    content["example"] = EXAMPLES[name]
                if name in SEVERAL:
                    content["examples"] = {each: {"value": value} for each, value in SEVERAL[name].items()}


def _find_schemas(part: Any, schemas: Mapping[str, Any]) -> set[str]:
    """Return the names of all schemas that a part of the document refers to, directly or by other schemas."""
    found, new = set[str](), {ref.removeprefix(_REF) for ref in _list_references(part)}
    while new:
        found |= new
        new = {ref.removeprefix(_REF) for name in new for ref in _list_references(schemas[name])} - found
    return found


def _list_references(part: Any) -> Iterator[str]:
    if isinstance(part, dict) and isinstance(part.get("$ref"), str) and part["$ref"].startswith(_REF):
        yield part["$ref"]
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _list_references(each)


def _refer(part: dict[str, Any], names: Mapping[str, str]) -> None:
    """Replace the reference to a schema in a part of the document by the one to which `names` maps it, if any."""
    if part.get("$ref") in names:
        part["$ref"] = names[part["$ref"]]


def _visit(part: Any, change: Callable[[dict[str, Any]], None]) -> None:
    """Call `change`, which changes its argument in place, with each object within a part of the document."""
    if isinstance(part, dict):
        change(part)
    for each in list(part.values()) if isinstance(part, dict) else part if isinstance(part, list) else ():
        _visit(each, change)
