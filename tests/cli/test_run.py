#!/usr/bin/env python3
"""`pollux run`: what the program sees, what comes back, and what the user is told when something is wrong."""
import os
import re
import stat
import subprocess
import tempfile

from support import COMMAND, TestCase, guest, main, module, pollux, start


class Status(TestCase):
    def test_statuses(self):
        for status in 0, 1, 42, 125:
            for how in "return", "exit", "proc_exit":
                self.check(pollux("run", guest("exit"), str(status), how), status, b"bye")

    def test_only_the_low_byte_is_seen(self):
        self.check(pollux("run", guest("exit"), "256", "proc_exit"), 0)
        self.check(pollux("run", guest("exit"), "511", "exit"), 255)


class Environment(TestCase):
    def lines(self, *arguments, env=None):
        result = pollux(*arguments, env=env)
        self.check(result, 0)
        return result.stdout.decode().splitlines()

    def test_arguments(self):
        show = guest("show")
        self.assertEqual(self.lines("run", show, "one", "--dir", "-W", "--", "", "ünï"),
                         [f"argv[0]={show}", "argv[1]=one", "argv[2]=--dir", "argv[3]=-W", "argv[4]=--", "argv[5]=", "argv[6]=ünï"])

    def test_without_run(self):
        self.assertEqual(self.lines(guest("show"), "x")[1:], ["argv[1]=x"])
        self.assertEqual(self.lines("--argv0", "a", guest("show"), "x"), ["argv[0]=a", "argv[1]=x"])

    def test_module_named_like_a_command(self):
        folder = self.temporary_folder()
        os.symlink(guest("show"), os.path.join(folder, "run"))
        self.assertEqual(self.lines("run", "--argv0=a", os.path.join(folder, "run")), ["argv[0]=a"])

    def test_nothing_is_inherited(self):
        self.assertEqual(self.lines("run", "--argv0=a", guest("show"), env=dict(os.environ, SECRET="x")), ["argv[0]=a"])

    def test_env(self):
        self.assertEqual(self.lines("run", "--argv0=a", "--env", "A=1", "--env=B=x=y", "--env", "HERE", "--env", "NOT_SET", "--env", "E=",
                                    guest("show"), env=dict(os.environ, HERE="yes")),
                         ["argv[0]=a", "env A=1", "env B=x=y", "env HERE=yes", "env E="])

    def test_inherit_env(self):
        lines = self.lines("run", "--argv0=a", "-S", "inherit-env", "--env", "A=mine", guest("show"), env=dict(os.environ, A="theirs", Q="q"))
        self.assertIn("env Q=q", lines)
        self.assertEqual([line for line in lines if line.startswith("env A=")], ["env A=mine"])


class Directories(TestCase):
    def setUp(self):
        self.root = self.temporary_folder()
        self.inside = os.path.join(self.root, "inside")
        os.mkdir(self.inside)
        with open(os.path.join(self.root, "secret"), "w") as file:
            file.write("secret")
        with open(os.path.join(self.inside, "file"), "w") as file:
            file.write("content")
        os.symlink("../secret", os.path.join(self.inside, "relative"))
        os.symlink(os.path.join(self.root, "secret"), os.path.join(self.inside, "absolute"))

    def files(self, options, *arguments):
        return pollux("run", *options, guest("files"), *arguments)

    def test_preopens(self):
        result = pollux("run", "--argv0=a", f"--dir={self.inside}::/a", "--dir", f"{self.root}::b", f"--dir-ro={self.inside}", guest("show"))
        self.check(result, 0, f"argv[0]=a\npreopen 3 /a\npreopen 4 b\npreopen 5 {self.inside}\n".encode())

    def test_read_write_list(self):
        grant = [f"--dir={self.inside}::/d"]
        self.check(self.files(grant, "read", "/d/file"), 0, b"content")
        self.check(self.files(grant, "write", "/d/new", "text"), 0)
        with open(os.path.join(self.inside, "new")) as file:
            self.assertEqual(file.read(), "text")
        self.check(self.files(grant, "mkdir", "/d/sub"), 0)
        listed = self.files(grant, "list", "/d")
        self.check(listed, 0)
        self.assertEqual(set(listed.stdout.decode().split()) - {".", ".."}, {"file", "new", "sub", "relative", "absolute"})
        self.check(self.files(grant, "unlink", "/d/new"), 0)
        self.assertFalse(os.path.exists(os.path.join(self.inside, "new")))

    def test_no_escape(self):
        grant = [f"--dir={self.inside}::/d"]
        for path in "/d/../secret", "/d/relative", "/d/absolute", os.path.join(self.root, "secret"), "/d/./../../" + self.root + "/secret":
            result = self.files(grant, "read", path)
            self.check(result, 1)
            self.assertNotIn(b"secret", result.stdout)

    def test_no_directory(self):
        self.check(self.files([], "read", "/etc/passwd"), 1)
        self.check(self.files([], "list", "/"), 1)
        self.check(self.files([], "list", "."), 1)

    def test_read_only(self):
        grant = [f"--dir-ro={self.inside}::/d"]
        self.check(self.files(grant, "read", "/d/file"), 0, b"content")
        for operation in ("write", "/d/file", "x"), ("write", "/d/new", "x"), ("mkdir", "/d/sub"), ("unlink", "/d/file"):
            self.check(self.files(grant, *operation), 1)
        self.assertEqual(sorted(os.listdir(self.inside)), ["absolute", "file", "relative"])

    def test_missing_directory(self):
        text = self.check(pollux("run", "--dir", "/no/such/directory", guest("show")), 1)
        self.assertIn("/no/such/directory", text)
        self.assertIn("No such file or directory", text)


