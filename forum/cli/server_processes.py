"""Several processes that answer requests, for `forum serve --workers`."""

import multiprocessing
import socket

import structlog
from uvicorn import Config
from uvicorn._subprocess import subprocess_started
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from forum.core import metrics

log = structlog.get_logger()

# A process without threads loads the application once and is copied: a copy begins at once, also in place of one that
# died, and shares what was loaded. Uvicorn's own way is a new interpreter for each, which loads all of it again.
_COPIES = multiprocessing.get_context("forkserver")
_COPIES.set_forkserver_preload(["forum.cli.loaded"])


class Copy(Process):
    """A process that answers requests."""

    def __init__(self, config: Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        given = {"config": config, "target": self.target, "sockets": sockets, "stdin_fileno": None}
        self.process = _COPIES.Process(target=subprocess_started, kwargs=given)  # type: ignore[assignment] # its like


class ServerProcesses(Multiprocess):
    """Several processes that answer requests, and this one, which replaces those that die.

    Uvicorn's own loop also kills those that do not answer to it within five seconds: on a slow machine,
    all that are still starting, again and again; and it would not hear Ctrl-C meanwhile. A signal to end is heard once
    the program is loaded.
    """

    cannot_start = False

    def init_processes(self) -> None:
        """Start them all."""
        for _ in range(self.processes_num):
            self.processes.append(Copy(self.config, self.sockets))
            self.processes[-1].start()

    def keep_subprocess_alive(self) -> None:
        """Replace those that died."""
        for place, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if process.process.is_alive():
                continue
            log.error("worker died", process=process.pid, status=process.exitcode)
            if process.exitcode == STARTUP_FAILURE:
                # So would the next one.
                self.cannot_start = True
                self.should_exit.set()
                return
            metrics.forget_process(process.pid)
            self.processes[place] = Copy(self.config, self.sockets)
            self.processes[place].start()

    def handle_hup(self) -> None:
        """Change nothing: uvicorn would start processes that load the program anew, and share nothing."""
        log.warning("signal ignored", advice="Restart the forum.")

    handle_ttin = handle_ttou = handle_hup

    def terminate_all(self) -> None:
        """Let them finish what they began; new connections are refused at once, so that nobody waits in vain."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()
