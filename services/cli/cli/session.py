"""Make commands of coroutine functions: connection options, the addresses of the system, session, exit status."""

import asyncio
import contextlib
import inspect
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar, cast
from uuid import UUID

import typer

from cli.errors import CommandError, ExitStatus, find_exit_status
from cli.output import Output, format_time
from cli.plain_values import DefaultGroup, PlainCommand, PlainGroup
from cli.profiles import TLS_OPTIONS, Profile, find_profile, read_profiles
from cli.terminal import Styled
from contracts.topic_prefix import TOPIC_PREFIX
from servicekit.errors import RefusedError, ServiceError, TransientError
from servicekit.process.variables import describe_unknown
from signoff import AsyncClient, SignoffError
from signoff.errors import ErrorCode
from signoff.tls import Tls, make_context, name_tls
from signoff.wire import read_record

if TYPE_CHECKING:
    from servicekit.kafka.access import KafkaAccess

DATA_DIR = Path(".signoff")
ENDPOINTS = DATA_DIR / "endpoints.json"


@dataclass(frozen=True)
class Target:
    """The addresses and secrets of one installation of Signoff; unknown ones are None or empty."""

    jobstore: str | None = None
    #: The files by which it is called by TLS.
    jobstore_ca: str | None = None
    jobstore_certificate: str | None = None
    jobstore_key: str | None = None
    token: str | None = None
    secrets: str | None = None
    kafka: str | None = None
    #: The settings by which that Kafka is reached, as of servicekit's KafkaFields.
    kafka_settings: dict[str, str] = field(default_factory=dict)
    http: str | None = None
    #: The console's address for browsers, where it is another one than for this command, as in Compose.
    page: str | None = None
    judge: str | None = None
    postgres: str | None = None
    agents: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)
    data_dir: Path | None = None
    topic_prefix: str | None = None
    processes: dict[str, int] = field(default_factory=dict)
    file: Path | None = None
    #: Of whose jobs commands are, unless they name a tenant.
    tenant: str | None = None
    profile: Profile | None = None
    #: The option, the variable or the pipe that gave the token, if one did.
    given_by: str | None = None
    #: Whether `file` was found by searching.
    is_found: bool = False

    @property
    def tls(self) -> Tls | None:
        """The files of TLS; None: the jobstore is called without. Raise CommandError if they cannot be used."""
        tls = name_tls(self.jobstore_ca, self.jobstore_certificate, self.jobstore_key)
        if tls is not None:
            try:
                make_context(tls)
            except OSError as error:
                raise CommandError(str(error), code=ErrorCode.UNREADABLE) from None
        return tls

    @property
    def is_signed_in(self) -> bool:
        """Whether the token is the session of the profile."""
        return self.given_by is None and self.profile is not None and self.profile.token is not None

    @property
    def credential(self) -> str | None:
        """Where the token comes from, in words; None without a token."""
        if self.profile is not None and self.is_signed_in:
            return f"the session of the profile {self.profile.name}"
        return None if self.token is None else self.given_by or str(self.file)

    @property
    def other_prefix(self) -> str | None:
        """A message if the target's topics have another prefix than this command's; None if the same, or not known."""
        if self.topic_prefix in {None, TOPIC_PREFIX}:
            return None
        return f"topics there begin with {self.topic_prefix!r}, and are looked for with {TOPIC_PREFIX!r}"


