"""Admit each call before it is read, and answer its errors as gRPC statuses."""

import asyncio
import inspect
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2
from pydantic import ValidationError

from contracts.fields import explain, message_of
from jobstore.api.auth import CALLER, Role, Tokens, check_kind
from jobstore.api.error_details import find_field, make_details
from jobstore.errors import InvalidError, TooManyCallsError, TooSlowError, UnimplementedError, Violation
from servicekit.deprecations import DEPRECATIONS, find_declared, find_in_call, note_uses
from servicekit.errors import ServiceError, TransientError
from signoff.errors import ErrorCode, find_code

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]

#: Open to all, and answered for the whole server without reading which service it asks for.
_HEALTH_CHECK: Final = "/grpc.health.v1.Health/Check"
#: Failures of ours, and not of the caller.
_OURS = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL})
#: Characters of an id in a log line: a stranger's may have any length.
ID_MAX = 200


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What clients may take; docs/operations.md tells it. The first two are how many each role may have under way."""

    calls_max: int = 1_000
    watches_max: int = 10_000
    #: Seconds after its begin when a caller is told that there are too many: who calls again at once leaves others a
    #: turn.
    refusal_s: float = 3.0
    #: Seconds for a request to come, once its call is admitted, and for one response of a stream to be taken.
    request_s: float = 60.0
    response_s: float = 30.0


class CallSlots:
    """Count each role's calls, so that no role's load refuses another's; those that last, such as watches, apart."""

    def __init__(self, limits: CallLimits) -> None:
        self._limits = {False: limits.calls_max, True: limits.watches_max}
        self._under_way: Counter[tuple[Role, bool]] = Counter()

    @contextmanager
    def hold(self, role: Role, *, lasting: bool) -> Iterator[None]:
        """Hold a place for a call while it is under way. TooManyCallsError: there is none."""
        kind, limit = (role, lasting), self._limits[lasting]
        if self._under_way[kind] >= limit:
            what = "watches" if lasting else "calls"
            raise TooManyCallsError(f"{limit} {what} of the role {role.value} are under way; try again later")
        self._under_way[kind] += 1
        try:
            yield
        finally:
            self._under_way[kind] -= 1


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Admit calls by their token and their number, and answer errors as a status, a message and a stable code."""

    def __init__(self, tokens: Tokens, limits: CallLimits) -> None:
        self._tokens = tokens
        self._limits = limits
        self._slots = CallSlots(limits)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Return a handler that admits the call, and only then reads its request and carries it out.

        To gRPC it is one of a stream of requests, since those of one request are given it whole: of up to 64 MiB, of
        whoever sends it.
        """
        handler = await continuation(handler_call_details)
        method = handler_call_details.method

        async def handle(requests: object, context: Context) -> Any:
            began, request = time.monotonic(), None
            try:
                role = self._tokens.check_method(method, context.invocation_metadata())
                CALLER.set(role.value)
                if handler is None:
                    return await abort_with(context, UnimplementedError(f"there is no method {method}"), method, None)
                with self._slots.hold(role, lasting=handler.response_streaming):
                    request = requests if handler.request_streaming else await self._read(role, context)
                    if DEPRECATIONS and (uses := find_declared(find_in_call(method, request))):
                        await context.send_initial_metadata(tuple(note_uses(uses)))
                    return await self._carry_out(handler, request, context)
            except grpc.aio.AbortError:
                raise
            except TooManyCallsError as error:
                await asyncio.sleep(began + self._limits.refusal_s - time.monotonic())
                await abort_with(context, error, method, request)
            except Exception as error:  # noqa: BLE001 - a bug is answered and logged, with the id of its job, too
                await abort_with(context, error, method, request)

        async def tell_health(_: object, context: Context) -> object:
            return await handler.unary_unary(health_pb2.HealthCheckRequest(), context)

        if method == _HEALTH_CHECK:
            return grpc.stream_unary_rpc_method_handler(tell_health, None, handler.response_serializer)
        if handler is None:
            return grpc.stream_unary_rpc_method_handler(handle)
        is_stream = handler.response_streaming
        kind = grpc.stream_stream_rpc_method_handler if is_stream else grpc.stream_unary_rpc_method_handler
        return kind(handle, handler.request_deserializer, handler.response_serializer)

    async def _read(self, role: Role, context: Context) -> object:
        async with _within(self._limits.request_s, "the request did not come"):
            request = await context.read()
        if request is grpc.aio.EOF:
            raise InvalidError("the call has no request")
        check_kind(role, request)
        return request

    async def _carry_out(self, handler: Any, request: object, context: Context) -> object:
        """Carry out an admitted call: return its response, or write its stream of responses."""
        if handler.unary_unary:
            return await handler.unary_unary(request, context)
        responses = (handler.unary_stream or handler.stream_stream)(request, context)
        if inspect.isawaitable(responses):  # health's Watch, which writes by itself
            return await responses
        async with aclosing(responses):
            async for response in responses:
                async with _within(self._limits.response_s, "a response was not taken"):
                    await context.write(response)
        return None


