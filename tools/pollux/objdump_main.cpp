// pollux-objdump: `pollux objdump` as a program of its own. It opens disassemblers, which are shared objects; pollux itself is linked
// statically, for that it starts sooner, and cannot.
#include <span>

#include "tools/pollux/objdump.h"
#include "wasi/wasi.h"

int main(int argc, char** argv) {
    pollux::wasi::reserve_standard_streams();
    const std::span<const char* const> words(argv, static_cast<std::size_t>(argc));
    return pollux::cli::objdump_command(words.subspan(argc > 0 ? 1 : 0));
}
