"""What the tests of this folder judge, by whom, and a good answer to it."""

import json

from servicekit.models.forms import ApiName
from validator.judge_config import JudgeConfig

CRITERIA = "It greets\nIt is kind"
RESULT = {"text": "Hello, world"}
PASS = {"evidence": "Hello, world", "comment": "so it is", "outcome": "pass"}
GOOD = json.dumps({"c1": PASS, "c2": PASS, "reason": "because"})


def judge_of(base_url: str, api: ApiName | None) -> JudgeConfig:
    """The judge at a server."""
    return JudgeConfig(api_key="k", base_url=base_url, model="gpt-4o-mini", api=api, timeout_s=20)
