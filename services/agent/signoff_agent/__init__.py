"""Make an async function an agent of Signoff: an ASGI app that takes work, reports on it, and keeps how it ended."""

from signoff_agent.app import Agent, agent
from signoff_agent.store import SqliteStore, Store
from signoff_agent.task import AgentError, DeclinedError, RetryableError, Task

__all__ = ["Agent", "AgentError", "DeclinedError", "RetryableError", "SqliteStore", "Store", "Task", "agent"]
