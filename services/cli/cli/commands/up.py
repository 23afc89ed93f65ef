"""The commands `signoff up`, `signoff login-link` and `signoff open`."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from cli.errors import CommandError
from cli.session import (
    DATA_DIR,
    Session,
    Target,
    command,
    connect,
    make_app,
    make_login_link,
    read_endpoints,
    succeed_if,
)
from signoff import SignoffError

app = make_app()

POLL_S = 0.1  # how often the endpoints file is looked for

Port = Annotated[int, typer.Option(min=0, max=65535, help="0: the port of last time, or any free port.")]


@command(app, "up")
async def up(  # noqa: PLR0913, PLR0917 - each is an option
    cli: Session,
    data_dir: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder that everything is kept in.")] = DATA_DIR,
    endpoints_file: Annotated[
        Path | None,
        typer.Option(help="The file to write the addresses to; endpoints.json in the data directory when not given."),
    ] = None,
    http_port: Port = 0,
    grpc_port: Port = 0,
    kafka_port: Port = 0,
    postgres_port: Port = 0,
    executors: Annotated[int, typer.Option(min=1, max=32, help="How many executors run.")] = 1,
    validators: Annotated[int, typer.Option(min=1, max=32, help="How many validators run.")] = 1,
    jobstores: Annotated[int, typer.Option(min=1, max=8, help="How many jobstores run.")] = 1,
    secure: Annotated[
        bool, typer.Option("--secure", help="Encrypt what can be, and let Kafka ask who calls; in a folder of its own.")
    ] = False,
    demo: Annotated[
        bool, typer.Option(help="Register the small agents, where none was registered yet; without capabilities.")
    ] = True,
    short_lived: Annotated[
        bool, typer.Option(help="For a stack that runs for minutes: Kafka starts faster and stays slower.")
    ] = False,
) -> None:
    """Run the whole system here until interrupted: Kafka, PostgreSQL, all services, a judge, small agents."""
    from localstack.services import RECEIVERS  # noqa: PLC0415 - heavy, and only needed here
    from localstack.stack import Fleet, StackSettings, run_stack  # noqa: PLC0415

    observed = {} if any(map(os.environ.get, RECEIVERS)) else await _find_receiver(data_dir / "observe.json")
    os.environ.update({name: value for name, value in observed.items() if name not in os.environ})
    settings = StackSettings(
        data_dir=data_dir,
        endpoints_file=endpoints_file,
        http_port=http_port,
        grpc_port=grpc_port,
        kafka_port=kafka_port,
        postgres_port=postgres_port,
        fleet=Fleet(executors=executors, validators=validators, jobstores=jobstores),
        secure=secure,
        short_lived=short_lived,
        progress=lambda message: show_message(cli, message),
    )
    file, traces = endpoints_file or data_dir / "endpoints.json", observed.get("SIGNOFF_OTLP_ENDPOINT")
    welcoming = asyncio.create_task(_welcome(cli, file, traces, demo=demo))
    try:
        status = await run_stack(settings)
    finally:
        welcoming.cancel()
    succeed_if(status == 0)


def show_message(cli: Session, message: str) -> None:
    """Print a message of the local stack, as JSON with --json."""
    cli.out.print({"message": message}, message)


async def _find_receiver(file: Path) -> dict[str, str]:
    """Return the variables by which traces go to the receiver that `make observe` runs now; none where it does not."""
    try:
        variables: dict[str, str] = json.loads(await asyncio.to_thread(file.read_text))
        url = urlsplit(variables["SIGNOFF_OTLP_ENDPOINT"])
        _, writer = await asyncio.open_connection(url.hostname, url.port)
    except OSError:  # killed, it leaves the file there
        return {}
    writer.close()
    return variables


async def _welcome(cli: Session, file: Path, traces: str | None, *, demo: bool) -> None:
    """Wait until the stack has written the endpoints file; print its addresses, and register the agents of the demo."""
    began = time.time()
    while not _is_written(file, began):  # noqa: ASYNC110 - a file has no event to wait for
        await asyncio.sleep(POLL_S)
    target = read_endpoints(file)
    cli.out.print({"message": "ready", "endpoints": str(file)}, "ready")
    cli.out.print_line(f"  page and API   {await make_login_link(target)}")
    cli.out.print_line("                 (the link works once; `signoff login-link` gives another)")
    cli.out.print_line(f"  addresses      {file}")
    cli.out.print_line(f"  metrics        {target.metrics['jobstore']}    (of the others: `metrics` in that file)")
    if traces:
        cli.out.print_line(f"  traces         {traces}    (of `make observe`; the page of a job leads to its own)")
    cli.out.print_line("  try            signoff demo    (in another terminal)")
    cli.out.print_line("  stop           Ctrl-C")
    if demo:
        await register_demo(cli, target)


async def register_demo(cli: Session, target: Target) -> None:
    """Register the agents of the demo where none was registered yet; if that fails, all else goes on."""
    from cli.commands.demo_agents import register_first_agents  # noqa: PLC0415 - once everything serves

    try:
        async with connect(target) as jobstore:
            agents = await register_first_agents(target, jobstore)
    except (SignoffError, CommandError) as error:
        show_message(cli, f"the agents of the demo are not registered: {error}; `signoff demo` does it, too")
        return
    if agents:
        names = ", ".join(str(agent.id) for agent in agents)
        show_message(cli, f"registered {names}, with which the page shows the first steps")


def _is_written(file: Path, began: float) -> bool:
    """Return whether the file was written after `began`; an older file is of an earlier stack, which was killed."""
    return file.exists() and file.stat().st_mtime >= began


@command(app, "open")
@command(app, "login-link")
async def login_link(cli: Session) -> None:
    """Print a link that logs in to the page: once, and within a quarter of an hour.

    Who opens it may do what the token may that this command has. The link holds no token.
    """
    link = await make_login_link(cli.target)
    cli.out.print({"link": link}, link)
