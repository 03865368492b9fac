"""What one app has now: endpoints, grants and the metadata document are all checked against this one set."""

from dataclasses import dataclass

import flask

from ..settings.server import ServerSettings
from .needs import Need
from .people import People
from .tokens.id_token import OPENID


@dataclass(frozen=True, slots=True)
class Offers:
    """Called like a function: see :data:`.needs.Offered`."""

    settings: ServerSettings
    people: People
    app: flask.Flask

    def __call__(self) -> frozenset[Need]:
        """What the application has now."""
        people = self.people.are_known(self.app)
        has: dict[Need, bool] = {
            "people": people,
            "openid": people and (not self.settings.SCOPES or OPENID in self.settings.SCOPES),
            "sign_out": self.people.can_be_signed_out(self.app),
            "registration": self.settings.REGISTRATION != "closed",
            "smart": self.settings.PROFILE == "smart",
        }
        return frozenset(need for need, is_there in has.items() if is_there)
