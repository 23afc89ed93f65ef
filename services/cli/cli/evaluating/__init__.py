"""Judging labelled cases by policies, and what comes of it for people to read."""