def find_target(
    options: Mapping[str, str | None],
    endpoints: Path | None = None,
    profile: str | None = None,
    *,
    signs_in: bool = False,
) -> Target:
    """Return the target that the options name, completed from a profile and an endpoints file.

    The file is `endpoints`, else one that is found; none is searched for if an option or `profile` names a jobstore,
    since the token in a file is not for that jobstore. A token of the options is not sent to a jobstore that a found
    file names: the author of the file's folder, such as a repository's, would get the token. Without a name the profile
    is the one for the jobstore that was used last. Raise CommandError if a file cannot be read; or, unless the command
    `signs_in` to a profile, if there is no such profile, or it is for another jobstore.
    """
    given: dict[str, Any] = {name: value for name, value in options.items() if value}
    profiles = read_profiles()
    named = profiles.get(profile or "") if signs_in else find_profile(profiles, profile) if profile else None
    file = endpoints or (None if "jobstore" in given or named else _find_endpoints())
    target = replace(
        Target() if file is None else read_endpoints(file), **given, is_found=endpoints is None is not file
    )
    if not profile:
        named = next((each for each in reversed(profiles.values()) if target.jobstore in {None, each.jobstore}), None)
    address = target.jobstore or (named.jobstore if named else None)
    if profile and address and signs_in and (named is None or named.jobstore != address):
        named = Profile(profile, address)
    if named and named.jobstore != address:
        message = f"the profile {named.name} is for {named.jobstore}, and not for {address}: name one of them"
        raise CommandError(message, code=ErrorCode.PROFILE_FOR_ANOTHER)
    return _complete(replace(target, jobstore=address), named)


def _complete(target: Target, profile: Profile | None) -> Target:
    """Return a target with the tenant of the environment, and what is not given from a profile of its jobstore."""
    tenant = os.environ.get("SIGNOFF_TENANT") or (profile.tenant if profile else None)
    target = replace(target, profile=profile, tenant=tenant)
    if profile is None:
        return target
    token = target.token if target.given_by else profile.token or target.token
    taken = {name: getattr(target, name) or getattr(profile, name) for name in ("http", *TLS_OPTIONS)}
    return replace(target, token=token, **taken)


