"""Create the gRPC server with its health and reflection services."""

import asyncio
import inspect
import json
import logging
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc._cython import cygrpc  # type: ignore[attr-defined] # as grpcio-channelz does, which has nothing but a service of it
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import Counter as CounterMetric
from prometheus_client import Gauge, Histogram
from pydantic import ValidationError

from contracts.access import ACCESS, OPEN, Access
from contracts.fields import explain, message_of
from contracts.tokens import is_token
from jobstore.access.audit import Auditor
from jobstore.access.audited import make_entry
from jobstore.access.callers import CALLER, Caller, check_access
from jobstore.access.id_tokens import REFUSAL, IdTokens, read_id_token
from jobstore.access.tokens import Metadata, Tokens, read_token
from jobstore.api.requests import check_kind, is_full
from jobstore.errors import (
    ForbiddenError,
    InvalidError,
    TooManyCallsError,
    TooSlowError,
    UnauthenticatedError,
    UnimplementedError,
    Violation,
)
from servicekit.deprecations import DEPRECATIONS, find_declared, find_in_call, note_uses
from servicekit.errors import PermanentError, ServiceError, TransientError
from servicekit.metrics import REQUEST_BUCKETS
from signoff.errors import ErrorCode, find_code, is_retryable
from signoff.status import Role
from signoff.tls import Tls, watch_pem
from signoff.v1 import (
    agent_service_pb2,
    identity_service_pb2,
    job_service_pb2,
    judge_service_pb2,
    judging_service_pb2,
    keeping_service_pb2,
    operations_service_pb2,
    receipt_service_pb2,
)
from signoff.v1.resources_pb2 import VIEW_UNSPECIFIED
from signoff.worker.v1 import work_service_pb2

log = logging.getLogger(__name__)
#: At DEBUG it has one line a call.
requests_log = logging.getLogger("requests.grpc")

REQUESTS = CounterMetric("signoff_grpc_requests", "Calls of gRPC that ended, watches too", ["method", "code"])
DURATIONS = Histogram(
    "signoff_grpc_request_duration_seconds",
    "Time of a call of gRPC, with its wait for a request, without watches",
    ["method"],
    buckets=REQUEST_BUCKETS,
)
UNDER_WAY = Gauge("signoff_grpc_requests_under_way", "Calls of gRPC under way, and watches among them", ["kind"])
CONNECTIONS = Gauge("signoff_grpc_connections", "Open connections of clients of gRPC")
#: The method of calls of methods that are not there, which strangers may name as they like.
UNKNOWN: Final = "unknown"


def _list_servers() -> set[int]:
    """Return the ids of all servers of this process; this takes long while they have many connections."""
    told = json.loads(cygrpc.channelz_get_servers(0))
    return {int(each["ref"]["serverId"]) for each in told.get("server", ())}


#: More connections than a process has files.
_CONNECTIONS_MAX: Final = 1 << 20


def _count_connections(ids: Iterable[int]) -> int:
    """Count the connections of servers, as gRPC knows them: it counts for itself in any case (channelz)."""
    told = (json.loads(cygrpc.channelz_get_server_sockets(each, 0, _CONNECTIONS_MAX)) for each in ids)
    return sum(len(each.get("socketRef", ())) for each in told)


#: Options of a server that shares its port with others.
SHARED: Final = (("grpc.so_reuseport", 1),)


