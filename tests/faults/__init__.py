"""The whole system under faults: a seeded storm, and one checker of what was seen."""

import os

# Else gRPC's own handlers run in each process that is started here, between fork and exec, and sometimes crash it.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
