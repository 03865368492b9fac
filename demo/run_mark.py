"""Marks each answer of a server with the run of the demo that started it.

Granian's workers listen with ``SO_REUSEPORT``: two servers that are started on one port both start, and share the
requests without an error. Only the mark in the answers shows it.
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
