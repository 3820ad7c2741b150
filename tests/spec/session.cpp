#include "tests/spec/session.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <stdexcept>
#include <utility>

#include "jit/base/tuning.h"
#include "jit/base/unique_fd.h"
#include "jit/runtime/precompiled.h"
#include "jit/runtime/runtime.h"
#include "jit/wasm/opcodes.h"

namespace pollux::spec {
namespace {

/// A command cannot be run because of a feature that is not supported. `what` names it.
struct Skipped {
    std::string reason;
};

/// A command has another outcome than the script says.
struct Failed {
    std::string text;
};

/// What a name of the script stands for: a thing, or the reason why it could not be made.
template <class T>
struct Named {
    T thing{};
    std::string skipped_because;

    [[nodiscard]] T get() const {
        if (!skipped_because.empty()) throw Skipped{skipped_because};
        if (!thing) throw Skipped{"an earlier command failed"};
        return thing;
    }
};

using ModulePointer = std::shared_ptr<const CompiledModule>;

/// The feature that a message names, itself or by one of its instructions, as "feature NAME"; else the message.
std::string feature_in(const std::string& message) {
    for (const wasm::OpcodeInfo& opcode : wasm::kOpcodeTable) {
        if (opcode.text_size != 0 && message == wasm::text(opcode)) return "feature " + std::string(wasm::feature_name(opcode.feature));
    }
    std::string_view found;
    for (std::uint8_t i = 0; i < static_cast<std::uint8_t>(wasm::Feature::count_); ++i) {
        const std::string_view name = wasm::feature_name(wasm::Feature{i});
        if (name.size() > found.size() && message.find(name) != std::string::npos) found = name;
    }
    return found.empty() ? message : "feature " + std::string(found);
}

std::vector<std::uint8_t> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot open " + path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Whether a trap is the one that the script's text means.
bool is_trap(TrapCode code, std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, TrapCode>, 5> kOtherWords = {{
        {"undefined element", TrapCode::table_out_of_bounds},
        {"null function reference", TrapCode::null_reference},
        {"null structure reference", TrapCode::null_reference},
        {"null array reference", TrapCode::null_reference},
        {"null i31 reference", TrapCode::null_reference},
    }};
    if (text.starts_with(trap_message(code))) return true;
    return std::any_of(kOtherWords.begin(), kOtherWords.end(),
                       [&](const auto& words) { return text.starts_with(words.first) && words.second == code; });
}

/// A number that the host makes a reference of: as externref, or as it looks below anyref.
bool is_host_value(const Pattern& pattern) {
    return (pattern.type == "externref" || pattern.type == "hostref") && pattern.value.has_value();
}

/// A value as both ISAs must give it: where the specification leaves bits open, which a pattern may say, without them.
std::string determined(const Value& value, const Pattern* pattern) {
    if (value.kind == wasm::Kind::ref) return value.bits.low == 0 ? "null" : "reference";
    if (pattern != nullptr && pattern->type == "either") return "either";
    std::string text = describe(value.kind, value.bits);
    if ((value.kind == wasm::Kind::f32 && std::isnan(value.as_f32())) || (value.kind == wasm::Kind::f64 && std::isnan(value.as_f64())))
        return "nan";
    if (pattern == nullptr) return text;
    const bool has_nan = std::ranges::any_of(pattern->lanes, [](const Lane& lane) { return lane.match != Lane::Match::bits; });
    return has_nan ? describe(*pattern) : text;
}

class Session {
public:
    Session(const Script& script, const SessionOptions& options, const Engines& engines, Reporter& reporter)
        : script_(script), options_(options), reporter_(reporter), engine_(engines.running), compiling_engine_(engines.compiling) {
        auto store = Store::create(engine_, {.gc_stress = options.gc_stress});
        if (!store) throw std::runtime_error("store: " + store.error().message);
        store_ = *std::move(store);
        linker_ = std::make_unique<Linker>(*store_);
        load_spectest();
    }

