"""Access to an SQL database: statements, connections, deadlines. The stores decide what is stored in it.

``deadline``, ``breaker`` and ``connecting`` are for Redis too.
"""