def _find_endpoints() -> Path | None:
    """Return the endpoints file in this folder, or in the nearest folder above that has one; None without one.

    Files of other users (except root), or that others can write, are passed over: others must not say where jobs go.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        file = folder / ENDPOINTS
        with suppress(OSError):
            status = file.stat()
            if status.st_uid in {os.getuid(), 0} and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return file
    return None


def read_token(token: str | None, file: Path | None) -> dict[str, str | None]:
    """Return the `token` in a text or a file, the first of several, as while one replaces another, and what gave it.

    Raise CommandError if both text and file are given, or the file cannot be read.
    """
    if token and file:
        message = "a token is given as text (--token, SIGNOFF_TOKEN) and in a file (--token-file, SIGNOFF_TOKEN_FILE)"
        raise CommandError(f"{message}: give one of them", code=ErrorCode.TWO_TOKENS)
    try:
        values = (file.read_text() if file else token or "").replace(",", " ").split()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"cannot read the token's file: {error}", code=ErrorCode.TOKEN_UNREADABLE) from error
    if not values:
        return {}
    own = "SIGNOFF_TOKEN" if os.environ.get("SIGNOFF_TOKEN") == token else "--token"
    return {"token": values[0], "given_by": str(file) if file else own}


_FIELDS_OF_FILE: Final[dict[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(
        ("token", "secrets", "jobstore_ca", "kafka", "http", "page", "judge", "postgres", "topic_prefix"), str
    ),
    **dict.fromkeys(("agents", "kafka_settings", "metrics", "processes"), dict),
    "data_dir": Path,
}


def read_endpoints(file: Path) -> Target:
    """Return the target that an endpoints file describes. Raise CommandError if the file cannot be read."""
    try:
        fields = json.loads(file.read_text())
        given = {name: kind(fields[name]) for name, kind in _FIELDS_OF_FILE.items() if fields.get(name)}
        return Target(jobstore=fields["grpc"], file=file, **given)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"cannot read the endpoints file {file}: {error}; is `signoff up` running?"
        raise CommandError(message, code=ErrorCode.ENDPOINTS_UNREADABLE) from error


Command = TypeVar("Command", bound=Callable[..., Coroutine[Any, Any, None]])

INTERRUPTED, TERMINATED = 130, 143
#: Agents whose names are looked up where several are shown; any others are shown by their ids.
_NAMED_MAX: Final = 500


@dataclass(frozen=True)
class Session:
    """The context of a command: the addresses of the system, and the output."""

    target: Target
    out: Output

    @asynccontextmanager
    async def jobstore(self) -> AsyncIterator[AsyncClient]:
        """Yield a client of the jobstore. Raise CommandError if the jobstore's address is not known."""
        self.require_jobstore()
        async with connect(self.target) as jobstore:
            yield jobstore

    def require_jobstore(self) -> str:
        """Return the jobstore's address. Raise CommandError if it is not known."""
        if self.target.jobstore is None:
            message = "no jobstore is known: start one with `signoff up`, or give --endpoints or --jobstore"
            raise CommandError(message, code=ErrorCode.NO_JOBSTORE)
        return self.target.jobstore

    def require_kafka(self) -> "KafkaAccess":
        """Return how Kafka is reached. Raise CommandError if it is unknown, or if topics have another prefix there."""
        if self.target.kafka is None:
            message = "no Kafka is known: start one with `signoff up`, or give --kafka"
            raise CommandError(message, code=ErrorCode.NO_KAFKA)
        if self.target.other_prefix is not None:
            message = f"{self.target.other_prefix}: set SIGNOFF_TOPIC_PREFIX to that here, too"
            raise CommandError(message, code=ErrorCode.UNKNOWN_TOPIC)
        return make_kafka_access(self.target)

    def in_tenant(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return fields with the tenant that commands are for, unless they have one; "" stands for none."""
        if self.target.tenant is None or not fields.keys().isdisjoint(("tenant", "not_tenants")):
            return {name: value for name, value in fields.items() if (name, value) != ("tenant", "")}
        return {**fields, "tenant": self.target.tenant}

    async def learn_agents(self, jobstore: AsyncClient, agent_ids: Iterable[str | None] | None = None) -> None:
        """Look up the names of these agents, or of all for None, for output as text; do nothing with --json."""
        wanted = None if agent_ids is None else {*agent_ids} - {None, ""} - self.out.agent_names.keys()
        if self.out.as_json or wanted == set():
            return
        names = {str(each): str(each) for each in wanted or ()}  # of those that are not found, and none is asked twice
        with contextlib.suppress(SignoffError):
            if len(names) == 1:
                agents = [await jobstore.get_agent(*names)]
            else:
                agents, _ = await jobstore.list_agents(page_size=_NAMED_MAX)
            names |= {agent.id: agent.name for agent in agents}
        self.out.agent_names |= names

    @contextmanager
    def look_again_by(self, command: str, **named: str) -> Iterator[None]:
        """Print, if the user interrupts the block, that what is `named` goes on, and the command that shows it."""
        try:
            yield
        except asyncio.CancelledError:
            (name,) = named.values()
            self.out.end_progress()
            line = Styled(f"{name} goes on: look again by `{command}`")
            self.out.print_aside({**named, "goes_on": True, "look_again": command}, line)
            raise


def make_kafka_access(target: Target) -> "KafkaAccess":
    """Return how a target's Kafka is reached: by SIGNOFF_KAFKA_*, or else by what the endpoints file says of it."""
    from pydantic_settings import SettingsConfigDict  # noqa: PLC0415 - with the others heavy, and rarely needed

    from servicekit.kafka.access import KafkaAccess  # noqa: PLC0415
    from servicekit.kafka.settings import KafkaFields  # noqa: PLC0415
    from servicekit.process.settings import EnvironmentSettings, load_settings  # noqa: PLC0415

    class Settings(KafkaFields, EnvironmentSettings):
        model_config = SettingsConfigDict(env_prefix="SIGNOFF_")

    given: KafkaFields = load_settings(Settings)
    if target.kafka_settings and "SIGNOFF_KAFKA_SECURITY" not in os.environ:
        given = KafkaFields.model_validate({f"kafka_{name}": value for name, value in target.kafka_settings.items()})
    return replace(KafkaAccess.of(given), servers=target.kafka or "")


def connect(target: Target, *, timeout_s: float = 10.0) -> AsyncClient:
    """Return a client of a target's jobstore. Raise CommandError if the user's token must not be sent to that jobstore.

    The client returns records, not pydantic's models: pydantic takes longer to import than a call takes.
    """
    assert target.jobstore is not None
    if target.is_found and target.given_by:
        message = (
            f"the token that was given ({target.given_by}) is not sent to {target.jobstore}, which {target.file} "
            "names: name the place, too, with --jobstore or --endpoints, or give no token to use that of the file"
        )
        raise CommandError(message, code=ErrorCode.TOKEN_FOR_ANOTHER)
    return AsyncClient(target.jobstore, target.token, timeout_s=timeout_s, read=read_record, credentials=target.tls)


async def make_login_link(target: Target) -> str:
    """Return a link that signs in to the console and works once. Raise CommandError if the console is not known."""
    page = target.page or target.http
    if page is None:
        raise CommandError("where is the console? Give --http URL, or --endpoints FILE", code=ErrorCode.NO_CONSOLE)
    async with connect(target) as jobstore:
        return f"{page.rstrip('/')}/login#{await jobstore.create_login_code()}"


class Form(StrEnum):
    """The form of a command's output."""

    TABLE = "table"
    JSON = "json"


def _open_session(  # noqa: PLR0913 - each is an option
    *,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text; JSON lines for streams.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="No colours, and nothing cut: as into a pipe.")] = False,
    endpoints: Annotated[
        Path | None,
        typer.Option(
            envvar="SIGNOFF_ENDPOINTS",
            help="The file that `signoff up` writes; .signoff/endpoints.json here or in a folder above when not given.",
        ),
    ] = None,
    jobstore: Annotated[
        str | None,
        typer.Option(
            envvar="SIGNOFF_JOBSTORE",
            metavar="HOST:PORT",
            help="The jobstore's gRPC address; several with commas between.",
        ),
    ] = None,
    jobstore_ca: Annotated[
        str | None,
        typer.Option(
            envvar="SIGNOFF_JOBSTORE_CA",
            metavar="FILE",
            help="Call the jobstore by TLS: the file of the CA that signed its certificate, or `system`.",
        ),
    ] = None,
    jobstore_certificate: Annotated[
        str | None,
        typer.Option(
            envvar="SIGNOFF_JOBSTORE_CERTIFICATE",
            metavar="FILE",
            help="A certificate, where the jobstore asks for one.",
        ),
    ] = None,
    jobstore_key: Annotated[
        str | None,
        typer.Option(envvar="SIGNOFF_JOBSTORE_KEY", metavar="FILE", help="The key of the certificate."),
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="SIGNOFF_TOKEN", show_envvar=True, help="The token to sign in with.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(envvar="SIGNOFF_TOKEN_FILE", help="A file that holds the token.")
    ] = None,
    kafka: Annotated[
        str | None, typer.Option(envvar="SIGNOFF_KAFKA", metavar="HOST:PORT", help="Kafka's address.")
    ] = None,
    http: Annotated[
        str | None, typer.Option(envvar="SIGNOFF_HTTP", metavar="URL", help="The console's address.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            envvar="SIGNOFF_PROFILE", metavar="NAME", help="The profile, of those that `signoff profiles` lists."
        ),
    ] = None,
    signs_in: bool = False,
    words: Sequence[str] = (),
) -> Session:
    tls = {"jobstore_ca": jobstore_ca, "jobstore_certificate": jobstore_certificate, "jobstore_key": jobstore_key}
    options = {"jobstore": jobstore, **tls, **read_token(token, token_file), "kafka": kafka, "http": http}
    return Session(
        find_target(options, endpoints, profile, signs_in=signs_in), Output(as_json=as_json, plain=plain, words=words)
    )


