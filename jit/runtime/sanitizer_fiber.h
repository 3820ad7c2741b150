// What sanitizers must be told when a thread changes its stack, and a way around their signals; nothing in ordinary builds.
#pragma once

#include <csignal>
#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POLLUX_ASAN 1
#elif __has_feature(thread_sanitizer)
#define POLLUX_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define POLLUX_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define POLLUX_TSAN 1
#endif

#if defined(POLLUX_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(POLLUX_TSAN)
#include <sanitizer/tsan_interface.h>
extern "C" int __sigaction(int, const struct sigaction*, struct sigaction*) noexcept;  // the C library's, which TSan does not replace
#endif

namespace pollux::sanitizer {

/// sigaction(), for a handler that comes before TSan's, which puts signals off; it may call nothing that TSan instruments or replaces.
#if defined(POLLUX_TSAN)
inline constexpr auto set_action = __sigaction;
#else
inline constexpr auto set_action = ::sigaction;
#endif

#if defined(POLLUX_ASAN)
inline void* create_fiber() noexcept { return nullptr; }
inline void destroy_fiber(void* /*fiber*/) noexcept {}
inline void* current_fiber() noexcept { return nullptr; }
/// Before a switch to the stack at `bottom`. `fake_stack` null: the present stack ends.
inline void start_switch(void** fake_stack, const void* bottom, std::size_t bytes, void* /*fiber*/) noexcept {
    __sanitizer_start_switch_fiber(fake_stack, bottom, bytes);
}
/// After the arrival on a stack; yields that which was left.
inline void finish_switch(void* fake_stack, const void** bottom, std::size_t* bytes) noexcept {
    __sanitizer_finish_switch_fiber(fake_stack, bottom, bytes);
}
/// Frames on this memory are gone.
inline void unpoison(void* memory, std::size_t bytes) noexcept { __asan_unpoison_memory_region(memory, bytes); }
#elif defined(POLLUX_TSAN)
inline void* create_fiber() noexcept { return __tsan_create_fiber(0); }
inline void destroy_fiber(void* fiber) noexcept { __tsan_destroy_fiber(fiber); }
inline void* current_fiber() noexcept { return __tsan_get_current_fiber(); }
inline void start_switch(void** /*fake_stack*/, const void* /*bottom*/, std::size_t /*bytes*/, void* fiber) noexcept {
    __tsan_switch_to_fiber(fiber, 0);
}
inline void finish_switch(void* /*fake_stack*/, const void** /*bottom*/, std::size_t* /*bytes*/) noexcept {}
inline void unpoison(void* /*memory*/, std::size_t /*bytes*/) noexcept {}
#else
inline void* create_fiber() noexcept { return nullptr; }
inline void destroy_fiber(void* /*fiber*/) noexcept {}
inline void* current_fiber() noexcept { return nullptr; }
inline void start_switch(void** /*fake_stack*/, const void* /*bottom*/, std::size_t /*bytes*/, void* /*fiber*/) noexcept {}
inline void finish_switch(void* /*fake_stack*/, const void** /*bottom*/, std::size_t* /*bytes*/) noexcept {}
inline void unpoison(void* /*memory*/, std::size_t /*bytes*/) noexcept {}
#endif

}  // namespace pollux::sanitizer
