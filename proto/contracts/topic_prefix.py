"""Name topics and consumer groups apart from those of others, where a cluster is shared."""

import os
from typing import Final

#: What the name of each topic and consumer group begins with; every process of one installation has the same.
TOPIC_PREFIX: Final = os.environ.get("SIGNOFF_TOPIC_PREFIX", "")


def bare_name(topic: str) -> str:
    """Return the name of a topic as signatures have it: without the prefix, which is the cluster's affair."""
    return topic.removeprefix(TOPIC_PREFIX)
