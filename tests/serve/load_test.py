#!/usr/bin/env python3
"""Ten thousand connections to `pollux serve` with an echo program, on one thread: every one is answered, idle ones cost no time, and
active ones are answered promptly beside them, also when guests compute without end. Times and memory are printed, and only bounded
where a hang or a leak would show. By itself, it measures build/release."""
import argparse
import os
import resource
import select
import signal
import socket
import sys
import time

import serving
from serving import Server, guest

ACTIVE = 100
ROUNDS = 20
ENDLESS = (1, 8)  # guests that compute without end
SPARE = 200
IN_FLIGHT = 500  # connections that are being made at a time
BOUND = 300  # seconds for everything

begun = time.monotonic()


def check(condition, what):
    if not condition:
        print("FAILED: " + what)
        sys.exit(1)


def check_time():
    check(time.monotonic() - begun < BOUND, f"took longer than {BOUND} s")


class Client:
    """Many connections in one epoll."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.address = (host, int(port))
        self.epoll = select.epoll()
        self.sockets = {}

    def connect(self, count, message):
        """Opens connections, sends a message on each and waits for its echo."""
        waiting = {}
        opened = 0
        done = []
        while len(done) < count:
            check_time()
            while opened < count and len(waiting) < IN_FLIGHT:
                connection = socket.socket()
                connection.setblocking(False)
                connection.connect_ex(self.address)
                self.epoll.register(connection, select.EPOLLOUT)
                waiting[connection.fileno()] = connection
                opened += 1
            for number, events in self.epoll.poll(1):
                connection = waiting[number]
                if events & select.EPOLLOUT and not events & select.EPOLLIN:
                    error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    check(error == 0, f"connection {len(done)}: " + os.strerror(error))
                    connection.send(message)
                    self.epoll.modify(number, select.EPOLLIN)
                    continue
                answer = connection.recv(4096)
                check(answer == message, f"connection {len(done)}: got {answer!r}")
                self.epoll.unregister(number)
                done.append(waiting.pop(number))
        return done

    def latencies(self, connections, rounds, clock=time.monotonic):
        """Round trips of one byte at a time on all connections at once, in seconds of the clock, sorted."""
        times = []
        for connection in connections:
            self.epoll.register(connection, select.EPOLLIN)
        by_number = {connection.fileno(): connection for connection in connections}
        for _ in range(rounds):
            check_time()
            sent = {}
            for number, connection in by_number.items():
                sent[number] = clock()
                connection.send(b"x")
            while sent:
                for number, _ in self.epoll.poll(1):
                    by_number[number].recv(16)
                    times.append(clock() - sent.pop(number))
                check_time()
        for connection in connections:
            self.epoll.unregister(connection)
        return sorted(times)

    def close(self, connections):
        """Ends all, and waits until the server has, too."""
        for connection in connections:
            connection.shutdown(socket.SHUT_WR)
        for connection in connections:
            connection.setblocking(True)
            connection.settimeout(10)
            check(connection.recv(16) == b"", "bytes after the end")
            connection.close()
            check_time()


def summary(times):
    at = [times[min(len(times) - 1, len(times) * percent // 100)] * 1000 for percent in (50, 99, 100)]
    return f"{len(times)} round trips: p50 {at[0]:.3f} ms, p99 {at[1]:.3f} ms, longest {at[2]:.3f} ms"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle", type=int, default=10000, help="idle connections (%(default)s)")
    parser.add_argument("--seconds", type=float, default=2, help="how long all are idle (%(default)s)")
    options = parser.parse_args()
    serving.need_guests()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = options.idle + ACTIVE + SPARE
    if hard < needed:
        serving.skip(f"the hard limit of descriptors is {hard}, the test needs {needed}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Server("--idle-timeout=10m", "--grace=0", guest("echo")) as server:
        client = Client(server.address)
        client.close(client.connect(1, b"warm up"))
        resident, tables = server.memory_kib()
        mappings = server.mappings()

        at = time.monotonic()
        idle = client.connect(options.idle, b"hello")
        print(f"{len(idle)} connections opened and answered in {time.monotonic() - at:.2f} s, {server.cpu_seconds():.2f} s of the server's",
              flush=True)
        resident_all, tables_all = server.memory_kib()
        mappings_all = server.mappings()
        print(f"an idle guest: {(resident_all - resident) / len(idle):.1f} KiB resident, "
              f"{(tables_all - tables) / len(idle):.1f} KiB of page tables, {(mappings_all - mappings) / len(idle):.2f} mappings")
        check(mappings_all - mappings <= 5 * len(idle), "more than 5 mappings for a guest")
        check(resident_all - resident + tables_all - tables <= 48 * len(idle), "more than 48 KiB for an idle guest")

        cpu = server.cpu_seconds()
        time.sleep(options.seconds)
        print(f"processor time in {options.seconds:g} idle seconds: {(server.cpu_seconds() - cpu) * 1000:.3f} ms")
        check(server.cpu_seconds() - cpu < 0.5, "idle guests cost processor time")

        active = client.connect(ACTIVE, b"hello")
        print(f"one active connection beside them, {summary(client.latencies(active[:1], 1000))}")
        print(f"{ACTIVE} active connections beside them, all at once, {summary(client.latencies(active, ROUNDS))}")
        endless = []
        for count in ENDLESS:
            endless += client.connect(count - len(endless), b"spin")
            print(f"one active connection beside them and {count} in endless loops, {summary(client.latencies(active[:1], 100))}")
            # Whatever else the machine does does not count here.
            times = client.latencies(active[:1], 100, server.cpu_seconds)
            print(f"the same in processor time of the server's, {summary(times)}")
            check(times[len(times) // 2] < 0.05, "guests in endless loops hold up others")
            print(f"{ACTIVE} active connections beside them and {count} in endless loops, all at once, "
                  f"{summary(client.latencies(active, ROUNDS))}", flush=True)

        at = time.monotonic()
        cpu = server.cpu_seconds()
        client.close(active)
        client.close(idle)
        print(f"all others ended in {time.monotonic() - at:.2f} s, {server.cpu_seconds() - cpu:.2f} s of the server's", flush=True)
        check(server.stop(signal.SIGTERM) == 0, "exit status of the server")
        check(f"{len(endless)} guests did not end" in server.text(), "guests are missing, or left over")
    print(f"all in {time.monotonic() - begun:.1f} s")


if __name__ == "__main__":
    main()
