"""The secrets that clients share with this server: how they are kept, compared, and noted as used.

A secret for HTTP Basic or a form is kept as its HMAC-SHA-256 under a key derived from the application's secrets. One
for ``client_secret_jwt`` has to be known again, so it is encrypted, as the server's own signing keys are. Neither is
cached: one SELECT by primary key reads the secrets of the client that shows one, and when each was last used.
"""

import hmac
import json
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.fernet import InvalidToken

from ... import clock
from ...errors import TemporarilyUnavailable
from ...jose import jose
from ...jose.derived import Secrets
from ...settings.server import ServerSettings
from ..registered_client import RegisteredClient
from ..stores.contracts import ClientSecretStore, StoredClientSecret

log = logging.getLogger("flask_private_key_jwt")

MIN_SECRET_CHARACTERS = 32
MAX_SECRET_CHARACTERS = 1024
HOUR_SECONDS = 3600

_HMAC_PURPOSE = "client secrets"
_JWT_PURPOSE = "client secrets for JWTs"
_VSCHAR = re.compile(r"[ -~]+")
"""RFC 6749 §A.2."""


class SecretNotAccepted(Exception):
    """The client did not prove that it knows one of its secrets; the message is a private reason.

    :param cause: The code of the reason.
    """

    def __init__(self, reason: str, *, cause: str) -> None:
        super().__init__(reason)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class UsedSecret:
    """A secret that a client has proved to know."""

    stored: StoredClientSecret
    kept_anew: str | None = field(default=None, repr=False)
    """What to keep of it from now on; ``None``: it is kept under the newest of the application's secrets already."""


class ClientSecrets:
    """Keeps and checks the secrets of one application's clients.

    :param settings: The server's settings.
    :param store: Where they are kept.
    :param secrets: The keys that hide them are derived from these.
    """

    def __init__(self, settings: ServerSettings, store: ClientSecretStore, secrets: Secrets) -> None:
        self._settings = settings
        self._store = store
        self._secrets = secrets

    # --- in a request ---------------------------------------------------------------------------------------
    def find_password(self, client: RegisteredClient, method: str, password: str) -> UsedSecret:
        """The secret of *client* for *method* that is *password*.

        :raises SecretNotAccepted: There is none that counts now.
        :raises StoreUnavailable: The secrets cannot be read.
        """
        stored = self._load(client, method)
        hmacs = {_name_key(key): _mac(key, client.client_id, password) for key in self._hmac_keys()}
        newest = next(iter(hmacs))
        matching = []
        for secret in stored:  # every one of them, so that the time does not say which one it was
            name, _, digest = secret.kept.partition(":")
            if hmac.compare_digest(hmacs.get(name, b"").hex().encode(), digest.encode()) and digest:
                matching.append(UsedSecret(secret, None if name == newest else f"{newest}:{hmacs[newest].hex()}"))
        if not matching:
            if any(secret.kept.partition(":")[0] not in hmacs for secret in stored):
                raise SecretNotAccepted(
                    "not one of the client's secrets, or it was kept under a SECRET_KEY that is gone",
                    cause="client_secret_unreadable",
                )
            raise SecretNotAccepted("not one of the client's secrets", cause="client_secret_wrong")
        return _first_valid(matching)

    def find_signer(self, client: RegisteredClient, method: str, jwt: jose.JWT) -> UsedSecret:
        """The secret of *client* that signed *jwt*; the key decides the algorithm.

        :raises SecretNotAccepted: There is none that counts now.
        :raises JoseProblem: No secret is for this algorithm or of this ``kid``, or none of them signed it.
        :raises StoreUnavailable: The secrets cannot be read.
        """
        opened = [(secret, self.find_key(secret)) for secret in self._load(client, method)]
        fitting = [(secret, key) for secret, key in opened if key and key.fits(jwt.alg) and _is_named_by(key, jwt)]
        if not fitting and any(key is None for _, key in opened):
            raise SecretNotAccepted(
                "the client's secret was encrypted with a SECRET_KEY that is gone", cause="client_secret_unreadable"
            )
        if not fitting:
            raise jose.JoseProblem(f"no secret of the client fits kid {jwt.kid!r} and alg {jwt.alg!r}", cause="no_key")
        matching = [UsedSecret(secret) for secret, key in fitting if jose.verify_mac(jwt, key)]
        if not matching:
            raise jose.JoseProblem("the signature does not verify", cause="signature")
        return _first_valid(matching)

    def note(self, used: UsedSecret) -> None:
        """Note that a client has authenticated with a secret, at most once an hour for each. Never fails."""
        now, stored = clock.now(), used.stored
        try:
            if used.kept_anew is not None:
                self._store.keep_anew(stored, used.kept_anew)
            if stored.last_used_at is None or not now - HOUR_SECONDS < stored.last_used_at <= now + HOUR_SECONDS:
                self._store.mark_used(stored, now=now, not_after=now - HOUR_SECONDS)
        except TemporarilyUnavailable as problem:
            # The token does not depend on this record.
            log.warning("the use of a secret of client %r is not recorded: %s", stored.client_id, problem.reason)

    # --- for the operator -----------------------------------------------------------------------------------
    def keep_password(self, client_id: str, password: str) -> str:
        """What is kept of a secret for HTTP Basic or a form.

        :raises JoseProblem: It is too short or too long, is a key, or holds other characters than printable ASCII.
        :raises ConfigurationError: The application has no secret.
        """
        if not MIN_SECRET_CHARACTERS <= len(password) <= MAX_SECRET_CHARACTERS:
            raise jose.JoseProblem(
                f"the secret has {len(password)} characters, not {MIN_SECRET_CHARACTERS} to {MAX_SECRET_CHARACTERS}",
                cause="length",
            )
        if not _VSCHAR.fullmatch(password):
            raise jose.JoseProblem("the secret holds other characters than printable ASCII", cause="characters")
        jose.check_not_a_key(password.encode())
        key = self._hmac_keys()[0]
        return f"{_name_key(key)}:{_mac(key, client_id, password).hex()}"

    def keep_key(self, key: jose.SymmetricKey) -> str:
        """What is kept of a secret that signs JWTs.

        :raises ConfigurationError: The application has no secret.
        """
        members = {"alg": key.alg, "k": jose.b64url(key.octets), "kid": key.kid}
        return self._secrets.cipher(_JWT_PURPOSE).encrypt(json.dumps(members).encode()).decode()

    def is_password(self, stored: StoredClientSecret, password: str) -> bool:
        """Whether *stored* was made of *password*."""
        name, _, digest = stored.kept.partition(":")
        macs = {_name_key(key): _mac(key, stored.client_id, password) for key in self._hmac_keys()}
        return name in macs and hmac.compare_digest(macs[name].hex(), digest)

    def find_key(self, stored: StoredClientSecret) -> jose.SymmetricKey | None:
        """The key of a secret that signs JWTs; ``None`` if it cannot be decrypted."""
        try:
            text = self._secrets.cipher(_JWT_PURPOSE).decrypt(stored.kept.encode())
        except InvalidToken:
            return None
        return jose.import_symmetric_key({"kty": "oct", **json.loads(text)})

    def reencrypt(self, *, is_jwt: Callable[[StoredClientSecret], bool]) -> int:
        """Encrypt every secret that signs JWTs with the newest of the application's secrets.

        An HMAC cannot be made anew without the secret, which is done when the client next uses it.

        :param is_jwt: Whether a secret signs JWTs.
        :return: How many HMACs still need an older secret of the application.
        :raises StoreUnavailable: The database did not answer.
        """
        newest, left = _name_key(self._hmac_keys()[0]), 0
        for secret in self._store.all():
            if not is_jwt(secret):
                left += secret.kept.partition(":")[0] != newest
            elif (key := self.find_key(secret)) is not None:
                self._store.keep_anew(secret, self.keep_key(key))
        return left

    # --- inside ---------------------------------------------------------------------------------------------
    def _load(self, client: RegisteredClient, method: str) -> Sequence[StoredClientSecret]:
        """The secrets of *client* for *method*, also those whose date is over."""
        check_may_have_secrets(client, self._settings)
        stored = [secret for secret in self._store.load(client.client_id) if secret.method == method]
        if not stored:
            raise SecretNotAccepted(
                f"the client is registered for {client.token_endpoint_auth_method!r}, and has no secret for {method!r}",
                cause="client_auth_method",
            )
        return stored

    def _hmac_keys(self) -> tuple[bytes, ...]:
        return self._secrets.derive(_HMAC_PURPOSE)


