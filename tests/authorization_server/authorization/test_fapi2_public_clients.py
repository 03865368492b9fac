"""A public client that was registered before the profile fapi2 was set is refused everywhere."""

from flask_private_key_jwt.authorization_server.client_auth.public import METHOD
from tests.authorization_server.conftest import build_request
from tests.conftest import INVALID_CLIENT, close, make_app

CLIENT = {
    "client_id": "phone",
    "token_endpoint_auth_method": METHOD,
    "grant_types": ["authorization_code"],
    "redirect_uris": ["https://phone.example/callback"],
    "scope": "read",
}


def make_server(url, **settings):
    app, oauth, db = make_app(url, **settings)
    oauth.user(lambda: None)
    oauth.sign_in(lambda page: "sign in")
    return app, oauth, db


def test_public_client_from_before_the_profile_is_refused(tmp_path, caplog):
    url = f"sqlite:///{tmp_path}/as.sqlite"
    before, oauth, first_db = make_server(url)
    with before.app_context():
        oauth.clients.add(CLIENT)
    app, oauth, db = make_server(url, OAUTH2_PROFILE="fapi2", OAUTH2_REPLAY_STORE="sql")
    request = dict(build_request(client_id="phone", redirect_uri="https://phone.example/callback"))

    pushed = app.test_client().post("/oauth2/par", data=request)
    page = app.test_client().get("/oauth2/authorize", query_string=request)
    close(before, first_db)
    close(app, db)

    assert (pushed.status_code, pushed.json) == (400, INVALID_CLIENT)
    assert page.status_code == 400
    assert caplog.text.count("a public client, and OAUTH2_PROFILE is fapi2") == 2
