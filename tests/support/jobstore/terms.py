"""The terms of the tests' executions."""

from contracts.resources import Policy
from jobstore.jobs.model import ExecutionTerms, IdKey
from signoff.status import Delivery

POLICY = Policy(max_submissions=3, max_calls=3, attempt_timeout_s=60.0, delivery=Delivery.AT_LEAST_ONCE)
LEASE_S = 10.0
IDS = IdKey(b"0" * 32)
TERMS = ExecutionTerms(POLICY, LEASE_S, offer_again_s=5.0, ids=IDS)
