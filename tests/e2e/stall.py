"""stall.py PID THREAD SECONDS - hold one thread of a process, by its name, while the others go on."""

import ctypes
import os
import sys
import time

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WAIT_ALL = 0x40000000

ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def call(request, thread):
    if ptrace(request, thread, None, None) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x}")


pid, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
threads = [thread for thread in os.listdir(f"/proc/{pid}/task") if open(f"/proc/{pid}/task/{thread}/comm").read().strip() == name]
assert len(threads) == 1, f"{len(threads)} threads of the name {name}"
held = int(threads[0])
call(PTRACE_SEIZE, held)
call(PTRACE_INTERRUPT, held)
os.waitpid(held, WAIT_ALL)
time.sleep(seconds)
call(PTRACE_DETACH, held)
