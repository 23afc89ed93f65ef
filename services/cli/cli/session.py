"""What all commands share: their connection options, their session, their exit status."""

import asyncio
import contextlib
import inspect
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from cli.config import Target, find
from cli.errors import CommandError
from cli.output import Output
from contracts.client import JobStoreClient, JobStoreError
from servicekit.errors import SignoffError

Command = TypeVar("Command", bound=Callable[..., Coroutine[Any, Any, None]])

INTERRUPTED, TERMINATED = 130, 143
_PANEL = "Connection"


@dataclass(frozen=True)
class Session:
    """What a command works with."""

    target: Target
    out: Output

    @asynccontextmanager
    async def jobstore(self) -> AsyncIterator[JobStoreClient]:
        """The jobstore; a CommandError where nobody said where it is."""
        if self.target.jobstore is None:
            message = "no jobstore is known: start one with `signoff up`, or give --endpoints or --jobstore"
            raise CommandError(message, code="no_jobstore")
        async with JobStoreClient(self.target.jobstore, self.target.token) as jobstore:
            yield jobstore


def _common(
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text; JSON lines for streams.")] = False,
    endpoints: Annotated[
        Path | None,
        typer.Option(
            envvar="SIGNOFF_ENDPOINTS",
            rich_help_panel=_PANEL,
            help="The file that `signoff up` writes; .signoff/endpoints.json when nothing else is said.",
        ),
    ] = None,
    jobstore: Annotated[
        str | None, typer.Option(envvar="SIGNOFF_JOBSTORE", rich_help_panel=_PANEL, help="gRPC, host:port.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="SIGNOFF_TOKEN", rich_help_panel=_PANEL, show_envvar=True, help="Yours.")
    ] = None,
    kafka: Annotated[
        str | None, typer.Option(envvar="SIGNOFF_KAFKA", rich_help_panel=_PANEL, help="host:port.")
    ] = None,
    http: Annotated[
        str | None, typer.Option(envvar="SIGNOFF_HTTP", rich_help_panel=_PANEL, help="The console's base URL.")
    ] = None,
) -> Session:
    given = {"jobstore": jobstore, "token": token, "kafka": kafka, "http": http}
    return Session(find(given, endpoints), Output(as_json=as_json))


_COMMON = inspect.signature(_common).parameters


def command(app: typer.Typer, name: str) -> Callable[[Command], Command]:
    """Make a command of a coroutine function: its first argument is the session, the others are its own options."""

    def register(function: Command) -> Command:
        def run(**given: Any) -> None:
            common = {name: given.pop(name) for name in _COMMON}
            _run(common, function, given)

        own = list(inspect.signature(function).parameters.values())[1:]
        parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own, *_COMMON.values())]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name, help=_unwrapped(inspect.getdoc(function) or ""))(run)
        return function

    return register


def _unwrapped(text: str) -> str:
    """Paragraphs, for a terminal of any width."""
    return "\n\n".join(paragraph.replace("\n", " ") for paragraph in text.split("\n\n"))


def _run(common: dict[str, Any], function: Callable[..., Coroutine[Any, Any, None]], given: dict[str, Any]) -> None:
    out = Output(as_json=common["as_json"])
    try:
        asyncio.run(_terminable(function(_common(**common), **given)))
    except CommandError as error:
        out.error(str(error), error.code)
    except JobStoreError as error:
        out.error(_explain(error), error.code)
    except SignoffError as error:
        out.error(str(error), error.code)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except asyncio.CancelledError:
        raise typer.Exit(TERMINATED) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on: say nothing at exit either
    else:
        return
    raise typer.Exit(1)


async def _terminable(running: Coroutine[Any, Any, None]) -> None:
    """Let SIGTERM end a command as tidily as Ctrl-C does: the demo's stack must not outlive it."""
    task = asyncio.current_task()
    assert task is not None
    with contextlib.suppress(ValueError, RuntimeError):  # not in the main thread: then somebody else takes care
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await running


def _explain(error: JobStoreError) -> str:
    match error.code:
        case "unavailable" | "deadline_exceeded":
            return f"the jobstore cannot be reached ({error.message}); `signoff doctor` may say more"
        case "unauthenticated":
            return f"{error.message}; give a token with --token or SIGNOFF_TOKEN"
        case _:
            return error.message
