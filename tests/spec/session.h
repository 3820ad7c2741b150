// Runs one script against the runtime: its modules, instances and assertions, reporting what became of each command.
#pragma once

#include <memory>
#include <string>

#include "jit/runtime/engine.h"
#include "tests/spec/report.h"
#include "tests/spec/script.h"

namespace pollux::spec {

struct SessionOptions {
    bool explicit_bounds = false;
    bool lazy = false;
    bool log = false;          ///< report what each action gives and what is left in memories and globals
    bool precompiled = false;  ///< each module is compiled into a file, which is then loaded
    bool gc_stress = false;
};

/// What all scripts share: children inherit it, with the address space that it has reserved, which is dear under qemu-user.
struct Engines {
    std::shared_ptr<Engine> running;
    std::shared_ptr<Engine> compiling;  ///< null: `running` compiles, too
};
[[nodiscard]] Engines make_engines(const SessionOptions& options);

/// Runs all commands of the script. Never throws because of what a module or script does.
void run_script(const Script& script, const SessionOptions& options, const Engines& engines, Reporter& reporter);

}  // namespace pollux::spec
