"""The processes of a local run: started, started again if they die, and stopped."""

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from infra import ROOT

#: Seconds between two looks at the processes.
LOOK_EVERY = 0.1
#: A process that fails within this many seconds would only fail again.
TRIAL = 5
#: How long the processes may take to stop, in seconds.
PATIENCE = 10

Popen = subprocess.Popen[bytes]


@dataclass
class Process:
    """A process, and what it takes to start it again."""

    role: str
    #: The descriptors that it inherits.
    descriptors: Sequence[int] = ()
    running: Popen | None = None
    started_at: float = 0

    def start(self) -> None:
        self.running = start(self.role, *self.descriptors)
        self.started_at = time.monotonic()


def start(role: str, *descriptors: int, **options: object) -> Popen:
    """Start a process that inherits some descriptors and ends with this one."""
    process: Popen = subprocess.Popen(  # type: ignore[call-overload]
        [sys.executable, "-m", "infra.local.child", role, *map(str, descriptors)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        pass_fds=descriptors,
        # Ctrl-C is for us.
        start_new_session=True,
        **options,
    )
    return process


def keep_running(processes: Sequence[Process]) -> None:
    """Run processes until an exception, such as Ctrl-C; start those again that die."""
    try:
        for process in processes:
            process.start()
        while True:
            for process in processes:
                _look_after(process)
            time.sleep(LOOK_EVERY)
    finally:
        print("Stopping ...", flush=True)
        stop([process.running for process in processes if process.running], PATIENCE)


def stop(running: Sequence[Popen], patience: float) -> None:
    """Ask processes to end what they do; kill those that do not in time."""
    for process in running:
        process.terminate()
    deadline = time.monotonic() + patience
    for process in running:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0, deadline - time.monotonic()))
        process.kill()
        process.wait()
        if process.stdin:
            process.stdin.close()


def _look_after(process: Process) -> None:
    code = process.running.poll() if process.running else None
    if code is None:
        return
    if code > 0 and time.monotonic() - process.started_at < TRIAL:
        raise SystemExit(f"The {process.role} process does not start; see above.")
    print(f"The {process.role} process ended ({code}); starting it again.", flush=True)
    process.start()
