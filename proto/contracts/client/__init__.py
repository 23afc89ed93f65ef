"""The jobstore's Python client: every gRPC call but those of workers, in the types of `contracts.resources`."""

from contracts.client.connection import JobStoreError
from contracts.client.jobs import UNCHANGED, UNREACHABLE, JobPage, JobStoreClient, WatchEvent
from contracts.messages.views import Batch, BatchItem

__all__ = [
    "UNCHANGED",
    "UNREACHABLE",
    "Batch",
    "BatchItem",
    "JobPage",
    "JobStoreClient",
    "JobStoreError",
    "WatchEvent",
]
