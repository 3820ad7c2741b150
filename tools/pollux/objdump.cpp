#include "tools/pollux/objdump.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jit/compile/backend.h"
#include "jit/runtime/runtime.h"
#include "jit/wasm/bytes.h"
#include "jit/wasm/type_reader.h"
#include "tools/pollux/options.h"
#include "tools/pollux/report.h"
#include "tools/pollux/values.h"
#include "tools/pollux/wasm_text.h"

namespace pollux::cli {
namespace {

constexpr const char* kHelp =
    "usage: pollux objdump [OPTIONS] FILE\n"
    "\n"
    "Prints every function of a module as WebAssembly, each instruction followed by the machine code that was made of it. Fields of\n"
    "the instance, traps, branch targets and callees are named. FILE may be -, standard input.\n"
    "\n"
    "options:\n"
    "  --function=N|NAME       only this function; may be given several times\n"
    "  --target=ISA            x86_64 or aarch64; default: this machine's\n"
    "  --explicit-bounds       with bounds checks in code instead of guard pages\n"
    "  --fuel                  with counting of fuel\n"
    "  --help                  this text\n"
    "\n";

struct ObjdumpOptions {
    std::string file;
    std::vector<std::string> functions;
    std::string target;
    bool explicit_bounds = false;
    bool fuel = false;
    RunOptions wasm;  ///< what -W says
    bool help = false;
};

Result<ObjdumpOptions> parse(std::span<const char* const> words) {
    ObjdumpOptions options;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string_view word = words[i];
        const auto value_of = [&](std::string_view name) -> std::optional<std::string_view> {
            if (word.starts_with(name) && word.size() > name.size() && word[name.size()] == '=') return word.substr(name.size() + 1);
            if (word == name && i + 1 < words.size()) return std::string_view(words[++i]);
            return std::nullopt;
        };
        const auto is_wasm_option = parse_wasm_option(words, i, options.wasm);
        if (!is_wasm_option) return fail(ErrorKind::usage, "objdump: " + is_wasm_option.error().message);
        if (*is_wasm_option) continue;
        if (word == "--help" || word == "-h")
            options.help = true;
        else if (word == "--explicit-bounds")
            options.explicit_bounds = true;
        else if (word == "--fuel")
            options.fuel = true;
        else if (const auto function = value_of("--function"))
            options.functions.emplace_back(*function);
        else if (const auto target = value_of("--target"))
            options.target = *target;
        else if (word.size() > 1 && word.starts_with('-'))
            return fail(ErrorKind::usage, "objdump: unknown option or missing value: '" + std::string(word) + "'");
        else if (!options.file.empty())
            return fail(ErrorKind::usage, "objdump: more than one file: '" + std::string(word) + "'");
        else
            options.file = word;
    }
    if (options.file.empty() && !options.help)
        return fail(ErrorKind::usage, "objdump: no module given; usage: pollux objdump [OPTIONS] FILE");
    return options;
}

/// How the disassembler of an ISA writes the register that holds the instance, and a memory operand's parts.
struct OperandSyntax {
    std::string_view context;    ///< register
    std::string_view separator;  ///< between register and displacement
};

OperandSyntax operand_syntax(std::string_view isa) {
    if (isa == "x86_64") return {"r15", "+"};
    return {"x28", ", #"};
}

/// Names what lies at an offset from the context register.
class InstanceFields {
public:
    InstanceFields(const wasm::Module& module, const InstanceLayout& layout) : module_(module), layout_(layout) {}

