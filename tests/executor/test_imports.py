"""What the executor imports: adapters of more protocols cost next to nothing, and bring no client of others."""

import json
import subprocess
import sys

#: What an executor imported before it called agents by more protocols than those of HTTP; then all.
MEASURE = """
import json, resource, sys, time
import executor.config, executor.executions, executor.handlers, executor.http_agents, servicekit.kafka.dead_letters
import servicekit.process.worker_service
begun, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
import executor.app
took, more = time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps({"took_s": took, "more_kib": more, "modules": list(sys.modules)}))
"""
#: Clients of others, and what is imported when it is first needed.
LEFT_OUT = {"openai", "httpx", "httpx2", "mcp", "a2a", "langgraph_sdk", "pydantic_ai", "genai_prices", "jsonschema_rs"}


def test_adapters_of_more_protocols_add_five_megabytes_and_a_tenth_of_a_second_at_most() -> None:
    found = json.loads(subprocess.run([sys.executable, "-c", MEASURE], check=True, capture_output=True).stdout)
    assert LEFT_OUT.isdisjoint(found["modules"])
    assert found["more_kib"] <= 5 << 10
    assert found["took_s"] <= 0.1
