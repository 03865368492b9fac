"""The settings that an authorization server and a resource server both have."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from .values import ASYMMETRIC_ALGS, between, each_of, https_url, smart_capabilities, web_origins

Seconds = Annotated[int, between(1, 3600)]

Algs = Annotated[tuple[str, ...], each_of(ASYMMETRIC_ALGS)]


HOW_TO_SET = "how to set it"
"""Metadata key: for a setting without a default, the sentence that tells how to set it."""


@dataclass(frozen=True, kw_only=True)
class SharedSettings:
    """The settings that both kinds of server have; each server reads its own values."""

    ISSUER: Annotated[str, https_url] = field(
        metadata={HOW_TO_SET: "Set it to the authorization server's own https URL, e.g. https://as.example."}
    )
    """The authorization server's issuer identifier, used literally in ``iss`` and ``aud`` (RFC 8414 §2)."""

    PROFILE: Literal["oauth", "fapi2", "mcp", "smart", "atproto"] = "oauth"
    """The rules in force: ``fapi2`` is the FAPI 2.0 Security Profile, ``mcp`` is for MCP servers, ``smart`` is SMART
    App Launch 2.2, ``atproto`` is for the AT Protocol; see :mod:`.profiles`."""

    DPOP_NONCE: Literal["off", "required"] = "off"
    """Whether a DPoP proof must carry a nonce of this server (RFC 9449 §8, §9)."""

    DPOP_NONCE_LIFETIME_SECONDS: Annotated[int, between(60, 3600)] = 300
    """How long a nonce is given out, in seconds; it stays valid for the same time after that. 60 to 3600."""

    DPOP_PROOF_LIFETIME_SECONDS: Annotated[int, between(10, 300)] = 60
    """How long a DPoP proof is valid, from its ``iat``, in seconds (RFC 9449 §11.1). 10 to 300."""

    DPOP_SIGNING_ALGS: Algs = ASYMMETRIC_ALGS
    """Accepted proof algorithms, advertised as ``dpop_signing_alg_values_supported``."""

    DPOP_PROOF_MAX_BYTES: Annotated[int, between(2048, 65536)] = 8192
    """Largest accepted DPoP header, in bytes. 2048 to 65536."""

    CLOCK_SKEW_SECONDS: Annotated[int, between(0, 60)] = 10
    """How far another party's clock may differ from ours, in seconds. 0 to 60."""

    STORE_TIMEOUT_SECONDS: Annotated[int, between(1, 30)] = 5
    """Longest time that the stores (database, Redis) may take for one request, waiting included, in seconds.
    1 to 30."""

    REPLAY_REDIS_REPLICAS: Annotated[int, between(0, 16)] = 0
    """How many replicas of Redis must have the mark of a used ``jti`` before the request goes on, if
    ``REPLAY_STORE`` is in Redis. If fewer confirm in time, the request is refused with 503. 0 to 16."""

    CORS_ORIGINS: Annotated[tuple[str, ...], web_origins] = ()
    """Exact origins whose pages may call this server from a browser (CORS), or ``*`` for all; never with credentials.
    At the authorization server: the token, PAR, revocation and UserInfo endpoints, and open registration. At an API:
    the protected views. There it also decides instead of the application's own CORS. Empty: none."""

    SMART_CAPABILITIES: Annotated[tuple[str, ...], smart_capabilities] = ()
    """``capabilities`` of the document at ``/.well-known/smart-configuration``, which only the profile ``smart`` has
    (SMART App Launch 2.2, Conformance): what this package implements and what the application does. Not set: the
    former."""

    LOG_FORMAT: Literal["text", "json"] = "text"
    """How decisions are logged: ``json`` writes one JSON object for each event, to the logger
    ``flask_private_key_jwt.decisions``, and refusals only there."""

    SECRETS: tuple[str, ...] = field(default=(), repr=False)
    """Secrets to derive keys from, newest first; default: ``SECRET_KEY``, then ``SECRET_KEY_FALLBACKS``."""
