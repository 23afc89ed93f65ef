"""Ways of calling agents, one module a protocol."""
