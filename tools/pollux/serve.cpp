// One fiber accepts, looks after time limits and buries guests; each guest is a fiber. All wait in one reactor, on the program's only
// thread that runs code of guests.
#include "tools/pollux/serve.h"

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "jit/base/syscall.h"
#include "jit/base/tuning.h"
#include "jit/runtime/no_sanitize.h"
#include "jit/runtime/runtime.h"
#include "jit/runtime/sanitizer_fiber.h"
#include "tools/pollux/capacity.h"
#include "tools/pollux/guest.h"
#include "tools/pollux/listener.h"
#include "tools/pollux/load.h"
#include "tools/pollux/report.h"
#include "tools/pollux/run.h"
#include "tools/pollux/serve_options.h"
#include "wasi/call_stats.h"
#include "wasi/wasi.h"

namespace pollux::cli {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
/// Connections to accept before the guests have their turn.
constexpr std::size_t kAcceptsPerTurn = 32;
/// After a limit that is not ours: when to try again if no guest ends.
constexpr std::uint64_t kRetryAfter = kSecond;
/// A limit is reported at most so often.
constexpr std::uint64_t kReportEvery = 10 * kSecond;
/// Memory slots and stacks that wait for the next guest.
constexpr std::size_t kPooled = 256;

// What signal handlers reach.
std::atomic<int> stop_signals{0};
int attention_fd = -1;

POLLUX_NO_SANITIZE void call_attention() noexcept {
    const int saved_errno = errno;
    const std::uint64_t one = 1;
    static_cast<void>(::syscall(SYS_write, attention_fd, &one, sizeof(one)));
    errno = saved_errno;
}

/// The first signal asks for an end, the second is the end. It comes before TSan, with which, among fibers, one in twenty stays away for
/// good.
POLLUX_NO_SANITIZE void on_stop_signal(int signal) {
    if (__atomic_fetch_add(reinterpret_cast<int*>(&stop_signals), 1, __ATOMIC_SEQ_CST) == 0) return call_attention();
    struct sigaction action{};
    action.sa_handler = SIG_DFL;
    static_cast<void>(sanitizer::set_action(signal, &action, nullptr));
    static_cast<void>(::syscall(SYS_kill, ::syscall(SYS_getpid), signal));
}

void handle_stop_signal(int signal) {
    struct sigaction before{};
    if (::sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) return;  // whoever started us wants that
    struct sigaction action{};
    action.sa_handler = on_stop_signal;
    action.sa_flags = SA_ONSTACK | SA_RESTART;  // it may find a guest's stack nearly full
    static_cast<void>(sanitizer::set_action(signal, &action, nullptr));
}

class Server {
public:
    explicit Server(ServeOptions options) : options_(std::move(options)) {}

