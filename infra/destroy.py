"""Delete a stage from AWS after confirmation; the table and the keys only on request."""

import argparse

from botocore.exceptions import BotoCoreError, ClientError

from infra import DeployError, api_stage, stack
from infra.chalice_cli import run_chalice


def destroy(stage: str, *, with_data: bool) -> None:
    """Delete the Lambdas, the API and the stack of a stage. It can be repeated.

    Raises DeployError, StackError, ClientError, BotoCoreError.
    """
    run_chalice("delete", stage)
    api_stage.return_log_role(stage)
    stack.delete(stage, with_data=with_data)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make destroy", description=__doc__)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--data", choices=["keep", "delete"], default="keep")
    arguments = parser.parse_args()
    stage, with_data = arguments.stage, arguments.data == "delete"
    what = "everything with the table and keys" if with_data else "all except the table and keys"
    if input(f"This deletes {what}. Type the stage's name to continue: ") != stage:
        raise SystemExit("Nothing was deleted.")
    try:
        destroy(stage, with_data=with_data)
    except (DeployError, stack.StackError, ClientError, BotoCoreError) as error:
        raise SystemExit(f"{error}\nFix the cause and run this again.") from error
    rest = "" if with_data else f" Its table tasks-{stage} and its keys were kept."
    print(f"{stage} was deleted.{rest}")


if __name__ == "__main__":
    main()
