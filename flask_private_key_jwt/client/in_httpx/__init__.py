"""The client for ``httpx``, sync and async: its steps are those of the ``requests`` client."""

from importlib.util import find_spec

if find_spec("httpx") is None:
    raise ImportError("httpx is not installed: pip install flask-private-key-jwt[httpx]", name="httpx")