@asynccontextmanager
async def _within(seconds: float, what: str) -> AsyncIterator[None]:
    """Wait for a client so long. TooSlowError: it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise TooSlowError(f"{what} within {seconds:g} s") from None


async def abort_with(context: Context, error: Exception, method: str, request: object) -> None:
    """End a call with an error, and log it.

    Its stable code goes into the trailing metadata `signoff-code`, and with what else is known of it into
    `grpc-status-details-bin` (google.rpc.Status).
    """
    if isinstance(error, ValidationError):
        code, message = explain(error)
        problems = error.errors(include_url=False, include_input=False)
        error = InvalidError(message, code=code)
        error.violations = [Violation(find_field(request, each["loc"]), message_of(each)) for each in problems]
    elif isinstance(error, ValueError):
        error = InvalidError(str(error))
    code = error.code if isinstance(error, ServiceError) else ErrorCode.INTERNAL
    status = _find_status(error, code)
    ids = _name_request(request)
    log.log(
        logging.ERROR if status is grpc.StatusCode.INTERNAL else logging.WARNING if status in _OURS else logging.INFO,
        "a call failed",
        exc_info=None if isinstance(error, ServiceError) else error,
        extra={"method": method, "status": status.name, "code": code, "reason": str(error), **ids},
    )
    # What PostgreSQL and Python say is for the log alone.
    message = (
        "the jobstore failed at this call; its log says more" if status is grpc.StatusCode.INTERNAL else str(error)
    )
    violations = error.violations if isinstance(error, InvalidError) else ()
    after_s = error.retry_after_s if isinstance(error, TransientError) else None
    details = make_details(status, message, code, metadata=ids, violations=violations, retry_after_s=after_s)
    try:
        await context.abort(status, message, (("signoff-code", code), ("grpc-status-details-bin", details)))
    except grpc.aio.AbortError as aborted:
        # gRPC keeps it with the call, and raises it again: its traceback would keep the call, until it is found unused.
        aborted.__traceback__ = aborted.__context__ = None


def _find_status(error: Exception, code: str) -> grpc.StatusCode:
    """Return the status of a code; of one that is recorded only, that of the error's family."""
    family = type(error).code if isinstance(error, ServiceError) else ErrorCode.INTERNAL
    known = (find_code(each) for each in (code, family))
    name = next((each.answer.grpc for each in known if each is not None and each.answer.grpc), "INTERNAL")
    return grpc.StatusCode[name]


def _name_request(request: object) -> dict[str, str]:
    """Return the ids that a request names, and nothing else of it."""
    job = getattr(request, "job", None)
    ids = {
        "job_id": getattr(request, "job_id", "") or getattr(job, "id", ""),
        "execution_id": getattr(request, "execution_id", ""),
    }
    return {name: value[:ID_MAX] for name, value in ids.items() if value}
