"""What whoever runs the servers needs: health, metrics and traces, which the application mounts or asks for.

Nothing here imports one of the servers: each is found among the app's extensions, so an API alone needs no
authorization server. Both servers load ``readiness.py``, and nothing else of this package.
"""
