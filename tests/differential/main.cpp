// differential: makes random modules and says what became of each call, one line each; differential.py compares what two programs say.
//
//   differential run --seed S --count N [--shift K]    modules of seeds S … S+N-1; each in the mode number seed + K
//   differential write --seed S --count N FOLDER       SEED.wasm and SEED.calls, for another engine
//
// A module's lines: "module SEED HASH-OF-ITS-BYTES FUNCTIONS FAMILIES", for each call "NAME RESULT", "NAME trap: REASON" or "NAME
// exception", for each memory "memory HASH BYTES". In half of the modes a collection of garbage comes before each allocation of an object.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "jit/runtime/runtime.h"
#include "tests/differential/generator.h"

namespace pollux::differential {
namespace {

struct Arguments {
    std::string command;
    std::uint64_t seed = 1;
    std::uint64_t count = 1;
    std::uint64_t shift = 0;
    std::string folder;
};

/// FNV-1a, 32 bits: what JavaScript computes quickly, too.
std::uint32_t hash(std::span<const std::uint8_t> bytes) noexcept {
    std::uint32_t value = 0x811c'9dc5;
    for (const std::uint8_t byte : bytes) value = (value ^ byte) * 0x0100'0193;
    return value;
}

[[noreturn]] void give_up(const std::string& why) {
    std::fprintf(stderr, "differential: %s\n", why.c_str());
    std::exit(1);
}

std::vector<std::shared_ptr<Engine>> make_engines() {
    std::vector<std::shared_ptr<Engine>> engines;
    engines.reserve(4);
    for (const auto& [mode, bounds] :
         {std::pair{CompileMode::eager, BoundsOption::guard_pages}, std::pair{CompileMode::lazy, BoundsOption::guard_pages},
          std::pair{CompileMode::eager, BoundsOption::explicit_checks}, std::pair{CompileMode::lazy, BoundsOption::explicit_checks}}) {
        EngineOptions options;
        options.mode = mode;
        options.bounds = bounds;
        options.threads = 1;
        auto engine = Engine::create(options);
        if (!engine) give_up(engine.error().message);
        engines.push_back(*std::move(engine));
    }
    return engines;
}

void print_calls(Instance& instance, const std::vector<ExportCall>& calls) {
    for (const ExportCall& call : calls) {
        std::vector<Value> arguments;
        for (std::size_t i = 0; i < call.arguments.size(); ++i) {
            arguments.push_back(call.is_i64[i] ? Value::i64(static_cast<std::int64_t>(call.arguments[i]))
                                               : Value::i32(static_cast<std::int32_t>(call.arguments[i])));
        }
        Value result;
        if (const CallResult called = instance.find_function(call.name).call(arguments, {&result, 1}); !called) {
            if (called.error().code == TrapCode::uncaught_exception) {
                std::printf("%s exception\n", call.name.c_str());
                continue;
            }
            std::printf("%s trap: %s\n", call.name.c_str(), called.error().message().c_str());
        } else {
            std::printf("%s %016llx\n", call.name.c_str(), static_cast<unsigned long long>(result.bits.low));
        }
    }
}

void run_modules(const Arguments& arguments) {
    const auto engines = make_engines();
    for (std::uint64_t seed = arguments.seed; seed < arguments.seed + arguments.count; ++seed) {
        const GeneratedModule generated = generate_module(seed);
        std::printf("module %llu %08x %u %s\n", static_cast<unsigned long long>(seed), hash(generated.bytes), generated.functions,
                    generated.families.c_str());
        const auto& engine = engines[(seed + arguments.shift) % engines.size()];
        const auto module = ModuleBuilder::from_bytes(engine, generated.bytes);
        if (!module) give_up("module " + std::to_string(seed) + ": " + module.error().message);
        if (!(*module)->not_compiled_functions().empty()) give_up("module " + std::to_string(seed) + " is not compiled as a whole");
        auto store = Store::create(engine, {.gc_stress = (seed / engines.size() + arguments.shift) % 2 == 0});
        if (!store) give_up(store.error().message);
        Linker linker(**store);
        const auto instance = linker.instantiate(*module);
        if (!instance) give_up("module " + std::to_string(seed) + ": " + instance.error().error.message);
        print_calls(**instance, generated.calls);
        for (std::uint32_t i = 0; i < generated.memories; ++i) {
            const auto bytes = (*instance)->memory(i).bytes();
            std::printf("memory %08x %zu\n", hash(bytes), bytes.size());
        }
        std::fflush(stdout);  // if the next one ends the process, its line is there
    }
}

void write_modules(const Arguments& arguments) {
    for (std::uint64_t seed = arguments.seed; seed < arguments.seed + arguments.count; ++seed) {
        const GeneratedModule generated = generate_module(seed);
        const std::string path = arguments.folder + "/" + std::to_string(seed);
        std::ofstream module(path + ".wasm", std::ios::binary);
        module.write(reinterpret_cast<const char*>(generated.bytes.data()), static_cast<std::streamsize>(generated.bytes.size()));
        std::ofstream calls(path + ".calls");
        calls << generated.functions << " " << generated.families << "\n";
        for (const ExportCall& call : generated.calls) {
            calls << call.name;
            for (std::size_t i = 0; i < call.arguments.size(); ++i) calls << (call.is_i64[i] ? " I" : " i") << call.arguments[i];
            calls << "\n";
        }
        if (!module.good() || !calls.good()) give_up("cannot write " + path);
    }
}

Arguments parse(std::span<char* const> words) {
    Arguments arguments;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string_view word = words[i];
        std::uint64_t* number = word == "--seed"    ? &arguments.seed
                                : word == "--count" ? &arguments.count
                                : word == "--shift" ? &arguments.shift
                                                    : nullptr;
        if (number != nullptr && i + 1 < words.size()) {
            *number = std::strtoull(words[++i], nullptr, 10);
        } else if (i == 0) {
            arguments.command = word;
        } else {
            arguments.folder = word;
        }
    }
    return arguments;
}

}  // namespace
}  // namespace pollux::differential

int main(int argc, char** argv) {
    const auto arguments = pollux::differential::parse({argv + 1, argv + argc});
    if (arguments.command == "run") {
        pollux::differential::run_modules(arguments);
    } else if (arguments.command == "write" && !arguments.folder.empty()) {
        pollux::differential::write_modules(arguments);
    } else {
        std::fputs("usage: differential run|write --seed S --count N [--shift K] [FOLDER]\n", stderr);
        return 2;
    }
    return 0;
}
