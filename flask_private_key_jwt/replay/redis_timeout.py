"""How long the stores in Redis wait; without redis-py, which is optional."""

TIMEOUT_SECONDS = 1
"""Longest wait for a connection and for an answer; ``?socket_timeout=`` in the URL changes it."""

SHORT_SECONDS = 0.4
"""Longest wait for one sentinel, or for one node that is asked about its cluster, before the next one is asked."""

LOOK_SECONDS = 1
"""How often a process asks sentinels or a cluster, at least, which server has the marks now. A master that was replaced
may not know it, and go on answering."""
