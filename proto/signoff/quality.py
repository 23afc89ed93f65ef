"""What the jobstore answers of how much is accepted, and of who serves. `signoff.types` has it, too."""

from pydantic import Field, computed_field

from signoff.fields import Model, Time, optional


class QualityCounts(Model):
    """What verdicts came to. A result counts for its first verdict."""

    judged: int = Field(0, description="results that were judged,")
    accepted: int = Field(0, description="and those of them that were accepted")
    unjudged: int = Field(0, description="results without a verdict of a judge: it failed, or proved nothing")
    compared: int = Field(0, description="judgings of results that were judged before, and of cases with a label,")
    flipped: int = Field(0, description="and those of them with another end than before, or than the label")

    @computed_field(description="of what was judged; left out where nothing was")  # type: ignore[prop-decorator]
    @property
    def acceptance_rate(self) -> float | None:
        """The share of what was judged that was accepted."""
        return self.accepted / self.judged if self.judged else None


class QualityPoint(QualityCounts):
    """A part of the range."""

    at: Time = Field(description="when it begins")


class QualityOf(QualityCounts):
    """Those of an agent, or of a version of a judge policy."""

    name: str = Field(description="the id of the agent; or the policy and its version, such as `strict@3`")
    models: dict[str, int] = Field(
        default_factory=dict, description="of a policy: how many results each model judged; the ten that were most"
    )


class QualityOfCriterion(Model):
    """How a criterion was judged."""

    text: str = Field(description="its first 300 characters; empty: of all others together")
    passed: int = 0
    failed: int = 0
    unassessed: int = Field(0, description="the judge could not assess it, or proved nothing")


class Quality(Model):
    """How much was accepted within a range, of which agents, by which judges, and for which criteria."""

    points: list[QualityPoint] = Field(description="from the first on that has any, without a gap")
    totals: QualityCounts
    agents: list[QualityOf] = Field(default_factory=list, description="those with the most results first; 500 at most")
    judges: list[QualityOf] = Field(default_factory=list, description="the most judged first")
    criteria: list[QualityOfCriterion] = Field(
        default_factory=list, description="those that were not passed most first; 100 at most"
    )
    others: QualityOfCriterion | None = optional("all other criteria together, where there are any")


class Worker(Model):
    """A jobstore, an executor or a validator, as it reported last."""

    id: str = Field(description="of a worker its owner, of a jobstore its epoch")
    kind: str = Field(description="`jobstore`, `executor` or `validator`")
    version: str = Field("", description="empty where it reports none")
    silent_s: float = Field(0.0, description="since it was last heard of")
    ends: bool = Field(False, description="whether it was told to stop, and so takes nothing more")
    capacity: int = Field(0, description="how many leases it holds at once; 0 of a jobstore")
    room: int = Field(0, description="for how many more leases it has room")
    bound: str = Field("", description="what bounds them: `memory`, `files` or `setting`")
    partitions: int | None = optional("how many partitions it reads")
    paced: int = Field(0, description="how many asks of judges wait for the pace that their servers take")
    protocols: list[str] = Field(default_factory=list, description="by which an executor calls agents")
    judge: str = Field("", description="the version of the policy `default` that a validator's settings are")
    keys: list[str] = Field(default_factory=list, description="the names of the keys that a validator has")
    code: str | None = optional(
        "what is wrong: `silent`, `no_partitions`, `group_stalled`, `clock_differs` or `version_differs`"
    )
    message: str | None = optional("that, in a sentence,")
    remedy: str | None = optional("and what to do")


class Workers(Model):
    """The processes that serve."""

    workers: list[Worker] = Field(
        default_factory=list, description="those that something is wrong with first; 500 at most"
    )
