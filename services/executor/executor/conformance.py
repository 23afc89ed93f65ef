"""Find out by a few calls how an agent keeps to its protocol: a row for each thing that is promised."""

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final
from uuid import uuid5

from contracts.resources import Usage
from contracts.spending import Budget
from contracts.topics import measure
from executor import errors
from executor.ports import Agent, Call, Grant, Progress
from executor.recording import Recording
from executor.work import Done, PolledAgent, Work
from signoff.errors import ErrorCode
from signoff.status import FIRST_PROTOCOLS, CheckOutcome, Protocol

#: Seconds for an agent to have stopped its work, and between two looks.
STOPPED_WITHIN_S: Final = 5.0
LOOK_AGAIN_S: Final = 0.25
#: A body that is no JSON, and that no agent may take for a job.
NO_JSON: Final = '{"title": '
_CLIENT_ERRORS: Final = range(400, 500)

#: What to do about each check that failed.
ADVICE: Final = {
    "same_key": "Keep the Idempotency-Key of each call, and answer a repeat with the same work, or the same result.",
    "progress": "Answer a poll with a status as the protocol has it.",
    "cancel": "Stop the work when it is asked to stop, and say at the next poll that it has ended, or is not known.",
    "error": "Answer a request that cannot be read with a status from 400 to 499.",
    "deadline": "Answer within the policy's attempt_timeout_s, or allow more there.",
    "size": "Answer no more than Signoff-Result-Max-Bytes says, or a link to the whole.",
    "signature": "Check the signature of each call, and answer one that is wrong with 401.",
}
#: What servers do wrong that show no work by our ids, and what to do about it.
_NOT_SHOWN: Final = (
    "it does not show the work by our ids: a lost call is sent again, or ends agent_work_unknown under at_most_once"
)
_SHOW: Final = "List the work that there is, each with the ids that it was sent with."


