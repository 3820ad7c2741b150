"""A program on a terminal of its own, driven from the other end."""
import os
import pty
import select
import termios
import time


class Terminal:
    """Starts a program whose standard input, output and error are a terminal, which is its controlling terminal, too."""

    def __init__(self, command, lines=24, columns=80, patience=60):
        self.patience = patience  # seconds until something is taken for a hang
        go, self._go = os.pipe()
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                os.close(self._go)
                os.read(go, 1)
                os.execvpe(command[0], command, {**os.environ, "TERM": "dumb"})
            finally:
                os._exit(127)
        os.close(go)
        termios.tcsetwinsize(self.master, (lines, columns))
        self._status = None

    def begin(self):
        """Lets the program run; before, the terminal can be set up."""
        os.close(self._go)
        return self

    @property
    def mode(self):
        return termios.tcgetattr(self.master)

    def type(self, text):
        os.write(self.master, text.encode())

    def read(self, is_enough=lambda _: False):
        """What is shown until `is_enough` says so, the program ends, or patience does."""
        text, end = "", time.monotonic() + self.patience
        while not is_enough(text) and (left := end - time.monotonic()) > 0:
            if not select.select([self.master], [], [], left)[0]:
                break
            try:
                text += os.read(self.master, 65536).decode("utf-8", "replace")
            except OSError:  # nobody has the terminal any more
                break
        return text

    def read_to(self, end):
        """What is shown up to this text, if it comes."""
        return self.read(lambda text: text.endswith(end))

    def status(self):
        """Waits for the end: the exit status, or minus the signal's number."""
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status

    def close(self):
        if self._status is None:
            os.kill(self.pid, 9)
            self.status()
        os.close(self.master)
