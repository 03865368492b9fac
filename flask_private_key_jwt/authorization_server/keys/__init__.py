"""This server's keys, and the public keys of its clients."""
