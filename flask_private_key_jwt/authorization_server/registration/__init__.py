"""What a client is and how it becomes one: the operator registers it, or it registers itself (RFC 7591, RFC 7592)."""
