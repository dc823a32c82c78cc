"""Several processes that answer requests, for `forum serve --workers`."""

import structlog
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from forum.core import metrics

log = structlog.get_logger()


class ServerProcesses(Multiprocess):
    """Several processes that answer requests, and this one, which replaces those that die.

    Uvicorn's own loop also kills those that do not answer to it within five seconds: on a slow machine,
    all that are still starting, again and again; and it would not hear Ctrl-C meanwhile.
    """

    cannot_start = False

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
            self.processes[place] = Process(self.config, self.sockets)
            self.processes[place].start()

    def terminate_all(self) -> None:
        """Let them finish what they began; new connections are refused at once, so that nobody waits in vain."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()
