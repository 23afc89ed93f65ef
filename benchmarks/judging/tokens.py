"""Count what asking costs: fixed text, what a further ask shares with the first, and an ask for each criterion.

Judges are asked over HTTP, at a server that counts a token for four characters of messages and schema, and keeps in its
cache the messages of all that it was asked. Cached tokens have a tenth of the price of others.
"""

import asyncio
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from measuring.figures import make_table

from contracts.criteria import Criterion
from contracts.judging.policy import Asks, JudgePolicy, Stage, Verdict
from validator.judge_config import JudgeConfig
from validator.judges.openai import OpenAIJudge
from validator.judging import validate_agent_response
from validator.prompt import PROMPTS

CHARS_A_TOKEN: Final = 4
CACHED_PRICE: Final = 0.1
SHORT: Final = "The capital city is Oslo"
_LINES: Final = ("def greet(name: str) -> str:", '    """Return a greeting."""', '    return f"Hello, {name}!"', "")
LONG: Final = "\n".join(_LINES * 200)[:8_000]
CRITERIA: Final = [Criterion(text=f"It defines what function number {number} returns") for number in range(1, 11)]
#: An answer of about as many tokens as a judge writes of a criterion.
_SAID: Final = {"comment": "It defines the function and says what it returns.", "outcome": "pass"}


def count_tokens(text: str) -> int:
    """Return how many tokens a text has, by the rule of this server."""
    return math.ceil(len(text) / CHARS_A_TOKEN)


def count_shared(text: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    pairs = enumerate(zip(text, other, strict=False))
    return next((place for place, (one, another) in pairs if one != another), min(len(text), len(other)))


@dataclass
class CountingServer:
    """Pass every criterion with a quotation, after one answer without, if any; and count what is read."""

    quote: str
    faulty: int = 0
    asked: list[str] = field(default_factory=list)  # the messages, as one text
    schemas: list[str] = field(default_factory=list)
    cached: list[int] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one question."""
        body = await request.json()
        text = "\n".join(message["content"] for message in body["messages"])
        schema = body["response_format"]["json_schema"]["schema"]
        shared = max((count_shared(text, before) for before in self.asked), default=0)
        self.cached.append(shared // CHARS_A_TOKEN)
        self.asked.append(text)
        self.schemas.append(json.dumps(schema, separators=(",", ":")))
        quotes = [] if len(self.asked) <= self.faulty else [self.quote]
        names = [name for name in schema["properties"] if name != "reason"]
        said = {name: {**_SAID, "evidence": quotes} for name in names} | {"reason": "Nothing is missing."}
        tokens = {
            "prompt_tokens": count_tokens(text) + count_tokens(self.schemas[-1]),
            "prompt_tokens_details": {"cached_tokens": self.cached[-1]},
            "completion_tokens": count_tokens(json.dumps(said)),
        }
        choice = {"index": 0, "message": {"role": "assistant", "content": json.dumps(said)}, "finish_reason": "stop"}
        return web.json_response({"model": "counting", "usage": tokens, "choices": [choice]})

    @property
    def cost(self) -> float:
        """What was read, in tokens that are not cached: a cached one is a tenth."""
        read = sum(count_tokens(text) for text in [*self.asked, *self.schemas])
        return read - (1 - CACHED_PRICE) * sum(self.cached)

    @property
    def shared(self) -> float:
        """The share of the messages of the second ask that those of the first begin with."""
        return self.cached[1] * CHARS_A_TOKEN / len(self.asked[1])


async def ask(
    result: str, criteria: Sequence[Criterion], *, asks: Asks = "all", prompt: int | None = None, faulty: int = 0
) -> tuple[CountingServer, Verdict]:
    """Judge a result at a server, and return what that counted."""
    server = CountingServer(result.splitlines()[0], faulty)
    app = web.Application(client_max_size=16 << 20)
    app.router.add_post("/v1/chat/completions", server.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port: int = runner.addresses[0][1]
        config = JudgeConfig(api_key="none", base_url=f"http://127.0.0.1:{port}/v1", model="counting")
        policy = JudgePolicy(name="counted", stages=[Stage(kind="single")], asks=asks, prompt=prompt, loop=[])
        async with OpenAIJudge(config) as judge:
            return server, await validate_agent_response(result, criteria, config, judge=judge, policy=policy)
    finally:
        await runner.cleanup()


@dataclass(frozen=True)
class Counted:
    """What asking by one version of the prompt costs."""

    fixed: int  # tokens of the messages of an ask by one criterion about a result of five words, without both
    schema: int
    next_short: float  # what the second ask begins with alike: about another criterion, and after a faulty answer
    next_long: float
    again_short: float
    again_long: float
    long: int  # tokens of the one ask about LONG
    each: float  # of what one ask for all criteria costs
    auto: float


async def count(prompt: int) -> Counted:
    """Return what asking by one version of the prompt costs."""
    criterion = CRITERIA[:1]
    once, _ = await ask(SHORT, criterion, prompt=prompt)
    others = [(await ask(text, CRITERIA[:2], asks="each", prompt=prompt))[0].shared for text in (SHORT, LONG)]
    again = [(await ask(text, criterion, prompt=prompt, faulty=1))[0].shared for text in (SHORT, LONG)]
    cost: dict[Asks, CountingServer] = {}
    ways: Sequence[Asks] = ("all", "each", "auto")
    for asks in ways:
        cost[asks], _ = await ask(LONG, CRITERIA, asks=asks, prompt=prompt)
    given = count_tokens(SHORT) + count_tokens(criterion[0].text)
    return Counted(
        fixed=count_tokens(once.asked[0]) - given,
        schema=count_tokens(once.schemas[0]),
        next_short=others[0],
        next_long=others[1],
        again_short=again[0],
        again_long=again[1],
        long=count_tokens(cost["all"].asked[0]),
        each=cost["each"].cost / cost["all"].cost,
        auto=cost["auto"].cost / cost["all"].cost,
    )


def describe_tokens() -> list[str]:
    """Return the table of what asking costs, by version of the prompt."""
    counted: list[Counted] = [asyncio.run(count(prompt)) for prompt in PROMPTS]
    rows: list[tuple[Any, ...]] = [
        ("fixed text of an ask, tokens", *(one.fixed for one in counted)),
        (".. and the schema of an answer by one criterion", *(one.schema for one in counted)),
        ("ask by ten criteria about 8,000 characters of code, tokens", *(one.long for one in counted)),
        *(
            (f"{what}, {length}, begins as the first ask, %", *(f"{100 * getattr(one, name):.0f}" for one in counted))
            for what, length, name in (
                ("an ask about another criterion", "five words", "next_short"),
                ("an ask about another criterion", "8,000 characters", "next_long"),
                ("an ask after a faulty answer", "five words", "again_short"),
                ("an ask after a faulty answer", "8,000 characters", "again_long"),
            )
        ),
        ("`each` of ten criteria costs, times `all`", *(f"{one.each:.2f}" for one in counted)),
        ("`auto` of ten criteria costs, times `all`", *(f"{one.auto:.2f}" for one in counted)),
    ]
    return make_table(("asking, by version of the prompt", *(str(prompt) for prompt in PROMPTS)), rows)
