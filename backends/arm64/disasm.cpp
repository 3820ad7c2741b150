// Disassembly through the C interface of LLVM, whose library is opened when first needed: nothing else here depends on it.
// Its headers are not needed either; the prototypes have been the same since LLVM 3.2.
#include "backends/arm64/disasm.h"

#include <dlfcn.h>

#include <array>
#include <cstring>
#include <string>

#include "backends/arm64/stencils.h"

namespace pollux::arm64 {

namespace {

using Initializer = void (*)();
using CreateDisasm = void* (*)(const char* triple, const char* cpu, const char* features, void* info, int tag, void* get_op_info,
                               void* symbol_lookup);
using DisasmInstruction = std::size_t (*)(void* disassembler, std::uint8_t* bytes, std::uint64_t size, std::uint64_t pc, char* text,
                                          std::size_t text_size);
using DisposeDisasm = void (*)(void* disassembler);

struct Library {
    CreateDisasm create = nullptr;
    DisasmInstruction instruction = nullptr;
    DisposeDisasm dispose = nullptr;
    std::string error;
};

Library open_library() {
    Library library;
    void* handle = nullptr;
    for (const char* name : {"libLLVM-14.so.1", "libLLVM-15.so.1", "libLLVM-16.so.1", "libLLVM.so.19.1"}) {
        handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
        if (handle != nullptr) break;
    }
    if (handle == nullptr) {
        library.error = "disassembling aarch64 code needs LLVM's shared library (Debian package libllvm14)";
        return library;
    }
    bool complete = true;
    const auto find = [&]<class F>(F& function, const char* name) {
        function = reinterpret_cast<F>(dlsym(handle, name));
        complete = complete && function != nullptr;
    };
    find(library.create, "LLVMCreateDisasmCPUFeatures");
    find(library.instruction, "LLVMDisasmInstruction");
    find(library.dispose, "LLVMDisasmDispose");
    std::array<Initializer, 3> initializers{};
    find(initializers[0], "LLVMInitializeAArch64TargetInfo");
    find(initializers[1], "LLVMInitializeAArch64TargetMC");
    find(initializers[2], "LLVMInitializeAArch64Disassembler");
    if (!complete) {
        library.error = "LLVM's shared library was built without a disassembler for aarch64";
        return library;
    }
    for (const Initializer initialize : initializers) initialize();
    return library;
}

/// Target of a b, bl, b.cond, cbz, cbnz, tbz or tbnz; 0 for others.
std::uint64_t branch_target(Word word, std::uint64_t pc) {
    const auto sign_extend = [](Word field, unsigned bits) {
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(field) << (64 - bits)) >> (64 - bits);
    };
    std::int64_t words = 0;
    if ((word & 0x7c00'0000U) == 0x1400'0000U) {
        words = sign_extend(word & 0x03ff'ffff, 26);
    } else if ((word & 0xff00'0010U) == 0x5400'0000U || (word & 0x7e00'0000U) == 0x3400'0000U) {
        words = sign_extend(word >> 5 & 0x7'ffff, 19);
    } else if ((word & 0x7e00'0000U) == 0x3600'0000U) {
        words = sign_extend(word >> 5 & 0x3fff, 14);
    } else {
        return 0;
    }
    return pc + static_cast<std::uint64_t>(words * 4);
}

/// "\tadd\tx0, x1, x2" becomes "add x0, x1, x2".
std::string tidy(const char* text) {
    std::string result;
    for (; *text != 0; ++text) {
        if (*text != '\t') {
            result += *text;
        } else if (!result.empty()) {
            result += ' ';
        }
    }
    return result;
}

}  // namespace

Result<std::vector<DisassembledInstruction>> disassemble(std::span<const std::uint8_t> code, std::uint64_t address) {
    static const Library library = open_library();
    if (!library.error.empty()) return fail(ErrorKind::resource, library.error);
    void* disassembler = library.create("aarch64-linux-gnu", "", "+v8.2a,+lse,+fullfp16", nullptr, 0, nullptr, nullptr);
    if (disassembler == nullptr) return fail(ErrorKind::resource, "LLVM has no disassembler for aarch64");

    std::vector<DisassembledInstruction> instructions;
    for (std::size_t offset = 0; offset + 4 <= code.size(); offset += 4) {
        std::array<std::uint8_t, 4> bytes{};
        std::memcpy(bytes.data(), code.data() + offset, bytes.size());
        Word word = 0;
        std::memcpy(&word, bytes.data(), sizeof word);
        std::array<char, 256> text{};
        const std::size_t size = library.instruction(disassembler, bytes.data(), bytes.size(), address + offset, text.data(), text.size());
        DisassembledInstruction instruction{.offset = static_cast<std::uint32_t>(offset), .bytes = 4, .text = tidy(text.data())};
        if (size == 0) {
            instruction.text = word >> 16 == 0 ? "udf #" + std::to_string(word) : ".word " + std::to_string(word);
        }
        instruction.branch_target = branch_target(word, address + offset);
        instructions.push_back(std::move(instruction));
    }
    library.dispose(disassembler);
    return instructions;
}

}  // namespace pollux::arm64
