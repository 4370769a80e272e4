"""The service, room by room.

api         HTTP: routes with their models, the token guard, the error middleware
worker      one message to its end: claim, run, record
sweeper     finds lost tasks and sends them again
tasks       use cases: create, show, list, cancel
accounts    use cases: register, sign in, refresh, verify, sign out
models      DynamoDB: every row and every expression
dispatch    SQS and EventBridge Scheduler: send now, send later, delete a schedule
security    password hashes, signing keys and JWTs
passwords   which passwords are accepted
task_types  the code that tasks run, one file per type
moscow      reading and writing times in Europe/Moscow
exact_json  JSON whose numbers keep every digit
errors      what can go wrong, with its stable code
config      settings, read once from the environment

Imports only point down this list; import-linter checks it.
"""
