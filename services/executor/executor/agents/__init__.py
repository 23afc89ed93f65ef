"""Call agents, one module a protocol."""
