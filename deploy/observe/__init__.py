"""Prometheus and a receiver of traces, as processes beside a stack: `make observe`."""