    [[nodiscard]] std::string name(std::uint64_t offset) const {
        static constexpr std::array<std::pair<std::uint64_t, std::string_view>, 4> kHeader = {{
            {offsetof(InstanceHeader, store), "store"},
            {offsetof(InstanceHeader, stack_limit), "stack limit"},
            {offsetof(InstanceHeader, memory0_base), "memory 0 base"},
            {offsetof(InstanceHeader, helpers), "helpers"},
        }};
        for (const auto& [at, field] : kHeader) {
            if (at == offset) return std::string(field);
        }
        const std::array<Part, 5> parts = {{
            {layout_.memories, module_.memories.size(), sizeof(MemoryCell*), 0, "memory"},
            {layout_.tables, module_.tables.size(), sizeof(TableCell*), 0, "table"},
            {layout_.imported_functions, module_.imported_functions, sizeof(ImportedFunction), 0, "imported function"},
            {layout_.imported_globals, module_.imported_globals, sizeof(GlobalCell*), 0, "imported global"},
            {layout_.globals, module_.globals.size() - module_.imported_globals, sizeof(GlobalCell), module_.imported_globals, "global"},
        }};
        for (const Part& part : parts) {
            if (offset < part.begin || offset >= part.begin + part.count * part.size) continue;
            std::string text = std::string(part.name) + " " + std::to_string((offset - part.begin) / part.size + part.first_index);
            if (part.size == sizeof(ImportedFunction)) text += (offset - part.begin) % part.size == 0 ? " code" : " instance";
            return text;
        }
        return {};
    }

private:
    struct Part {
        std::uint64_t begin, count, size, first_index;
        std::string_view name;
    };
    const wasm::Module& module_;
    const InstanceLayout& layout_;
};

/// The displacement from the context register in an operand such as "[r15+0x10]", if there is one.
std::optional<std::uint64_t> context_displacement(std::string_view text, const OperandSyntax& syntax) {
    const auto open = text.find("[" + std::string(syntax.context));
    if (open == std::string_view::npos) return std::nullopt;
    std::string_view rest = text.substr(open + 1 + syntax.context.size());
    if (rest.starts_with(']')) return 0;
    if (!rest.starts_with(syntax.separator)) return std::nullopt;
    rest.remove_prefix(syntax.separator.size());
    const bool is_hex = rest.starts_with("0x");
    if (is_hex) rest.remove_prefix(2);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value, is_hex ? 16 : 10);
    if (error != std::errc() || end == rest.data() + rest.size() || *end != ']') return std::nullopt;
    return value;
}

/// Disassembles one compiled function between the instructions that it was made of.
///
///     0x12a  local.get 0                                   instructions of the function, those without code too
///     0x12c  i64.load offset=8
///                 0013  mov rax, [r14+r8*1+0x08]   ; trap: …    code of the last instruction above it
class FunctionDump {
public:
    FunctionDump(const CompiledModule& compiled, const Backend& backend, std::uint32_t function, const FunctionOutput& output,
                 std::span<const std::uint8_t> code)
        : compiled_(compiled),
          module_(compiled.module()),
          function_(function),
          output_(output),
          code_(code),
          syntax_(operand_syntax(backend.name())),
          fields_(module_, compiled.layout()),
          isa_(backend.name()) {}

    Result<> print(const Backend& backend) {
        if (auto done = disassemble(backend); !done) return done;
        name_targets();
        print_header();
        next_wasm_ = first_instruction();
        std::size_t line = 0;
        bool in_stubs = false;
        const auto print_lines_before = [&](std::uint32_t offset) {
            for (; line < output_.lines.size() && output_.lines[line].code_offset <= offset; ++line)
                print_wasm_through(output_.lines[line].wasm_offset);
        };
        auto data = data_.begin();
        for (const DisassembledInstruction& instruction : instructions_) {
            for (; data != data_.end() && data->first < instruction.offset; ++data) print_data(data->first, data->second);
            print_lines_before(instruction.offset);
            if (!in_stubs && is_after_end(instruction.offset, line)) {
                in_stubs = true;
                std::printf("              out of line:\n");
            }
            print_instruction(instruction);
        }
        for (; data != data_.end(); ++data) print_data(data->first, data->second);
        print_lines_before(static_cast<std::uint32_t>(code_.size()));
        std::printf("\n");
        return {};
    }

private:
    /// Where the code is said to lie: the output is the same each time. Not 0, which stands for no branch target.
    static constexpr std::uint64_t kAddress = std::uint64_t{1} << 32;

    void print_header() const {
        const std::string name = compiled_.function_name(function_);
        const auto list = [](std::span<const wasm::ValType> types) {
            std::string text;
            for (const wasm::ValType& type : types) text += (text.empty() ? "" : ", ") + type_text(type);
            return "(" + text + ")";
        };
        const wasm::FuncType& type = module_.func_type(function_);
        std::printf("function %u%s %s -> %s: %u bytes of wasm, %zu of %s\n", function_, name.empty() ? "" : (" <" + name + ">").c_str(),
                    list(type.params).c_str(), list(type.results).c_str(), module_.functions[function_].body_size, code_.size(),
                    std::string(isa_).c_str());
        if (!output_.not_compiled.empty()) std::printf("  not compiled, traps: %s\n", output_.not_compiled.c_str());
    }

