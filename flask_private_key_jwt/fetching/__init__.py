"""How one server asks another over HTTP: metadata, keys, tokens."""
