"""Behaviours 41 to 48: sockets."""

import select
import socket
import time

from harness import ACCES, AGAIN, BADF, HANGUP, INPROGRESS, INVAL, NONBLOCK, NOTCAPABLE, NOTSOCK, PERM, PIPE, READ, WRITE, \
    NotApplicable, row


def _listening(t, guest, *args, **more):
    """Starts a guest with a preopened listener on a free port."""
    if t.runtime.name == "node":
        raise NotApplicable("no option for listen")
    port = t.free_port()
    return t.run(guest, *args, listen=f"127.0.0.1:{port}", **more), port


@row(41, "preopened listener: accept gives EAGAIN, poll wakes on a connection")
def accept_poll(t):
    run, port = _listening(t, "accept_poll")
    t.check(run.line("listener").fd >= 3, "no socket among the descriptors")
    t.expect(run.line("set"), errno=0)
    t.expect(run.line("accept_none"), errno=AGAIN)
    run.line("waiting")
    t.check(not any(line.label == "poll" for line in run.peek_lines(0.1)), "poll returned before anybody connected")
    connection = t.connect(port)
    t.events(run.line("poll"), ("accept", READ, 0))
    t.expect(run.line("accept"), errno=0)
    t.expect(run.line("stat"), errno=0, flags=NONBLOCK, filetype=6)
    connection.sendall(b"ping")
    t.events(run.line("readable"), ("read", READ, 0, None, 0))
    t.expect(run.line("read"), errno=0, n=4, text="ping")
    t.expect(run.line("empty"), errno=AGAIN)
    t.expect(run.line("send"), errno=0, n=4)
    t.check(connection.recv(16) == b"pong", "the answer did not arrive")
    t.expect(run.line("close"), errno=0)
    t.check(connection.recv(16) == b"", "the connection was not closed")
    run.finish()


@row(42, "listener and directories together; LISTEN_FDS")
def listener_and_dirs(t):
    run, port = _listening(t, "accept_poll", dirs=[t.data_dir()])
    t.expect(run.line("env"), listen_fds=1)
    t.expect(run.line("prestat"), errno=0)
    t.expect(run.line("open"), errno=0)
    t.expect(run.line("file"), errno=0, text="file_contents_")
    t.expect(run.line("listener"), fd=4)
    run.line("waiting")
    connection = t.connect(port)
    t.expect(run.line("accept"), errno=0)
    connection.sendall(b"ping")
    t.expect(run.line("send"), errno=0)
    run.finish()


@row(43, "1000 idle connections and an active one: no busy loop")
def many_connections(t):
    idle = 1000
    run, port = _listening(t, "many_connections", idle + 1)
    run.line("listening")
    connections = [t.connect(port) for _ in range(idle + 1)]
    t.expect(run.line("accepted", t.timeout + 5), count=idle + 1)
    before = run.cpu()
    run.peek_lines(0.2)
    t.idle(run, before, 0.2)
    active, start = connections[500], time.monotonic()
    for _ in range(200):
        active.sendall(b"x")
        t.check(active.recv(1) == b"x", "no echo")
    t.note(f"{(time.monotonic() - start) / 200 * 1e6:.0f} us per echo")
    active.close()
    line = t.expect(run.line("end"), messages=200)
    t.check(line.polls <= 210, f"{line.polls} polls for 200 messages")
    run.finish()


def _connection(t, guest, dirs=()):
    """(run, peer socket) of a guest with its connection as stdio or through a listener, by the variant."""
    if t.kind == "stdio":
        end = t.stdin("socket")
        peer = socket.socket(fileno=end.peer)
        end.peer = None
        t.keep(peer)
        run = t.run(guest, "stdio", stdin=end, stdout=end, dirs=dirs)
    else:
        run, port = _listening(t, guest, "listen", dirs=dirs)
        t.check(run.line("listening").fd >= 3, "no socket among the descriptors")
        peer = t.connect(port)
        t.expect(run.line("accepted"), errno=0)
    peer.settimeout(t.timeout)
    return run, peer


@row(44, "the peer shut its sending side: HANGUP, end of file, still writable", "stdio", "listen")
def peer_shutdown(t):
    run, peer = _connection(t, "peer_shutdown")
    run.line("waiting")
    peer.sendall(b"last")
    t.expect(run.line("read"), errno=0, n=4, text="last")
    run.peek_lines(0.05)
    peer.shutdown(socket.SHUT_WR)
    t.events(run.line("poll"), ("read", READ, 0, 0, HANGUP))
    t.expect(run.line("eof"), errno=0, n=0)
    t.events(run.line("writable"), ("write", WRITE, 0))
    t.expect(run.line("write"), errno=0, n=10)
    t.check(peer.recv(64) == b"still here", "what the guest wrote did not arrive")
    run.finish()