    /// Disassembles the code piece by piece: a piece is what was made of one instruction, and may end in data that it uses itself (a jump
    /// table); constants follow all code.
    Result<> disassemble(const Backend& backend) {
        const auto size = static_cast<std::uint32_t>(code_.size());
        std::uint32_t constants = size;
        std::uint32_t begin = 0;
        for (std::size_t line = 0; begin < constants; ++line) {
            const std::uint32_t end = std::min(line < output_.lines.size() ? output_.lines[line].code_offset : size, constants);
            if (end <= begin) continue;
            auto piece = backend.disassemble(code_.subspan(begin, end - begin), kAddress + begin);
            if (!piece) return std::unexpected(piece.error());
            std::uint32_t code_end = end;
            for (DisassembledInstruction& instruction : *piece) {
                instruction.offset += begin;
                if (instruction.offset >= code_end) break;
                const auto used = data_address(instruction);
                if (used && *used > instruction.offset)
                    (*used < end ? code_end : constants) = std::min(*used < end ? code_end : constants, *used);
                instructions_.push_back(std::move(instruction));
            }
            if (code_end < end) data_.emplace_back(code_end, end);
            begin = end;
        }
        if (constants < size) data_.emplace_back(constants, size);
        return {};
    }

    /// The offset in the code of what an instruction reads or takes the address of.
    [[nodiscard]] std::optional<std::uint32_t> data_address(const DisassembledInstruction& instruction) const {
        if (instruction.branch_target != 0 || relocated(instruction) != nullptr) return std::nullopt;
        std::optional<std::uint32_t> found;
        for_each_number(instruction.text, [&](std::size_t, std::size_t, std::uint64_t value) {
            if (is_in_code(value)) found = static_cast<std::uint32_t>(value - kAddress);
        });
        // AArch64's literal loads and adr say how far away it is.
        const std::string_view text = instruction.text;
        if ((text.starts_with("ldr ") || text.starts_with("adr ")) && text.find('[') == std::string_view::npos) {
            const auto number = text.rfind('#');
            if (number == std::string_view::npos) return found;
            if (const auto distance = parse_number(text.substr(number + 1)))
                found = instruction.offset + static_cast<std::uint32_t>(*distance);
        }
        return found;
    }

    /// Numbers the branch targets.
    void name_targets() {
        for (const DisassembledInstruction& instruction : instructions_) {
            if (relocated(instruction) == nullptr && is_in_code(instruction.branch_target)) {
                labels_[static_cast<std::uint32_t>(instruction.branch_target - kAddress)] = 0;
            }
        }
        unsigned number = 0;
        for (auto& [offset, label] : labels_) label = ++number;
    }

    [[nodiscard]] bool is_in_code(std::uint64_t address) const { return address >= kAddress && address < kAddress + code_.size(); }

    /// Calls `visit(begin, end, value)` for each 0x… in the text.
    template <class Visit>
    static void for_each_number(std::string_view text, Visit visit) {
        for (std::size_t at = text.find("0x"); at != std::string_view::npos; at = text.find("0x", at + 2)) {
            std::uint64_t value = 0;
            const auto [end, error] = std::from_chars(text.data() + at + 2, text.data() + text.size(), value, 16);
            if (error == std::errc()) visit(at, static_cast<std::size_t>(end - text.data()), value);
        }
    }

    /// The call in the instruction that is to be fixed up, if there is one.
    [[nodiscard]] const Relocation* relocated(const DisassembledInstruction& instruction) const {
        const auto found = std::find_if(output_.relocations.begin(), output_.relocations.end(), [&](const Relocation& relocation) {
            return relocation.offset >= instruction.offset && relocation.offset < instruction.offset + instruction.bytes;
        });
        return found == output_.relocations.end() ? nullptr : &*found;
    }