    void run() {
        for (const Command& command : script_.commands) {
            line_ = command.line;
            acting_ = nullptr;
            reporter_.record(Outcome::begun, line_);
            try {
                run_command(command);
                reporter_.record(Outcome::passed, line_);
            } catch (const Skipped& skipped) {
                reporter_.record(Outcome::skipped, line_, skipped.reason);
            } catch (const Failed& failed) {
                const auto missed = missed_actions_.find(acting_);
                if (missed != missed_actions_.end()) {
                    reporter_.record(Outcome::skipped, line_, missed->second);
                } else {
                    reporter_.record(Outcome::failed, line_, command.type + ": " + failed.text);
                }
            }
        }
        if (options_.log) log_state();
    }

private:
    void log(const std::string& text) {
        if (options_.log) reporter_.record(Outcome::gave, line_, text);
    }

    /// What is left in the memories and globals that instances export.
    void log_state() {
        std::size_t number = 0;
        for (Instance* instance : all_instances_) {
            const std::string prefix = "instance " + std::to_string(number++) + " ";
            for (const wasm::Export& item : instance->module().exports) {
                const auto found = instance->find_export(item.name);
                if (!found) continue;
                if (const auto* memory = std::get_if<std::shared_ptr<Memory>>(&*found)) {
                    std::uint64_t hash = 0;
                    for (const std::uint8_t byte : (*memory)->bytes()) hash = (hash ^ byte) * 0x100'0000'01b3;
                    log(prefix + item.name + " " + std::to_string((*memory)->bytes().size()) + " bytes " + std::to_string(hash));
                } else if (const auto* global = std::get_if<Global>(&*found)) {
                    log(prefix + item.name + " " + determined(global->get(), nullptr));
                }
            }
        }
    }

    // --- modules -------------------------------------------------------------------------------------------------------

    /// The host module "spectest" as the suite's own wasm: the smallest that has what the group needs.
    void load_spectest() {
        const auto suite = std::filesystem::path(script_.folder).parent_path().parent_path();
        const char* name = script_.group == "threads" ? "spectest-threads.wasm" : "spectest.wasm";
        auto module = ModuleBuilder::from_bytes(engine_, read_file(suite / name));
        if (!module) throw std::runtime_error(std::string(name) + ": " + module.error().message);
        auto instance = linker_->instantiate(*module);
        if (!instance) throw std::runtime_error(std::string(name) + ": " + instance.error().error.message);
        linker_->define_instance("spectest", **instance);
    }

    [[nodiscard]] Result<std::shared_ptr<CompiledModule>> through_a_file(const CompiledModule& module) {
        const UniqueFd file(::memfd_create("pollux-precompiled", MFD_CLOEXEC));
        if (!file || ::fchmod(file.get(), 0600) != 0) throw std::runtime_error("memfd_create failed");
        if (auto done = PrecompiledFile::write(module, file.get()); !done) return std::unexpected(done.error());
        return PrecompiledFile::load(engine_, "/proc/self/fd/" + std::to_string(file.get()));
    }

    [[nodiscard]] Result<ModulePointer> build(const Command& command) {
        if (command.is_text) throw Skipped{"text format"};
        auto module =
            ModuleBuilder::from_bytes(compiling_engine_ ? compiling_engine_ : engine_, read_file(script_.folder + "/" + command.filename));
        if (module && compiling_engine_) module = through_a_file(**module);
        if (!module) {
            const bool refused = module.error().kind == ErrorKind::unsupported;
            reporter_.record(refused ? Outcome::refused : Outcome::rejected, line_, module.error().message);
            return std::unexpected(module.error());
        }
        reporter_.record(Outcome::accepted, line_);
        if ((*module)->times().not_compiled != 0) reporter_.record(Outcome::partial, line_);
        return *module;
    }

    /// A module that must be valid.
    [[nodiscard]] ModulePointer build_valid(const Command& command) {
        auto module = build(command);
        if (module) return *module;
        if (module.error().kind == ErrorKind::unsupported) throw Skipped{feature_in(module.error().message)};
        throw Failed{"is rejected: " + module.error().message};
    }

