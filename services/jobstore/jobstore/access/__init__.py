"""Who callers are: their credentials, and what these allow."""
