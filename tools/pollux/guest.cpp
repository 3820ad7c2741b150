#include "tools/pollux/guest.h"

#include <algorithm>
#include <string>
#include <utility>

#include "tools/pollux/report.h"
#include "tools/pollux/run.h"

namespace pollux::cli {
namespace {

/// Where only WASI calls show that a connection is in use, it is looked at so often in an idle timeout.
constexpr std::uint64_t kLooksPerTimeout = 8;
constexpr std::uint64_t kShortestWait = 1'000'000;

}  // namespace

Guest::Guest(const ServedProgram& program, Connection connection) noexcept
    : program_(program), connection_(std::move(connection)), began_(wasi::monotonic_now()), last_calls_(began_) {}

Guest::~Guest() {
    fiber_.reset();
    store_.reset();
    wasi_.reset();
    hang_up(std::move(connection_.socket));
}

Result<std::unique_ptr<Guest>> Guest::create(const ServedProgram& program, Connection connection,
                                             std::move_only_function<void(Guest&)> at_end) {
    std::unique_ptr<Guest> guest(new Guest(program, std::move(connection)));
    wasi::Config config = program.config;
    for (const std::size_t stream : {0, 1}) {
        if (config.streams[stream].source != wasi::Stream::Source::inherit) continue;  // --stdin=null or a file
        config.streams[stream].source = wasi::Stream::Source::fd;
        config.streams[stream].fd = guest->connection_.socket.get();
    }
    config.trace_label = "[" + guest->connection_.peer + "] ";
    auto system = wasi::Wasi::create(std::move(config), program.scheduler);
    if (!system) return std::unexpected(std::move(system.error()));
    guest->wasi_ = *std::move(system);
    auto store = Store::create(program.engine, program.store_options);
    if (!store) return std::unexpected(std::move(store.error()));
    guest->store_ = *std::move(store);
    guest->store_->set_scheduler(program.scheduler.get());
    if (program.options.fuel) guest->store_->set_fuel(static_cast<std::int64_t>(std::min(*program.options.fuel, std::uint64_t{1} << 62)));
    auto fiber = Fiber::create(*guest->store_, [self = guest.get(), done = std::move(at_end)]() mutable {
        self->run();
        self->end_threads();
        done(*self);
    });
    if (!fiber) return std::unexpected(std::move(fiber.error()));
    guest->fiber_ = *std::move(fiber);
    return guest;
}

void Guest::run() {
    Instance* instance = nullptr;
    {
        Linker linker(*store_);
        wasi_->define_imports(linker, *store_);
        auto made = linker.instantiate(program_.module);
        if (!made) {
            if (made.error().trap) return report_end(*made.error().trap);
            lacked_room_ = made.error().error.kind == ErrorKind::resource;
            static_cast<void>(report(made.error().error, "guest of " + connection_.peer));
            return;
        }
        instance = *made;
    }
    if (const Func initialize = wasi::initializer(*instance)) call(initialize);
    if (const Func start = instance->find_function("_start")) call(start);
}

void Guest::end_threads() {
    if (!program_.has_threads) return;
    // Waiting for them is not to hold up other guests.
    const auto ended = program_.scheduler->reactor().call_blocking([this] { return wasi_->end_threads(), true; }, nullptr);
    if (!ended) wasi_->end_threads();
}

void Guest::call(const Func& function) {
    const CallResult called = function.call({}, {});
    failed_ = !called;
    if (failed_) report_end(called.error());
}

void Guest::report_end(const Trap& trap) const {
    const std::string who = "guest of " + connection_.peer + ": ";
    switch (trap.code) {
        case TrapCode::host_exit: return;
        case TrapCode::interrupted:
            if (reason_ == EndReason::time_limit) print_message(who + "time limit reached");
            if (reason_ == EndReason::idle) print_message(who + "idle for too long");
            return;  // at shutdown all are reported together
        case TrapCode::fuel_exhausted: print_message(who + "fuel limit reached"); return;
        case TrapCode::not_compiled:
            print_backtrace(who + "trap: " + trap.message() + not_compiled_feature(trap), trap, program_.options.max_backtrace);
            return;
        default: print_trap(who, trap, wasi_->thread_trap(), program_.options.max_backtrace); return;
    }
}

void Guest::end(EndReason reason) noexcept {
    if (reason_ != EndReason::none) return;
    reason_ = reason;
    store_->interrupt(TrapCode::interrupted);
}

std::uint64_t Guest::idle_time(std::uint64_t now) noexcept {
    // The kernel knows best. For other sockets, a guest that makes no calls is idle.
    if (connection_.tells_quiet_time) return std::min(now - began_, quiet_time(connection_.socket.get()).value_or(0));
    if (const std::uint64_t calls = wasi_->calls(); calls != calls_) {
        calls_ = calls;
        last_calls_ = now;
    }
    return now - last_calls_;
}

std::uint64_t Guest::check_limits(std::uint64_t now) noexcept {
    std::uint64_t next = wasi::kNever;
    if (reason_ != EndReason::none) return next;
    if (program_.options.timeout) {
        const std::uint64_t age = now - began_;
        if (age >= *program_.options.timeout) {
            end(EndReason::time_limit);
            return wasi::kNever;
        }
        next = now + (*program_.options.timeout - age);
    }
    if (program_.idle_timeout) {
        const std::uint64_t limit = *program_.idle_timeout;
        const std::uint64_t idle = idle_time(now);
        if (idle >= limit) {
            end(EndReason::idle);
            return wasi::kNever;
        }
        const std::uint64_t wait = connection_.tells_quiet_time ? limit - idle : std::min(limit - idle, limit / kLooksPerTimeout);
        next = std::min(next, now + std::max(wait, kShortestWait));
    }
    return next;
}

}  // namespace pollux::cli