class Check:
    """One check of an agent. All its calls are as `call` is, within the agent's budget, and recorded."""

    def __init__(self, agent: Agent, call: Call, recording: Recording) -> None:
        self._agent = agent
        self._call = call
        self._grant = call.grant
        self._recording = recording
        self._budget: Budget = replace(call.grant.budget)
        self._progress: list[Progress] = []
        self.rows: list[dict[str, Any]] = []
        self._since = 0

    async def run(self, within_s: float) -> Any:
        """Make all calls, and return the result of the first. Raise AgentError if that has none; `rows` are complete.

        What `within_s` leaves no time for is not applicable.
        """
        result, failure = None, None
        try:
            async with asyncio.timeout(within_s):
                try:
                    result = await self._make_first_call()
                except errors.AgentError as error:
                    failure = error
                steps = {
                    "same_key": self._check_same_key,
                    "error": self._check_error,
                    "signature": self._check_signature,
                }
                for check, step in steps.items():
                    self._since = self._recording.count
                    if used_up := self._budget.used_up:
                        self._note(check, CheckOutcome.NOT_APPLICABLE, f"the agent's budget is used up: {used_up}")
                    else:
                        await self._take(check, step)
        except TimeoutError:
            left = ADVICE.keys() - {row["check"] for row in self.rows}
            for check in ADVICE:
                if check in left:
                    self._note(check, CheckOutcome.NOT_APPLICABLE, f"there was no time for it within {within_s:g} s")
        if failure is not None:
            raise failure
        return result

    async def _take(self, check: str, step: Callable[[], Awaitable[None]]) -> None:
        """Take a step, whose call may fail: then the check has failed, and so have those that the step was to note."""
        step_s = 2 * (self._grant.policy.attempt_timeout_s or math.inf) + STOPPED_WITHIN_S  # two calls at most
        try:
            async with asyncio.timeout(step_s):
                await step()
        except (errors.AgentError, TimeoutError) as error:
            why = str(error) or "no answer came in time"
            self._fail(check, f"the call failed: {self._call.hide(why)[:300]}")
        if check == "same_key" and not any(row["check"] == "cancel" for row in self.rows):
            self._note("cancel", CheckOutcome.NOT_APPLICABLE, "there was no work under way that could be stopped")

    async def _make_first_call(self) -> Any:
        """Call as a job would, and note what that shows."""
        call, began = self._make_call(self._grant), time.monotonic()
        timeout_s = self._grant.policy.attempt_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                result = await self._agent.call(call)
        except TimeoutError:
            raise self._note_first(call, errors.AgentTimeoutError(f"no whole answer within {timeout_s:g} s")) from None
        except errors.AgentError as error:
            raise self._note_first(call, error) from None
        took_s = time.monotonic() - began
        self._note("deadline", CheckOutcome.PASSED, f"it answered after {took_s:.1f} s, of {timeout_s:g} s that it has")
        self._note("size", CheckOutcome.PASSED, f"the result has {measure(result)} bytes, which is not too many")
        self._note_progress(None)
        return result

    def _note_first(self, call: Call, error: errors.AgentError) -> errors.AgentError:
        """Note what a first call shows that failed, and return its error, without secrets."""
        error.args = (call.hide(str(error)),)
        is_late = isinstance(error, errors.AgentTimeoutError | errors.AgentHeartbeatTimeoutError)
        is_large = error.code == ErrorCode.RESULT_TOO_LARGE
        for check, has_failed in (("deadline", is_late), ("size", is_large)):
            if has_failed:
                self._fail(check, str(error))
            else:
                self._note(check, CheckOutcome.NOT_APPLICABLE, f"the call had no result ({error.code})")
        self._note_progress(error)
        return error

    def _note_progress(self, error: errors.AgentError | None) -> None:
        if not isinstance(self._agent, PolledAgent):
            self._note("progress", CheckOutcome.NOT_APPLICABLE, "the protocol has no progress")
        elif error is not None and error.code == ErrorCode.AGENT_INVALID_STATUS:
            self._fail("progress", str(error))
        elif told := [each for each in self._progress if each != Progress()]:
            self._note("progress", CheckOutcome.PASSED, f"it told {len(told)} times how far it is")
        else:
            self._note("progress", CheckOutcome.NOT_APPLICABLE, "it told none, which it need not")

    async def _check_same_key(self) -> None:
        """Send a piece of work twice under one key, and then have it stopped."""
        call = self._make_call(self._rename("same key"))
        if self._grant.protocol == Protocol.OPENAI and not self._grant.settings.get("background"):
            self._note("same_key", CheckOutcome.NOT_APPLICABLE, "the protocol has no keys")  # and nothing to stop
            return
        if not isinstance(self._agent, PolledAgent):
            first, second = await self._agent.call(call), await self._agent.call(self._make_call(call.grant))
            self._compare(json.dumps(first, sort_keys=True), json.dumps(second, sort_keys=True), "result")
            return
        work = await self._agent.begin(call)
        if isinstance(work, Done):
            self._note("same_key", CheckOutcome.NOT_APPLICABLE, "the work had ended when it was accepted")
            return
        try:
            if self._grant.protocol in FIRST_PROTOCOLS:
                again = await self._agent.begin(self._make_call(call.grant))
                self._compare(work.handle, None if isinstance(again, Done) else again.handle, "address of the work")
                if not isinstance(again, Done) and again.handle != work.handle:
                    await again.stop_in_time()
            elif self._grant.protocol == Protocol.OPENAI:
                self._note("same_key", CheckOutcome.NOT_APPLICABLE, "the protocol has no keys")
            else:
                found = await self._agent.find(self._make_call(call.grant))
                if found is not None and found.handle == work.handle:
                    self._note("same_key", CheckOutcome.PASSED, "it shows the work by our ids")
                else:
                    self._note("same_key", CheckOutcome.FAILED, _NOT_SHOWN, advice=_SHOW)
            self._since = self._recording.count
            await self._check_cancel(work)
        except BaseException:  # such as the end of the time for it
            self._stops = asyncio.ensure_future(work.stop_in_time())  # no more than STOP_TIMEOUT_S
            raise

    def _compare(self, first: object, second: object, what: str) -> None:
        if first == second:
            self._note("same_key", CheckOutcome.PASSED, f"the second call with the same key had the same {what}")
        else:
            self._fail("same_key", f"the second call with the same key had another {what}: the work is done twice")

    async def _check_cancel(self, work: Work[Any]) -> None:
        ends_at = time.monotonic() + STOPPED_WITHIN_S
        failure = f"the work went on {STOPPED_WITHIN_S:g} s after it was asked to stop"
        try:
            try:
                await work.stop()
            except errors.AgentError as error:  # it may be refused since the work has ended by itself
                ends_at, failure = 0.0, f"it could not be stopped: {work.call.hide(str(error))[:300]}"
            while await work.ask_in_time() is None:
                if time.monotonic() > ends_at:
                    self._fail("cancel", failure)
                    return
                await asyncio.sleep(LOOK_AGAIN_S)
        except errors.AgentWorkLostError:
            pass  # which is one way to say that it has ended
        except (errors.AgentError, TimeoutError) as error:
            self._fail("cancel", f"it could not be asked for: {self._call.hide(str(error))[:300]}")
            return
        self._note("cancel", CheckOutcome.PASSED, "the work had ended once it was asked to stop")

    async def _check_error(self) -> None:
        if self._grant.protocol not in FIRST_PROTOCOLS:
            self._note("error", CheckOutcome.NOT_APPLICABLE, "the protocol's requests have no body of ours")
            return
        await self._expect_refusal("error", replace(self._rename("error"), request=NO_JSON), "a body that is no JSON")

    async def _check_signature(self) -> None:
        if self._grant.signing is None:
            self._note("signature", CheckOutcome.NOT_APPLICABLE, "the agent is registered without signing")
            return
        await self._expect_refusal("signature", self._rename("signature"), "a call with a wrong signature", forges=True)

    async def _expect_refusal(self, check: str, grant: Grant, what: str, *, forges: bool = False) -> None:
        """Note whether the agent refuses a call, with a status of a client's error."""
        call = self._make_call(grant, forges=forges)
        try:
            if isinstance(self._agent, PolledAgent):
                taken = await self._agent.begin(call)
                if not isinstance(taken, Done):
                    await taken.stop_in_time()
            else:
                await self._agent.call(call)
        except (errors.AgentStatusError, errors.AgentDeclinedError) as error:
            if error.status in _CLIENT_ERRORS:
                self._note(check, CheckOutcome.PASSED, f"it refused {what}: {error.status}")
                return
            self._fail(check, f"it answered {what} with {error.status}")
        except errors.AgentError as error:
            self._fail(check, f"it did not refuse {what}: {error.code}")
        else:
            self._fail(check, f"it took {what}")

    def _make_call(self, grant: Grant, *, forges: bool = False) -> Call:
        left = self._budget.left_tokens
        call = replace(self._call, grant=grant, tokens_left=left, forges=forges, spend=self._note_usage)
        return replace(call, report_progress=self._progress.append)

    def _note_usage(self, usage: Usage) -> None:
        self._budget.spend(usage)
        self._call.spend(usage)

    def _rename(self, name: str) -> Grant:
        """Return the grant with a key, and ids, of its own: as that of another execution of another job."""
        lease = self._grant.lease
        other = replace(lease, execution_id=uuid5(lease.execution_id, name))
        ids = {each: str(uuid5(lease.execution_id, f"{name} {each}")) for each in ("context", "message")}
        return replace(self._grant, lease=other, context_id=ids["context"], message_id=ids["message"])

    def _fail(self, check: str, message: str) -> None:
        self._note(check, CheckOutcome.FAILED, message, advice=ADVICE[check])

    def _note(self, check: str, outcome: CheckOutcome, message: str, **more: str) -> None:
        row = {"check": check, "outcome": outcome.value, "message": message, **more}
        self.rows.append({**row, "exchanges": [*range(self._since, self._recording.count)]})
