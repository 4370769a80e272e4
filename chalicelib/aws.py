"""Clients for AWS, made by botocore alone: importing boto3 takes as long as everything else."""

from functools import cache
from threading import Lock
from typing import Any

from botocore.config import Config
from botocore.loaders import Loader
from botocore.session import Session, get_session

from chalicelib import deadline

#: The services of AWS that have a client.
_SERVICES = ["dynamodb", "scheduler", "secretsmanager", "sqs"]

# A session must not make clients in two threads at once; the clients are for all threads.
_making = Lock()


class _Loader(Loader):
    """Reads less of AWS's models than botocore's own: both took a tenth of a cold start."""

    def list_available_services(self, type_name: str) -> list[str]:
        # botocore would look through the folders of all 400.
        return _SERVICES

    def load_data_with_path(self, name: str) -> Any:
        # The endpoints of these services follow from rules, which botocore reads besides. It takes
        # the list of all endpoints, 1.2 MB, for services without rules.
        if name == "endpoints":
            return {"version": 3, "partitions": []}, self.BUILTIN_DATA_PATH
        return super().load_data_with_path(name)


@cache
def session() -> Session:
    """Return the session of this process; it keeps what it has read of AWS's models."""
    session = get_session()
    session.register_component("data_loader", _Loader())
    # A User-Agent that botocore need not compose for each call.
    session.set_default_client_config(Config(user_agent=session.user_agent()))
    return session


def client(service: str, config: Config) -> Any:
    """Return a new client, which raises Unavailable if it is used too late in a request."""
    with _making:
        return deadline.keep(session().create_client(service, config=config))
