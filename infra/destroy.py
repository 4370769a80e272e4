"""Delete a stage from AWS after confirmation; the table and the keys only on request."""

import argparse

from botocore.exceptions import BotoCoreError, ClientError

from infra import DeployError, StackError, api_stage, deployed, stack, web_acl
from infra.chalice_project import read_config, remove_project, run_chalice, write_project
from infra.template import placeholders


def destroy(stage: str, *, with_data: bool) -> None:
    """Delete the Lambdas, the API and the stack of a stage. It can be repeated.

    Raises DeployError, StackError, ClientError, BotoCoreError.
    """
    package, resources = stack.package_stack_name(stage), stack.stack_name(stage)
    for name in (package, resources):
        stack.refuse_if_protected(name)
    if stack.exists(package):
        api_stage.return_log_role(stage)
        stack.delete(package)
    else:
        settings = read_config(stage)["stages"][stage].get("environment_variables", {})
        write_project(stage, placeholders(stage) | settings)
        deployed.complete_record(stage)
        run_chalice("delete", stage)
        remove_project(stage)
        api_stage.return_log_role(stage)
        web_acl.release(stage)
        stack.delete(resources)
    if with_data:
        stack.delete_data(stage)


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
    except (DeployError, StackError, ClientError, BotoCoreError) as error:
        raise SystemExit(f"{error}\nFix the cause and run this again.") from error
    rest = "" if with_data else f" Its table tasks-{stage} and its keys were kept."
    print(f"{stage} was deleted.{rest}")


if __name__ == "__main__":
    main()
