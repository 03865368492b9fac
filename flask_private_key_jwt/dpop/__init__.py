"""Step 3: which key they hold. Proofs (RFC 9449 §4), nonces (§8, §9), binding (§5, §6)."""
