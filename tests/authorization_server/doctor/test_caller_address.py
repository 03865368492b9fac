"""From where the server thinks that a request comes."""

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_private_key_jwt.authorization_server.doctor import caller_address, kept_refusals
from flask_private_key_jwt.web.url import read_url


def test_server_that_believes_no_header_is_right(look):
    found = look("caller-address")

    assert found.ok
    assert "as 127.0.0.1, whatever a request says" in found.why


def test_server_that_believes_its_caller_is_noticed(look, app, site):
    site.application = ProxyFix(app.wsgi_app, x_for=1)

    found = look("caller-address")

    assert found.ok is False
    assert "X-Forwarded-For" in found.why


def test_proxy_that_replaces_the_header_is_right(look, app, site):
    fixed = ProxyFix(app.wsgi_app, x_for=1)

    def proxy(environ, start_response):
        return fixed({**environ, "HTTP_X_FORWARDED_FOR": environ["REMOTE_ADDR"]}, start_response)

    site.application = proxy

    assert look("caller-address").ok


@pytest.mark.parametrize("settings", [{"OAUTH2_REFUSALS_KEPT_SECONDS": 0}])
def test_server_that_keeps_nothing_cannot_be_seen_into(look):
    assert look("caller-address").ok is None


def test_server_that_says_nothing_is_not_waited_for_long(look, site, plain_page, monkeypatch):
    monkeypatch.setattr(kept_refusals, "WITHIN_SECONDS", 0.2)
    site.application = plain_page

    assert look("caller-address").ok is None


def test_proxy_may_hide_the_callers(look, app, site, monkeypatch):
    """Nobody can tell from here whether the address of this machine is its own or the proxy's."""
    monkeypatch.setattr(caller_address, "read_url", lambda _: read_url("https://as.example"))

    found = look("caller-address")

    assert found.ok is None
    assert "ProxyFix" in found.why