class SeveralServers(grpc.aio.Server):
    """Several servers with the same handlers and the same port, among which the system spreads connections.

    A server of grpc.aio accepts one call of each method at a time, in some five turns of its event loop. Under load
    turns are long, and callers would wait long for the error that there are too many calls.
    """

    def __init__(self, make: Callable[[], grpc.aio.Server], count: int) -> None:
        others = _list_servers()
        self._servers = [make() for _ in range(count)]
        self._ids = _list_servers() - others

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Add handlers to each server."""
        handlers = [*generic_rpc_handlers]
        for server in self._servers:
            server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Add the handlers of a service's methods to each server.

        With generic handlers alone, a server accepts one call at a time of all methods: a call takes a twentieth less,
        but under load of another role some callers get no answer.
        """
        for server in self._servers:
            server.add_registered_method_handlers(service_name, method_handlers)

    def add_insecure_port(self, address: str) -> int:
        """Listen at an address with all servers, and return the port. OSError: the address is in use."""
        return self._listen(address, lambda server, where: server.add_insecure_port(where))

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        """Listen at an address with these credentials, as `add_insecure_port` does."""
        return self._listen(address, lambda server, where: server.add_secure_port(where, server_credentials))

    def add_tls_port(self, address: str, tls: Tls) -> int:
        """Listen at an address by TLS, as `add_insecure_port` does. Raise OSError, with what to do, if a file is wrong.

        Each server has credentials of its own, since each is told once that the files have changed.
        """
        return self._listen(address, lambda server, where: server.add_secure_port(where, make_credentials(tls)))

    def _listen(self, address: str, listen: Callable[[grpc.aio.Server, str], int]) -> int:
        host, _, port = address.rpartition(":")
        _check_free(host, int(port))
        first, *others = self._servers
        chosen = listen(first, address)
        for other in others:
            listen(other, f"{host}:{chosen}")
        return chosen

    async def start(self) -> None:
        """Start all servers."""
        for server in self._servers:
            await server.start()
        CONNECTIONS.set_function(partial(_count_connections, self._ids))

    async def stop(self, grace: float | None) -> None:
        """Stop all servers; calls under way may take `grace` seconds to end."""
        CONNECTIONS.set_function(int)  # none: gRPC forgets a server that has stopped
        await asyncio.gather(*(server.stop(grace) for server in self._servers))

    async def wait_for_termination(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - gRPC's own
        """Wait until all servers have stopped, or until `timeout` seconds have passed."""
        return all(await asyncio.gather(*(server.wait_for_termination(timeout) for server in self._servers)))


def make_credentials(tls: Tls) -> grpc.ServerCredentials:
    """Return credentials that show the certificate of `tls`; with a CA, clients need a certificate that it signed.

    The files are read at each handshake; what is wrong with them then is logged, and the last good ones stay. Raise
    OSError, with what to do, if one is wrong at first.
    """
    files, shown = watch_pem(tls), None

    def read() -> grpc.ServerCertificateConfiguration | None:
        nonlocal shown
        if (pem := files.read()) == shown:
            return None
        assert pem.key is not None
        assert pem.certificate is not None
        shown = pem
        return grpc.ssl_server_certificate_configuration([(pem.key, pem.certificate)], pem.ca)

    first = read()
    assert first is not None
    asks = tls.ca is not None
    return grpc.dynamic_ssl_server_credentials(first, read, asks)  # type: ignore[arg-type] # None: as before


def _check_free(host: str, port: int) -> None:
    """Raise OSError if a port is in use, even by a process that shares the port (SO_REUSEPORT), as these servers do."""
    found = socket.getaddrinfo(host.strip("[]") or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    with socket.socket(family) as alone:
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind(address)


DOMAIN: Final = "signoff"
#: The most bytes of violations, and characters of a message: a client's metadata takes 8 KiB in all.
FIELDS_MAX_BYTES: Final = 2_048
MESSAGE_MAX_CHARS: Final = 500
#: Seconds after which a request may be sent again, unless its error says more.
RETRY_AFTER_S: Final = 1.0


def make_details(
    status: grpc.StatusCode,
    message: str,
    code: str,
    *,
    metadata: Mapping[str, str],
    violations: Iterable[Violation] = (),
    retry_after_s: float | None = None,
) -> bytes:
    """Return the serialized google.rpc.Status of an error, with its code, its invalid fields and when to retry."""
    details: list[Message] = [ErrorInfo(reason=code.upper(), domain=DOMAIN, metadata=metadata)]
    wrong = BadRequest()
    for each in violations:
        wrong.field_violations.add(field=each.field, description=each.message)
        if wrong.ByteSize() > FIELDS_MAX_BYTES:
            wrong.field_violations.pop()
            break
    if wrong.field_violations:
        details.append(wrong)
    if is_retryable(code, status.name):
        delay = Duration()
        delay.FromMilliseconds(round((retry_after_s or RETRY_AFTER_S) * 1_000))
        details.append(RetryInfo(retry_delay=delay))
    answer = Status(code=status.value[0], message=message[:MESSAGE_MAX_CHARS])
    for detail in details:
        answer.details.add().Pack(detail)
    return bytes(answer.SerializeToString())


def find_field(request: object, path: tuple[int | str, ...]) -> str:
    """Return the path in a request of an invalid field of a model: `title` of a new job is `job.title`.

    A request holds its resource in a field of its own, which the path of a model does not name.
    """
    names = [str(step) for step in path]
    descriptor = request.DESCRIPTOR if isinstance(request, Message) else None
    if descriptor is not None and names and names[0] not in descriptor.fields_by_name:
        holders = ((each.name, each.message_type) for each in descriptor.fields)
        holder = next((name for name, kind in holders if kind is not None and names[0] in kind.fields_by_name), None)
        names = names if holder is None else [holder, *names]
    return ".".join(names)


Context = grpc.aio.ServicerContext[Any, Any]

#: Statuses of the jobstore's own failures.
_OURS = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL})
#: Characters of an id in a log line: a caller's may have any length.
ID_MAX = 200


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Limits of clients (docs/operations.md): how many calls and watches each role may have under way, and times."""

    calls_max: int = 1_000
    watches_max: int = 10_000
    #: Seconds until a call is refused as one too many, so that a caller that retries at once leaves others a turn.
    refusal_s: float = 3.0
    #: Seconds for a request to arrive, once its call is admitted, and for the client to take one response of a stream.
    request_s: float = 60.0
    response_s: float = 30.0


class CallSlots:
    """Count the calls of each role in each set of tenants and, apart, its watches: no load of others refuses a call."""

    def __init__(self, limits: CallLimits) -> None:
        self._limits = {False: limits.calls_max, True: limits.watches_max}
        self._under_way: Counter[tuple[Role, frozenset[str] | None, bool]] = Counter()
        for kind, lasting in (("call", False), ("watch", True)):
            UNDER_WAY.labels(kind).set_function(partial(self._count, lasting=lasting))

    def _count(self, *, lasting: bool) -> int:
        return sum(count for (_, _, is_watch), count in [*self._under_way.items()] if is_watch is lasting)

    @contextmanager
    def hold(self, caller: Caller, *, lasting: bool) -> Iterator[None]:
        """Hold a slot for a call, or a watch (`lasting`), while the block runs. TooManyCallsError: no slot is free."""
        kind, limit = (caller.role, caller.tenants, lasting), self._limits[lasting]
        if self._under_way[kind] >= limit:
            what = "watches" if lasting else "calls"
            raise TooManyCallsError(f"{limit} {what} of the role {caller.role.value} are under way; try again later")
        self._under_way[kind] += 1
        try:
            yield
        finally:
            self._under_way[kind] -= 1
            if not self._under_way[kind]:
                del self._under_way[kind]


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Admit calls by token and by the number under way; answer errors with a status, a message and a stable code.

    This is the one place that audits calls, before they are carried out and when they are refused.
    """

    def __init__(
        self, tokens: Tokens, limits: CallLimits, id_tokens: IdTokens | None = None, auditor: Auditor | None = None
    ) -> None:
        self._tokens = tokens
        self._id_tokens = id_tokens
        self._auditor = auditor
        self._limits = limits
        self._slots = CallSlots(limits)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Return a handler that admits the call, and only then reads the call's request and carries the call out.

        The handler takes a stream of requests: of a single request gRPC would read up to 64 MiB, from any client,
        before it calls a handler.
        """
        handler = await continuation(handler_call_details)
        method = handler_call_details.method

        async def handle(requests: object, context: Context) -> Any:
            began, request, caller = time.monotonic(), None, None
            try:
                caller = await self._find_caller(method, context.invocation_metadata())
                CALLER.set(caller)
                if handler is None:
                    return await abort_with(context, UnimplementedError(f"there is no method {method}"), method, None)
                check_access(caller, method)
                with self._slots.hold(caller, lasting=handler.response_streaming):
                    request = requests if handler.request_streaming else await self._read(caller.role, context)
                    uses = find_declared(find_in_call(method, request)) if DEPRECATIONS else {}
                    if uses or handler.response_streaming:  # else a stream that ends in its first write ends untold
                        await context.send_initial_metadata(tuple(note_uses(uses)))
                    await self._audit(caller, method, request, context)
                    return await self._carry_out(handler, request, context, caller)
            except grpc.aio.AbortError:
                raise
            except TooManyCallsError as error:
                await asyncio.sleep(began + self._limits.refusal_s - time.monotonic())
                await abort_with(context, error, method, request)
            except Exception as error:  # noqa: BLE001 - also a bug is answered, and logged with the id of its job
                self._audit_refusal(error, caller, method, request, context)
                await abort_with(context, error, method, request)
            finally:
                known = UNKNOWN if handler is None else method
                is_watch = handler is not None and handler.response_streaming
                _note_end(known, context, time.monotonic() - began, caller, request, is_watch=is_watch)

        async def tell_anybody(_: object, context: Context) -> object:
            return await handler.unary_unary(handler.request_deserializer(b""), context)

        if handler is None:
            return grpc.stream_unary_rpc_method_handler(handle)
        if method in OPEN:
            return grpc.stream_unary_rpc_method_handler(tell_anybody, None, handler.response_serializer)
        is_stream = handler.response_streaming
        kind = grpc.stream_stream_rpc_method_handler if is_stream else grpc.stream_unary_rpc_method_handler
        return kind(handle, handler.request_deserializer, handler.response_serializer)

    async def _find_caller(self, method: str, metadata: Metadata | None) -> Caller:
        """Return the caller of a call. UnauthenticatedError: its credential opens nothing."""
        presented = read_id_token(method, metadata)
        if presented is None:
            try:
                return self._tokens.find(metadata)
            except UnauthenticatedError as error:
                if error.reason != "unknown" or not is_token(read_token(metadata) or ""):
                    raise
            await self._tokens.catch_up()  # another jobstore may have made it just now
            return self._tokens.find(metadata)
        if self._id_tokens is None:
            raise UnauthenticatedError(REFUSAL, reason="no_provider")
        return await self._id_tokens.find(*presented)

    async def _read(self, role: Role, context: Context) -> object:
        async with _within(self._limits.request_s, "the request did not come"):
            request = await context.read()
        if request is grpc.aio.EOF:
            raise InvalidError("the call has no request")
        check_kind(role, request)
        return request

    async def _audit(self, caller: Caller, method: str, request: object, context: Context) -> None:
        """Write the entry of a call that is kept. TransientError: it cannot be written; the call must not happen."""
        if self._auditor is not None and _is_kept(ACCESS[method], request, reads=self._auditor.reads):
            await self._auditor.begin(make_entry(caller, method, request, context.peer()))

    def _audit_refusal(
        self, error: Exception, caller: Caller | None, method: str, request: object, context: Context
    ) -> None:
        """Count a refused call: by its credential or, where calls of the method are kept, for whatever reason."""
        if self._auditor is None or not isinstance(error, PermanentError) or isinstance(error, InvalidError):
            return
        is_by_credential = isinstance(error, (UnauthenticatedError, ForbiddenError))
        if is_by_credential or ((access := ACCESS.get(method)) is not None and access.audited):
            holder = caller or self._tokens.find_ended(context.invocation_metadata())
            entry = make_entry(holder, method, request, context.peer())
            reason = error.reason if isinstance(error, (UnauthenticatedError, ForbiddenError)) else ""
            self._auditor.refusals.add(entry.refuse(error.code, reason))

    async def _carry_out(self, handler: Any, request: object, context: Context, caller: Caller) -> object:
        """Carry out an admitted call: return its response, or write its stream of responses and return None.

        A stream ends with the token of its caller.
        """
        if handler.unary_unary:
            return await handler.unary_unary(request, context)
        async with self._tokens.bound(caller):
            responses = (handler.unary_stream or handler.stream_stream)(request, context)
            if inspect.isawaitable(responses):  # health's Watch, which writes by itself
                return await responses
            await self._write(responses, context)
        return None

    async def _write(self, responses: AsyncGenerator[object], context: Context) -> None:
        async with aclosing(responses):
            async for response in responses:
                async with _within(self._limits.response_s, "a response was not taken"):
                    await context.write(response)


@cache
def _find_series(method: str, code: str, *, is_watch: bool) -> tuple[CounterMetric, Histogram | None]:
    """Return the counter of a method's calls that ended by a code, and their durations; None for watches."""
    name = method.removeprefix("/")
    return REQUESTS.labels(name, code), None if is_watch else DURATIONS.labels(name)


