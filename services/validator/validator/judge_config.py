"""Declare how to reach a judge, and the limits of one judgement."""

from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from contracts.criteria import CRITERIA_MAX, CRITERION_MAX_CHARS
from contracts.judging.policy import DEFAULT_POLICY, JudgeModel, JudgePolicy, LoopStep, Stage
from contracts.sizes import LIMIT_MAX_BYTES
from signoff.jsontext import json_text
from validator.wordings import PROMPT_VERSION

#: Whatever passed the doors is judged in full.
DOCUMENT_MAX_CHARS: Final = LIMIT_MAX_BYTES + CRITERIA_MAX * CRITERION_MAX_CHARS

#: How results are judged where nobody says otherwise, made once for all of them.
_PLAIN: Final = JudgePolicy(name=DEFAULT_POLICY)

#: The two shapes of OpenAI's API that a judge may speak.
ApiName = Literal["chat", "responses"]


#: Tokens for the thoughts of a model that was found to need them.
THINKING_TOKENS: Final = 4_096


class JudgeConfig(BaseModel):
    """How to reach a judge, and the limits of one judgement.

    The SDK reads OPENAI_API_KEY and OPENAI_BASE_URL where `api_key` and `base_url` are None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_key: str | None = Field(None, repr=False)
    base_url: str | None = None
    model: str = "gpt-5.4-mini"
    api: ApiName | None = Field("chat", description="None: found out")
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="sent with every question, such as temperature"
    )
    timeout_s: float = Field(120.0, gt=0, description="of one whole call; a drip of bytes does not extend it")
    connect_timeout_s: float = Field(5.0, gt=0)
    max_asks: int = Field(4, ge=1, description="calls for one criterion, where the answers are nonsense or doubtful")
    asks_within_s: float = Field(
        30.0, gt=0, description="of answers about one result; what is doubtful then is not asked about again"
    )
    thinking_tokens: int | None = Field(
        None, ge=0, description="of an answer, beyond what the verdict itself needs; None: if the model needs them"
    )
    document_max_chars: int = Field(
        DOCUMENT_MAX_CHARS, ge=1, description="of criteria and result together, as JSON; by default all that doors take"
    )
    section_chars: int = Field(400_000, ge=2_000, description="a longer result is judged by sections of so many")
    refuter: JudgeModel | None = Field(
        None, description="who is to refute the pass of a resubmission, best of another family; None: the judge itself"
    )
    confirmer: JudgeModel | None = Field(
        None, description="who is to confirm that quoted passages show what passed; None: nobody"
    )
    answer_max_bytes: int = Field(1 << 20, ge=1, description="of a response's body; the rest is not read")

    @property
    def judge_name(self) -> str:
        """The name under which verdicts may be reused: model, place, and all settings that may change a verdict.

        Verdicts under one name on the identical question are as good as each other. The place stands there if it is not
        OpenAI's, since others give their models the same names. So do those that confirm and refute, if they are
        others. What only delays or refuses a verdict does not.
        """
        told = [
            self.api or "any API",
            f"prompt {PROMPT_VERSION}",
            f"sections of {self.section_chars}",
            f"{self.max_asks} asks within {self.asks_within_s:g} s",
        ]
        if self.thinking_tokens is not None:
            told.append(f"{self.thinking_tokens} tokens to think")
        if self.parameters:
            told.append(json_text(self.parameters))
        for done, other in (("confirmed", self.confirmer), ("refuted", self.refuter)):
            if other is not None:
                told.append(f"{done} by {other.model}{_name_place(other.base_url)}")
        return f"{self.model}{_name_place(self.base_url)} ({', '.join(told)})"

    @property
    def rules(self) -> JudgePolicy:
        """By which stages a result is judged where no policy is named: checks, one judge, and who doubts its passes."""
        if self.confirmer is None and self.refuter is None:
            return _PLAIN
        confirming = [] if self.confirmer is None else [LoopStep(confirm=True, judge=self.confirmer)]
        return _PLAIN.model_copy(update={"loop": [*confirming, LoopStep(judge=self.refuter)]})

    @property
    def policy(self) -> JudgePolicy:
        """What validators report as the policy `default`: these settings, and nothing that is secret."""
        url = urlsplit(self.base_url or "")
        base_url = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}" if self.base_url else None
        model = JudgeModel(
            model=self.model,
            api=self.api,
            base_url=base_url,
            timeout_s=min(self.timeout_s, 3_600),
            thinking_tokens=None if self.thinking_tokens is None else min(self.thinking_tokens, 1_000_000),
        )
        return JudgePolicy(
            name=DEFAULT_POLICY,
            stages=[Stage(kind="checks"), Stage(kind="single", judges=[model])],
            loop=self.rules.loop,
            section_chars=self.section_chars,
            result_max_chars=self.document_max_chars,
            prompt=PROMPT_VERSION,
        )


def _name_place(base_url: str | None) -> str:
    url = urlsplit(base_url or "")
    return f" at {url.netloc.rpartition('@')[2]}{url.path}" if base_url else ""
