"""One tenant's dead judge holds up nobody else's judging: who waits for it has no slot, and who asks it a share."""

import asyncio
import json
from collections.abc import Sequence
from uuid import UUID

import fake_judge as fake
from support.factories import incoming, lease, result_produced
from support.fakes import FakeLeases, FakePublisher, until, working

from contracts.events import ResultProduced
from contracts.judging.policy import JudgeModel, JudgePolicy, Stage
from contracts.signing import KeyUse
from servicekit.leasing.worker import COPIES, WORK_BYTES, Worker
from validator.errors import JudgeUnavailableError
from validator.handlers import Handlers
from validator.judge_config import JudgeConfig
from validator.ports import Claim, Grant, Judge, Reply
from validator.prompt import Question

DEAD = JudgePolicy(
    name="dead", version=1, stages=[Stage(kind="single", judges=[JudgeModel(model="dead")])]
).model_dump_json()


class Judgings:
    """Grants results, those of the title "dead" to be judged by a model that is."""

    def __init__(self) -> None:
        self.rooms: list[int] = []

    async def claim(self, owner: UUID, room: int, claims: Sequence[Claim]) -> list[Grant]:
        del owner
        self.rooms.append(room)
        events = [ResultProduced.model_validate_json(claim.result) for claim in claims]
        return [self._grant(event) for event in events]

    def _grant(self, event: ResultProduced) -> Grant:
        is_dead = event.title == "dead"
        return Grant(
            lease=lease(event.execution_id, 7, KeyUse.JUDGING),
            lease_s=60.0,
            acceptance_criteria=event.acceptance_criteria,
            result_hash=event.result_hash,
            policy=DEAD if is_dead else "",
            tenant="large" if is_dead else "small",
        )


class Hanging:
    """Never answers, or says at once that it does not."""

    def __init__(self) -> None:
        self.asked = 0
        self.hangs = True

    async def ask(self, question: Question) -> Reply:
        del question
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        raise JudgeUnavailableError("away")


class Sound:
    async def ask(self, question: Question) -> Reply:
        return Reply(json.dumps(fake.answer(question.count)))


class Place:
    """A validator with ten slots, and two judges."""

    def __init__(self, **bounds: int) -> None:
        self.dead, self.publisher, self.leases = Hanging(), FakePublisher(), FakeLeases()
        self.worker = Worker("test", self.leases, 10, 1_000, **bounds)
        self.judgings, config = Judgings(), JudgeConfig(api_key="sk-test")
        self.handlers = Handlers(self.worker, self.judgings, self._judge_of, config, self.publisher)  # type: ignore[arg-type]

    def _judge_of(self, model: JudgeModel | None, _: str) -> Judge:
        return Sound() if model is None else self.dead

    async def handle(self, title: str, count: int, result: str = "") -> None:
        given = {"title": title, "result": {"text": result}} if result else {"title": title}
        await self.handlers.on_result_produced([incoming(result_produced(**given)) for _ in range(count)])


async def test_a_judge_that_hangs_has_its_share_of_the_slots_and_the_others_judge() -> None:
    place = Place()
    async with working(place.worker):
        await place.handle("dead", 50)
        await until(lambda: place.dead.asked == 8)
        assert place.worker.room == 2
        await place.handle("sound", 5)
        await until(lambda: len(place.publisher.events) == 5)
        assert place.dead.asked == 8


async def test_while_a_judge_is_away_nobody_who_waits_for_it_has_a_slot() -> None:
    place = Place()
    place.dead.hangs = False
    async with working(place.worker):
        await place.handle("dead", 50)
        await until(lambda: place.dead.asked >= 50 and place.worker.room == 10)
        assert len(place.worker._held) == 50
        assert all(held.judge_away_s is not None for held in place.worker._held.values())


async def test_beyond_the_bound_leases_are_given_back_to_be_due_later() -> None:
    place = Place(waiting_max_bytes=10 * WORK_BYTES)
    place.dead.hangs = False
    async with working(place.worker):
        await place.handle("dead", 50)
        await until(lambda: len(place.leases.given_back) >= 41)
        assert len(place.leases.due_after_s) == len(place.leases.given_back)
        assert min(place.leases.due_after_s.values()) >= 30
        await place.handle("sound", 1)
        await until(lambda: place.publisher.events)


async def test_as_many_results_are_claimed_as_there_is_memory_for() -> None:
    """A record says how large its result is, before anything is granted."""
    place = Place(slot_bytes=COPIES * 10_000)
    async with working(place.worker):
        await place.handle("dead", 20)
        await until(lambda: place.worker.room == 2)
        await place.handle("dead", 20, "x" * 45_000)
        assert place.judgings.rooms == [10, 1]
        await until(lambda: place.worker._slots.free == 2)
        await place.handle("sound", 20)
    assert place.judgings.rooms[2] == 2