def _note_end(
    method: str, context: Context, duration_s: float, caller: Caller | None, request: object, *, is_watch: bool
) -> None:
    """Count a call that has ended; a caller that has gone away ends it by CANCELLED."""
    status = context.code()
    is_cancelled = isinstance(sys.exception(), asyncio.CancelledError)
    code = "CANCELLED" if is_cancelled else status.name if isinstance(status, grpc.StatusCode) else "OK"
    counter, durations = _find_series(method, code, is_watch=is_watch)
    counter.inc()
    if durations is not None:
        durations.observe(duration_s)
    if requests_log.isEnabledFor(logging.DEBUG):
        role = None if caller is None else caller.role.value
        extra = {"method": method, "status": code, "duration_s": round(duration_s, 4), "role": role}
        requests_log.debug("a call", extra=extra | _name_request(request))


def _is_kept(access: Access, request: object, *, reads: bool) -> bool:
    """Return whether the audit keeps a call; `reads`: one for payloads, too. What only counts changes nothing."""
    if access.audited:
        return not getattr(request, "dry_run", False)
    view = getattr(request, "view", VIEW_UNSPECIFIED)
    return reads and access.payloads is not None and is_full(view, access.payloads)


@asynccontextmanager
async def _within(seconds: float, failure: str) -> AsyncIterator[None]:
    """Bound the time that the block waits for a client. TooSlowError: the client took longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise TooSlowError(f"{failure} within {seconds:g} s") from None


async def abort_with(context: Context, error: Exception, method: str, request: object) -> None:
    """End a call with an error, and log the error.

    The error's stable code is sent as the trailing metadata `signoff-code`, and all details as
    `grpc-status-details-bin` (google.rpc.Status).
    """
    if isinstance(error, ValidationError):
        code, message = explain(error)
        problems = error.errors(include_url=False, include_input=False)
        error = InvalidError(message, code=code)
        error.violations = [Violation(find_field(request, each["loc"]), message_of(each)) for each in problems]
    elif isinstance(error, ValueError):
        error = InvalidError(str(error))
    elif isinstance(error, NotImplementedError):  # of a service that is not ours, such as grpc.health.v1.Health/List
        error = UnimplementedError(f"there is no method {method}")
    code = error.code if isinstance(error, ServiceError) else ErrorCode.INTERNAL
    status = _find_status(error, code)
    ids = _name_request(request)
    reason = error.reason if isinstance(error, UnauthenticatedError) else str(error)
    log.log(
        logging.ERROR if status is grpc.StatusCode.INTERNAL else logging.WARNING if status in _OURS else logging.INFO,
        "a call failed",
        exc_info=None if isinstance(error, ServiceError) else error,
        extra={"method": method, "status": status.name, "code": code, "reason": reason, **ids},
    )
    is_internal = status is grpc.StatusCode.INTERNAL  # messages of PostgreSQL and Python are for the log alone
    message = "the jobstore failed at this call; its log says more" if is_internal else str(error)
    violations = error.violations if isinstance(error, InvalidError) else ()
    after_s = error.retry_after_s if isinstance(error, TransientError) else None
    details = make_details(status, message, code, metadata=ids, violations=violations, retry_after_s=after_s)
    try:
        await context.abort(status, message, (("signoff-code", code), ("grpc-status-details-bin", details)))
    except grpc.aio.AbortError as aborted:
        # gRPC keeps the error with its call, and raises it again: a traceback would keep the call in memory.
        aborted.__traceback__ = aborted.__context__ = None


def _find_status(error: Exception, code: str) -> grpc.StatusCode:
    """Return the gRPC status of a code; if the code has none, since it is only recorded, that of the error's class."""
    family = type(error).code if isinstance(error, ServiceError) else ErrorCode.INTERNAL
    known = (find_code(each) for each in (code, family))
    name = next((each.answer.grpc for each in known if each is not None and each.answer.grpc), "INTERNAL")
    return grpc.StatusCode[name]


