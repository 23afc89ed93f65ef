"""Requests, answers and what operators see, to and from their gRPC messages."""
