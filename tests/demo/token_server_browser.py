"""A browser at the demo's token server."""

import re

CHEAP = "pbkdf2:sha256:1"
"""A way to hash passwords that costs tests nothing."""


class Browser:
    def __init__(self, app, *, address="127.0.0.1", origin="http://127.0.0.1:5001"):
        self.http = app.test_client()
        self.with_ = {"base_url": origin, "environ_base": {"REMOTE_ADDR": address}}

    def get(self, path):
        return self.http.get(path, **self.with_)

    def post(self, path, **form):
        return self.http.post(path, data=form, **self.with_)

    def csrf_token(self, path="/sign-in"):
        return re.search(r'name="csrf_token"[^>]* value="([^"]+)"', self.get(path).text)[1]

    def sign_in(self, name="alice", password="wonderland", *, path="/sign-in", **changes):
        return self.post(path, **{"csrf_token": self.csrf_token(), "name": name, "password": password, **changes})

    def is_signed_in(self):
        return "You are signed in as" in self.get("/").text
