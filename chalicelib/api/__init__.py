"""HTTP: everything that knows of requests, responses and their shapes."""

from chalice import Chalice

from chalicelib.api import accounts, errors, meta, tasks


def mount(app: Chalice) -> None:
    """Add all routes and the error middleware to an app."""
    app.register_middleware(errors.answer_faults, "http")
    for routes in (accounts, tasks, meta):
        app.register_blueprint(routes.blueprint())
