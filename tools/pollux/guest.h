// One guest of `pollux serve`: an instance of the program on a fiber of its own, with a connection as its standard input and output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "jit/runtime/runtime.h"
#include "tools/pollux/listener.h"
#include "tools/pollux/options.h"
#include "wasi/deadline_heap.h"
#include "wasi/wasi.h"

namespace pollux::cli {

/// What all guests share.
struct ServedProgram {
    RunOptions options;
    std::shared_ptr<Engine> engine;
    std::shared_ptr<CompiledModule> module;
    StoreOptions store_options;
    wasi::Config config;  ///< of each guest, but for its connection
    std::shared_ptr<wasi::FiberScheduler> scheduler;
    std::optional<std::uint64_t> idle_timeout;
    bool has_threads = false;  ///< the module imports thread-spawn
};

/// Why the server ended a guest.
enum class EndReason : std::uint8_t { none, time_limit, idle, shutdown };

class Guest {
public:
    /// Takes the connection. `at_end` is called on the guest's fiber as the last thing it does. Error of kind resource: the system has no
    /// room.
    [[nodiscard]] static Result<std::unique_ptr<Guest>> create(const ServedProgram& program, Connection connection,
                                                               std::move_only_function<void(Guest&)> at_end);
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;
    /// It must not have begun, or be done. Hangs up.
    ~Guest();

    /// Makes the guest ready to begin.
    void begin() { program_.scheduler->spawn(*fiber_); }
    /// Makes the guest end soon; the first reason is reported.
    void end(EndReason reason) noexcept;
    /// Looks at the guest's limits of time at `now` (CLOCK_MONOTONIC, ns), and ends it if one is reached. Returns when to look again.
    /// `now` must not be before its creation.
    [[nodiscard]] std::uint64_t check_limits(std::uint64_t now) noexcept;
    /// It could not be instantiated for lack of memory, mappings or address space.
    [[nodiscard]] bool lacked_room() const noexcept { return lacked_room_; }

    wasi::DeadlineSlot next_check;  ///< the server's
    std::size_t place = 0;  ///< the server's

private:
    Guest(const ServedProgram& program, Connection connection) noexcept;
    void run();
    void end_threads();
    void call(const Func& function);
    void report_end(const Trap& trap) const;
    [[nodiscard]] std::uint64_t idle_time(std::uint64_t now) noexcept;

    const ServedProgram& program_;
    Connection connection_;
    std::unique_ptr<wasi::Wasi> wasi_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<Fiber> fiber_;
    std::uint64_t began_ = 0;
    std::uint64_t calls_ = 0;  ///< of WASI functions, when it was last looked
    std::uint64_t last_calls_ = 0;  ///< when that number had last changed
    EndReason reason_ = EndReason::none;
    bool lacked_room_ = false;
    bool failed_ = false;  ///< a call did not return
};

}  // namespace pollux::cli