class Invoke(TestCase):
    def invoke(self, *arguments, status=0):
        result = pollux("run", "--invoke", *arguments[:1], guest("reactor"), *arguments[1:])
        text = self.check(result, status)
        return result.stdout.decode() if status == 0 else text

    def test_types(self):
        self.assertEqual(self.invoke("add", "1", "2"), "3\n")
        self.assertEqual(self.invoke("add", "2147483647", "1"), "-2147483648\n")
        self.assertEqual(self.invoke("add", "0xffffffff", "-5"), "-6\n")
        self.assertEqual(self.invoke("add64", "9223372036854775807", "1"), "-9223372036854775808\n")
        self.assertEqual(self.invoke("half", "3"), "1.5\n")
        self.assertEqual(self.invoke("square", "0.1"), "0.010000000000000002\n")
        self.assertEqual(self.invoke("square", "inf"), "inf\n")
        self.assertEqual(self.invoke("square", "nan"), "nan\n")
        self.assertEqual(self.invoke("nothing"), "")

    def test_initialize_ran_first(self):
        self.assertEqual(self.invoke("initialized"), "42\n")

    def test_output_of_the_function_comes_first(self):
        self.assertEqual(self.invoke("greet"), "hello\n")

    def test_trap(self):
        self.check_trap(pollux("run", "--invoke=divide", guest("reactor"), "1", "0"), "integer divide by zero", "divide")

    def test_wrong(self):
        self.assertIn("'no_such'", self.invoke("no_such", status=1))
        self.assertIn("2 arguments", self.invoke("add", "1", status=2))
        self.assertIn("2 arguments", self.invoke("add", "1", "2", "3", status=2))
        self.assertIn("'one'", self.invoke("add", "one", "2", status=2))
        self.assertIn("'4294967296'", self.invoke("add", "4294967296", "2", status=2))
        self.assertIn("'1.5'", self.invoke("add64", "1.5", "2", status=2))

    def test_reactor_without_invoke(self):
        self.check(pollux("run", guest("reactor")), 0, b"")


class Preload(TestCase):
    # (module (func (export "seven") (result i32) i32.const 7))
    LIBRARY = module((1, b"\1\x60\0\1\x7f"), (3, b"\1\0"), (7, b"\1\5seven\0\0"), (10, b"\1\4\0\x41\7\x0b"))
    # (module (import "lib" "seven" (func (result i32))) (func (export "get") (result i32) call 0))
    PROGRAM = module((1, b"\1\x60\0\1\x7f"), (2, b"\1\3lib\5seven\0\0"), (3, b"\1\0"), (7, b"\1\3get\0\1"), (10, b"\1\4\0\x10\0\x0b"))

    def test_preload(self):
        library, program = self.write_file(self.LIBRARY), self.write_file(self.PROGRAM)
        self.check(pollux("run", "--preload", f"lib={library}", "--invoke", "get", program), 0, b"7\n")

    def test_threads(self):
        """A thread's instance of a library is initialised if it shares no memory with the first thread's."""
        def run(memory):
            table = "env=" + guest("library_shared_memory")
            return pollux("run", "--preload", table, "--preload", f"library={guest(f'library_{memory}_memory')}", guest("thread_imports"))

        for memory, times in ("own", 1), ("shared", 2):  # twice in the first thread
            with self.subTest(memory):
                self.check(run(memory), times)
        text = self.check(run("defined"), 134)
        self.assertIn("thread 1", text)
        self.assertIn("times_initialized", text)
        self.assertIn("first thread only", text)

    def test_missing_import(self):
        text = self.check(pollux("run", "--invoke", "get", self.write_file(self.PROGRAM)), 1)
        self.assertIn("lib", text)
        self.assertIn("seven", text)


