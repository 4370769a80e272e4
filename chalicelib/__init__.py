"""The service, room by room.

api         HTTP: routes with their models, the token guard, the error middleware
console     the web console's static files, which api/console.py serves
batch       a batch of messages: each by itself, in the time it needs
worker      one message to its end: claim, run, record
sweeper     finds lost tasks and sends them again
tasks       use cases: create, show, cancel
listing     use case: pages of a user's tasks
accounts    use cases: register, sign in, refresh, verify, sign out
runner      one run of a task's type
scheduling  what makes sure that a task with a time of its own runs then
models      DynamoDB: every row and every expression; models/transitions.py changes states
dispatch    SQS and EventBridge Scheduler: send now, send later, delete a schedule
security    password hashes, signing keys and JWTs
passwords   which passwords are accepted
task_types  the code that tasks run, one file per type
lifecycle   the states of a task, and all times of retry, lease and rescue
deadline    the time that a request may take, whatever hangs
metrics     what happened, for CloudWatch
time_limit  interrupting a run that takes too long
times       reading and writing times in Europe/Moscow
exact_json  JSON whose numbers keep every digit
errors      what can go wrong, with its stable code
logs        what goes into the log of a request and of an exception
config      settings, read once from the environment

Imports only point down this list; import-linter checks it.
"""

#: The version of the service; CHANGELOG.md says what is in it.
VERSION = "1.0.0"
