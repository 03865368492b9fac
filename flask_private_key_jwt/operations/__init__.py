"""What whoever runs the servers needs: health, as a blueprint that the application mounts.

Nothing here is loaded unless the application asks for it, and nothing here imports one of the servers: each is found
among the app's extensions, so an API alone needs no authorization server.
"""
