#include "jit/runtime/trap.h"

#include <algorithm>

#include "jit/runtime/code_map.h"
#include "jit/runtime/compiled_module.h"

namespace pollux {
namespace {

std::string hexadecimal(std::uint64_t value) {
    std::string text;
    do {
        text.insert(text.begin(), "0123456789abcdef"[value & 15]);
        value >>= 4;
    } while (value != 0);
    return "0x" + text;
}

void add_frame(Trap& trap, std::uint64_t pc, bool exact) {
    CodeRegion region;
    PcInfo info;
    if (!find_code_region(pc, region) || !region.find(pc, info)) return;
    Frame& frame = trap.frames.emplace_back();
    frame.module = region.module;
    frame.function = info.function;
    frame.wasm_offset = !exact && info.is_call ? info.call_wasm_offset : info.wasm_offset;
    frame.name = region.module->function_name(info.function);
}

}  // namespace

Trap make_trap(TrapCode code, const RawBacktrace& raw) {
    Trap trap;
    trap.code = code;
    const std::size_t first = std::min(raw.count, RawBacktrace::kFirstFrames);
    const std::size_t after = raw.count - first;
    const std::size_t last = std::min(after, RawBacktrace::kLastFrames);
    trap.omitted = after - last;
    for (std::size_t i = 0; i < first; ++i) add_frame(trap, raw.first[i], raw.exact && i == 0);
    for (std::size_t i = after - last; i < after; ++i) add_frame(trap, raw.last[i % RawBacktrace::kLastFrames], false);
    return trap;
}

std::string Trap::message() const {
    std::string text(trap_message(code));
    if (error) text += ": " + error->message;
    return text;
}

std::string Trap::to_string() const {
    std::string text = message();
    for (std::size_t i = 0; i < frames.size(); ++i) {
        if (i == RawBacktrace::kFirstFrames && omitted != 0) text += "\n    … " + std::to_string(omitted) + " more …";
        const Frame& frame = frames[i];
        const std::string module = frame.module != nullptr ? frame.module->name() : std::string();
        text += "\n    " + std::to_string(i >= RawBacktrace::kFirstFrames ? i + omitted : i) + ": " + hexadecimal(frame.wasm_offset) + " " +
                (module.empty() ? "" : module + "!") + (frame.name.empty() ? "function " + std::to_string(frame.function) : frame.name);
    }
    return text;
}

}  // namespace pollux
