"""Step 6: the token. One file per kind of token."""