    /// Returns the exit status.
    int run() {
        if (auto opened = open(); !opened) return report(opened.error(), options_.guest.file);
        warn_not_compiled(*program_.module);
        const auto ran = store_->run_on_fiber([this] { serve(); });
        if (program_.config.call_stats != nullptr) print_message("WASI calls of all guests\n" + call_stats_.table());
        return ran ? 0 : report(ran.error());
    }

private:
    Result<> open() {
        const std::size_t descriptors = raise_descriptor_limit();
        tuning.pooled_memory_slots = std::max(tuning.pooled_memory_slots, kPooled);
        tuning.pooled_stacks = std::max(tuning.pooled_stacks, kPooled);

        program_.options = options_.guest;
        program_.idle_timeout = options_.idle_timeout;
        program_.config = wasi_config(options_.guest);
        if (options_.guest.hostcall_stats) program_.config.call_stats = &call_stats_;
        program_.store_options = store_options(options_.guest);
        auto engine = Engine::create(engine_options(options_.guest));
        if (!engine) return std::unexpected(std::move(engine.error()));
        program_.engine = *std::move(engine);
        auto module = load_module(program_.engine, options_.guest.file, options_.guest.precompiled);
        if (!module) return std::unexpected(std::move(module.error()));
        program_.module = *std::move(module);
        for (const wasm::Import& import : program_.module->module().imports) program_.has_threads |= import.module == wasi::kThreadsModule;
        auto scheduler = wasi::FiberScheduler::create();
        if (!scheduler) return std::unexpected(std::move(scheduler.error()));
        program_.scheduler = *std::move(scheduler);
        auto store = Store::create(program_.engine);
        if (!store) return std::unexpected(std::move(store.error()));
        store_ = *std::move(store);
        store_->set_scheduler(program_.scheduler.get());

        attention_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        if (!attention_) return fail(ErrorKind::resource, "cannot make an eventfd: " + sys::error_text(errno));
        attention_fd = attention_.get();
        for (const std::string& address : options_.listen) {
            auto listener = Listener::open(address);
            if (!listener) return std::unexpected(std::move(listener.error()));
            listeners_.push_back(*std::move(listener));
        }
        set_capacity(descriptors);
        handle_stop_signal(SIGTERM);
        handle_stop_signal(SIGINT);
        for (const Listener& listener : listeners_) print_message("listening on " + listener.address());
        return {};
    }

    void set_capacity(std::size_t descriptors) {
        const GuestNeeds needs{1 + options_.guest.directories.size() + options_.guest.connect.size(),
                               program_.module->module().memories.size(), program_.engine->bounds() == BoundsMode::guard_pages};
        capacity_ = system_capacity(needs, descriptors);
        if (!options_.max_guests) return;
        if (*options_.max_guests > capacity_.guests) {
            print_message("warning: --max-guests is " + std::to_string(*options_.max_guests) + ", but there is room for " +
                          std::to_string(capacity_.guests) + " only; the limit is " + capacity_.limit);
        } else {
            capacity_ = {static_cast<std::size_t>(*options_.max_guests), "--max-guests"};
        }
    }

    /// On the fiber that accepts.
    void serve() {
        wasi::Reactor& reactor = program_.scheduler->reactor();
        for (;;) {
            std::uint64_t events = 0;
            static_cast<void>(!::read(attention_.get(), &events, sizeof(events)));
            bury();
            if (stop_signals.load() != 0) stop();
            const std::uint64_t now = wasi::monotonic_now();
            check_limits(now);
            if (stopping_ && guests_.empty()) return;
            accept(now);
            store_->clear_interrupt();  // no code runs here that the timer could make yield
            interests_.assign(1, {attention_.get(), EPOLLIN});
            if (may_accept(now)) {
                for (const Listener& listener : listeners_) interests_.push_back({listener.fd(), EPOLLIN});
            }
            const std::uint64_t grace_end = stopping_ && !forced_ ? grace_end_ : wasi::kNever;
            const std::uint64_t retry = full_until_ > now ? full_until_ : wasi::kNever;
            static_cast<void>(reactor.park(interests_, {.monotonic = std::min({checks_.earliest(), grace_end, retry})}, nullptr));
        }
    }

    // --- accepting ---------------------------------------------------------------------------------------------------------

    [[nodiscard]] bool may_accept(std::uint64_t now) const noexcept {
        return !stopping_ && guests_.size() < capacity_.guests && now >= full_until_;
    }

    /// Accepts some connections. Where there are more, the listener stays ready.
    void accept(std::uint64_t now) {
        for (const Listener& listener : listeners_) {
            for (std::size_t here = 0; here < kAcceptsPerTurn; ++here) {
                if (stopping_ || now < full_until_) return;
                if (guests_.size() >= capacity_.guests) {
                    report_full(now, capacity_.limit);
                    return;
                }
                auto connection = listener.accept();
                if (connection) {
                    add_guest(*std::move(connection), now);
                    continue;
                }
                if (connection.error() == NotAccepted::no_descriptors) wait_for_room(now, "descriptors (of this process or the system)");
                if (connection.error() == NotAccepted::no_memory) wait_for_room(now, "memory of the system");
                break;
            }
        }
    }