    [[nodiscard]] static std::string not_compiled_feature(const Trap& trap) {
        if (trap.frames.empty() || trap.frames.front().module == nullptr) return "not compiled";
        const std::string feature = trap.frames.front().module->not_compiled(trap.frames.front().function);
        return feature_in(feature.empty() ? "not compiled" : feature);
    }

    static void skip_if_not_compiled(const Trap& trap) {
        if (trap.code == TrapCode::not_compiled) throw Skipped{not_compiled_feature(trap)};
    }

    /// Throws Skipped if the module imports from a registered instance that could not be made.
    void check_imports(const ModulePointer& module) const {
        for (const wasm::Import& import : module->module().imports) {
            const auto registered = registered_.find(import.module);
            if (registered != registered_.end()) (void)registered->second.get();
        }
    }

    [[nodiscard]] std::expected<Instance*, InstantiationError> try_instantiate(const ModulePointer& module) {
        check_imports(module);
        auto instance = linker_->instantiate(module);
        if (!instance) {
            if (instance.error().trap) skip_if_not_compiled(*instance.error().trap);
            if (instance.error().error.kind == ErrorKind::unsupported) throw Skipped{feature_in(instance.error().error.message)};
        }
        return instance;
    }

    [[nodiscard]] Instance* instantiate(const ModulePointer& module) {
        auto instance = try_instantiate(module);
        if (!instance) throw Failed{"cannot be instantiated: " + instance.error().error.message};
        all_instances_.push_back(*instance);
        return *instance;
    }

    /// Runs `make`; what it returns, or why it was skipped, goes under the name and becomes current.
    template <class T, class Make>
    void define(std::map<std::string, Named<T>>& names, Named<T>& current, const std::optional<std::string>& name, Make make) {
        Named<T> made;
        const auto keep = [&] {
            current = made;
            if (name) names[*name] = made;
        };
        try {
            made.thing = make();
        } catch (const Skipped& skipped) {
            made.skipped_because = skipped.reason;
            keep();
            throw;
        } catch (const Failed&) {
            keep();
            throw;
        }
        keep();
    }

    template <class T>
    [[nodiscard]] static Named<T> look_up(const std::map<std::string, Named<T>>& names, const Named<T>& current,
                                          const std::optional<std::string>& name) {
        if (!name) return current;
        const auto found = names.find(*name);
        if (found == names.end()) throw Failed{"nothing is called " + *name};
        return found->second;
    }

    // --- actions -------------------------------------------------------------------------------------------------------

    [[nodiscard]] Value argument(const Pattern& pattern) {
        const wasm::Kind kind = pattern_kind(pattern);
        if (kind != wasm::Kind::ref) return {kind, pattern_bits(pattern)};
        if (pattern.value == "null") return Value::ref(0);
        if (is_host_value(pattern)) return Value::extern_(store_->make_extern(std::stoull(*pattern.value)));
        throw Skipped{"argument " + describe(pattern)};
    }

    [[nodiscard]] std::expected<std::vector<Value>, Trap> act(const Action& action, std::span<const Pattern> expected = {}) {
        Instance* instance = look_up(instances_, current_instance_, action.module).get();
        acting_ = instance;
        if (action.kind == Action::Kind::get) {
            const auto found = instance->find_export(action.field);
            const auto* global = found ? std::get_if<Global>(&*found) : nullptr;
            if (global == nullptr) throw Failed{"no global is exported as " + action.field};
            return std::vector<Value>{global->get()};
        }
        const Func function = instance->find_function(action.field);
        if (!function) throw Failed{"no function is exported as " + action.field};
        std::vector<Value> arguments;
        arguments.reserve(action.arguments.size());
        for (const Pattern& pattern : action.arguments) arguments.push_back(argument(pattern));
        std::vector<Value> results(function.type().results.size());
        auto called = function.call(arguments, results);
        if (called) {
            std::string text = action.field;
            for (std::size_t i = 0; i < results.size(); ++i)
                text += " " + determined(results[i], i < expected.size() ? &expected[i] : nullptr);
            log(text);
            return results;
        }
        log(action.field + " trap: " + called.error().message());
        if (called.error().code == TrapCode::not_compiled) missed_actions_[instance] = not_compiled_feature(called.error());
        skip_if_not_compiled(called.error());
        return std::unexpected(std::move(called.error()));
    }

