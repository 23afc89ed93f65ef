"""The jobstore's Python client: every gRPC call but those of workers, in the types of `contracts.resources`."""

from contracts.client.connection import JobStoreError, list_all
from contracts.client.jobs import UNCHANGED, UNREACHABLE, JobPage, JobStoreClient, WatchEvent

__all__ = [
    "UNCHANGED",
    "UNREACHABLE",
    "JobPage",
    "JobStoreClient",
    "JobStoreError",
    "WatchEvent",
    "list_all",
]
