"""JWTs and keys (RFC 7515 to 7519): parsed strictly, checked claim by claim."""
