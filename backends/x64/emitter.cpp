#include "backends/x64/emitter.h"

#include <cstring>

namespace pollux::x64 {

void Emitter::Errors::handleError(asmjit::Error error, const char* /*message*/, asmjit::BaseEmitter* /*origin*/) {
    (error == asmjit::kErrorTooLarge || error == asmjit::kErrorOutOfMemory ? overflow : encoding) = true;
}

Emitter::Emitter() {
    const asmjit::Environment environment(asmjit::Arch::kX64);
    errors_.encoding |= holder_.init(environment) != asmjit::kErrorOk;
    holder_.setErrorHandler(&errors_);
    errors_.encoding |= holder_.attach(&assembler_) != asmjit::kErrorOk;
}

Emitter::~Emitter() = default;

void Emitter::attach(CodeBuffer buffer) {
    buffer_ = buffer;
    errors_.overflow = false;
    errors_.encoding = !holder_.isInitialized();
    if (errors_.encoding) return;
    asmjit::CodeBuffer& section = holder_.textSection()->buffer();
    section._data = buffer.write;
    section._size = buffer.capacity;  // asmjit grows when an instruction might not fit behind this: it never does, so that is an error
    section._capacity = buffer.capacity;
    section._flags = asmjit::CodeBufferFlags::kIsExternal | asmjit::CodeBufferFlags::kIsFixed;
    assembler_._bufferData = buffer.write;
    assembler_._bufferPtr = buffer.write;
    assembler_._bufferEnd = buffer.write + buffer.capacity;
}

bool Emitter::reserve(std::size_t bytes) noexcept {
    if (remaining() >= bytes) return true;
    errors_.overflow = true;
    return false;
}

void Emitter::bytes(std::span<const std::uint8_t> values) {
    if (!reserve(values.size())) return;
    std::memcpy(assembler_._bufferPtr, values.data(), values.size());
    assembler_._bufferPtr += values.size();
}

void Emitter::bytes(std::initializer_list<std::uint8_t> values) { bytes(std::span(values.begin(), values.size())); }

void Emitter::dword(std::uint32_t value) {
    if (!reserve(4)) return;
    std::memcpy(assembler_._bufferPtr, &value, 4);
    assembler_._bufferPtr += 4;
}

void Emitter::align(std::uint32_t alignment) {
    static constexpr std::uint8_t kNops[9][9] = {
        {0x90},
        {0x66, 0x90},
        {0x0f, 0x1f, 0x00},
        {0x0f, 0x1f, 0x40, 0x00},
        {0x0f, 0x1f, 0x44, 0x00, 0x00},
        {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
        {0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
        {0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
        {0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
    };
    std::uint32_t padding = (0U - static_cast<std::uint32_t>(execute_address() + static_cast<std::uint32_t>(position()))) & (alignment - 1);
    while (padding != 0) {
        const std::uint32_t length = padding < 9 ? padding : 9;
        bytes(std::span(kNops[length - 1]).first(length));
        padding -= length;
    }
}

void Emitter::label_field(Label& label) {
    const std::int32_t field = position();
    if (label.bound()) {
        dword(static_cast<std::uint32_t>(label.position - (field + 4)));
    } else {
        if (!reserve(4)) return;  // a chain must not lead outside the buffer
        dword(static_cast<std::uint32_t>(label.link));
        label.link = field;
    }
}

std::int32_t Emitter::jump_short_if(Condition condition) {
    bytes({static_cast<std::uint8_t>(0x70 | static_cast<std::uint8_t>(condition)), 0});
    return position();
}

std::int32_t Emitter::jump_short() {
    bytes({0xeb, 0});
    return position();
}

void Emitter::bind_short(std::int32_t use) {
    if (overflowed()) return;
    const std::int32_t distance = position() - use;
    if (distance > 127) {
        errors_.encoding = true;
        return;
    }
    buffer_.write[use - 1] = static_cast<std::uint8_t>(distance);
}

bool Emitter::reaches(std::uint64_t target) const noexcept {
    const auto distance = static_cast<std::int64_t>(target - (buffer_.execute + static_cast<std::uint64_t>(position())));
    return distance > -0x7fff'ff00 && distance < 0x7fff'ff00;
}

void Emitter::call_absolute(const void* target, Reg scratch) {
    const auto address = reinterpret_cast<std::uint64_t>(target);
    if (reaches(address)) {
        bytes({0xe8});
        dword(static_cast<std::uint32_t>(address - (buffer_.execute + static_cast<std::uint64_t>(position()) + 4)));
    } else {
        assembler_.mov(gp64(scratch), address);
        assembler_.call(gp64(scratch));
    }
}

void Emitter::jump_absolute(const void* target, Reg scratch) {
    const auto address = reinterpret_cast<std::uint64_t>(target);
    if (reaches(address)) {
        bytes({0xe9});
        dword(static_cast<std::uint32_t>(address - (buffer_.execute + static_cast<std::uint64_t>(position()) + 4)));
    } else {
        assembler_.mov(gp64(scratch), address);
        assembler_.jmp(gp64(scratch));
    }
}

}  // namespace pollux::x64
