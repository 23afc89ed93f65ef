"""A broker that asks for a client's certificate, and for a user by SCRAM, PLAIN or OAUTHBEARER, as one chooses."""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.events import ExecuteRequested, JobChanged, ResultProduced
from contracts.topics import EXECUTOR_GROUP, TOPIC_OF
from localstack.backing import make_secured
from localstack.datadir import DataDir
from localstack.kafka import Kafka, Secured
from localstack.supervisor import Supervisor
from servicekit.errors import RefusedError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import ensure_topics, start_consuming, wait_for_topics
from servicekit.kafka.publisher import Outgoing, Publisher
from servicekit.kafka.settings import Mechanism
from servicekit.kafka.subscription import make_broker

pytestmark = [pytest.mark.acl, pytest.mark.timeout(300)]

PASSWORD = "of the plain executor"
MORE = f"""
listener.name.client.sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN,OAUTHBEARER
listener.name.client.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_executor="{PASSWORD}";
listener.name.client.oauthbearer.sasl.jaas.config=\
org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="admin";
listener.name.client.ssl.client.auth=required
"""


class Choosy(Kafka):
    """A node that takes three mechanisms, and no client without a certificate."""

    def __init__(self, directory: Path, port: int, controller_port: int, secured: Secured) -> None:
        super().__init__(directory, port, controller_port, short_lived=True, secured=secured)
        self.authority = secured.authority

    def _make_secured(self) -> str:
        return super()._make_secured() + MORE

    def reach_as(self, user: str) -> KafkaAccess:
        certificate, key = self.authority.issue(user)
        return replace(super().reach_as(user), certificate=certificate, key=key)


@pytest.fixture
async def choosy(tmp_path: Path) -> AsyncIterator[Choosy]:
    directory = DataDir(tmp_path)
    with directory.lock():
        ports = (directory.get_port("kafka"), directory.get_port("kafka-controller"))
        kafka = Choosy(tmp_path / "kafka", *ports, make_secured(directory))
        supervisor = Supervisor(directory.logs)
        try:
            await supervisor.start([kafka.make_spec()])
            await ensure_topics(kafka.reach_as("jobstore"), 1)
            yield kafka
        finally:
            await supervisor.stop()


def make_token(user: str) -> str:
    """Make a token without a signature, which a broker takes that has no key to check one with."""
    parts = ({"alg": "none"}, {"sub": user, "iat": time.time(), "exp": time.time() + 3600})
    return ".".join([*(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), ""])


async def test_each_mechanism_makes_the_same_user(choosy: Choosy, tmp_path: Path) -> None:
    scram = choosy.reach_as("executor")
    token = tmp_path / "token"
    token.write_text(make_token("executor"))
    plain = replace(scram, mechanism=Mechanism.PLAIN, password=PASSWORD)
    bearer = replace(scram, mechanism=Mechanism.OAUTHBEARER, user="", password="", token_file=token)
    for access in (scram, plain, bearer):
        assert await access.find_refusal() is None
        await do_an_executors_work(access)
    token.write_text("no token")
    refused = {
        "correct SIGNOFF_KAFKA_USER and SIGNOFF_KAFKA_PASSWORD": replace(plain, password="wrong"),
        "correct SIGNOFF_KAFKA_TOKEN_FILE": bearer,
        "No such file": replace(bearer, token_file=tmp_path / "none"),
        "refuses SIGNOFF_KAFKA_CERTIFICATE, or that there is none": replace(scram, certificate=None, key=None),
    }
    for words, access in refused.items():
        assert words in str(await access.find_refusal())


async def do_an_executors_work(access: KafkaAccess) -> None:
    publisher, broker = Publisher(access, "test"), make_broker(access, "test")
    broker.subscriber(TOPIC_OF[ExecuteRequested], group_id=EXECUTOR_GROUP)(lambda _: None)

    async def ensure() -> None:
        await wait_for_topics(access, "executor")

    await publisher.start()
    (sent,) = await publisher.send([Outgoing(TOPIC_OF[ResultProduced], b"{}")])
    assert not isinstance(sent, Exception)
    (refused,) = await publisher.send([Outgoing(TOPIC_OF[JobChanged], b"{}")])
    assert isinstance(refused, RefusedError)
    async with asyncio.timeout(30):
        await start_consuming(access, broker, ensure)
    await asyncio.gather(publisher.stop(), broker.stop())