    /// Behind the code of the final `end` come the parts that are rarely run; each is a branch target.
    [[nodiscard]] bool is_after_end(std::uint32_t offset, std::size_t line) const {
        return line == output_.lines.size() && line != 0 && labels_.contains(offset) && offset > output_.lines.back().code_offset;
    }

    /// The offset of the first opcode: behind the declarations of locals.
    [[nodiscard]] std::uint32_t first_instruction() const {
        const wasm::Function& function = module_.functions[function_];
        wasm::Cursor in(module_.body(function_), function.body_offset);
        std::uint32_t groups = 0;
        if (!in.read_u32(groups)) return function.body_offset;
        const wasm::TypeContext context{module_.types, wasm::FeatureSet::all()};
        for (std::uint32_t i = 0; i < groups; ++i) {
            std::uint32_t count = 0;
            wasm::ValType type;
            if (!in.read_u32(count) || !wasm::read_val_type(in, context, type)) break;
        }
        return static_cast<std::uint32_t>(in.offset());
    }

    /// Prints the instructions that have not been printed, up to and with the one at `last`.
    void print_wasm_through(std::uint32_t last) {
        const auto names = [this](std::uint32_t function) { return compiled_.function_name(function); };
        while (next_wasm_ <= last) {
            const InstructionText instruction = instruction_text(module_, next_wasm_, names);
            std::printf("  %8s  %s\n", hex(next_wasm_).c_str(), instruction.text.c_str());
            next_wasm_ = instruction.next_offset;
        }
    }

    /// What an address within the code is called.
    [[nodiscard]] std::string target_text(std::uint64_t address) const {
        const auto offset = static_cast<std::uint32_t>(address - kAddress);
        if (const auto label = labels_.find(offset); label != labels_.end()) return "L" + std::to_string(label->second);
        return "code+" + hex(offset);
    }

    void print_instruction(const DisassembledInstruction& instruction) const {
        if (const auto label = labels_.find(instruction.offset); label != labels_.end()) std::printf("            L%u:\n", label->second);
        std::string text, comment;
        const auto add = [&](const std::string& more) { comment += (comment.empty() ? "" : "; ") + more; };
        const Relocation* relocation = relocated(instruction);
        std::size_t copied = 0;
        for_each_number(instruction.text, [&](std::size_t begin, std::size_t end, std::uint64_t value) {
            const bool is_callee = relocation != nullptr && instruction.branch_target == value;
            if (!is_callee && !is_in_code(value)) return;
            text += instruction.text.substr(copied, begin - copied);
            text += is_callee ? "function " + std::to_string(relocation->function) : target_text(value);
            copied = end;
        });
        text += instruction.text.substr(copied);
        if (relocation != nullptr && copied == 0) add("function " + std::to_string(relocation->function));
        if (relocation == nullptr && copied == 0 && is_in_code(instruction.branch_target)) add(target_text(instruction.branch_target));
        if (relocation != nullptr) {
            if (const std::string name = compiled_.function_name(relocation->function); !name.empty()) add("<" + name + ">");
        }
        if (const auto displacement = context_displacement(instruction.text, syntax_)) {
            if (const std::string field = fields_.name(*displacement); !field.empty()) add(field);
        }
        for (const Site& site : output_.sites) {
            if (site.kind() == Site::Kind::trap && site.code_offset == instruction.offset) {
                add(site.trap() == TrapCode::status ? "trap: by status" : "trap: " + std::string(trap_message(site.trap())));
            }
        }
        std::printf("                %04x  %s%s%s\n", instruction.offset, text.c_str(),
                    comment.empty() ? "" : std::string(text.size() < 40 ? 40 - text.size() : 1, ' ').c_str(),
                    comment.empty() ? "" : ("; " + comment).c_str());
    }

    void print_data(std::uint32_t begin, std::uint32_t end) const {
        std::printf("              data:\n");
        for (std::size_t at = begin; at < end; at += 16) {
            std::string line;
            for (std::size_t i = at; i < std::min<std::size_t>(at + 16, end); ++i) {
                std::array<char, 4> byte{};
                std::snprintf(byte.data(), byte.size(), " %02x", code_[i]);
                line += byte.data();
            }
            std::printf("                %04zx %s\n", at, line.c_str());
        }
    }

