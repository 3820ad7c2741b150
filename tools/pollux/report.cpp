#include "tools/pollux/report.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>

#include "jit/base/syscall.h"
#include "jit/runtime/compiled_module.h"

namespace pollux::cli {
namespace {

std::string frame_text(const Frame& frame) {
    const std::string name = frame.name.empty() ? "function " + std::to_string(frame.function) : frame.name;
    std::string module = frame.module != nullptr ? frame.module->name() : std::string();
    if (module.empty()) module = "module";
    return "  at " + name + " (" + module + ":" + hex(frame.wasm_offset) + ")\n";
}

}  // namespace

std::string hex(std::uint64_t value) {
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), "0x%" PRIx64, value);
    return text.data();
}

void print_message(std::string_view message) { sys::write_message(STDERR_FILENO, "pollux: " + std::string(message) + "\n"); }

int report(const Error& error, std::string_view context) {
    std::string message;
    if (!context.empty() && error.message.find(context) == std::string::npos) message = std::string(context) + ": ";
    message += error.message;
    if (error.offset != kNoOffset) message += " (at offset " + hex(error.offset) + ")";
    print_message(message);
    return error.kind == ErrorKind::usage ? kExitUsage : kExitFailure;
}

void print_backtrace(std::string_view headline, const Trap& trap, std::uint32_t max_frames) {
    std::string text = "pollux: " + std::string(headline) + "\n";
    // The frames are the innermost, then `omitted` that are not there, then the outermost. Of each part, as much as is to be shown.
    const std::size_t known = trap.frames.size();
    const std::size_t shown = std::min<std::size_t>(known, max_frames);
    const std::size_t inner = shown == known ? std::min<std::size_t>(known, RawBacktrace::kFirstFrames) : shown - shown / 3;
    const std::size_t outer = shown - inner;
    for (std::size_t i = 0; i < inner; ++i) text += frame_text(trap.frames[i]);
    if (const std::size_t hidden = known - shown + trap.omitted; hidden != 0) text += "  ... " + std::to_string(hidden) + " more frames\n";
    for (std::size_t i = known - outer; i < known; ++i) text += frame_text(trap.frames[i]);
    sys::write_message(STDERR_FILENO, text);
}

void print_trap(const std::string& who, const Trap& trap, const std::optional<wasi::ThreadTrap>& other, std::uint32_t max_frames) {
    if (!other) return print_backtrace(who + "trap: " + trap.message(), trap, max_frames);
    print_backtrace(who + "trap in thread " + std::to_string(other->thread) + ": " + other->trap.message(), other->trap, max_frames);
}

}  // namespace pollux::cli
