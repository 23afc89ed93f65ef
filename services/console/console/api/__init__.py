"""The doors for browsers and programs: REST and server-sent events."""
