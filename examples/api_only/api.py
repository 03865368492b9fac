"""An API that accepts the tokens of an authorization server elsewhere. The environment may set what is set here."""

from typing import Any

import flask

from flask_private_key_jwt import ResourceProtector, current_token

INVOICES = [{"number": 1, "of": "alice"}, {"number": 2, "of": "bob"}]

require_oauth = ResourceProtector()


def create_app() -> flask.Flask:
    """The API; it needs no database."""
    app = flask.Flask(__name__)
    app.config.from_mapping(
        OAUTH2_ISSUER="http://127.0.0.1:5000",
        OAUTH2_RESOURCE="http://127.0.0.1:5005",  # this API: what the aud of its tokens names
        OAUTH2_REPLAY_STORE="memory",  # for one process; several share redis://…
    )
    app.config.from_prefixed_env()  # FLASK_OAUTH2_ISSUER …
    require_oauth.init_app(app)
    app.add_url_rule("/invoices", view_func=list_invoices)
    app.add_url_rule("/invoices/<int:number>", view_func=delete_invoice, methods=["DELETE"])
    return app


@require_oauth("invoices.read")
def list_invoices() -> list[dict[str, Any]]:
    """The invoices of the person whom the token is about."""
    return [invoice for invoice in INVOICES if invoice["of"] == current_token["sub"]]


@require_oauth("invoices.write", dpop="required")
def delete_invoice(number: int) -> dict[str, Any]:
    """What changes something takes only tokens that are bound to a key."""
    return {"deleted": number, "by": current_token["client_id"]}
