"""HTTP requests to other servers: for metadata, keys, tokens and clients' documents."""
