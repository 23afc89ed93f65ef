"""Check each call's token, and answer its errors as gRPC statuses."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from pydantic import ValidationError

from jobstore.api.auth import Tokens, check_kind
from jobstore.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RefusedError,
    UnauthenticatedError,
    UnknownCursorError,
)
from servicekit.errors import PermanentError, SignoffError, TransientError

#: The first class that an error is an instance of decides: families come after their members.
_STATUS: dict[type[SignoffError], grpc.StatusCode] = {
    NotFoundError: grpc.StatusCode.NOT_FOUND,
    ConflictError: grpc.StatusCode.ALREADY_EXISTS,
    RefusedError: grpc.StatusCode.FAILED_PRECONDITION,
    UnknownCursorError: grpc.StatusCode.OUT_OF_RANGE,
    InvalidError: grpc.StatusCode.INVALID_ARGUMENT,
    UnauthenticatedError: grpc.StatusCode.UNAUTHENTICATED,
    ForbiddenError: grpc.StatusCode.PERMISSION_DENIED,
    TransientError: grpc.StatusCode.UNAVAILABLE,
    PermanentError: grpc.StatusCode.INVALID_ARGUMENT,
}


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
                check_kind(self._tokens.check_method(method, metadata), request)
                return await call(request, context)
            except (SignoffError, ValidationError, ValueError) as error:
                await abort_with(context, error)

        return handle

    def _wrap_stream(self, call: Any, method: str, metadata: Any) -> Any:
        async def handle(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            try:
                self._tokens.check_method(method, metadata)
                async for response in call(request, context):
                    yield response
            except (SignoffError, ValidationError, ValueError) as error:
                await abort_with(context, error)

        return handle


async def abort_with(context: grpc.aio.ServicerContext[Any, Any], error: Exception) -> None:
    """End a call with an error, whose stable code goes into the trailing metadata `signoff-code`."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        error = InvalidError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")
    elif not isinstance(error, SignoffError):
        error = InvalidError(str(error))
    status = next(status for kind, status in _STATUS.items() if isinstance(error, kind))
    await context.abort(status, str(error), (("signoff-code", error.code),))
