"""The certificate of the issuer, at a real server on loopback."""

import pytest

from flask_private_key_jwt.authorization_server.doctor.deployment import Outside
from flask_private_key_jwt.fetching.outbound import Outbound
from tests.servers.https_servers import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def tls(authority, request):
    names, is_expired = getattr(request, "param", (("127.0.0.1",), False))
    return authority.server_context(*names, expired=is_expired)


@pytest.fixture
def outside(authority):
    return Outside(Outbound(proxies={}, ca_bundle=authority.bundle), timeout=5)


def test_https_issuer_is_right(look):
    for identifier in ("issuer-https", "issuer-reachable", "metadata-equal", "jwks-equal", "endpoints-reachable"):
        assert look(identifier).ok, identifier


def test_certificate_that_ends_soon_is_noticed(look):
    found = look("issuer-certificate")  # those of the tests go on for a day

    assert found.ok is False
    assert "ends in 1 day" in found.why


def test_certificate_that_goes_on_is_right(look, clock):
    clock.move(-60 * 86400)

    found = look("issuer-certificate")

    assert found.ok
    assert "goes on for 61 days (TLSv1.3)" in found.why


@pytest.mark.parametrize("tls", [(("other.example",), False), (("127.0.0.1",), True)], indirect=True)
def test_certificate_of_another_name_or_time_is_noticed(look):
    found = look("issuer-certificate")

    assert found.ok is False
    assert "not accepted" in found.why
    assert look("issuer-reachable").ok is False


def test_certificate_of_an_unknown_authority_is_noticed(look):
    found = look("issuer-certificate", outside=Outside(Outbound(proxies={}), timeout=5))

    assert found.ok is False
    assert "--ca-bundle" in found.change


def test_certificate_behind_a_proxy_cannot_be_seen(look, monkeypatch):
    monkeypatch.setattr(Outbound, "find_proxy", lambda *_: "http://proxy.example:3128")

    assert look("issuer-certificate").ok is None
