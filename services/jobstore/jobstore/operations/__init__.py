"""Carry out operations on many jobs at once. A batch is one of them."""
