"""Who may ask by a topic: anybody, or once there are secrets, who signs exactly this request of this execution."""

from uuid import UUID

import pytest
from support.factories import execute_requested, request_body

from contracts.signing import KeyUse, Secret, Secrets
from jobstore.access.upstreams import OPEN, Upstreams
from servicekit.errors import PermanentError
from signoff.values import new_execution_id

UPSTREAM, OTHER, OWN = (Secrets([Secret(name, name.encode() * 32)]) for name in ("upstream", "other", "own"))
SIGNED = Upstreams(UPSTREAM, OWN)
FIRST, SECOND = new_execution_id(), new_execution_id()
BODY = request_body(execute_requested(execution_id=FIRST))


def sign(
    secrets: Secrets = UPSTREAM,
    use: KeyUse = KeyUse.EXECUTE,
    execution_id: UUID = FIRST,
    lease: int = 0,
    body: bytes = BODY,
) -> str:
    return secrets.make_key(use, execution_id, lease).sign(body)


@pytest.mark.parametrize("header", [None, "", b"nonsense", sign(OTHER)])
def test_without_secrets_anybody_may_ask(header):
    OPEN.check(KeyUse.EXECUTE, BODY, header)
    assert OPEN.find_key(FIRST) is None


def test_who_signs_may_ask_and_so_may_the_jobstore():
    Upstreams(UPSTREAM, OWN).check(KeyUse.EXECUTE, BODY, sign())
    SIGNED.check(KeyUse.EXECUTE, BODY, sign().encode())
    key = SIGNED.find_key(FIRST)
    assert key is not None
    SIGNED.check(KeyUse.EXECUTE, BODY, key.sign(BODY))
    SIGNED.check(KeyUse.CANCEL, BODY, sign(use=KeyUse.CANCEL))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        b"\xff",
        sign(OTHER),
        sign(use=KeyUse.CANCEL),
        sign(use=KeyUse.EXECUTING),
        sign(OWN, use=KeyUse.EXECUTING),
        sign(lease=1),
        sign(execution_id=SECOND),
        sign(body=BODY + b" "),
    ],
    ids=[
        *("none", "empty", "bytes", "a secret nobody knows", "of a cancel", "of a report"),
        *("of a report, by the jobstore", "of a lease", "of another execution", "of another body"),
    ],
)
def test_nobody_else_may(header):
    with pytest.raises(PermanentError, match=r"has signed this|of another execution") as refused:
        SIGNED.check(KeyUse.EXECUTE, BODY, header)
    assert refused.value.code == "bad_signature"


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[]", b"{}", b'{"execution_id": 1}', b'{"execution_id": "x"}'])
def test_what_is_signed_and_cannot_be_read_is_left_to_who_reads_it(body):
    SIGNED.check(KeyUse.EXECUTE, body, sign(body=body))
    with pytest.raises(PermanentError):
        SIGNED.check(KeyUse.EXECUTE, body, sign(OTHER, body=body))


@pytest.mark.parametrize("own", [None, UPSTREAM], ids=["none", "the upstream's"])
def test_the_jobstore_needs_secrets_of_its_own_to_sign_its_offers(own):
    with pytest.raises(ValueError, match="SIGNOFF_UPSTREAM_SECRETS"):
        Upstreams(UPSTREAM, own)


def test_the_author_has_the_tenants_of_its_secret_and_the_jobstore_all():
    bound = Upstreams(Secrets([Secret("upstream", b"upstream" * 32, frozenset({"press"}))]), OWN)
    assert bound.check(KeyUse.EXECUTE, BODY, sign()) == ("upstream:upstream", {"press"})
    assert bound.check(KeyUse.EXECUTE, BODY, sign(OWN)) == ("signoff", None)
    assert SIGNED.check(KeyUse.EXECUTE, BODY, sign()) == ("upstream:upstream", None)
    assert OPEN.check(KeyUse.EXECUTE, BODY, None) == ("upstream", None)