    [[nodiscard]] bool matches(const Pattern& pattern, const Value& value) const {
        if (pattern.type == "either") {
            return std::any_of(pattern.either.begin(), pattern.either.end(), [&](const Pattern& one) { return matches(one, value); });
        }
        if (value.kind != pattern_kind(pattern)) return false;
        if (value.kind != wasm::Kind::ref) return matches_bits(pattern, value.bits);
        if (pattern.value == "null") return value.bits.low == 0;
        if (is_host_value(pattern)) return store_->extern_value(value.as_extern()) == std::stoull(*pattern.value);
        return value.bits.low != 0 && matches_form(pattern.type, value);
    }

    /// Whether a reference that is not null is of the abstract type that the pattern names.
    [[nodiscard]] bool matches_form(const std::string& type, const Value& value) const {
        const auto object = ObjectView::of(*store_, value);
        const bool is_i31 = i31_value(value).has_value();
        if (type == "structref") return object && !object->is_array();
        if (type == "arrayref") return object && object->is_array();
        if (type == "i31ref") return is_i31;
        if (type == "eqref") return object || is_i31;
        return true;
    }

    void expect_results(const Command& command) {
        const auto results = act(command.action, command.expected);
        if (!results) throw Failed{command.action.field + " trapped: " + results.error().message()};
        if (results->size() != command.expected.size()) {
            throw Failed{command.action.field + " gave " + std::to_string(results->size()) + " results, not " +
                         std::to_string(command.expected.size())};
        }
        for (std::size_t i = 0; i < results->size(); ++i) {
            if (matches(command.expected[i], (*results)[i])) continue;
            throw Failed{command.action.field + " gave " + describe((*results)[i].kind, (*results)[i].bits) + ", not " +
                         describe(command.expected[i])};
        }
    }

    void expect_trap(const Command& command, std::string_view text) {
        const auto results = act(command.action);
        if (results) throw Failed{command.action.field + " returned, but should trap: " + std::string(text)};
        if (!is_trap(results.error().code, text))
            throw Failed{command.action.field + " trapped with '" + results.error().message() + "', not '" + std::string(text) + "'"};
    }

    // --- commands ------------------------------------------------------------------------------------------------------

    void expect_rejection(const Command& command) {
        if (const auto feature = wasm::feature_from_name(command.unless_feature); feature && engine_->options().features.has(*feature)) {
            throw Skipped{"out of date with feature " + command.unless_feature};
        }
        const auto module = build(command);
        if (module) throw Failed{"is accepted, but is wrong: " + command.text};
        if (module.error().kind == ErrorKind::unsupported) throw Skipped{feature_in(module.error().message)};
    }

    void expect_unlinkable(const Command& command) {
        const auto instance = try_instantiate(build_valid(command));
        if (instance) throw Failed{"links, but should not: " + command.text};
        if (instance.error().error.kind != ErrorKind::link) throw Failed{"fails, but not to link: " + instance.error().error.message};
    }

    void expect_uninstantiable(const Command& command) {
        const auto module =
            command.instantiates_definition ? look_up(definitions_, current_definition_, command.module).get() : build_valid(command);
        const auto instance = try_instantiate(module);
        if (instance) throw Failed{"is instantiated, but should trap: " + command.text};
        if (!instance.error().trap) throw Failed{"fails, but not by a trap: " + instance.error().error.message};
        if (!is_trap(instance.error().trap->code, command.text))
            throw Failed{"traps with '" + instance.error().trap->message() + "', not '" + command.text + "'"};
    }

