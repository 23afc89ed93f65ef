"""Serve a model with tools as an agent, as an `agent.toml` describes it."""

import os
import sys
from pathlib import Path

from signoff_agent.app import STORE_VARIABLE, Agent
from signoff_agent.run.config import ConfigError, load
from signoff_agent.run.loop import ModelAgent


def make_agent(path: Path) -> Agent:
    """Return the agent of a file, or exit with the mistakes in it."""
    agent = _make(path)
    store = os.environ.get(STORE_VARIABLE) or f".signoff-agent/{path.stem}.sqlite3"
    # What a crash or a stop cut goes on from its checkpoints, which say whether a tool may have acted unseen.
    return Agent(agent.perform, store=store, max_running=agent.config.max_running, is_repeatable=True)


def describe(path: Path) -> str:
    """Return in words what the agent of a file is, or exit with the mistakes in it."""
    config = _make(path).config
    tools = [tool.name for tool in config.tools] + [name for server in config.mcp for name in server.tools]
    bounds = ", ".join(f"{name} {value}" for name, value in config.bounds.model_dump(exclude_none=True).items())
    model = f"{config.model.name} at {config.model.base_url}"
    return f"model: {model}\ntools: {', '.join(tools) or 'none'}\nbounds: {bounds}"


def _make(path: Path) -> ModelAgent:
    try:
        return ModelAgent(load(path))
    except ConfigError as error:
        sys.exit(str(error))
