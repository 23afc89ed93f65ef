"""Remember what this process found out about the servers behind its judges: in memory alone, and not for ever."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from validator.judge_config import ApiName
from validator.judges.forms import Form
from validator.judges.gate import Gate
from validator.judges.quotas import Said

#: What a server could not do is tried again after this time, by one request.
TRY_AGAIN_S = 3_600.0
#: Where the server took a request in no form, the next one is not tried in all of them within this time.
LOOK_AGAIN_S = 60.0
#: Servers and models that are remembered, those used last.
REMEMBERED_MAX = 256

#: Ends of OpenAI's own hosts.
_OPENAI = ("api.openai.com", ".openai.azure.com")

K = TypeVar("K")
T = TypeVar("T")


class Memory:
    """What was found out about one model at one server."""

    def __init__(self, best: Form) -> None:
        self.finding = asyncio.Lock()  # one request at a time looks for a form that is taken
        self.form = best
        self.is_proven = False  # whether the server took a request of that form
        self.thinks = False  # whether the model needs room to think before it answers
        self.told = Said()  # by the headers of the last answer
        self._best = best
        self._given_up_at = self._failed_at = float("-inf")

    @property
    def is_settled(self) -> bool:
        """Whether a refusal that names no reason is of the question: also where no other form helped a while ago."""
        return self.is_proven or time.monotonic() - self._failed_at < LOOK_AGAIN_S

    def choose(self) -> Form:
        """Return the form for a request: the one that is taken, and now and then the best one."""
        if self.form is not self._best and time.monotonic() - self._given_up_at > TRY_AGAIN_S:
            self._given_up_at = time.monotonic()
            return self._best
        return self.form

    def fail(self) -> None:
        """Remember that no form was taken."""
        self._failed_at = time.monotonic()

    def learn(self, form: Form) -> None:
        """Remember that the server took a request of this form."""
        if form != self.form:
            self._given_up_at = time.monotonic()
        self.form = self._best if form == self._best else form
        self.is_proven = True


class Servers:
    """The servers that this process asks: what each takes, and at which pace. Judges of one process share it."""

    def __init__(self) -> None:
        self._memories: OrderedDict[tuple[str, str, ApiName | None], Memory] = OrderedDict()
        self._gates: OrderedDict[tuple[str, str], Gate] = OrderedDict()

    def recall(self, base_url: str, model: str, api: ApiName | None) -> Memory:
        """Return what is known of a model at a server; `api` is None where that is to be found out, too."""
        return _get(self._memories, (base_url, model, api), lambda: Memory(_choose_best(base_url, api)))

    def find_gate(self, base_url: str, key: str) -> Gate:
        """Return the way to a server with a key: limits are the key's."""
        return _get(self._gates, (base_url, key), lambda: Gate(urlsplit(base_url).netloc.rpartition("@")[2]))


def _choose_best(base_url: str, api: ApiName | None) -> Form:
    """Return the form to begin with: others than OpenAI know the older name of a limit, and may ignore the newer."""
    is_openai = (urlsplit(base_url).hostname or "").endswith(_OPENAI)
    return Form(api or "chat", tokens_field="max_completion_tokens" if is_openai else "max_tokens")


def _get(kept: OrderedDict[K, T], key: K, make: Callable[[], T]) -> T:
    """Return what is kept under a key, made if it is not there; of too many the one longest unused goes."""
    value = kept.get(key)
    if value is None:
        value = kept[key] = make()
    kept.move_to_end(key)
    if len(kept) > REMEMBERED_MAX:
        kept.popitem(last=False)
    return value
