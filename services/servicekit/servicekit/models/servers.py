"""Remember what servers of models take, which is found out by their refusals, and the gates to them."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

from servicekit.models.forms import FORMS_MAX, ApiName, Form, Output, Refusal, choose_fallback
from servicekit.models.pace import AnswerHeaders, Gate, Metrics

log = logging.getLogger(__name__)

K = TypeVar("K")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

#: Seconds after which one request tries again a form that a server refused.
TRY_AGAIN_S = 3_600.0
#: Seconds within which, after a request that a server took in no form, the next is not tried in all forms.
LOOK_AGAIN_S = 60.0
#: Servers and models that are remembered, those used last.
REMEMBERED_MAX = 256

#: Ends of OpenAI's own hosts.
_OPENAI: Final = ("api.openai.com", ".openai.azure.com")


class Memory:
    """What this process has found out about one model at one server, such as the form of request that is supported."""

    def __init__(self, model: str, best: Form) -> None:
        self._model = model
        self.finding = asyncio.Lock()  # one request at a time looks for a supported form
        self.form = best
        self.is_proven = False  # whether the server took a request of that form
        self.thinks = False  # whether the model needs room to think before it answers
        self.headers = AnswerHeaders()  # of the last answer
        self._best = best
        self._given_up_at = self._failed_at = float("-inf")

    @property
    def is_settled(self) -> bool:
        """Whether a refusal without a reason is put down to the question: the form works, or all forms just failed."""
        return self.is_proven or time.monotonic() - self._failed_at < LOOK_AGAIN_S

    def choose(self) -> Form:
        """Return the form for the next request: the supported one or, once in TRY_AGAIN_S, the best one."""
        if self.form is not self._best and time.monotonic() - self._given_up_at > TRY_AGAIN_S:
            self._given_up_at = time.monotonic()
            return self._best
        return self.form

    def fail(self) -> None:
        """Remember that the server has just refused a request in every form."""
        self._failed_at = time.monotonic()

    def learn(self, form: Form) -> None:
        """Remember that the server accepted a request of this form."""
        if form != self.form:
            extra = {"model": self._model, "form": repr(form)}
            log.warning("a model's server does not support all of the API, which is remembered", extra=extra)
            self._given_up_at = time.monotonic()
        self.form = self._best if form == self._best else form
        self.is_proven = True


class Servers:
    """What this process has found out about the servers it asks, and the gates to them; all who ask share both."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._memories: OrderedDict[tuple[str, str, ApiName | None, Output], Memory] = OrderedDict()
        self._gates: OrderedDict[tuple[str, str], Gate] = OrderedDict()
        self._named = set[str]()

    def recall(self, base_url: str, model: str, api: ApiName | None, output: Output = "json_schema") -> Memory:
        """Return the memory of a model at a server; with None for `api`, its API is to be found out, too.

        `output` is the strongest way to hold an answer to its schema that is tried.
        """
        key = (base_url, model, api, output)
        return _get(self._memories, key, lambda: Memory(model, _choose_best(base_url, api, output)))

    def find_gate(self, base_url: str, key: str) -> Gate:
        """Return the gate to a server for an API key, since a server limits its rate for each key."""
        server = urlsplit(base_url).netloc.rpartition("@")[2]
        if server not in self._named and len(self._named) >= REMEMBERED_MAX:
            server = "others"  # metrics keep each name for ever, and whoever registers agents chooses it
        self._named.add(server)
        return _get(self._gates, (base_url, key), lambda: Gate(server, self._metrics))

    def count_waiting(self) -> int:
        """Return how many requests wait for the pace that their servers take."""
        return sum(gate.waiting for gate in self._gates.values())


def _choose_best(base_url: str, api: ApiName | None, output: Output) -> Form:
    """Return the form to try first: servers other than OpenAI's may know the token limit only by its older name."""
    is_openai = (urlsplit(base_url).hostname or "").endswith(_OPENAI)
    return Form(api or "chat", output, tokens_field="max_completion_tokens" if is_openai else "max_tokens")


def _get(kept: OrderedDict[K, T], key: K, make: Callable[[], T]) -> T:
    """Return a key's value in `kept`, made if it is missing; beyond REMEMBERED_MAX, drop the least recently used."""
    value = kept.get(key)
    if value is None:
        value = kept[key] = make()
    kept.move_to_end(key)
    if len(kept) > REMEMBERED_MAX:
        kept.popitem(last=False)
    return value


class FormRefusedError(Exception):
    """The server refused a request, perhaps for its form. `error` is raised if no other form helps."""

    def __init__(self, error: Exception, refusal: Refusal) -> None:
        super().__init__(str(error))
        self.error = error
        self.refusal = refusal


class Post(Protocol[T_co]):
    """A request in a form. If it `teaches`, the memory is told that the server took the form."""

    def __call__(self, form: Form, *, teaches: bool) -> Awaitable[T_co]:
        """Send the request, and return its answer. Raise FormRefusedError if the server may take another form."""


async def ask_in_form(memory: Memory, post: Post[T], *, parameters: Mapping[str, Any], may_switch: bool) -> T:
    """Ask once, in the form that the server is known to support; if it refuses that form, ask in other forms.

    `parameters` are those that may be left out. With `may_switch`, another form may be of the other API.
    """
    form = memory.choose()
    is_trial = form is not memory.form or not memory.is_proven
    try:
        return await post(form, teaches=is_trial)
    except FormRefusedError as refused:
        refusal = refused
    async with memory.finding:  # one request looks for another form, the others wait for it
        if memory.form != form:
            form = memory.form
            try:
                return await post(form, teaches=False)
            except FormRefusedError as refused:
                refusal = refused
        return await _find_form(memory, post, form, refusal, parameters=parameters, may_switch=may_switch)


async def _find_form(
    memory: Memory,
    post: Post[T],
    form: Form,
    refused: FormRefusedError,
    *,
    parameters: Mapping[str, Any],
    may_switch: bool,
) -> T:
    """Ask in one fallback form after another until the server accepts one; else raise the first refusal's error."""
    first, first_api = refused, form.api
    for _ in range(FORMS_MAX):
        fallback = choose_fallback(
            form,
            refused.refusal,
            parameters=parameters,
            may_switch=may_switch and form.api == first_api,
            is_proven=memory.is_settled,
        )
        if fallback is None:
            break
        form = fallback
        try:
            return await post(form, teaches=True)
        except FormRefusedError as again:
            refused = again
    memory.fail()
    raise first.error from first
