"""Check each call's token, and answer its errors as gRPC statuses."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from pydantic import ValidationError

from jobstore.api.auth import Tokens
from jobstore.errors import (
    ConflictError,
    DatabaseFaultError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RefusedError,
    UnauthenticatedError,
    UnknownCursorError,
)
from servicekit.errors import DoubtfulError, PermanentError, SignoffError, TransientError

log = logging.getLogger(__name__)

#: The first class that an error is an instance of decides: families come after their members.
_STATUS: dict[type[SignoffError], grpc.StatusCode] = {
    NotFoundError: grpc.StatusCode.NOT_FOUND,
    ConflictError: grpc.StatusCode.ALREADY_EXISTS,
    RefusedError: grpc.StatusCode.FAILED_PRECONDITION,
    UnknownCursorError: grpc.StatusCode.OUT_OF_RANGE,
    InvalidError: grpc.StatusCode.INVALID_ARGUMENT,
    UnauthenticatedError: grpc.StatusCode.UNAUTHENTICATED,
    ForbiddenError: grpc.StatusCode.PERMISSION_DENIED,
    DatabaseFaultError: grpc.StatusCode.INTERNAL,
    DoubtfulError: grpc.StatusCode.INTERNAL,
    TransientError: grpc.StatusCode.UNAVAILABLE,
    PermanentError: grpc.StatusCode.INVALID_ARGUMENT,
}
#: Failures of ours, and not of the caller.
_OURS = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL})
#: Characters of an id in a log line: a stranger's may have any length.
ID_MAX = 200


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Admit calls by their token, and answer errors as a status, a message and a stable code."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Return the handler of a call, wrapped so that tokens are checked and errors answered."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        method, metadata = handler_call_details.method, handler_call_details.invocation_metadata
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(
                self._wrap_unary(handler.unary_unary, method, metadata),
                handler.request_deserializer,
                handler.response_serializer,
            )
        if handler.unary_stream and not method.startswith("/grpc."):
            return grpc.unary_stream_rpc_method_handler(
                self._wrap_stream(handler.unary_stream, method, metadata),
                handler.request_deserializer,
                handler.response_serializer,
            )
        return handler

    def _wrap_unary(self, call: Any, method: str, metadata: Any) -> Any:
        async def handle(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            try:
                self._tokens.check(method, metadata)
                return await call(request, context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - a bug is answered and logged, with the id of its job, too
                await abort_with(context, error, method, request)

        return handle

    def _wrap_stream(self, call: Any, method: str, metadata: Any) -> Any:
        async def handle(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            try:
                self._tokens.check(method, metadata)
                async for response in call(request, context):
                    yield response
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - a bug is answered and logged, with the id of its job, too
                await abort_with(context, error, method, request)

        return handle


async def abort_with(context: grpc.aio.ServicerContext[Any, Any], error: Exception, method: str, request: Any) -> None:
    """End a call with an error, whose stable code goes into the trailing metadata `signoff-code`, and log it."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        error = InvalidError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")
    elif isinstance(error, ValueError):
        error = InvalidError(str(error))
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), grpc.StatusCode.INTERNAL)
    code = error.code if isinstance(error, SignoffError) else "internal"
    is_ours = status in _OURS
    log.log(
        logging.ERROR if status is grpc.StatusCode.INTERNAL else logging.WARNING if is_ours else logging.INFO,
        "a call failed",
        exc_info=None if isinstance(error, SignoffError) else error,
        extra={"method": method, "status": status.name, "code": code, "reason": str(error), **_name_request(request)},
    )
    # What PostgreSQL and Python say is for the log alone.
    message = (
        "the jobstore failed at this call; its log says more" if status is grpc.StatusCode.INTERNAL else str(error)
    )
    await context.abort(status, message, (("signoff-code", code),))


def _name_request(request: Any) -> dict[str, str]:
    """Return the ids that a request names, and nothing else of it."""
    job = getattr(request, "job", None)
    ids = {
        "job_id": getattr(request, "job_id", "") or getattr(job, "id", ""),
        "execution_id": getattr(request, "execution_id", ""),
    }
    return {name: value[:ID_MAX] for name, value in ids.items() if value}
