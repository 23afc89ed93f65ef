"""Keep a judge for each model that policies name, and their connections as long as they are asked."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Self

from pydantic import JsonValue

from contracts.judging.policy import JudgeModel
from servicekit.addresses import HostPort, Network
from validator.judge_config import JudgeConfig
from validator.judges.keys import JudgeKeys
from validator.judges.openai import OpenAIJudge
from validator.judges.probing import Capabilities
from validator.judges.servers import Servers
from validator.ports import Judge, Reply
from validator.prompt import Question

#: Judges that are kept; of more, those that were not asked for the longest time are closed.
JUDGES_MAX: Final = 64


class JudgeRoster:
    """The judges of one validator: its own, and those of policies. Close it when done."""

    def __init__(self, own: JudgeConfig, keys: JudgeKeys, allowed: list[Network | HostPort]) -> None:
        """Raise JudgeUnavailableError if the validator's own judge is not configured."""
        self._servers = Servers()
        self._own = OpenAIJudge(own, self._servers)
        self._keys = keys
        self._allowed = allowed
        self._judges: OrderedDict[str, _KeptJudge] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._own.close()
        for judge in self._judges.values():
            await judge.retire()

    def judge_of(self, model: JudgeModel | None) -> Judge:
        """Return the judge of a policy's model; of None, the validator's own."""
        return self._own if model is None else _Named(self, model)

    async def probe(self, model: JudgeModel | None) -> JsonValue:
        """Return what the server of a model can, as JSON. Raise as OpenAIJudge.probe does."""
        judge = self._own if model is None else await self.find(model)
        return (await judge.probe()).model_dump(mode="json", exclude_none=True)

    async def find(self, model: JudgeModel) -> "_KeptJudge":
        """Return the judge that is kept for a model. Raise JudgeUnavailableError if it may not be asked."""
        name = model.asked_as
        if (kept := self._judges.get(name)) is None:
            config = self._keys.resolve(model)
            # Where the validator's own judge is, is the operator's word; a policy is held to the public internet.
            allowed = None if self._keys.is_own(config.base_url) else self._allowed
            kept = self._judges[name] = _KeptJudge(OpenAIJudge(config, self._servers, allowed))
            if len(self._judges) > JUDGES_MAX:
                await self._judges.popitem(last=False)[1].retire()
        self._judges.move_to_end(name)
        return kept


class _Named:
    """The judge of a model, looked up at each ask: what an operator mends meanwhile counts."""

    def __init__(self, roster: JudgeRoster, model: JudgeModel) -> None:
        self._roster = roster
        self._model = model

    async def ask(self, question: Question) -> Reply:
        """Ask once, as the port says."""
        return await (await self._roster.find(self._model)).ask(question)


class _KeptJudge:
    """A judge that is closed once it is asked no more."""

    def __init__(self, judge: OpenAIJudge) -> None:
        self._judge = judge
        self._asks = 0
        self._is_retired = False

    async def ask(self, question: Question) -> Reply:
        async with self._kept():
            return await self._judge.ask(question)

    async def probe(self) -> Capabilities:
        async with self._kept():
            return await self._judge.probe()

    @asynccontextmanager
    async def _kept(self) -> AsyncIterator[None]:
        self._asks += 1
        try:
            yield
        finally:
            self._asks -= 1
            if self._is_retired and not self._asks:
                await self._judge.close()

    async def retire(self) -> None:
        """Close the judge, or as soon as it has answered."""
        self._is_retired = True
        if not self._asks:
            await self._judge.close()
