"""HTTP: requests, responses and their shapes."""

from chalice import Chalice

# Importing these registers their routes.
from chalicelib.api import accounts, console, docs, meta, middleware, routing, tasks  # noqa: F401


def mount(app: Chalice) -> None:
    """Add all routes and the error middleware to an app."""
    app.register_middleware(middleware.answer_request, "http")
    routing.mount(app)
