"""Ask a judge behind OpenAI's API, or whatever speaks it.

The SDK's client carries authentication, errors and connections. Its typed layer, which costs three times the CPU of
everything else, is not used: `shapes` writes the request as plain JSON and reads the answer, and `transport` sends it.
What a server does not take of the API is found out by its refusals, and remembered.
"""

import asyncio
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final, Self

import aiohttp
import httpx2
from openai import APIStatusError, OpenAIError
from pydantic_core import to_json

from contracts.resources import Usage
from servicekit.addresses import ForbiddenAddressError, HostPort, Network
from signoff.errors import ErrorCode
from validator.errors import JudgeAnswerError, JudgeUnavailableError
from validator.judge_config import THINKING_TOKENS, JudgeConfig
from validator.judges.forms import FORMS_MAX, Form, Refusal, concede
from validator.judges.gate import Gate
from validator.judges.pace import Turn
from validator.judges.probing import Capabilities, Sample, describe, make_harmless_question, read_sample
from validator.judges.quotas import Said, read_headers, read_id, read_pause_s
from validator.judges.servers import Memory, Servers
from validator.judges.shapes import APIS, Api, Request
from validator.judges.transport import make_client
from validator.ports import Reply
from validator.prompt import Question

log = logging.getLogger(__name__)

#: A code of the judge's that may be shown.
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
#: A token of a request has about so many bytes.
_BYTES_A_TOKEN: Final = 4

#: Statuses that say of the request itself that it is wrong: asking again is no use.
_REJECTED = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY},
)
_UNAVAILABLE_CODES: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: ErrorCode.JUDGE_UNAUTHORIZED,
    HTTPStatus.FORBIDDEN: ErrorCode.JUDGE_UNAUTHORIZED,
    HTTPStatus.NOT_FOUND: ErrorCode.JUDGE_NOT_FOUND,
    HTTPStatus.TOO_MANY_REQUESTS: ErrorCode.JUDGE_RATE_LIMITED,
}
#: Statuses that say that there is too much to do: the third is Anthropic's.
_TOO_MUCH: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, 529})