def _name_request(request: object) -> dict[str, str]:
    """Return the ids of the job and the execution that a request names, for logs and error details."""
    job = getattr(request, "job", None)
    ids = {
        "job_id": getattr(request, "job_id", "") or getattr(job, "id", ""),
        "execution_id": getattr(request, "execution_id", ""),
    }
    return {name: value[:ID_MAX] for name, value in ids.items() if value}


#: The largest message: a batch of new jobs is one.
MESSAGE_MAX_BYTES = 64 << 20
METADATA_MAX_BYTES = 32 << 10
#: Servers that share an address.
SERVERS = 16
_FILES: Final = (
    *(job_service_pb2, agent_service_pb2, operations_service_pb2, judge_service_pb2, judging_service_pb2),
    *(work_service_pb2, receipt_service_pb2, identity_service_pb2, keeping_service_pb2),
)
SERVICES = [service.full_name for file in _FILES for service in file.DESCRIPTOR.services_by_name.values()]


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits of connections, also of clients without a token; times are in milliseconds."""

    #: The highest number of open connections, which the servers share evenly; further ones are closed.
    connections_max: int = 10_000
    #: How long a client may take for its handshake.
    handshake_ms: int = 10_000
    #: How long a connection is kept without a call.
    idle_ms: int = 300_000
    #: How long a connection is silent before it is pinged, and how long the client may take to answer.
    keepalive_ms: int = 20_000


class HealthService(health.aio.HealthServicer):  # type: ignore[misc] # grpcio-health-checking has no types
    """Answer health checks; while the state is not SERVING, the trailer `signoff-code` has the reason."""

    outage: str | None = None

    async def Check(self, request: object, context: grpc.aio.ServicerContext[object, object]) -> object:  # noqa: N802 - gRPC's name
        """Answer one health check."""
        if self.outage is not None:
            context.set_trailing_metadata((("signoff-code", self.outage),))
        return await super().Check(request, context)


def create_server(
    tokens: Tokens,
    limits: CallLimits | None = None,
    connections: ConnectionLimits | None = None,
    id_tokens: IdTokens | None = None,
    auditor: Auditor | None = None,
) -> tuple[SeveralServers, HealthService]:
    """Return a server with health and reflection services, and its health service; the server is not started yet."""
    held = connections or ConnectionLimits()
    interceptor = CallInterceptor(tokens, limits or CallLimits(), id_tokens, auditor)
    server = SeveralServers(lambda: grpc.aio.server(interceptors=[interceptor], options=_make_options(held)), SERVERS)
    servicer = HealthService()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    names = [*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME]
    reflection.enable_server_reflection(names, server)
    return server, servicer


def _make_options(held: ConnectionLimits) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", MESSAGE_MAX_BYTES),
        ("grpc.max_send_message_length", MESSAGE_MAX_BYTES),
        # An ID token may name two hundred groups.
        ("grpc.max_metadata_size", METADATA_MAX_BYTES),
        ("grpc.absolute_max_metadata_size", METADATA_MAX_BYTES),
        *SHARED,
        # Else gRPC buffers up to 16 MiB of a request before it is read.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.keepalive_permit_without_calls", 1),
        # Clients ping the server once a second (signoff.connection).
        ("grpc.http2.min_ping_interval_without_data_ms", 500),
        # A client that is frozen, or reads nothing, answers no ping.
        ("grpc.keepalive_time_ms", held.keepalive_ms),
        ("grpc.keepalive_timeout_ms", held.keepalive_ms),
        ("grpc.http2.ping_timeout_ms", held.keepalive_ms),
        ("grpc.http2.max_pings_without_data", 0),
        # No client holds a connection for long without a handshake, or without calls.
        ("grpc.server_handshake_timeout_ms", held.handshake_ms),
        ("grpc.max_connection_idle_ms", held.idle_ms),
        ("grpc.max_allowed_incoming_connections", -(-held.connections_max // SERVERS)),
    ]


async def set_serving(servicer: HealthService, *, ready: bool, outage: str | None = None) -> None:
    """Set whether the health service reports every service as SERVING, and the code of the outage if not."""
    servicer.outage = outage
    state = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
    for name in ["", *SERVICES]:
        await servicer.set(name, state)