# Typer reads a command's options from its signature: these are added to the signature of each command.
_CONNECTION_OPTIONS = {
    name: option
    for name, option in inspect.signature(_open_session).parameters.items()
    if name not in {"signs_in", "words"}
}


def _make_form_option(*names: str) -> inspect.Parameter:
    words = "As a table, which it is by itself, or as JSON, like --json."
    kind = Annotated[Form | None, typer.Option(*names, help=words)]
    return inspect.Parameter("form", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)


#: How a command is asked for JSON; the second, for commands that had another -o before.
_FORM, _FORM_BESIDE_O = _make_form_option("--format", "-o"), _make_form_option("--format")
#: That of `signoff login`, which takes the address also by the name that people try first.
_URL = _CONNECTION_OPTIONS["jobstore"].replace(
    annotation=Annotated[
        str | None,
        typer.Option(
            "--jobstore", "--url", envvar="SIGNOFF_JOBSTORE", metavar="HOST:PORT", help="The jobstore's gRPC address."
        ),
    ]
)


class _Command(PlainCommand):
    connection_options = frozenset(_CONNECTION_OPTIONS) - {"as_json", "plain"}


async def await_judgings(jobstore: AsyncClient, group_id: UUID, out: Output | None = None) -> None:
    """Wait until the judgings of a call have ended; tell `out` once if their tenant has spent what it may in a day."""
    is_told = out is None
    async with aclosing(jobstore.watch_judgings(group_id)) as progress:
        async for each in progress:
            if out is not None and not is_told and each.held_back_until is not None:
                words = f"waits until {format_time(each.held_back_until)}: the tenant has spent what it may in a day"
                out.print_aside({"held_back_until": each.held_back_until}, Styled(words, "yellow"))
                is_told = True