class OpenAIJudge:
    """Ask a judge through one client, which keeps its connections; close it when done.

    Judges that share `servers` share what is known of them, and the pace at which they are asked.
    """

    def __init__(
        self,
        config: JudgeConfig,
        servers: Servers | None = None,
        allowed: Sequence[Network | HostPort] | None = None,
    ) -> None:
        self._config = config
        self._client = make_client(config, allowed)
        servers = servers or Servers()
        base_url = str(self._client.base_url)
        self._memory: Memory = servers.recall(base_url, config.model, config.api)
        self._gate: Gate = servers.find_gate(base_url, self._client.api_key)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def ask(self, question: Question) -> Reply:
        """Ask once, as the port says; again in another form if the server does not take this one.

        A model that used up its tokens by thinking has room for that the next time. Both is remembered.
        """
        room = self._config.thinking_tokens
        if room is None:
            room = THINKING_TOKENS if self._memory.thinks else 0
        try:
            return await self._ask_in_form(question, room)
        except JudgeAnswerError as error:
            self._memory.thinks |= error.needs_room
            raise

    async def probe(self) -> Capabilities:
        """Ask about a harmless result, and say what the server can do.

        Raise JudgeUnavailableError if it did not answer, and JudgeAnswerError if it takes a request in no form.
        """
        question = make_harmless_question()
        said = await self._hear(question)
        if isinstance(said, JudgeAnswerError) and said.needs_room:
            said = await self._hear(question)
        sample = read_sample(question, said) if isinstance(said, Reply) else Sample(fault=said.code)
        memory = self._memory
        return describe(memory.form, memory.told, sample, said, thinks=memory.thinks)

    async def _hear(self, question: Question) -> Reply | JudgeAnswerError:
        try:
            return await self.ask(question)
        except JudgeAnswerError as error:
            if error.is_final:
                raise
            return error

    async def _ask_in_form(self, question: Question, room: int) -> Reply:
        form = self._memory.choose()
        is_trial = form is not self._memory.form or not self._memory.is_proven
        try:
            return await self._post(question, form, room, teaches=is_trial)
        except _FormRefusedError as refused:
            refusal = refused
        async with self._memory.finding:  # one looks for another form, the others wait for what it finds
            if self._memory.form != form:
                form = self._memory.form
                try:
                    return await self._post(question, form, room, teaches=False)
                except _FormRefusedError as refused:
                    refusal = refused
            return await self._find_form(question, form, room, refusal)

    async def _find_form(self, question: Question, form: Form, room: int, refused: "_FormRefusedError") -> Reply:
        """Give up one thing after the other until the server takes a request, or nothing is left to give up."""
        config, first = self._config, refused
        for _ in range(FORMS_MAX):
            lower = concede(
                form,
                refused.refusal,
                parameters=config.parameters,
                may_switch=config.api is None and form.api == first.form.api,
                is_proven=self._memory.is_settled,
            )
            if lower is None:
                break
            form = lower
            try:
                return await self._post(question, form, room, teaches=True)
            except _FormRefusedError as again:
                refused = again
        self._memory.fail()
        raise first.error from first

    async def _post(self, question: Question, form: Form, room: int, *, teaches: bool) -> Reply:
        """Ask in a form, when it is this question's turn; that it is taken is remembered if it `teaches`.

        Raise _FormRefusedError if another form may be taken.
        """
        api = APIS[form.api]
        tokens_max = question.tokens_max + room
        request = Request(self._config.model, question, tokens_max, form, self._config.parameters)
        body = to_json(api.write(request))
        turn = await self._gate.enter(len(body) // _BYTES_A_TOKEN + tokens_max)
        begun = time.monotonic()
        try:
            response = await self._send(api.path, body)
        except APIStatusError as error:
            raise self._note_status(error, turn, form) from error
        except BaseException:
            self._gate.leave()
            raise
        said = self._memory.told = read_headers(response.headers)
        self._gate.answered(turn, said)
        if teaches:
            self._learn(form)
        return self._read(api, response.content, said, time.monotonic() - begun)

    async def _send(self, path: str, body: bytes) -> httpx2.Response:
        try:
            async with asyncio.timeout(self._config.timeout_s):
                return await self._client.send(path, body)
        except TimeoutError as error:
            raise JudgeUnavailableError(
                f"the judge did not answer within {self._config.timeout_s:g} s", code=ErrorCode.JUDGE_TIMEOUT
            ) from error
        except APIStatusError:
            raise
        except (OpenAIError, httpx2.HTTPError, aiohttp.ClientError, OSError) as error:
            if (forbidden := _find_forbidden(error)) is not None:
                raise JudgeUnavailableError(str(forbidden), code=ErrorCode.JUDGE_ADDRESS_FORBIDDEN) from error
            cause = type(error).__name__
            raise JudgeUnavailableError(
                f"the judge cannot be reached: {cause}", code=ErrorCode.JUDGE_UNREACHABLE
            ) from error

    def _note_status(self, error: APIStatusError, turn: Turn, form: Form) -> Exception:
        """Tell the gate of a status, and return the error that it means."""
        headers = error.response.headers
        said, pause_s = read_headers(headers), read_pause_s(headers)
        if error.status_code in _TOO_MUCH:
            self._gate.refused(turn, said, pause_s)
        else:
            self._gate.answered(turn, said)
        meant = _to_error(error, pause_s)
        refusal = Refusal(error.status_code, f"{error.code or ''} {error.type or ''}", error.message)
        return _FormRefusedError(meant, refusal, form) if refusal.may_be_of_form else meant

    def _learn(self, form: Form) -> None:
        if form != self._memory.form:
            log.warning(
                "a judge's server does not take all of the API, which is remembered",
                extra={"model": self._config.model, "form": repr(form)},
            )
        self._memory.learn(form)

    def _read(self, api: Api, body: bytes, said: Said, latency_s: float) -> Reply:
        parsed, fault = api.parse(body)
        usage = _read_usage(api, parsed)
        try:
            if fault is not None:
                raise fault
            reply = api.read(parsed)
        except JudgeAnswerError as error:
            error.usage, error.request_id, error.latency_s = usage, said.request_id, latency_s
            raise
        request_id = said.request_id or read_id(reply.request_id)
        return replace(reply, usage=usage, request_id=request_id, latency_s=latency_s)


class _FormRefusedError(Exception):
    """The server did not take a request, perhaps for its form. `error` is what that means if no other form helps."""

    def __init__(self, error: JudgeUnavailableError | JudgeAnswerError, refusal: Refusal, form: Form) -> None:
        super().__init__(str(error))
        self.error = error
        self.refusal = refusal
        self.form = form


def _read_usage(api: Api, parsed: Any) -> Usage | None:
    try:
        return api.read_usage(parsed)
    except ValueError as error:
        log.warning("the judge's usage is ignored", extra={"reason": str(error)[:500]})
        return None


def _to_error(error: APIStatusError, retry_after_s: float | None) -> JudgeUnavailableError | JudgeAnswerError:
    """Return the error of a status. Of the judge's words it shows the code alone: its messages may repeat the key."""
    named = f" ({error.code})" if error.code and _CODE.fullmatch(error.code) else ""
    message = f"the judge's API answered {error.status_code}{named}"
    if error.status_code in _REJECTED:
        rejection = JudgeAnswerError(message, code=ErrorCode.JUDGE_REQUEST_REJECTED)
        rejection.is_final = True
        return rejection
    code = _UNAVAILABLE_CODES.get(error.status_code, ErrorCode.JUDGE_UNAVAILABLE)
    if error.code == "insufficient_quota":
        code = ErrorCode.JUDGE_QUOTA_EXCEEDED
    unavailable = JudgeUnavailableError(message, code=code, retry_after_s=retry_after_s)
    unavailable.status = error.status_code
    return unavailable


def _find_forbidden(error: BaseException | None) -> ForbiddenAddressError | None:
    """Return the refusal of an address that stands behind an error."""
    while error is not None:
        inner = getattr(error, "os_error", error)
        if isinstance(inner, ForbiddenAddressError):
            return inner
        error = error.__cause__
    return None
