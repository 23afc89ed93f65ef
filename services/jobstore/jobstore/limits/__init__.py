"""Limits, and what they hold back."""