class Wrong(TestCase):
    """Wrong command lines: status 2 and the word that is wrong. Unusable files: status 1 and why."""

    def test_command_lines(self):
        for arguments, word in [
            (["run"], "no module"),
            (["run", "--nonsense", "x.wasm"], "--nonsense"),
            (["run", "--timeout", "soon", "x.wasm"], "soon"),
            (["run", "--timeout=-1s", "x.wasm"], "-1s"),
            (["run", "--fuel", "many", "x.wasm"], "many"),
            (["run", "--dir"], "--dir"),
            (["run", "--dir", "", "x.wasm"], "--dir"),
            (["run", "--env", "=x", "x.wasm"], "--env"),
            (["run", "-W", "no-such-key=1", "x.wasm"], "no-such-key"),
            (["run", "-Wmax-memory-size=lots", "x.wasm"], "lots"),
            (["run", "-S", "http", "x.wasm"], "http"),
            (["run", "-O", "opt-level=2", "x.wasm"], "opt-level"),
            (["run", "-C", "cache", "x.wasm"], "cache"),
            (["run", "-D", "coredump=x", "x.wasm"], "coredump"),
            (["run", "--profile=vtune", "x.wasm"], "vtune"),
            (["run", "--stdin=", "x.wasm"], "--stdin"),
            (["run", "--tty=blue", "x.wasm"], "blue"),
            (["validate"], "validate"),
            (["objdump"], "objdump"),
        ]:
            with self.subTest(arguments=arguments):
                text = self.check(pollux(*arguments), 2)
                self.assertIn(word, text)
                self.assertTrue(text.startswith("pollux: "), text)

    def test_no_arguments(self):
        self.assertIn("usage:", self.check(pollux(), 2))

    def test_help(self):
        for arguments in ["--help"], ["-h"], ["help"], ["run", "--help"], ["validate", "--help"], ["objdump", "--help"]:
            result = pollux(*arguments)
            self.check(result, 0)
            self.assertIn(b"usage:", result.stdout)

    def test_version(self):
        result = pollux("--version")
        self.check(result, 0)
        self.assertRegex(result.stdout, rb"^pollux [0-9.]+")

    def test_unreadable_files(self):
        folder = self.temporary_folder()
        unreadable = self.write_file(b"\0asm\1\0\0\0")
        os.chmod(unreadable, 0)
        cases = [("/no/such.wasm", "No such file"), (folder, "directory")]
        if os.geteuid() != 0:
            cases.append((unreadable, "Permission denied"))
        for command in "run", "validate", "objdump":
            for path, reason in cases:
                with self.subTest(command=command, path=path):
                    text = self.check(pollux(command, path), 1)
                    self.assertIn(path, text)
                    self.assertIn(reason, text)

    def test_not_wasm(self):
        for content in b"", b"\0asm", b"#!/bin/sh\n", b"\x7fELF" + bytes(100), b"\0asm\2\0\0\0", b"\0asm\x0d\0\1\0":
            for command in "run", "validate":
                with self.subTest(content=content, command=command):
                    self.assertTrue(self.check(pollux(command, self.write_file(content)), 1).startswith("pollux: "))

    def test_no_start(self):
        self.check(pollux("run", self.write_file(module())), 0)

    def test_invalid_function(self):
        # A function that should return an i32 and returns nothing.
        text = self.check(pollux("run", self.write_file(module((1, b"\1\x60\0\1\x7f"), (3, b"\1\0"), (10, b"\1\2\0\x0b")))), 1)
        self.assertIn("function 0", text)


class Limits(TestCase):
    # (memory 2) (func (export "grow") (param i32) (result i32) local.get 0 memory.grow)
    GROW = module((1, b"\1\x60\1\x7f\1\x7f"), (3, b"\1\0"), (5, b"\1\0\2"), (7, b"\1\4grow\0\0"), (10, b"\1\6\0\x20\0\x40\0\x0b"))

    def test_memory(self):
        program = self.write_file(self.GROW)
        self.check(pollux("run", "--invoke", "grow", program, "3"), 0, b"2\n")
        self.check(pollux("run", "-W", "max-memory-size=256KiB", "--invoke", "grow", program, "3"), 0, b"-1\n")
        self.check(pollux("run", "-W", "max-memory-size=256KiB", "--invoke", "grow", program, "2"), 0, b"2\n")
        self.check(pollux("run", "-W", "max-memory-size=64KiB", "--invoke", "grow", program, "0"), 1)

    def test_stack(self):
        self.check_trap(pollux("run", "-W", "max-wasm-stack=64KiB", guest("traps"), "deep"), "call stack exhausted", "trap_at_depth")
        self.check_trap(pollux("run", "-W", "max-wasm-stack=64MiB", guest("traps"), "deep"), "unreachable", "stop")

    def test_features(self):
        text = self.check(pollux("run", "-W", "bulk-memory=n", guest("busy"), "nothing"), 1)
        self.assertIn("bulk-memory", text)


