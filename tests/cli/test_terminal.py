#!/usr/bin/env python3
"""Terminals: their modes while a program runs and afterwards, what keys do, stopping and continuing, their size."""
import os
import pty
import signal
import termios
import time
import tty

from support import COMMAND, EMULATED, TestCase, guest, main, pollux, start
from terminal import Terminal

INPUT, LOCAL = 0, 3  # in what tcgetattr() gives
COOKED = termios.ICANON | termios.ECHO | termios.ISIG
PATIENCE = 120 if EMULATED else 30


class TerminalTest(TestCase):
    def terminal(self, *words, shell=None):
        """Pollux on a terminal; with `shell`, started from that script, as "$@"."""
        command = COMMAND + list(words)
        if shell:
            command = ["sh", "-c", shell, "sh"] + command
        terminal = Terminal(command, lines=30, columns=100, patience=PATIENCE)
        self.addCleanup(terminal.close)
        return terminal

    def wait_until(self, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.005)

    def test_modes(self):
        for mode, flags in ("cooked", COOKED), ("cbreak", termios.ISIG), ("raw", 0):
            with self.subTest(mode=mode):
                terminal = self.terminal("run", "--tty=" + mode, guest("terminal"), "keys")
                if mode == "cooked":
                    tty.setraw(terminal.master)
                before = terminal.mode
                terminal.begin()
                self.assertEqual(terminal.read_to("ready"), "ready")
                self.assertEqual(terminal.mode[LOCAL] & COOKED, flags)
                self.assertEqual(bool(terminal.mode[INPUT] & termios.ICRNL), mode != "raw")
                terminal.type("q\n" if mode == "cooked" else "q")
                terminal.read()
                self.assertEqual(terminal.status(), 0)
                self.assertEqual(terminal.mode, before)

    def test_left_alone(self):
        for words in [], ["--tty=keep"]:
            terminal = self.terminal("run", *words, guest("terminal"), "keys")
            before = terminal.mode
            terminal.begin()
            terminal.read_to("ready")
            self.assertEqual(terminal.mode, before)
            terminal.type("ab\x7fq\n")
            self.assertEqual(terminal.read(), "ab\b \bq\r\n<61><71>")
            self.assertEqual(terminal.status(), 0)

    def test_interrupt_key(self):
        for mode in "keep", "cooked", "cbreak":
            with self.subTest(mode=mode):
                terminal = self.terminal("run", "--tty=" + mode, guest("terminal"), "keys", shell='trap : INT; "$@"; echo "status $?"')
                before = terminal.mode
                terminal.begin()
                self.assertEqual(terminal.read_to("ready"), "ready")
                terminal.type("\x03")
                self.assertRegex(terminal.read(), r"^(\^C)?status 130\r\n$")
                self.assertEqual(terminal.status(), 0)
                self.assertEqual(terminal.mode, before)

    def test_interrupt_key_is_a_byte(self):
        terminal = self.terminal("run", "--tty=raw", guest("terminal"), "keys").begin()
        self.assertEqual(terminal.read_to("ready"), "ready")
        terminal.type("\x03\x1a\x1c\r\x04q")
        self.assertEqual(terminal.read(), "<03><1a><1c><0d><04><71>")
        self.assertEqual(terminal.status(), 0)

    def test_stop_and_continue(self):
        master, slave = pty.openpty()
        before = termios.tcgetattr(slave)
        # A process group of its own, in our session: one that signals can stop.
        process = start("run", "--tty=cbreak", guest("terminal"), "keys", stdin=slave, process_group=0)
        try:
            self.assertEqual(os.read(process.stdout.fileno(), 5), b"ready")
            inside = termios.tcgetattr(slave)
            self.assertNotEqual(inside, before)
            for number in signal.SIGTSTP, signal.SIGSTOP, signal.SIGTSTP:
                process.send_signal(number)
                _, status = os.waitpid(process.pid, os.WUNTRACED)
                self.assertTrue(os.WIFSTOPPED(status))
                self.assertEqual(os.WSTOPSIG(status), number)
                if number == signal.SIGSTOP:  # which nobody can catch: as a shell would do it
                    termios.tcsetattr(slave, termios.TCSANOW, before)
                self.assertEqual(termios.tcgetattr(slave), before)
                process.send_signal(signal.SIGCONT)
                self.wait_until(lambda: termios.tcgetattr(slave) == inside)
                os.write(master, b"x")
                self.assertEqual(os.read(process.stdout.fileno(), 4), b"<78>")
            os.write(master, b"q")
            self.assertEqual(process.wait(PATIENCE), 0)
            self.assertEqual(termios.tcgetattr(slave), before)
        finally:
            process.kill()
            process.communicate()
            os.close(master)
            os.close(slave)

    def test_stop_key_where_nobody_could_continue(self):
        terminal = self.terminal("run", "--tty=cbreak", guest("terminal"), "keys").begin()  # an orphaned process group
        self.assertEqual(terminal.read_to("ready"), "ready")
        inside = terminal.mode
        terminal.type("\x1a")
        terminal.type("x")
        self.assertEqual(terminal.read_to(">"), "<78>")
        self.assertEqual(terminal.mode, inside)
        terminal.type("q")
        terminal.read()
        self.assertEqual(terminal.status(), 0)

    def test_background(self):
        terminal = self.terminal("run", "--tty=raw", guest("busy"), "sleep",
                                 shell='set -m; "$@" & read line; kill $!; wait $!; echo "status $?"')
        before = terminal.mode
        terminal.begin()
        terminal.read_to("ready\r\n")
        self.assertEqual(terminal.mode, before)
        terminal.type("\n")
        self.wait_for_text(terminal, "status 143")
        self.assertEqual(terminal.mode, before)

    def wait_for_text(self, terminal, text):
        self.assertIn(text, terminal.read(lambda shown: text in shown))

    def test_size(self):
        for words, expected in [
            ([], "COLUMNS=100\r\nLINES=30\r\n"),
            (["--env=COLUMNS=7"], "COLUMNS=7\r\nLINES=30\r\n"),
            (["--stdin=null"], "COLUMNS=(none)\r\nLINES=(none)\r\n"),
        ]:
            terminal = self.terminal("run", *words, guest("terminal"), "size").begin()
            self.assertEqual(terminal.read(), expected)
            self.assertEqual(terminal.status(), 0)
        self.check(pollux("run", guest("terminal"), "size"), 0, b"COLUMNS=(none)\nLINES=(none)\n")


if __name__ == "__main__":
    main()
