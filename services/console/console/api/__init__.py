"""The HTTP API for browsers and programs: REST and server-sent events."""
