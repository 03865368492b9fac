"""What a request costs the server. ``python -m bench.run`` prints the table; README.md says how to read it."""
