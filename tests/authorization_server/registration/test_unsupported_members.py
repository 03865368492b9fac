"""unsupported_members.py: a registration that asks for an unsupported feature is refused, not silently reduced."""

import pytest

from flask_private_key_jwt.authorization_server.registration.metadata import unknown_members
from flask_private_key_jwt.authorization_server.registration.unsupported_members import UNSUPPORTED, check_unsupported
from flask_private_key_jwt.errors import InvalidClientMetadata

PROTECTS = {
    "id_token_encrypted_response_alg": "RSA-OAEP-256",
    "id_token_encrypted_response_enc": "A256GCM",
    "userinfo_encrypted_response_alg": "ECDH-ES",
    "userinfo_encrypted_response_enc": "A256GCM",
    "introspection_encrypted_response_alg": "ECDH-ES",
    "introspection_encrypted_response_enc": "A256GCM",
    "authorization_encrypted_response_alg": "ECDH-ES",
    "authorization_encrypted_response_enc": "A256GCM",
    "tls_client_certificate_bound_access_tokens": True,
}
OTHERS = {
    "userinfo_signed_response_alg": "ES256",
    "introspection_signed_response_alg": "ES256",
    "authorization_signed_response_alg": "ES256",
    "request_object_encryption_alg": "ECDH-ES",
    "request_object_encryption_enc": "A256GCM",
    "request_uris": ["https://console.example/request.jwt"],
    "authorization_details_types": ["payment"],
    "frontchannel_logout_uri": "https://console.example/out",
    "frontchannel_logout_session_required": True,
    "backchannel_logout_uri": "https://console.example/out",
    "backchannel_logout_session_required": True,
    "nfv_token_signed_response_alg": "ES256",
    "nfv_token_encrypted_response_alg": "ECDH-ES",
    "nfv_token_encrypted_response_enc": "A256GCM",
}
SAME = {
    "tls_client_certificate_bound_access_tokens": False,
    "frontchannel_logout_session_required": False,
    "backchannel_logout_session_required": False,
    "request_uris": [],
    "authorization_details_types": [],
}
IGNORED = {
    "tls_client_auth_subject_dn": "CN=console",
    "backchannel_token_delivery_mode": "poll",
    "default_acr_values": ["urn:example:strong"],
    "initiate_login_uri": "https://console.example/start",
}


def refusal_of(metadata, *, is_document=False):
    with pytest.raises(InvalidClientMetadata) as caught:
        check_unsupported(metadata, is_document=is_document)
    return caught.value.reason


def test_every_member_has_its_case():
    assert PROTECTS.keys() | OTHERS.keys() == UNSUPPORTED.keys()


@pytest.mark.parametrize(("name", "value"), [*PROTECTS.items(), *OTHERS.items()])
def test_wish_that_is_never_granted_is_refused(name, value):
    reason = refusal_of({name: value})

    assert reason == f"{name} {str(value)[:40]!r} is not supported: {UNSUPPORTED[name].instead}"


@pytest.mark.parametrize(("name", "value"), SAME.items())
def test_wish_for_what_is_done_anyway_is_none(name, value):
    check_unsupported({name: value}, is_document=False)


@pytest.mark.parametrize(("name", "value"), [("request_uris", {}), *((name, 0) for name in SAME)])
def test_value_that_is_only_like_it_is_refused(name, value):
    assert refusal_of({name: value}).startswith(f"{name} ")


@pytest.mark.parametrize(("name", "value"), PROTECTS.items())
def test_document_that_asks_for_protection_is_refused(name, value):
    assert refusal_of({name: value}, is_document=True).startswith(f"{name} ")


@pytest.mark.parametrize(("name", "value"), OTHERS.items())
def test_document_may_name_what_only_other_servers_do(name, value):
    check_unsupported({name: value}, is_document=True)


def test_members_that_another_one_decides_over_are_ignored():
    check_unsupported(IGNORED, is_document=False)


def test_operator_is_told_of_ignored_members_only():
    assert unknown_members({**PROTECTS, **OTHERS, **IGNORED}) == sorted(IGNORED)
