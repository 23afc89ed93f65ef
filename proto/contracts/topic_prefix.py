"""Name topics and consumer groups apart from those of others, where a cluster is shared."""

import os
from typing import Final

#: What the name of each topic and consumer group begins with; every process of one installation has the same.
TOPIC_PREFIX: Final = os.environ.get("SIGNOFF_TOPIC_PREFIX", "")


def bare_name(topic: str) -> str:
    """Return a topic's name as signatures cover it: without the prefix, which may differ from cluster to cluster."""
    return topic.removeprefix(TOPIC_PREFIX)