def succeed_if(is_met: bool) -> None:
    """Exit with the status 1 if `is_met` is false."""
    if not is_met:
        raise typer.Exit(ExitStatus.NOT_MET)


def make_app(
    help: str | None = None,  # noqa: A002 - Typer's word
    *,
    has_default: bool = False,
) -> typer.Typer:
    """Return a Typer for one command, or, with a `help`, for a group of commands.

    With `has_default`, arguments that do not begin with the name of a command are for the group's first command.
    """
    group = DefaultGroup if has_default else PlainGroup
    return typer.Typer(
        cls=group, add_completion=False, rich_markup_mode=None, no_args_is_help=help is not None, help=help
    )


def command(app: typer.Typer, name: str, *, signs_in: bool = False) -> Callable[[Command], Command]:
    """Return a decorator that makes a coroutine function the command `name`. The parameter `cli` is the session.

    A parameter `jobstore` is a client of the jobstore while the command runs; other parameters are options. A command
    that `signs_in` makes its profile, and has an option `--token` of its own.
    """
    connecting = dict(_CONNECTION_OPTIONS)
    if signs_in:
        del connecting["token"]
        connecting["jobstore"] = _URL

    def register(function: Command) -> Command:
        own = _list_options(function)

        def run(ctx: typer.Context, **options: Any) -> None:
            connection = {name: options.pop(name) for name in connecting}
            connection["as_json"] = _is_json(options.pop("form"), is_flagged=connection["as_json"])
            _run(function, connection | {"signs_in": signs_in, "words": ctx.find_root().obj or ()}, options)

        form = _FORM_BESIDE_O if any("-o" in _list_names(one) for one in own) else _FORM
        context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        everything = (context, *own, form, *connecting.values())
        parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in everything]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        paragraphs = (inspect.getdoc(function) or "").split("\n\n")
        text = "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)  # for a terminal of any width
        app.command(name, cls=_Command, help=text, short_help=text.partition("\n")[0])(run)
        return function

    return register


def _list_names(parameter: inspect.Parameter) -> Sequence[str]:
    """Return the names of an option, as it declares them."""
    (declared,) = getattr(parameter.annotation, "__metadata__", (None,))
    return getattr(declared, "param_decls", None) or ()


def _is_json(form: Form | None, *, is_flagged: bool) -> bool:
    """Return whether a command prints JSON. Raise BadParameter if its options contradict each other."""
    if is_flagged and form is Form.TABLE:
        raise typer.BadParameter("give either this or --format table", param_hint="--json")
    return is_flagged or form is Form.JSON


