"""``private-key-jwt``: the client's side at a terminal, for people. The only part of the client that loads click.

Read in this order: ``program`` (the commands, and how they end) · ``options`` · ``output`` · one file for each command.
"""
