"""How long the stores in Redis wait; without redis-py, which is optional."""

TIMEOUT_SECONDS = 1
"""Longest wait for a connection and for an answer; ``?socket_timeout=`` in the URL changes it."""

SHORT = 0.4
"""The part of this time after which another sentinel, or another node of a cluster, is asked who has the marks."""

LOOK_SECONDS = 1
"""How often a process asks sentinels or a cluster, at least, which server has the marks now. A master that was replaced
may not know it, and go on answering."""