class Streams(TestCase):
    def test_cat(self):
        data = os.urandom(3_000_000)
        result = pollux("run", guest("cat"), stdin=data)
        self.assertEqual(self.check(result, 0), f"{len(data)} bytes\n")
        self.assertEqual(result.stdout, data)

    def test_stdin_null(self):
        result = pollux("run", "--stdin=null", guest("cat"), stdin=b"not read")
        self.assertEqual(self.check(result, 0, b""), "0 bytes\n")

    def test_stdin_file(self):
        path = self.write_file(b"from a file", "input")
        for option in (f"--stdin={path}", f"--stdin=file:{path}"):
            self.check(pollux("run", option, guest("cat"), stdin=b"not read"), 0, b"from a file")
        self.assertIn("nowhere", self.check(pollux("run", "--stdin=nowhere", guest("cat")), 1))

    def test_closed_streams(self):
        # Started without a stdin, stdout or stderr: whatever pollux opens must not become one of them.
        for redirections in "<&-", ">&-", "2>&-", "<&- >&- 2>&-":
            result = subprocess.run(["sh", "-c", f'exec "$@" {redirections}', "sh", *COMMAND, "run", guest("exit"), "3"],
                                    capture_output=True, timeout=120)
            self.assertEqual(result.returncode, 3, redirections)

    def test_broken_pipe(self):
        for option, status in ("exit", 141), ("error", 1):
            process = start("run", f"--on-broken-pipe={option}", guest("cat"))
            process.stdout.close()
            try:
                process.stdin.write(b"x" * 1_000_000)
                process.stdin.close()
            except BrokenPipeError:
                pass
            self.assertEqual(process.wait(timeout=60), status, option)
            process.stderr.close()

    def test_terminal(self):
        import pty
        import termios

        master, slave = pty.openpty()
        before = termios.tcgetattr(slave)
        process = start("run", guest("cat"), stdin=slave, stdout=slave, stderr=subprocess.PIPE)
        os.write(master, b"hello\n\x04")
        self.assertEqual(process.wait(timeout=60), 0)
        self.assertEqual(process.stderr.read(), b"6 bytes\n")
        process.stderr.close()
        self.assertIn(b"hello", os.read(master, 1000))
        self.assertEqual(termios.tcgetattr(slave), before)
        os.close(master)
        os.close(slave)


class Trace(TestCase):
    def test_trace(self):
        text = self.check(pollux("run", "--trace", guest("exit"), "3"), 3, b"bye")
        self.assertRegex(text, r'(?m)^fd_write\(1, \["bye".*\]\) = 0 \[3\] <0\.[0-9]{6}>$')
        self.assertRegex(text, r"(?m)^proc_exit\(3\) = exit <")

    def test_groups(self):
        text = self.check(pollux("run", "--trace=fd", guest("exit"), "3"), 3, b"bye")
        self.assertIn("fd_write(", text)
        self.assertNotIn("proc_exit", text)
        text = self.check(pollux("run", "--trace=poll,clock", guest("exit"), "3"), 3, b"bye")
        self.assertNotIn("fd_write", text)
        self.assertIn("poll,fd,path,sock,clock", self.check(pollux("run", "--trace=files", guest("exit")), 2))

    def test_waiting_shows_at_once(self):
        process = start("run", "--trace=fd", guest("cat"))
        try:
            lines = iter(process.stderr.readline, b"")
            waiting = next(line for line in lines if b"fd_read" in line)
            self.assertRegex(waiting, rb"^fd_read\(0, \[\{0x[0-9a-f]+, 65536\}\]\) <parks \.\.\.>$")
            process.stdin.write(b"hi\n")
            process.stdin.flush()
            self.assertEqual(next(lines), b"<... fd_read wakes: ready>\n")
            self.assertRegex(next(lines), rb'^<\.\.\. fd_read resumed> = 0 \[3\] "hi\\n" <[0-9]+\.[0-9]{6}>$')
        finally:
            process.stdin.close()
            process.wait(timeout=60)
            process.stdout.close()
            process.stderr.close()


