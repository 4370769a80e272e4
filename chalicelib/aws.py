"""Clients for AWS, made by botocore alone: importing boto3 takes as long as everything else."""

from functools import cache
from typing import Any

from botocore.config import Config
from botocore.session import Session, get_session

from chalicelib import deadline


@cache
def session() -> Session:
    """Return the session of this process; it keeps what it has read of AWS's models."""
    return with_short_user_agent(get_session())


def with_short_user_agent(session: Session) -> Session:
    """Let a session's clients send a User-Agent that botocore need not compose for each call."""
    session.set_default_client_config(Config(user_agent=session.user_agent()))
    return session


def client(service: str, config: Config) -> Any:
    """Return a new client, which raises Unavailable if it is used too late in a request."""
    return deadline.keep(session().create_client(service, config=config))
