"""stall.py PID THREAD - hold one thread of a process, by its name, while the others go on; says "held", and lets it go when killed.

What a tracer holds goes on when the tracer ends.
"""

import ctypes
import os
import signal
import sys

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
WAIT_ALL = 0x40000000

ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def call(request, thread):
    if ptrace(request, thread, None, None) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x}")


pid, name = sys.argv[1:]
threads = [thread for thread in os.listdir(f"/proc/{pid}/task") if open(f"/proc/{pid}/task/{thread}/comm").read().strip() == name]
assert len(threads) == 1, f"{len(threads)} threads of the name {name}"
held = int(threads[0])
call(PTRACE_SEIZE, held)
call(PTRACE_INTERRUPT, held)
os.waitpid(held, WAIT_ALL)
print("held", flush=True)
signal.pause()