def with_options(**readers: Callable[..., Any]) -> Callable[[Command], Command]:
    """Return a decorator that replaces the parameters of a command that `readers` name by the options of the readers.

    A reader's options are its parameters. The command's parameter gets what the reader returns for the options.
    """

    def replace(function: Command) -> Command:
        signatures = {name: inspect.signature(reader).parameters for name, reader in readers.items()}

        async def run(*parts: Any, **options: Any) -> None:
            made = {
                name: reader(**{option: options.pop(option) for option in signatures[name]})
                for name, reader in readers.items()
            }
            await function(*parts, **options, **made)

        own = _list_options(function)
        parts = [one for one in inspect.signature(function).parameters.values() if one not in own]
        everything = [option for one in own for option in signatures.get(one.name, {one.name: one}).values()]
        keywords = [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in everything]
        run.__signature__ = inspect.Signature([*parts, *keywords])  # type: ignore[attr-defined]
        run.__doc__ = function.__doc__
        return cast("Command", run)

    return replace


def _list_options(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters of a command that become its options and arguments: all except `cli` and `jobstore`."""
    return [one for name, one in inspect.signature(function).parameters.items() if name not in {"cli", "jobstore"}]


def _run(
    function: Callable[..., Coroutine[Any, Any, None]], connection: dict[str, Any], options: dict[str, Any]
) -> None:
    out = Output(as_json=connection["as_json"], plain=connection["plain"])
    if unknown := describe_unknown(os.environ):
        out.warn(unknown)
    session = None
    try:
        session = _open_session(**connection)
        asyncio.run(_cancel_at_sigterm(_call(function, session, options)))
    except CommandError as error:
        status = error.status
        out.print_error(str(error), error.code, status)
    except SignoffError as error:
        grpc_status = error.grpc_status.name
        status = find_exit_status(error.code, grpc_status)
        out.print_error(_explain(error, session), error.code, status, grpc_status=grpc_status, fields=error.fields)
    except ServiceError as error:
        status = _find_status(error)
        out.print_error(str(error), error.code, status)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except asyncio.CancelledError:
        raise typer.Exit(TERMINATED) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader is gone: at exit, too
        status = ExitStatus.NOT_MET
    else:
        return
    raise typer.Exit(status)


async def _call(function: Callable[..., Coroutine[Any, Any, None]], cli: Session, options: dict[str, Any]) -> None:
    """Run a command's function, with a client of the jobstore if the function has a parameter `jobstore`."""
    if "jobstore" not in inspect.signature(function).parameters:
        await function(cli, **options)
        return
    async with cli.jobstore() as jobstore:
        await function(cli, jobstore, **options)


def _find_status(error: ServiceError) -> ExitStatus:
    """Return the exit status for an error of settings, or of a part that the command calls itself, such as Kafka."""
    if error.code == ErrorCode.BAD_SETTINGS:
        return ExitStatus.USAGE
    is_away = isinstance(error, TransientError) and not isinstance(error, RefusedError)
    return ExitStatus.OUT_OF_REACH if is_away else ExitStatus.REFUSED


async def _cancel_at_sigterm(running: Coroutine[Any, Any, None]) -> None:
    """Run a command, and cancel it at SIGTERM, as at Ctrl-C, so that the demo's stack does not outlive the demo."""
    task = asyncio.current_task()
    assert task is not None
    with contextlib.suppress(ValueError, RuntimeError):  # not in the main thread, as in tests
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await running


def _explain(error: SignoffError, session: Session | None) -> str:
    used = session and session.target.credential
    match error.code:
        case ErrorCode.UNAVAILABLE | ErrorCode.CALL_DEADLINE_EXCEEDED:
            return f"the jobstore cannot be reached ({error.message}); `signoff doctor` may say more"
        case ErrorCode.UNAUTHENTICATED:
            named = f" ({used} opens nothing)" if used else ""
            return f"{error.message}{named}: sign in by `signoff login`, or give one by --token-file or SIGNOFF_TOKEN"
        case ErrorCode.FORBIDDEN:
            return f"{error.message}; `signoff whoami` shows who you are, `signoff login` signs in as somebody else"
        case _:
            return error.message