    void define_module(const Command& command) {
        define(definitions_, current_definition_, command.name, [&] { return build_valid(command); });
    }

    void define_instance(const std::optional<std::string>& name, const std::optional<std::string>& definition) {
        define(instances_, current_instance_, name,
               [&] { return instantiate(look_up(definitions_, current_definition_, definition).get()); });
    }

    void run_command(const Command& command) {
        const std::string& type = command.type;
        if (type == "module") {
            try {
                define_module(command);
            } catch (const Skipped& skipped) {
                current_instance_ = {nullptr, skipped.reason};
                if (command.name) instances_[*command.name] = current_instance_;
                throw;
            }
            define_instance(command.name, std::nullopt);
        } else if (type == "module_definition") {
            define_module(command);
        } else if (type == "module_instance") {
            define_instance(command.instance, command.module);
        } else if (type == "register") {
            const Named<Instance*> named = look_up(instances_, current_instance_, command.name);
            registered_[*command.as] = named;
            linker_->define_instance(*command.as, *named.get());
        } else if (type == "action") {
            const auto results = act(command.action);
            if (!results) throw Failed{command.action.field + " trapped: " + results.error().message()};
        } else if (type == "assert_return") {
            expect_results(command);
        } else if (type == "assert_trap") {
            expect_trap(command, command.text);
        } else if (type == "assert_exhaustion") {
            expect_trap(command, "call stack exhausted");
        } else if (type == "assert_exception") {
            expect_trap(command, "uncaught exception");
        } else if (type == "assert_invalid" || type == "assert_malformed") {
            expect_rejection(command);
        } else if (type == "assert_unlinkable") {
            expect_unlinkable(command);
        } else if (type == "assert_uninstantiable") {
            expect_uninstantiable(command);
        } else {
            throw Skipped{"command " + type};
        }
    }

    const Script& script_;
    const SessionOptions& options_;
    Reporter& reporter_;
    std::uint64_t line_ = 0;
    std::vector<Instance*> all_instances_;
    std::shared_ptr<Engine> engine_;
    std::shared_ptr<Engine> compiling_engine_;  ///< null: engine_ compiles
    std::unique_ptr<Store> store_;
    std::unique_ptr<Linker> linker_;
    std::map<std::string, Named<ModulePointer>> definitions_;
    std::map<std::string, Named<Instance*>> instances_, registered_;
    Named<ModulePointer> current_definition_;
    Named<Instance*> current_instance_;
    Instance* acting_ = nullptr;  ///< of the present command's action
    /// Instances on which an action could not be run, and why: what they give afterwards may be something else.
    std::map<Instance*, std::string> missed_actions_;
};

}  // namespace

Engines make_engines(const SessionOptions& options) {
    EngineOptions engine_options;
    engine_options.mode = options.lazy ? pollux::CompileMode::lazy : pollux::CompileMode::eager;
    engine_options.bounds = options.explicit_bounds ? BoundsOption::explicit_checks : BoundsOption::guard_pages;
    engine_options.threads = 1;
    engine_options.memory_reservation = std::uint64_t{256} << 20;  // the suite's memories stay below
    const auto make = [&engine_options] {
        auto engine = Engine::create(engine_options);
        if (!engine) throw std::runtime_error("engine: " + engine.error().message);
        return *std::move(engine);
    };
    Engines engines{make(), nullptr};
    // Under qemu-user, reserving what no process before has reserved takes 6 MiB for each GiB: children find these slots reserved.
    std::vector<Mapping> slots;
    while (!options.explicit_bounds && slots.size() < tuning.pooled_memory_slots)
        slots.push_back(engines.running->memory_pool()->take().value());
    for (Mapping& slot : slots) engines.running->memory_pool()->give_back(std::move(slot), 0);
    engine_options.portable = true;
    if (options.precompiled) engines.compiling = make();
    return engines;
}

void run_script(const Script& script, const SessionOptions& options, const Engines& engines, Reporter& reporter) {
    Session(script, options, engines, reporter).run();
}

}  // namespace pollux::spec
