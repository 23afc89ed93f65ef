"""The command `signoff-agent`."""

import argparse
import importlib
import sys
from pathlib import Path
from types import ModuleType

from signoff_agent.app import Agent
from signoff_agent.serving import serve


def main() -> None:
    """Serve the agent that the arguments name."""
    parser = argparse.ArgumentParser("signoff-agent", description="Serve agents of Signoff.")
    commands = parser.add_subparsers(required=True)
    serving = commands.add_parser("serve", help="serve an async function that @agent decorates")
    serving.add_argument("agent", metavar="MODULE:NAME", help="where it is, such as hello:writer")
    add_address(serving)
    serving.set_defaults(make=lambda given: find_agent(given.agent))
    running = commands.add_parser("run", help="serve a model with tools, as a file describes it")
    add_address(running)
    running.set_defaults(make=lambda given: load_run().make_agent(given.file))
    checking = commands.add_parser("check", help="say what a file describes, or what is wrong in it")
    checking.set_defaults(make=lambda given: print(load_run().describe(given.file)))  # noqa: T201
    for command in (running, checking):
        command.add_argument("file", type=Path, help="such as agent.toml")
    given = parser.parse_args()
    if (agent := given.make(given)) is not None:
        serve(agent, host=given.host, port=given.port)


def add_address(parser: argparse.ArgumentParser) -> None:
    """Add the options of the address to a command."""
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at; 127.0.0.1 by default")
    parser.add_argument("--port", type=int, default=9000, help="the port to listen at; 9000 by default")


def load_run() -> ModuleType:
    """Return the module that runs models, whose packages come with the extra `run`."""
    try:
        return importlib.import_module("signoff_agent.run")
    except ModuleNotFoundError as error:
        sys.exit(f"signoff-agent: {error}; install signoff-agent[run]")


def find_agent(name: str) -> Agent:
    """Return the agent that `name` names, as MODULE:NAME; modules of the working directory count."""
    module, _, attribute = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), attribute or "agent")
    except (ImportError, AttributeError) as error:
        sys.exit(f"signoff-agent: {name} is not there: {error}")
    if not isinstance(found, Agent):
        sys.exit(f"signoff-agent: {name} is no agent: name a function that has @agent above it, such as hello:writer")
    return found


if __name__ == "__main__":
    main()
