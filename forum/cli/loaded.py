"""All that a process needs to answer requests: loaded once by the one that is copied, see `server_processes`."""

import gc
import os

# A session of its own: what a supervisor sends to the whole group would end it before the processes that it started,
# and then nobody would wait for what they are answering.
os.setsid()
# Nothing that is loaded is garbage: looking for some takes a quarter of the time, and would unshare its memory later.
gc.disable()
import forum.app  # noqa: F401

gc.freeze()
gc.enable()
