#!/usr/bin/env python3
"""Ten thousand connections to `pollux serve` with an echo program, on one thread: every one is answered, idle ones cost no time, and
active ones are answered promptly beside them. Times and memory are printed, and only bounded where a hang or a leak would show."""
import os
import resource
import select
import signal
import socket
import sys
import time

import serving
from serving import Server, guest

IDLE = int(os.environ.get("POLLUX_LOAD", "10000"))
ACTIVE = 100
ROUNDS = 20
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

    def latencies(self, connections, rounds):
        """Round trips of one byte at a time on all connections at once, in seconds, sorted."""
        times = []
        for connection in connections:
            self.epoll.register(connection, select.EPOLLIN)
        by_number = {connection.fileno(): connection for connection in connections}
        for _ in range(rounds):
            check_time()
            sent = {}
            for number, connection in by_number.items():
                sent[number] = time.monotonic()
                connection.send(b"x")
            while sent:
                for number, _ in self.epoll.poll(1):
                    by_number[number].recv(16)
                    times.append(time.monotonic() - sent.pop(number))
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


def percentile(times, percent):
    return times[min(len(times) - 1, len(times) * percent // 100)] * 1000


def main():
    serving.need_guests()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = IDLE + ACTIVE + SPARE
    if hard < needed:
        serving.skip(f"the hard limit of descriptors is {hard}, the test needs {needed}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Server("--idle-timeout=10m", guest("cat")) as server:
        client = Client(server.address)
        client.close(client.connect(1, b"warm up"))
        resident, tables = server.memory_kib()
        mappings = server.mappings()

        at = time.monotonic()
        idle = client.connect(IDLE, b"hello")
        print(f"{IDLE} connections opened and answered in {time.monotonic() - at:.2f} s, {server.cpu_seconds():.2f} s of the server's",
              flush=True)
        resident_all, tables_all = server.memory_kib()
        mappings_all = server.mappings()
        print(f"an idle guest: {(resident_all - resident) / IDLE:.1f} KiB resident, {(tables_all - tables) / IDLE:.1f} KiB of page tables, "
              f"{(mappings_all - mappings) / IDLE:.2f} mappings")
        check(mappings_all - mappings <= 5 * IDLE, "more than 5 mappings for a guest")
        check(resident_all - resident + tables_all - tables <= 128 * IDLE, "more than 128 KiB for an idle guest")

        cpu = server.cpu_seconds()
        time.sleep(2)
        print(f"processor time in 2 idle seconds: {server.cpu_seconds() - cpu:.2f} s")
        check(server.cpu_seconds() - cpu < 0.5, "idle guests cost processor time")

        active = client.connect(ACTIVE, b"hello")
        times = client.latencies(active, ROUNDS)
        print(f"{ACTIVE} active connections beside them, {len(times)} round trips: p50 {percentile(times, 50):.2f} ms, "
              f"p99 {percentile(times, 99):.2f} ms (all {ACTIVE} at once)")
        times = client.latencies(active[:1], 200)
        print(f"one active connection, {len(times)} round trips: p50 {percentile(times, 50):.3f} ms, p99 {percentile(times, 99):.3f} ms")

        at = time.monotonic()
        cpu = server.cpu_seconds()
        client.close(active)
        client.close(idle)
        print(f"all ended in {time.monotonic() - at:.2f} s, {server.cpu_seconds() - cpu:.2f} s of the server's", flush=True)
        check(server.stop(signal.SIGTERM) == 0, "exit status of the server")
        check(server.text().splitlines().count("5 bytes") == IDLE, "not every guest has seen its 5 bytes")
    print(f"all in {time.monotonic() - begun:.1f} s")


if __name__ == "__main__":
    main()
