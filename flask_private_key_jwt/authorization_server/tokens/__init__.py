"""The tokens this server makes, and what becomes of them: access, ID and refresh tokens, introspection, revocation."""
