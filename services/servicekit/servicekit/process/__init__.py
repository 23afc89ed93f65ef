"""Run a service's process: its settings, logs, health, signals and loops."""
