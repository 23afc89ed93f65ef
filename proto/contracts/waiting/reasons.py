"""Why executions wait, as REST and gRPC show it."""

from uuid import UUID

from pydantic import Field

from contracts.fields import Model, Time


class Reason(Model):
    """One thing that holds back an execution."""

    code: str
    name: str = Field("", description="a limit such as `tenant:press`, an agent's id, `executor` or `validator`")
    used: int | None = Field(None, description="of what is `allowed`, such as 5 of 5")
    allowed: int | None = None
    since: Time | None = Field(None, description="when what holds it back was last changed, or last heard of")
    until: Time | None = Field(None, description="when it lifts by itself, if that is known")
    owner: str = Field(description="whose move it is: operator, caller, agent, time or signoff")
    remedy: str = Field(description="what lifts it, in a sentence")


class PastWait(Model):
    """What an execution has waited for, and from when to when."""

    code: str
    name: str = Field("", description="a limit such as `tenant:press`, an agent's id, or `executor`")
    since: Time
    until: Time


class Waiting(Model):
    """Why an execution waits, or a job for which an agent is looked for. One that does not wait has no reasons."""

    execution_id: UUID | None = Field(None, description="None of a job without an execution")
    since: Time | None = Field(None, description="when the last entry of its log was recorded: since then it waits")
    reasons: list[Reason] = Field(default_factory=list, description="the first is what it meets first")
    place: int | None = Field(
        None,
        description="of what is due, and not in lists: its turn among those of its tenant under the same limits; "
        "10001 stands for any later one",
    )
    starts_at: Time | None = Field(None, description="when it begins, where nothing but its own time holds it back")


class WaitingSum(Model):
    """How many executions of many wait for one reason, each counted for the first of its reasons."""

    code: str
    name: str = ""
    count: int
    owner: str
    remedy: str
    until: Time | None = Field(None, description="the earliest of those that are known")
