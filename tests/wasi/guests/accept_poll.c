// 41, 42: a preopened listener, found after the directories. Non-blocking it accepts nothing (EAGAIN), poll waits for a
// connection, and the accepted socket is a descriptor like any other. LISTEN_FDS says how many listeners there are.
#include "socket_guest.h"

int main(void) {
    prestat_t prestat;
    const char* listen_fds = getenv("LISTEN_FDS");
    report("env listen_fds=%s", listen_fds ? listen_fds : "none");
    report("prestat errno=%d", wasi_fd_prestat_get(3, &prestat));
    int data = open_report("open", "data", 0, kRightRead, 0);
    if (data >= 0) {
        read_report("file", data, 64, NULL);
        wasi_fd_close(data);
    }
    int listener = find_socket(), connection = -1;
    report("listener fd=%d", listener);
    if (listener < 0) return 2;
    set_flags_report("set", listener, kNonblock);
    int error = wasi_sock_accept(listener, 0, &connection);
    report("accept_none errno=%d", error);
    report("waiting");
    subscription_t in[] = {on_read(listener, "accept")};
    poll_report("poll", in, 1, NULL);
    error = wasi_sock_accept(listener, kNonblock, &connection);
    report("accept errno=%d fd=%d", error, connection);
    stat_report("stat", connection);
    subscription_t readable[] = {on_read(connection, "read"), after_ms(3000, "clock")};
    poll_report("readable", readable, 2, NULL);
    read_report("read", connection, 64, NULL);
    read_report("empty", connection, 64, NULL);
    send_report("send", connection, "pong");
    report("close errno=%d", wasi_fd_close(connection));
    return 0;
}