class Profile(TestCase):
    def test_perf_map(self):
        process = start("run", "--profile=perfmap", guest("busy"), "read")
        self.assertEqual(process.stdout.readline(), b"ready\n")
        path = f"/tmp/perf-{process.pid}.map"
        try:
            with open(path) as file:
                text = file.read()
        finally:
            process.stdin.close()
            process.wait(timeout=60)
            for stream in process.stdout, process.stderr:
                stream.close()
            if os.path.exists(path):
                os.remove(path)
        self.assertRegex(text, r"(?m)^[0-9a-f]+ [0-9a-f]+ .*wait_for_input")


class Timings(TestCase):
    def last_line(self, *arguments, status=0, stdout=None):
        """(instantiation, execution) in ms, from the last line of standard error."""
        text = self.check(pollux("run", "-D", "timings", *arguments), status, stdout)
        self.assertRegex(text, r"(?m)^pollux: timings of .*: first byte [0-9.]+ ms, .* ready [0-9.]+ ms;")
        line = text.splitlines()[-1]
        found = re.fullmatch(r"pollux: timings of the run: instantiation ([0-9]+\.[0-9]{3}) ms, execution ([0-9]+\.[0-9]{3}) ms", line)
        self.assertTrue(found, text)
        return tuple(map(float, found.groups()))

    def test_however_it_ends(self):
        for how in "return", "exit", "proc_exit":
            self.last_line(guest("exit"), "42", how, status=42, stdout=b"bye")
        self.last_line(guest("traps"), "divide", status=134)
        self.last_line("--invoke", "add", guest("reactor"), "1", "2", stdout=b"3\n")

    def test_execution_is_the_time_in_the_program(self):
        instantiation, execution = self.last_line("--timeout=500ms", guest("busy"), "spin", status=124)
        self.assertLess(instantiation, execution)
        self.assertGreater(execution, 100)

    def test_off_by_default(self):
        self.assertEqual(self.check(pollux("run", guest("exit"), "42"), 42, b"bye"), "")


class Features(TestCase):
    def wide(self):
        """A module with a function `wide` that needs wide arithmetic: the high half of 2^64 + 2^64 - 1 + 1."""
        body = b"\1\1\x7e\x42\x7f\x42\1\x42\1\x42\0\xfc\x13\x21\0\x1a\x20\0\x0b"
        return self.write_file(module((1, b"\1\x60\0\1\x7e"), (3, b"\1\0"), (7, b"\1\4wide\0\0"), (10, b"\1" + bytes([len(body)]) + body)))

    def test_off_by_default_and_switched_on(self):
        path = self.wide()
        commands = [["run", "--invoke=wide"], ["validate"]]
        if b"needs LLVM" not in pollux("objdump", guest("tiny")).stderr:
            commands.append(["objdump"])
        for command in commands:
            text = self.check(pollux(*command, path), 1)
            self.assertIn("'wide-arithmetic', which is off; -W wide-arithmetic=y allows it", text)
            for switch in "wide-arithmetic", "wide-arithmetic=y", "all-proposals=y", "simd=n,wide-arithmetic":
                self.check(pollux(*command, "-W", switch, path), 0)
            self.check(pollux(*command, "-Wall-proposals=y,wide-arithmetic=n", path), 1)
        self.check(pollux("run", "-W", "wide-arithmetic", "--invoke=wide", path), 0, b"2\n")

    def test_serve_has_them_too(self):
        text = self.check(pollux("serve", "--listen=:0", "-W", "wide-arithmetic=n", self.wide()), 1)
        self.assertIn("-W wide-arithmetic=y", text)

    def test_switched_off(self):
        text = self.check(pollux("run", "-W", "sign-extension=n,bulk-memory=n,all-proposals=n", guest("busy")), 1)
        self.assertRegex(text, r"-W [a-z-]+=y allows it")

    def test_wrong_ones(self):
        for command in "run", "validate", "objdump":
            for switch in "sind", "simd=maybe", "custom-descriptors=y":
                self.check(pollux(command, "-W", switch, self.wide()), 2)
            self.check(pollux(command, "-W"), 2)

    def test_help_lists_them(self):
        for command in "run", "validate", "objdump":
            text = pollux(command, "--help").stdout.decode()
            self.assertRegex(text, r"(?s)\n  on: .*\bthreads\b.*\n  off: .*\bwide-arithmetic\b")


if __name__ == "__main__":
    main()
