#include "backends/x64/disasm.h"

#include <Zydis/Zydis.h>
#include <dlfcn.h>

#include <array>
#include <string>

namespace pollux::x64 {

namespace {

/// The functions of libZydis that we call.
struct Zydis {
    decltype(&ZydisDecoderInit) decoder_init = nullptr;
    decltype(&ZydisDecoderDecodeFull) decode = nullptr;
    decltype(&ZydisFormatterInit) formatter_init = nullptr;
    decltype(&ZydisFormatterFormatInstruction) format = nullptr;
    decltype(&ZydisCalcAbsoluteAddress) absolute_address = nullptr;
    bool complete = false;

    Zydis() noexcept {
        // The library stays open: its functions are used until the process ends.
        void* const library = dlopen("libZydis.so.4.0", RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) return;
        const auto find = [library](auto& function, const char* name) {
            function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
            return function != nullptr;
        };
        complete = find(decoder_init, "ZydisDecoderInit") && find(decode, "ZydisDecoderDecodeFull") &&
                   find(formatter_init, "ZydisFormatterInit") && find(format, "ZydisFormatterFormatInstruction") &&
                   find(absolute_address, "ZydisCalcAbsoluteAddress");
    }
};

}  // namespace

Result<std::vector<DisassembledInstruction>> disassemble(std::span<const std::uint8_t> code, std::uint64_t address) {
    static const Zydis kZydis;
    if (!kZydis.complete) {
        return fail(ErrorKind::unsupported, "disassembling x86-64 code: libZydis.so.4.0 cannot be opened (Debian package libzydis4.0)");
    }
    ZydisDecoder decoder;
    ZydisFormatter formatter;
    kZydis.decoder_init(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    kZydis.formatter_init(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);

    std::vector<DisassembledInstruction> result;
    std::size_t at = 0;
    while (at < code.size()) {
        DisassembledInstruction line;
        line.offset = static_cast<std::uint32_t>(at);
        ZydisDecodedInstruction instruction;
        std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;
        const ZyanStatus status = kZydis.decode(&decoder, code.data() + at, code.size() - at, &instruction, operands.data());
        if (ZYAN_SUCCESS(status)) {
            std::array<char, 256> text{};
            line.bytes = instruction.length;
            if (ZYAN_SUCCESS(kZydis.format(&formatter, &instruction, operands.data(), instruction.operand_count_visible, text.data(),
                                           text.size(), address + at, ZYAN_NULL))) {
                line.text = text.data();
            }
            for (std::size_t i = 0; i < instruction.operand_count_visible; ++i) {
                ZyanU64 target = 0;
                if (operands[i].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operands[i].imm.is_relative != 0 &&
                    ZYAN_SUCCESS(kZydis.absolute_address(&instruction, &operands[i], address + at, &target))) {
                    line.branch_target = target;
                }
            }
        } else {
            constexpr char kDigits[] = "0123456789abcdef";
            line.bytes = 1;
            line.text = std::string(".byte 0x") + kDigits[code[at] >> 4] + kDigits[code[at] & 15];
        }
        at += line.bytes;
        result.push_back(std::move(line));
    }
    return result;
}

}  // namespace pollux::x64