    void add_guest(Connection connection, std::uint64_t now) {
        const std::string peer = connection.peer;
        auto guest = Guest::create(program_, std::move(connection), [this](Guest& self) {
            done_.push_back(&self);
            if (done_.size() == 1) call_attention();
        });
        if (!guest) {
            static_cast<void>(report(guest.error(), "guest of " + peer));
            if (guest.error().kind == ErrorKind::resource) wait_for_room(now, "memory, mappings or address space");
            return;
        }
        Guest& added = *guests_.emplace_back(*std::move(guest));
        added.place = guests_.size() - 1;
        added.next_check.deadline = added.check_limits(wasi::monotonic_now());
        checks_.push(added);
        added.begin();
    }

    /// No connection is accepted until a guest has ended or some time has passed.
    void wait_for_room(std::uint64_t now, const std::string& limit) {
        full_until_ = now + kRetryAfter;
        report_full(now, limit);
    }

    void report_full(std::uint64_t now, const std::string& limit) {
        if (now < next_report_) return;
        next_report_ = now + kReportEvery;
        print_message("no more guests than these " + std::to_string(guests_.size()) + ", further connections wait: the limit is " + limit);
    }

    // --- guests that end -----------------------------------------------------------------------------------------------------

    void bury() {
        for (Guest* const guest : std::exchange(done_, {})) {
            // At a limit that was guessed too high, those that could not begin do not make room.
            if (guest->lacked_room()) {
                wait_for_room(wasi::monotonic_now(), "memory, mappings or address space");
            } else {
                full_until_ = 0;
            }
            checks_.remove(*guest);
            const std::size_t place = guest->place;
            std::swap(guests_[place], guests_.back());
            guests_[place]->place = place;
            guests_.pop_back();
        }
    }

    void check_limits(std::uint64_t now) {
        while (checks_.earliest() <= now) {
            Guest& guest = checks_.front();
            checks_.remove(guest);
            guest.next_check.deadline = guest.check_limits(now);
            checks_.push(guest);
        }
        if (stopping_ && !forced_ && now >= grace_end_) {
            forced_ = true;
            if (guests_.empty()) return;
            print_message(std::to_string(guests_.size()) + " guests did not end within the time of --grace and are ended now");
            for (const auto& guest : guests_) guest->end(EndReason::shutdown);
        }
    }

    void stop() {
        if (stopping_) return;
        stopping_ = true;
        grace_end_ = wasi::monotonic_now() + std::min(options_.grace, std::uint64_t{1} << 60);
        listeners_.clear();
        print_message("stopping: no more connections are accepted; " + std::to_string(guests_.size()) + " guests may end by themselves");
    }

    ServeOptions options_;
    wasi::CallStats call_stats_;
    ServedProgram program_;
    std::unique_ptr<Store> store_;  ///< of the fiber that accepts
    UniqueFd attention_;            ///< eventfd: a guest is done, or a signal has come
    std::vector<Listener> listeners_;
    std::vector<wasi::Interest> interests_;
    std::vector<std::unique_ptr<Guest>> guests_;
    std::vector<Guest*> done_;
    wasi::DeadlineHeap<Guest, &Guest::next_check> checks_;
    Capacity capacity_;
    std::uint64_t full_until_ = 0;   ///< ns; when to accept again after a limit of the system
    std::uint64_t next_report_ = 0;  ///< ns; of a limit
    std::uint64_t grace_end_ = 0;
    bool stopping_ = false;
    bool forced_ = false;
};

}  // namespace

int serve_command(std::span<const char* const> words) {
    auto options = parse_serve_options(words);
    if (!options) return report(options.error());
    if (options->guest.help) {
        std::fputs(serve_help().c_str(), stdout);
        return 0;
    }
    return Server(*std::move(options)).run();
}

}  // namespace pollux::cli