def check_may_have_secrets(client: RegisteredClient, settings: ServerSettings) -> None:
    """Refuse a client that the operator does not stand behind, and a public one.

    :raises SecretNotAccepted: It is such a client.
    """
    if client.is_public:
        raise SecretNotAccepted("the client is registered for 'none'", cause="client_auth_method")
    if not client.is_vouched_for(settings):
        raise SecretNotAccepted(
            "the client registered itself, and the operator does not vouch for it", cause="client_secret_not_vouched"
        )


def check_secrets_count(settings: ServerSettings) -> None:
    """Refuse every secret outside the time of ``OAUTH2_CLIENT_SECRETS_UNTIL``.

    :raises SecretNotAccepted: The setting is not set, or its date is over.
    """
    until = settings.client_secrets_until
    if until is None:
        raise SecretNotAccepted("OAUTH2_CLIENT_SECRETS_UNTIL is not set", cause="client_secrets_off")
    if clock.is_over(until):
        raise SecretNotAccepted(
            f"OAUTH2_CLIENT_SECRETS_UNTIL {settings.CLIENT_SECRETS_UNTIL} is over", cause="client_secrets_over"
        )


def _first_valid(matching: Sequence[UsedSecret]) -> UsedSecret:
    """The first of them whose own date is not over: the same secret may have been given twice."""
    for used in matching:
        if used.stored.expires_at is None or not clock.is_over(used.stored.expires_at):
            return used
    raise SecretNotAccepted(
        f"the date of the client's secret {matching[0].stored.name} is over", cause="client_secret_over"
    )


def _is_named_by(key: jose.SymmetricKey, jwt: jose.JWT) -> bool:
    return jwt.kid is None or key.kid in (None, jwt.kid)


def _mac(key: bytes, client_id: str, password: str) -> bytes:
    # The client_id, so that nobody who reads the database sees that two clients have the same secret.
    return hmac.digest(key, f"{client_id}\x00{password}".encode("utf-8", "surrogatepass"), "sha256")


def _name_key(key: bytes) -> str:
    """A name for a derived key, from which nobody can learn the key."""
    return sha256(b"name\x00" + key).hexdigest()[:8]
