"""The tokens this server makes, and how they end: access, ID and refresh tokens, introspection, revocation."""
