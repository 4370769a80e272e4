"""The service, room by room.

api         HTTP: routes, schemas, the token guard, the error middleware
worker      one message to its end: claim, run, record
sweeper     what was lost is found again
tasks       use cases: create, show, list, cancel
accounts    use cases: register, sign in, refresh, sign out
models      DynamoDB: every row and every expression
dispatch    SQS and EventBridge Scheduler: send now, send later, call off
security    password hashes, signing keys and JWTs
task_types  the code that tasks run, one file a type
moscow      reading and writing times in Europe/Moscow
exact_json  JSON whose numbers keep every digit
errors      what can go wrong, with its status and code
config      settings, read once from the environment

Imports only ever point down this list; import-linter checks it.
"""
