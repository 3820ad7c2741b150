// For functions that read a guest's stack word by word: frames there are not the sanitizers' to judge.
#pragma once

#if defined(__clang__)
#define POLLUX_NO_SANITIZE __attribute__((no_sanitize("address", "thread")))
#else
#define POLLUX_NO_SANITIZE __attribute__((no_sanitize_address, no_sanitize_thread))
#endif