@row(45, "PEEK, WAITALL, and sock_shutdown of each direction", "stdio", "listen")
def recv_flags(t):
    run, peer = _connection(t, "recv_flags", dirs=[t.data_dir()])
    run.line("ready")
    peer.sendall(b"abc")
    t.expect(run.line("peek"), errno=0, n=3, text="abc")
    t.expect(run.line("peek_again"), errno=0, n=3, text="abc")
    run.line("waiting")
    t.check(not any(line.label == "all" for line in run.peek_lines(0.1)), "WAITALL did not wait")
    peer.sendall(b"def")
    t.expect(run.line("all"), errno=0, n=6, text="abcdef")
    t.expect(run.line("bad_how"), errno=INVAL)
    t.expect(run.line("shut_write"), errno=0)
    t.check(peer.recv(16) == b"", "the peer saw no end of file")
    t.expect(run.line("send"), errno=PIPE)
    peer.sendall(b"tail")
    t.expect(run.line("tail"), errno=0, n=4, text="tail")
    t.expect(run.line("shut_read"), errno=0)
    t.expect(run.line("after"), errno=0, n=0)
    t.expect(run.line("not_socket"), errno=NOTSOCK)
    run.finish()


@row(46, "outbound connect: EINPROGRESS, FD_WRITE, SO_ERROR; denied by default", "nonblocking", "blocking", "refused", "denied")
def connect(t):
    if t.runtime.is_native and t.kind == "denied":
        raise NotApplicable("nothing is denied")
    if not t.runtime.is_native and not t.runtime.takes("allow_net") and t.runtime.name not in ("wasmedge",):
        raise NotApplicable("no imports for outbound sockets")
    server = t.keep(socket.socket())
    server.bind(("127.0.0.1", 0))
    port = server.getsockname()[1]
    if t.kind != "refused":
        server.listen()
    allow = {"allow_net": f"127.0.0.1:{port}"} if t.runtime.takes("allow_net") and t.kind != "denied" else {}
    run = t.run("connect", t.kind, port, **allow)
    opened = run.line("open")
    if t.kind == "denied":
        if opened.errno == 0:
            t.expect(run.line("connect"), errno=(ACCES, PERM, NOTCAPABLE))
        else:
            t.expect(opened, errno=(ACCES, PERM, NOTCAPABLE))
        run.finish()
        t.check(not t.runtime.is_pollux or b"allow-net" in run.noise, "no message names the option that would allow it")
        t.check(not select.select([server], [], [], 0)[0], "it connected all the same")
        return
    t.expect(opened, errno=0)
    t.expect(run.line("connect"), errno=0 if t.kind == "blocking" else INPROGRESS)
    t.events(run.line("poll"), ("write", WRITE, 0 if t.kind != "refused" else None))
    if t.kind == "refused":
        t.expect(run.line("so_error"), errno=0, value=14)
    else:
        t.expect(run.line("so_error"), errno=0, value=0, size=4)
        peer = t.keep(server.accept()[0])
        peer.settimeout(t.timeout)
        t.expect(run.line("write"), errno=0, n=4)
        t.check(peer.recv(16) == b"ping", "what the guest wrote did not arrive")
        peer.sendall(b"pong")
        t.events(run.line("readable"), ("read", READ, 0, None, 0))
        t.expect(run.line("read"), errno=0, text="pong")
    run.finish()


@row(47, "tokio's reactor: EINVAL for nothing to wait for; serves a listener", "empty", "server")
def mio_server(t):
    if t.kind == "empty":
        run = t.run("mio_server", "empty")
        t.expect(run.line("empty"), errno=INVAL, fired=99)
        run.finish()
        return
    run, port = _listening(t, "mio_server")
    t.expect(run.line("empty"), errno=INVAL)
    run.line("listening")
    run.peek_lines(0.12)
    connection = t.connect(port)
    run.line("accepted")
    t.expect(run.line("none"), errno=AGAIN)
    for text in (b"hello", b"again"):
        connection.sendall(text)
        t.check(connection.recv(64) == text, "no echo")
        run.peek_lines(0.06)
    connection.close()
    t.expect(run.line("end"), errno=0)
    run.finish()


@row(48, "modules for preview 1's, WasmEdge's, Go's and WAMR's sockets all link", "preview1", "wasmedge", "go_net", "wamr")
def link(t):
    run = t.run(f"link_{t.kind}")
    run.line("linked")
    t.expect(run.line("accept"), errno=(BADF, ACCES, PERM, NOTCAPABLE) if t.kind != "preview1" else BADF)
    run.finish()
