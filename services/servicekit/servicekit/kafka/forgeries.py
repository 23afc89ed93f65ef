"""Keep records that nobody vouches for from filling a dead-letter queue."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import ConsumerRecord

from contracts.signing import SIGNATURE_HEADER, Signature
from servicekit.kafka.subscription import Refused
from signoff.errors import ErrorCode

#: Executions of which it is remembered that a dead letter tells of a forged request.
REMEMBERED_MAX: Final = 10_000


class Forgeries:
    """Choose the dead letters: of forged requests of one execution one is enough.

    What is remembered is bounded, and forgotten with the process: then one more dead letter tells the same.
    """

    def __init__(self, remembered_max: int = REMEMBERED_MAX) -> None:
        self._remembered_max = remembered_max
        self._buried: OrderedDict[int, None] = OrderedDict()

    async def choose_dead(self, refused: Sequence[Refused]) -> Sequence[Refused]:
        """Return the records that become dead letters."""
        return [
            (record, error)
            for record, error in refused
            if error.code != ErrorCode.BAD_SIGNATURE or self._is_the_first(record)
        ]

    def _is_the_first(self, record: ConsumerRecord[Any, Any]) -> bool:
        signature = Signature.parse(dict(record.headers).get(SIGNATURE_HEADER))
        named = hash(signature.execution_id if signature is not None else record.key)  # a key may be large
        if named in self._buried:
            return False
        self._buried[named] = None
        if len(self._buried) > self._remembered_max:
            self._buried.popitem(last=False)
        return True
