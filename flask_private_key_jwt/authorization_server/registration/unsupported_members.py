"""Members of a registration that ask for something this server does not do.

They come from IANA's registry "OAuth Dynamic Client Registration Metadata". A registration that has one is refused,
because the client would wait for something that never comes. Some members are ignored like unknown ones instead. Either
another member, which is refused, decides about them: ``token_endpoint_auth_method`` for mutual TLS, ``grant_types`` for
CIBA and UMA. Or a server may ignore them: ``default_acr_values``, ``initiate_login_uri``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import InvalidClientMetadata, UnapprovedSoftwareStatement

SUBJECT_TYPE = "public"
"""Every client gets the same ``sub`` for a person (OpenID Connect Core §8)."""


@dataclass(frozen=True, slots=True)
class Unsupported:
    """What this server does instead of what a member asks for."""

    instead: str
    same: tuple[Any, ...] = ()
    """Values that ask for what this server does anyway."""
    protects: bool = False
    """Whether it protects tokens or data about people, so that ignoring it would be a broken promise."""


_ID_TOKENS = Unsupported("ID tokens are signed, not encrypted", protects=True)
_USERINFO = Unsupported("UserInfo answers in plain JSON", protects=True)
_INTROSPECTION = Unsupported("introspection answers in plain JSON", protects=True)
_RESPONSES = Unsupported("authorization responses are parameters of the redirect URI", protects=True)
_REQUEST_OBJECTS = Unsupported("request objects are signed, not encrypted")
_LOGOUT = Unsupported("clients are not told when a person signs out")
_LOGOUT_FLAG = Unsupported(_LOGOUT.instead, same=(False,))
_TOKENS = Unsupported("access tokens are JWTs of RFC 9068")

UNSUPPORTED: Mapping[str, Unsupported] = {
    "id_token_encrypted_response_alg": _ID_TOKENS,
    "id_token_encrypted_response_enc": _ID_TOKENS,
    "userinfo_signed_response_alg": Unsupported(_USERINFO.instead),
    "userinfo_encrypted_response_alg": _USERINFO,
    "userinfo_encrypted_response_enc": _USERINFO,
    "introspection_signed_response_alg": Unsupported(_INTROSPECTION.instead),
    "introspection_encrypted_response_alg": _INTROSPECTION,
    "introspection_encrypted_response_enc": _INTROSPECTION,
    "authorization_signed_response_alg": Unsupported(_RESPONSES.instead),
    "authorization_encrypted_response_alg": _RESPONSES,
    "authorization_encrypted_response_enc": _RESPONSES,
    "request_object_encryption_alg": _REQUEST_OBJECTS,
    "request_object_encryption_enc": _REQUEST_OBJECTS,
    "request_uris": Unsupported("a request_uri is one that the PAR endpoint gave out", same=([],)),
    "authorization_details_types": Unsupported("what a token is for is said by scope and resource", same=([],)),
    "tls_client_certificate_bound_access_tokens": Unsupported(
        "access tokens are bound by DPoP: dpop_bound_access_tokens", same=(False,), protects=True
    ),
    "frontchannel_logout_uri": _LOGOUT,
    "frontchannel_logout_session_required": _LOGOUT_FLAG,
    "backchannel_logout_uri": _LOGOUT,
    "backchannel_logout_session_required": _LOGOUT_FLAG,
    "nfv_token_signed_response_alg": _TOKENS,
    "nfv_token_encrypted_response_alg": _TOKENS,
    "nfv_token_encrypted_response_enc": _TOKENS,
}
"""Member -> what this server does instead."""


def check_unsupported(metadata: Mapping[str, Any], *, is_document: bool) -> None:
    """Refuse a registration that asks for something this server does not do.

    One document serves many servers, and may name what only others do (RFC 7591 §2: unknown members are ignored). In a
    document only members that protect somebody are refused: there is no answer that could say that they are ignored.

    :param metadata: The registration, without members that are ``None``.
    :param is_document: Whether it is a client's document.
    :raises InvalidClientMetadata: It asks for such a thing; the reason says what is done instead.
    """
    if "software_statement" in metadata:
        raise UnapprovedSoftwareStatement(
            "a software_statement, whoever signed it: this server trusts no issuer", cause="software_statement"
        )
    if "client_secret" in metadata:
        raise InvalidClientMetadata(
            "client_secret is there, but only the operator gives a client a secret: flask oauth2 client secret give",
            cause="client_secret_sent",
        )
    _check_subject_type(metadata)
    for name, member in UNSUPPORTED.items():
        if name not in metadata or _is_same(metadata[name], member.same) or (is_document and not member.protects):
            continue
        raise InvalidClientMetadata(
            f"{name} {str(metadata[name])[:40]!r} is not supported: {member.instead}", cause=f"{name}_not_supported"
        )


def _check_subject_type(metadata: Mapping[str, Any]) -> None:
    if metadata.get("subject_type", SUBJECT_TYPE) != SUBJECT_TYPE:
        raise InvalidClientMetadata(
            f"subject_type {str(metadata['subject_type'])[:40]!r} is not {SUBJECT_TYPE!r}",
            cause="subject_type_not_public",
        )
    if "sector_identifier_uri" in metadata:
        # It is never fetched, because only pairwise subjects need it.
        raise InvalidClientMetadata(
            "sector_identifier_uri is there, but subject identifiers are public", cause="sector_identifier_uri"
        )


def _is_same(value: object, same: tuple[Any, ...]) -> bool:
    return any(type(value) is type(other) and value == other for other in same)  # 0 is not false
