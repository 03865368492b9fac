"""The authorization server: it knows the clients, asks the people and issues the tokens (RFC 6749)."""
