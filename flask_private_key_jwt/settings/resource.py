"""The settings of a resource server (an API)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from ..errors import ConfigurationError
from .shared import HOW_TO_SET, Algs, SharedSettings
from .values import ASYMMETRIC_ALGS, between, https_url, proxy_url, replay_store, resource_uri


@dataclass(frozen=True, kw_only=True)
class ResourceSettings(SharedSettings):
    """The settings of a resource server (an API)."""

    RESOURCE: Annotated[str, resource_uri] = field(
        metadata={HOW_TO_SET: "Set it to this API's own identifier, e.g. https://api.example."}
    )
    """This API's own identifier, required in a token's ``aud`` (RFC 8707, RFC 9068 §4)."""

    EXTERNAL_URL: Annotated[str, https_url] | None = None
    """The base URL that a proof's ``htu`` must match, mount path included. Default: the origin of ``RESOURCE``."""

    REPLAY_STORE: Annotated[object, replay_store] | None = field(default=None, repr=False)
    """Where used proofs are remembered: a ``redis://`` or SQLAlchemy URL, ``sql`` in an app that is also the
    authorization server, ``memory`` (one process only), or a store of the application's own: the object, or an import
    path. Without it the API takes Bearer tokens only."""

    TOKEN_SIGNING_ALGS: Algs = ASYMMETRIC_ALGS
    """Accepted access token algorithms."""

    TOKEN_MAX_BYTES: Annotated[int, between(1024, 65536)] = 8192
    """Largest accepted access token, in bytes. 1024 to 65536."""

    JWKS_CACHE_SECONDS: Annotated[int, between(30, 86400)] = 300
    """How long the issuer's keys are trusted before they are fetched again, in seconds. 30 to 86400."""

    JWKS_STALE_SECONDS: Annotated[int, between(0, 86400)] = 3600
    """How long the old keys are used when the issuer does not answer, in seconds. 0 to 86400."""

    HTTP_TIMEOUT_SECONDS: Annotated[int, between(1, 30)] = 5
    """Longest wait for the issuer, in seconds. 1 to 30."""

    PROXY: Annotated[str, proxy_url] | None = field(default=None, repr=False)  # may hold a password
    """URL of the proxy to the issuer. Default: ``HTTPS_PROXY`` and ``NO_PROXY``. Not used for an issuer on this
    machine."""

    CA_BUNDLE: str | None = None
    """Path of the certificate authorities (PEM) that are trusted for the issuer. Default: ``REQUESTS_CA_BUNDLE``, else
    those of ``requests``."""

    CLIENT_ID: str | None = None
    """The API's own client_id at the issuer, to ask it about tokens (``require_oauth(…, online=True)``)."""

    CLIENT_KEY: Mapping[str, Any] | str | None = field(default=None, repr=False)  # a path, or the key itself
    """Path of the private key of that client, or the key itself: PEM, JWK or any other format that
    :func:`~flask_private_key_jwt.client.load_key` reads."""

    CLIENT_KEY_PASSWORD: str | None = field(default=None, repr=False)
    """Password of that key, if it is an encrypted PEM."""

    INTROSPECTION_CACHE_SECONDS: Annotated[int, between(0, 60)] = 10
    """How long the issuer's answer that a token is active is reused, in seconds. A revocation may be noticed that much
    later. 0 to 60."""

    def __post_init__(self) -> None:
        if self.CLIENT_KEY is not None and self.CLIENT_ID is None:
            raise ConfigurationError(
                "OAUTH2_CLIENT_KEY is set without the name it has at the issuer: set OAUTH2_CLIENT_ID and "
                "OAUTH2_CLIENT_KEY, or neither."
            )

    @property
    def proxies(self) -> Mapping[str, str] | None:
        """``OAUTH2_PROXY`` by scheme, as ``requests`` takes it; ``None`` when it is not set."""
        return None if self.PROXY is None else {"http": self.PROXY, "https": self.PROXY}
