"""A Celery worker that is a client: its tasks call a protected API. The environment may set what is set here."""

import os

import requests
from celery import Celery

from flask_private_key_jwt.client import PrivateKeyJWTAuth

API = os.environ.get("API", "http://127.0.0.1:5000")
FOLDER = os.environ.get("QUEUE_FOLDER", "queue")

app = Celery("tasks", broker=os.environ.get("BROKER", "filesystem://"))  # in production redis:// or amqp://
app.conf.update(
    result_backend=os.environ.get("RESULTS", f"file://{FOLDER}"),
    broker_transport_options={f"data_folder_{way}": FOLDER for way in ("in", "out")} | {"control_folder": FOLDER},
    broker_connection_retry_on_startup=True,
)

session = requests.Session()
session.auth = PrivateKeyJWTAuth(
    os.environ.get("ISSUER", API),
    "worker",
    key=os.environ.get("KEY", "worker.pem"),
    scope="notes",
    resource=API,
    dpop=True,
    timeout=30,
)
"""One for the whole process: its tasks share one token, renewed in time; each call has a proof of its own."""


@app.task(autoretry_for=(requests.RequestException,), retry_backoff=True, max_retries=5)
def count_notes(number: int) -> str:
    """Call the API; a failure is tried again, with a new proof."""
    answer = session.get(f"{API}/notes", timeout=30)
    answer.raise_for_status()
    return f"{number}: {len(answer.json()['notes'])} for {answer.json()['for']}"
