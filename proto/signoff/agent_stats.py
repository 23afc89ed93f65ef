"""What the jobstore answers of how an agent does. `signoff.types` has it, too."""

from decimal import Decimal

from pydantic import Field

from signoff.fields import Model, Open, SumOfMoney, Time, optional
from signoff.status import Circuit


class Percentiles(Model):
    """In seconds; left out where nothing was measured."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class CircuitChange(Model):
    """How the circuit of an agent opened, again or anew, or closed."""

    at: Time
    circuit: Open[Circuit]
    open_until: Time | None = optional("left out where it closed")


class AgentStats(Model):
    """How an agent does: now, and over the last 24 hours; from `wait` on only where one agent is asked for."""

    agent_id: str
    running: int = 0
    queued: int = 0
    success_rate: float | None = optional("executions COMPLETED, of those that ended uncancelled")
    mean_duration_s: float | None = optional("from being asked for to the end: all waits, calls and judgings")
    mean_wait_s: float | None = optional("from being asked for to the first claim")
    mean_agent_s: float | None = optional("of a call of it")
    mean_judge_s: float | None = optional("of a judging of its results")
    ended: int = Field(0, description="executions that ended uncancelled; failures of the judge are not among them")
    completed: int = Field(0, description="of those, whose results were accepted")
    refused: int = Field(0, description="and whose results were not; the others failed")
    cost_usd: SumOfMoney = Field(Decimal(0), description="of its jobs: by it and by judges")
    tokens: int = 0
    mean_cost_usd: SumOfMoney | None = optional("for each execution that ended")
    wait: Percentiles | None = optional("from being asked for to the first claim")
    agent: Percentiles | None = optional("of a call of it")
    judge: Percentiles | None = optional("of a judging of its results")
    failures: dict[str, int] = Field(
        default_factory=dict, description="executions that failed, by code; the 50 that were most"
    )
    refusals: dict[str, int] = Field(
        default_factory=dict,
        description="results that were not accepted, by each required criterion that did not pass; the 50 most",
    )
    circuit_changes: list[CircuitChange] = Field(
        default_factory=list, description="of the last 31 days, the newest 20, newest first"
    )
