"""DPoP, for both servers and the client: proofs (RFC 9449 §4), nonces (§8, §9), binding (§5, §6)."""
