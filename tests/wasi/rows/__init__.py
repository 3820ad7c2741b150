"""The behaviours, registered with harness.row by number when their module is imported."""

from . import clocks, files, mixed, sockets, stdin, stdout  # noqa: F401

# These need several guests in one process: embedded_test.cpp holds them, as tests named Behaviour<number>.
EMBEDDED = {
    23: "two guests share stdin: no wakeup is lost",
    26: "blocking stdout to a slow reader suspends that guest alone",
    52: "renumber onto itself; close while another fiber polls it",
    61: "poll in one guest, read in another: one gets the data",
}
