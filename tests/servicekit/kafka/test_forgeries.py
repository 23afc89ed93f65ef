"""Of forged requests of one execution one is a dead letter."""

import pytest
from support.factories import record

from contracts.signing import SIGNATURE_HEADER, KeyUse, Secret, Secrets
from servicekit.errors import PermanentError
from servicekit.kafka.dead_letters import FORGED_BYTES, Forgeries, to_dead_letter
from signoff.errors import ErrorCode
from signoff.values import new_execution_id

FORGER = Secrets([Secret("forger", bytes(32))])
FORGED, MALFORMED, FOREIGN = (
    PermanentError("not signed", code=ErrorCode.BAD_SIGNATURE),
    PermanentError("no JSON", code="malformed_json"),
    PermanentError("of another tenant", code=ErrorCode.FORBIDDEN_TENANT),
)


def forged(execution_id, body=b"{}"):
    return record(body, headers=[(SIGNATURE_HEADER, FORGER.make_key(KeyUse.EXECUTE, execution_id).sign(body).encode())])


async def bury(forgeries, *records, error=FORGED):
    return [one for one, _ in await forgeries.choose_dead([(one, error) for one in records])]


@pytest.mark.parametrize("error", [FORGED, FOREIGN], ids=str)
async def test_one_an_execution_is_buried(error):
    forgeries, first, second = Forgeries(), new_execution_id(), new_execution_id()
    records = [forged(first), forged(second), forged(first, b"another"), forged(first)]
    assert await bury(forgeries, *records, error=error) == records[:2]
    assert await bury(forgeries, *records, error=error) == []


def test_of_what_names_another_tenant_the_beginning_is_kept():
    letter = to_dead_letter("dlq", forged(new_execution_id(), b"x" * (FORGED_BYTES + 1)), FOREIGN)
    assert (len(letter.value), dict(letter.headers)["dlq-body"]) == (FORGED_BYTES, b"cut")


@pytest.mark.parametrize("headers", [(), [(SIGNATURE_HEADER, b"nonsense")]], ids=["unsigned", "nonsense"])
async def test_what_names_no_execution_is_told_apart_by_its_key(headers):
    forgeries = Forgeries()
    records = [record(b"{}", key=key, headers=headers) for key in (b"a", b"b", None, b"a", None)]
    assert await bury(forgeries, *records) == records[:3]


async def test_what_is_wrong_otherwise_is_always_buried():
    forgeries, one = Forgeries(), forged(new_execution_id())
    assert await bury(forgeries, one, one, error=MALFORMED) == [one, one]


async def test_what_is_remembered_is_bounded():
    forgeries = Forgeries(remembered_max=2)
    records = [forged(new_execution_id()) for _ in range(3)]
    assert await bury(forgeries, *records) == records
    assert await bury(forgeries, records[2], records[1]) == []
    assert await bury(forgeries, records[0]) == [records[0]]
