"""How long the stores in Redis wait; without redis-py, which is optional."""

TIMEOUT_SECONDS = 1
"""Longest wait for a connection and for an answer; ``?socket_timeout=`` in the URL changes it."""
