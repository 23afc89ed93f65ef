"""Live changes: one upstream watch a process, many viewers."""