    const CompiledModule& compiled_;
    const wasm::Module& module_;
    std::uint32_t function_;
    const FunctionOutput& output_;
    std::span<const std::uint8_t> code_;
    OperandSyntax syntax_;
    InstanceFields fields_;
    std::string_view isa_;
    std::map<std::uint32_t, unsigned> labels_;  ///< numbers of branch targets, by code offset
    std::vector<DisassembledInstruction> instructions_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> data_;  ///< constants and jump tables: from, to
    std::uint32_t next_wasm_ = 0;  ///< offset in the module of the instruction to print next
};

/// The functions that the options name; all if they name none.
Result<std::vector<std::uint32_t>> select_functions(const CompiledModule& compiled, const std::vector<std::string>& wanted) {
    const wasm::Module& module = compiled.module();
    const auto count = static_cast<std::uint32_t>(module.functions.size());
    std::vector<std::uint32_t> selected;
    if (wanted.empty()) {
        for (std::uint32_t i = module.imported_functions; i < count; ++i) selected.push_back(i);
        return selected;
    }
    for (const std::string& word : wanted) {
        if (const auto number = parse_number(word)) {
            if (*number < module.imported_functions || *number >= count) {
                return fail(ErrorKind::usage, "objdump: function " + word + " is not one with a body: those are " +
                                                  std::to_string(module.imported_functions) + " to " + std::to_string(count) +
                                                  ", without the last");
            }
            selected.push_back(static_cast<std::uint32_t>(*number));
            continue;
        }
        const std::size_t before = selected.size();
        for (std::uint32_t i = module.imported_functions; i < count; ++i) {
            if (compiled.function_name(i) == word) selected.push_back(i);
        }
        if (selected.size() == before) return fail(ErrorKind::usage, "objdump: no function is called '" + word + "'");
    }
    return selected;
}

Result<> dump(const CompiledModule& compiled, const Backend& backend, const ObjdumpOptions& options) {
    const auto selected = select_functions(compiled, options.functions);
    if (!selected) return std::unexpected(selected.error());
    CompileEnvironment environment;
    environment.module = &compiled.module();
    environment.layout = &compiled.layout();
    environment.bounds = options.explicit_bounds ? BoundsMode::explicit_checks : BoundsMode::guard_pages;
    environment.fuel = options.fuel;
    environment.features = options.wasm.features;
    environment.relaxed_simd_deterministic = options.wasm.relaxed_simd_deterministic;
    const auto compiler = backend.make_compiler();
    compiler->want_lines = true;
    FunctionOutput output;
    std::vector<std::uint8_t> buffer(std::size_t{1} << 16);
    for (const std::uint32_t function : *selected) {
        for (;;) {
            const CodeBuffer code{buffer.data(), buffer.size(), reinterpret_cast<std::uint64_t>(buffer.data())};
            const auto done = compiler->compile(environment, function, compiled.module().body(function), code, output);
            if (done) break;
            if (done.error().kind != ErrorKind::resource || buffer.size() > std::size_t{1} << 30) return done;
            buffer.resize(buffer.size() * 2);
        }
        const std::span code(buffer.data(), output.code_bytes);
        FunctionDump one(compiled, backend, function, output, code);
        if (auto printed = one.print(backend); !printed) return printed;
    }
    return {};
}

}  // namespace

int objdump_command(std::span<const char* const> words) {
    const auto options = parse(words);
    if (!options) return report(options.error());
    if (options->help) {
        std::fputs((kHelp + wasm_option_help()).c_str(), stdout);
        return 0;
    }
    const Backend* backend = options->target.empty() ? &host_backend() : find_backend(options->target);
    if (backend == nullptr)
        return report(Error{ErrorKind::usage, "objdump: no target is called '" + options->target + "'; there are x86_64 and aarch64"});
    const auto engine = Engine::create({.mode = pollux::CompileMode::lazy, .features = options->wasm.features, .threads = 1});
    if (!engine) return report(engine.error());
    const auto compiled = options->file == "-" ? ModuleBuilder::from_descriptor(*engine, 0, "standard input")
                                               : ModuleBuilder::from_file(*engine, options->file);
    if (!compiled) return report(compiled.error(), options->file);
    if (auto dumped = dump(**compiled, *backend, *options); !dumped) return report(dumped.error(), options->file);
    return 0;
}

}  // namespace pollux::cli
