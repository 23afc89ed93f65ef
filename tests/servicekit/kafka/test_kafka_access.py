"""The settings by which Kafka is reached, and the clients that are made by them."""

import asyncio
from pathlib import Path

import pytest
from pydantic_settings import SettingsConfigDict

from localstack.certificates import Authority
from servicekit import retry
from servicekit.errors import PermanentError, RefusedError, TransientError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.settings import KafkaFields, Mechanism, Security
from servicekit.process.settings import EnvironmentSettings, load_settings
from signoff.errors import ErrorCode


class Settings(KafkaFields, EnvironmentSettings):
    model_config = SettingsConfigDict(env_prefix="SIGNOFF_")


def load(monkeypatch: pytest.MonkeyPatch, **variables: object) -> KafkaAccess:
    for name, value in variables.items():
        monkeypatch.setenv(f"SIGNOFF_KAFKA_{name}", str(value))
    return KafkaAccess.of(load_settings(Settings))


def test_without_settings_nothing_is_encrypted_and_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = dict.fromkeys(("SECURITY", "MECHANISM", "USER", "PASSWORD", "PASSWORD_FILE", "CA", "TOKEN_FILE"), "")
    assert load(monkeypatch, **empty) == KafkaAccess("localhost:9092")


USER = {"SECURITY": "SASL_SSL", "USER": "jobstore", "PASSWORD": "p"}
REFUSED = {
    "SIGNOFF_KAFKA_USER is set, and SIGNOFF_KAFKA_SECURITY=PLAINTEXT makes no use of it": {"USER": "jobstore"},
    "SIGNOFF_KAFKA_CA is set, and SIGNOFF_KAFKA_SECURITY=SASL_PLAINTEXT": USER
    | {"SECURITY": "SASL_PLAINTEXT", "CA": "/"},
    "SIGNOFF_KAFKA_MECHANISM=SCRAM-SHA-512 needs SIGNOFF_KAFKA_PASSWORD": {"SECURITY": "SASL_SSL", "USER": "jobstore"},
    "SIGNOFF_KAFKA_MECHANISM=PLAIN needs SIGNOFF_KAFKA_USER": {"SECURITY": "SASL_SSL", "MECHANISM": "PLAIN"},
    "SIGNOFF_KAFKA_MECHANISM=OAUTHBEARER needs SIGNOFF_KAFKA_TOKEN_FILE": {
        "SECURITY": "SASL_SSL",
        "MECHANISM": "OAUTHBEARER",
    },
    "SIGNOFF_KAFKA_CERTIFICATE and SIGNOFF_KAFKA_KEY go together": {"SECURITY": "SSL", "KEY": "/nowhere"},
    "a file of SIGNOFF_KAFKA_CA, .* cannot be used": USER | {"CA": "/nowhere"},
    "SIGNOFF_KAFKA_SECURITY is not valid": {"SECURITY": "TLS"},
}


@pytest.mark.parametrize("words", REFUSED)
def test_settings_that_do_not_go_together_stop_the_start(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PermanentError, match=words):
        load(monkeypatch, **REFUSED[words])


def test_another_process_is_given_the_same_access(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("jobstore")
    (tmp_path / "password").write_text("p\n")
    files = {"CA": authority.ca, "CERTIFICATE": certificate, "KEY": key, "PASSWORD_FILE": tmp_path / "password"}
    made = load(monkeypatch, SECURITY="SASL_SSL", USER="jobstore", **files)
    assert (made.password, made.mechanism) == ("p", Mechanism.SCRAM_SHA_512)
    for name, value in made.to_environment().items():
        monkeypatch.setenv(name, value)
    assert load(monkeypatch) == made


def test_an_authority_keeps_what_it_has_made(tmp_path: Path) -> None:
    made = Authority(tmp_path).issue("kafka")
    before = [path.read_bytes() for path in made]
    assert [path.read_bytes() for path in Authority(tmp_path).issue("kafka")] == before
    (tmp_path / "ca.pem").unlink()
    assert [path.read_bytes() for path in Authority(tmp_path).issue("kafka")] != before


async def test_every_client_is_given_all_addresses_user_and_tls(tmp_path: Path) -> None:
    access = KafkaAccess("k:1,l:2", Security.SASL_SSL, user="me", password="p", ca=Authority(tmp_path).ca)
    broker = access.make_broker(client_id="test", consumer_only=True, logger=None)
    producer, consumer, of_broker = access.make_producer(), access.make_consumer(), (await broker.connect())()
    clients = [access.make_client(), access.make_admin()._client]
    clients += [producer.client, consumer._client, of_broker._client]
    for client in clients:
        assert sorted((host, port) for host, port, _ in client.hosts) == [("k", 1), ("l", 2)]
        assert client._sasl_plain_username == "me"
        assert client._ssl_context().verify_mode
        assert (client._security_protocol, client._sasl_mechanism) == ("SASL_SSL", "SCRAM-SHA-512")
    await asyncio.gather(broker.stop(), producer.stop(), consumer.stop(), of_broker.stop())


async def test_a_token_is_read_at_each_connection(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    client = KafkaAccess("k:1", Security.SASL_PLAINTEXT, Mechanism.OAUTHBEARER, token_file=token).make_client()
    assert await client._sasl_oauth_token_provider.token() == "first"
    token.write_text("second")
    assert await client._sasl_oauth_token_provider.token() == "second"


async def test_a_refusal_is_tried_again_for_a_while_and_an_outage_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "REFUSAL_S", 0.2)
    refusal, tries = RefusedError("no", code=ErrorCode.KAFKA_FORBIDDEN), 0

    async def ask() -> None:
        nonlocal tries
        tries += 1
        raise TransientError("away") if tries == 1 else refusal

    with pytest.raises(RefusedError):
        await asyncio.wait_for(retry.retry_transient(ask, on="kafka", longest_s=0.05), 5)
    assert tries > 3
