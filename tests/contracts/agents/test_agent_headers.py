"""Headers of agents refer to their values; a user and password in a URL are found and hidden."""

import pytest
from pydantic import ValidationError

from contracts.agents import has_userinfo, hide_userinfo
from contracts.resources import NewAgent
from signoff.types import Agent

REFERENCES = ["env:SIGNOFF_AGENT_WRITER", "env:SIGNOFF_AGENT_x1", "file:token", "file:writer/token", "file:/run/a b"]
LITERALS = [
    *("s3cret-value", "Bearer s3cret-value", "", " ", "env:", "file:", "env:HOME", "env:SIGNOFF_TOKEN"),
    *("env:SIGNOFF_AGENT_", "env:signoff_agent_x", " env:SIGNOFF_AGENT_X", "env:SIGNOFF_AGENT_X ", "file:a\nb"),
    *("env:SIGNOFF_AGENT_X\n", "ENV:SIGNOFF_AGENT_X", "vault:x", "file:" + "x" * 501, "env:SIGNOFF_AGENT_X-Y"),
]
RESERVED = [
    *("Host", "HOST", "content-length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "connection", "TE"),
    *("Idempotency-Key", "idempotency-key", "Signoff-Call", "SIGNOFF-ATTEMPT", "signoff-anything", "ce-id", "ce_id"),
    *(
        "traceparent",
        "Tracestate",
        "Accept",
        "Accept-Encoding",
        "User-Agent",
        "Expect",
        "Upgrade",
        "Proxy-Authorization",
    ),
    *("A2A-Version", "a2a-version", "webhook-id", "Webhook-Signature", "webhook-timestamp"),
]
NO_NAMES = ["", " ", "a b", "a:", "a\n", "ä", "X" * 101, "a\0", "(a)"]


def new(**fields):
    return NewAgent(**{"name": "a", "url": "http://a/", **fields})


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_value_is_given_by_reference(reference):
    assert new(headers={"Authorization": reference}).headers == {"Authorization": reference}


@pytest.mark.parametrize("literal", LITERALS)
def test_a_value_itself_is_refused_with_what_to_do_and_is_not_quoted(literal):
    with pytest.raises(ValidationError, match=r"env:SIGNOFF_AGENT_<NAME>.*file:<path>") as refused:
        new(headers={"X-Key": literal})
    assert "s3cret" not in str(refused.value)
    assert "s3cret" not in repr(refused.value)


@pytest.mark.parametrize("reference", ["env:OPENAI_API_KEY", "env:SIGNOFF_AGENT_"])
def test_a_variable_that_executors_do_not_read_is_not_called_a_value(reference):
    for fields in ({"headers": {"X-Key": reference}}, {"signing": reference}):
        with pytest.raises(ValidationError, match="in a variable that executors do not read"):
            new(**fields)


@pytest.mark.parametrize("name", RESERVED)
def test_a_header_that_the_executor_sets_is_refused(name):
    with pytest.raises(ValidationError, match="set by the executor"):
        new(headers={name: "env:SIGNOFF_AGENT_X"})


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_name_of_a_header_is_refused(name):
    with pytest.raises(ValidationError, match="a header is named"):
        new(headers={name: "env:SIGNOFF_AGENT_X"})


def test_headers_are_bounded_and_each_has_one_value():
    many = {f"X-{number}": "env:SIGNOFF_AGENT_X" for number in range(17)}
    with pytest.raises(ValidationError, match="at most 16"):
        new(headers=many)
    with pytest.raises(ValidationError, match="same name"):
        new(headers={"X-Key": "env:SIGNOFF_AGENT_X", "x-key": "env:SIGNOFF_AGENT_Y"})


def test_a_reader_of_facts_takes_agents_from_before_and_from_after():
    fields = {"id": "a", "name": "a", "url": "http://u:p@a/"}
    fields |= {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    assert Agent.model_validate(fields).headers == {}
    assert Agent.model_validate(fields | {"headers": {"X": "vault:later"}}).headers == {"X": "vault:later"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:secret@a/b", "http://***@a/b"),
        ("HTTPS://secret@a", "HTTPS://***@a"),
        ("http://u@x:secret@a:8/b?c@d", "http://***@a:8/b?c@d"),
        ("http:user:secret@a/", "http:***@a/"),
        ("http:\\\\user:secret@a/", "http:\\\\***@a/"),
        ("http://:secret@a/", "http://***@a/"),
        ("http://***@a/", "http://***@a/"),
    ],
)
def test_a_user_and_password_in_a_url_are_found_and_hidden(url, shown):
    assert has_userinfo(url)
    assert hide_userinfo(url) == shown
    assert hide_userinfo(f"no connection to {url}: nothing") == f"no connection to {shown}: nothing"


@pytest.mark.parametrize("url", ["http://a/b@c", "http://a?b@c", "http://a#b@c", "http://[::1]:80/", "http://a/http"])
def test_a_url_without_them_stays(url):
    assert not has_userinfo(url)
    assert hide_userinfo(f"{url} of me@there") == f"{url} of me@there"


def test_a_tab_hides_no_password():
    assert has_userinfo("http://u:\tp@a/")
