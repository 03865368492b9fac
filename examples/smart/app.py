"""An authorization server and the FHIR server behind it, in one Flask app. The environment may set what is set here."""

import re
from typing import Any

import flask
from flask_sqlalchemy import SQLAlchemy

from flask_private_key_jwt import PrivateKeyJWT, ResourceProtector

SCOPE = re.compile(r"(system|user|patient)/(\*|[A-Za-z]+)\.(?=[cruds])(c?r?u?d?s?)(?:\?(.+))?")
OBSERVATIONS = [
    {"resourceType": "Observation", "id": "1", "status": "final", "code": {"text": "Haemoglobin"}},
    {"resourceType": "Observation", "id": "2", "status": "final", "code": {"text": "Body height"}},
]

app = flask.Flask(__name__)
app.config.from_mapping(
    SQLALCHEMY_DATABASE_URI="sqlite:///smart.sqlite",
    OAUTH2_PROFILE="smart",
    OAUTH2_ISSUER="http://127.0.0.1:5000",
    OAUTH2_RESOURCE="http://127.0.0.1:5000/fhir",  # the base URL of the FHIR server
    OAUTH2_SCOPES=["system/*.rs", "system/Observation.rs"],  # what clients may register
    OAUTH2_SMART_CAPABILITIES=["client-confidential-asymmetric", "permission-v2"],
)
app.config.from_prefixed_env()  # FLASK_SECRET_KEY, FLASK_OAUTH2_ISSUER …
app.config["OAUTH2_RESOURCES"] = [app.config["OAUTH2_RESOURCE"]]

db = SQLAlchemy()
oauth = PrivateKeyJWT(db)
require_oauth = ResourceProtector()
db.init_app(app)
oauth.init_app(app)
require_oauth.init_app(app)
with app.app_context():
    db.create_all()  # a real app has migrations


@oauth.scope_matcher
@require_oauth.scope_matcher
def allows(wanted: str, held: str) -> bool:
    """Whether a scope of SMART 2 allows another: ``system/*.rs`` allows ``system/Patient.r``, and not ``….u``."""
    one, other = SCOPE.fullmatch(wanted), SCOPE.fullmatch(held)
    if one is None or other is None:
        return False
    return (
        one[1] == other[1]
        and other[2] in ("*", one[2])
        and set(one[3]) <= set(other[3])
        and other[4] in (None, one[4])  # a query allows only itself
    )


@app.get("/fhir/Observation")
@require_oauth("system/Observation.rs")
def search_observations() -> dict[str, Any]:
    """Search observations."""
    entries = [{"resource": observation} for observation in OBSERVATIONS]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}
