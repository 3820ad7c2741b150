// Runs one script against the runtime: its modules, instances and assertions, reporting what became of each command.
#pragma once

#include <string>

#include "tests/spec/report.h"
#include "tests/spec/script.h"

namespace pollux::spec {

struct SessionOptions {
    bool explicit_bounds = false;
    bool lazy = false;
    bool precompiled = false;  ///< each module is compiled into a file, which is then loaded
    bool gc_stress = false;
};

/// Runs all commands of the script. Never throws because of what a module or script does.
void run_script(const Script& script, const SessionOptions& options, Reporter& reporter);

}  // namespace pollux::spec
