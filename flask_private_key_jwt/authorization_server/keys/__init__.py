"""Keys: JOSE in one place, clients' public keys, the server's own keys, certificates."""
