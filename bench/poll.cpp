// Waiting: ns for one poll_oneoff of a guest, and for the way of a byte between two guests of one thread.
//
//   poll/clock_now          one clock that has passed
//   poll/pipe_not_ready     a pipe without data and a clock that has passed: what a scheduler asks in each round
//   poll/pipe_ready         a pipe with data and a clock far away
//   poll/read_ready         fd_read of that pipe instead, of no bytes
//   poll/ping_pong          two guests hand a byte to each other over two pipes: a round is two writes and two reads that wait
#include <fcntl.h>
#include <unistd.h>

#include <initializer_list>
#include <memory>

#include "bench/run_guest.h"
#include "wasi/wasi.h"

namespace pollux::bench {
namespace {

class Pipe {
public:
    explicit Pipe(bool filled) {
        if (pipe2(ends_, O_CLOEXEC) != 0 || (filled && write(ends_[1], "x", 1) != 1)) throw std::runtime_error("no pipe");
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        close(ends_[0]);
        close(ends_[1]);
    }
    [[nodiscard]] int read_end() const { return ends_[0]; }
    [[nodiscard]] int write_end() const { return ends_[1]; }

private:
    int ends_[2] = {-1, -1};
};

std::unique_ptr<wasi::Wasi> make_wasi(int input, int output, std::shared_ptr<wasi::FiberScheduler> scheduler = nullptr) {
    wasi::Config config = wasi_config();
    config.streams[0] = {.source = wasi::Stream::Source::fd, .path = {}, .fd = input};
    config.streams[1] = {.source = wasi::Stream::Source::fd, .path = {}, .fd = output};
    return need(wasi::Wasi::create(std::move(config), std::move(scheduler)));
}

// Layout of the guests' memory.
constexpr std::uint32_t kIovec = 0, kResult = 16, kBuffer = 32, kSubscriptions = 64, kEvents = 1024;

Bytes word(std::uint64_t value, std::size_t bytes) {
    Bytes out;
    for (std::size_t i = 0; i < bytes; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    return out;
}
/// subscription: userdata, tag, clock id, timeout, precision, flags (relative).
Bytes clock_subscription(std::uint64_t timeout) {
    return join({word(1, 8), word(0, 8), word(1, 8), word(timeout, 8), word(0, 8), word(0, 8)});
}
/// subscription: userdata, tag 1 (fd_read), descriptor.
Bytes read_subscription(std::uint32_t fd) { return join({word(2, 8), word(1, 8), word(fd, 8), word(0, 24)}); }

/// A call of a WASI function, whose errno is dropped.
Bytes wasi_call(std::uint8_t function, std::initializer_list<std::uint32_t> arguments) {
    Bytes code;
    for (const std::uint32_t argument : arguments) code = join({code, constant(argument)});
    return join({code, {kCall, function, kDrop}});
}

/// A guest that polls these subscriptions in each round.
void measure_poll(benchmark::State& state, bool filled, const Bytes& subscriptions) {
    const Pipe pipe(filled);
    const auto wasi = make_wasi(pipe.read_end(), pipe.write_end());
    GuestModule guest;
    const auto poll = guest.import_function(wasi::kPreview1Module, "poll_oneoff", guest.type(Bytes(4, kI32), {kI32}));
    guest.memory(1);
    guest.export_memory();
    guest.data(kSubscriptions, subscriptions);
    const auto count = static_cast<std::uint32_t>(subscriptions.size() / 48);
    guest.export_function("run", guest.counted_loop(wasi_call(poll, {kSubscriptions, kEvents, count, kResult})));
    GuestProgram program(guest.bytes(), [&](Linker& linker, Store& store) { wasi->define_imports(linker, store); });
    measure_rounds(state, program, 1'000);
}

/// A guest that reads and writes through descriptors 0 and 1, one byte at most.
struct Streams {
    GuestModule guest;
    Bytes read, write;

    explicit Streams(std::uint32_t bytes) {
        const auto type = guest.type(Bytes(4, kI32), {kI32});
        read = wasi_call(guest.import_function(wasi::kPreview1Module, "fd_read", type), {0, kIovec, 1, kResult});
        write = wasi_call(guest.import_function(wasi::kPreview1Module, "fd_write", type), {1, kIovec, 1, kResult});
        guest.memory(1);
        guest.export_memory();
        guest.data(kIovec, join({word(kBuffer, 4), word(bytes, 4)}));
    }
    Bytes running(const Bytes& body) {
        guest.export_function("run", guest.counted_loop(body));
        return guest.bytes();
    }
};

void read_ready(benchmark::State& state) {
    const Pipe pipe(true);
    const auto wasi = make_wasi(pipe.read_end(), pipe.write_end());
    Streams streams(0);
    GuestProgram program(streams.running(streams.read), [&](Linker& linker, Store& store) { wasi->define_imports(linker, store); });
    measure_rounds(state, program, 1'000);
}

void ping_pong(benchmark::State& state) {
    constexpr std::int32_t kRoundTrips = 1'000;
    const auto scheduler = need(wasi::FiberScheduler::create());
    const Pipe there(false), back(false);
    const auto first_wasi = make_wasi(back.read_end(), there.write_end(), scheduler);
    const auto second_wasi = make_wasi(there.read_end(), back.write_end(), scheduler);
    Streams sends_first(1), reads_first(1);
    GuestProgram first(sends_first.running(join({sends_first.write, sends_first.read})),
                       [&](Linker& linker, Store& store) { first_wasi->define_imports(linker, store); });
    GuestProgram second(reads_first.running(join({reads_first.read, reads_first.write})),
                        [&](Linker& linker, Store& store) { second_wasi->define_imports(linker, store); });
    for (auto _ : state) {
        bool trapped = false;
        const auto play = [&trapped](GuestProgram& program) {
            return need(Fiber::create(program.store(), [&] {
                const Value rounds[] = {Value::i32(kRoundTrips)};
                trapped |= !program.function("run").call(rounds, {}).has_value();
            }));
        };
        const auto first_fiber = play(first), second_fiber = play(second);
        scheduler->spawn(*first_fiber);
        scheduler->spawn(*second_fiber);
        scheduler->run();
        if (trapped) state.SkipWithError("a guest trapped");
    }
    using benchmark::Counter;
    state.counters["s/round"] = Counter(static_cast<double>(state.iterations()) * kRoundTrips, Counter::kIsRate | Counter::kInvert);
}

}  // namespace
}  // namespace pollux::bench

int main(int argc, char** argv) {
    using namespace pollux::bench;
    using State = benchmark::State;
    constexpr std::uint64_t kHour = 3'600'000'000'000;
    add("poll/clock_now", [](State& state) { measure_poll(state, false, clock_subscription(0)); });
    add("poll/pipe_not_ready", [](State& state) { measure_poll(state, false, join({read_subscription(0), clock_subscription(0)})); });
    add("poll/pipe_ready", [](State& state) { measure_poll(state, true, join({read_subscription(0), clock_subscription(kHour)})); });
    add("poll/read_ready", read_ready);
    add("poll/ping_pong", ping_pong);
    return run_all(argc, argv);
}
