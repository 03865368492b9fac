"""Which run of the demo a server belongs to, said in each of its answers.

Granian's workers listen with ``SO_REUSEPORT``: two servers that are started on one port both start, and share the
requests without a word. The one thing that shows it is who answers.
"""

import os

from flask import Flask, Response

VARIABLE = "DEMO_RUN"
HEADER = "Demo-Run"


def mark_answers(app: Flask) -> None:
    """Let every answer of *app* carry the run's mark, where the demo has started it."""
    mark = os.environ.get(VARIABLE)
    if mark is None:
        return

    @app.after_request
    def add_mark(response: Response) -> Response:
        response.headers[HEADER] = mark
        return response
