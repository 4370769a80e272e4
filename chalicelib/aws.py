"""Clients for AWS, made by botocore alone: importing boto3 takes as long as everything else."""

from functools import cache
from threading import Lock
from typing import Any

from botocore.config import Config
from botocore.session import Session, get_session

from chalicelib import deadline

# A session must not make clients in two threads at once; the clients are for all threads.
_making = Lock()


@cache
def session() -> Session:
    """Return the session of this process; it keeps what it has read of AWS's models."""
    session = get_session()
    # A User-Agent that botocore need not compose for each call.
    session.set_default_client_config(Config(user_agent=session.user_agent()))
    return session


def client(service: str, config: Config) -> Any:
    """Return a new client, which raises Unavailable if it is used too late in a request."""
    with _making:
        return deadline.keep(session().create_client(service, config=config))
