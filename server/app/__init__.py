"""The HTTP side: an ASGI application over the services of one server."""
