// Small guest modules, made byte by byte, and a host for them: what the benchmarks of calls, traps, instances and polls run.
//
//     GuestModule guest;
//     const auto type = guest.type({kI32}, {kI32});
//     const auto callee = guest.function(type, {}, {kLocalGet, 0});
//     guest.export_function("run", guest.counted_loop({kI32Const, 1, kCall, callee, kDrop}));
//     GuestProgram program(guest.bytes());
//     program.call("run", {Value::i32(1000)});
//
// Numbers in code are one byte: indices below 128, constants below 64; constant() makes larger ones.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jit/runtime/runtime.h"
#include "wasi/config.h"

namespace pollux::bench {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::uint8_t kI32 = 0x7F, kI64 = 0x7E, kF64 = 0x7C, kVoid = 0x40, kFuncRef = 0x70;
inline constexpr std::uint8_t kUnreachable = 0x00, kBlock = 0x02, kLoop = 0x03, kIf = 0x04, kEnd = 0x0B, kBrIf = 0x0D, kCall = 0x10,
                              kCallIndirect = 0x11, kReturnCall = 0x12, kDrop = 0x1A, kLocalGet = 0x20, kLocalSet = 0x21, kLocalTee = 0x22,
                              kI32Load = 0x28, kI32Const = 0x41, kI64Const = 0x42, kI32LtS = 0x48, kI32Add = 0x6A, kI32Sub = 0x6B,
                              kI32DivS = 0x6D;

[[nodiscard]] inline Bytes leb(std::uint64_t value) {
    Bytes out;
    do {
        const auto low = static_cast<std::uint8_t>(value & 0x7F);
        value >>= 7;
        out.push_back(value != 0 ? static_cast<std::uint8_t>(low | 0x80) : low);
    } while (value != 0);
    return out;
}

[[nodiscard]] inline Bytes join(std::initializer_list<Bytes> parts) {
    Bytes out;
    for (const Bytes& part : parts) out.insert(out.end(), part.begin(), part.end());
    return out;
}

/// i32.const of any number below 2^31.
[[nodiscard]] inline Bytes constant(std::uint32_t value) {
    Bytes number = leb(value);
    if ((number.back() & 0x40) != 0) {  // the sign bit of the signed encoding
        number.back() |= 0x80;
        number.push_back(0);
    }
    return join({{kI32Const}, number});
}

class GuestModule {
public:
    std::uint8_t type(const Bytes& params, const Bytes& results) {
        add(types_, join({{0x60}, sized(params), sized(results)}));
        return index(types_);
    }
    /// Imports come before the first function().
    std::uint8_t import_function(std::string_view module, std::string_view name, std::uint8_t type) {
        add(imports_, join({text(module), text(name), {0x00, type}}));
        return index(imports_);
    }
    /// `body` without the final end.
    std::uint8_t function(std::uint8_t type, const Bytes& locals, const Bytes& body) {
        add(functions_, {type});
        Bytes code = leb(locals.size());
        for (const std::uint8_t local : locals) code = join({code, {1, local}});
        add(bodies_, sized(join({code, body, {kEnd}})));
        return static_cast<std::uint8_t>(imports_.count + functions_.count - 1);
    }
    /// (param n i32): runs `body`, which leaves nothing on the stack, n times. Local 0 counts down.
    std::uint8_t counted_loop(const Bytes& body, const Bytes& locals = {}) {
        return function(type({kI32}, {}), locals,
                        join({{kLoop, kVoid}, body, {kLocalGet, 0, kI32Const, 1, kI32Sub, kLocalTee, 0, kBrIf, 0, kEnd}}));
    }
    void memory(std::uint32_t pages) { memories_ = section(5, join({{1, 0x00}, leb(pages)})); }
    void data(std::uint32_t address, const Bytes& bytes) { add(data_, join({{0x00}, constant(address), {kEnd}, sized(bytes)})); }
    /// A table of these functions, and one element more that is null.
    void table(const Bytes& functions) {
        tables_ = section(4, join({{1, kFuncRef, 0x00}, leb(functions.size() + 1)}));
        elements_ = section(9, join({{1, 0x00, kI32Const, 0, kEnd}, sized(functions)}));
    }
    void export_function(std::string_view name, std::uint8_t function) { add(exports_, join({text(name), {0x00, function}})); }
    void export_memory() { add(exports_, join({text("memory"), {0x02, 0}})); }

    [[nodiscard]] Bytes bytes() const {
        return join({{0x00, 0x61, 0x73, 0x6D, 0x01, 0x00, 0x00, 0x00},
                     section(1, types_),
                     section(2, imports_),
                     section(3, functions_),
                     tables_,
                     memories_,
                     section(7, exports_),
                     elements_,
                     section(10, bodies_),
                     section(11, data_)});
    }

private:
    struct Vector {
        std::size_t count = 0;
        Bytes items;
    };
    static void add(Vector& vector, const Bytes& item) {
        ++vector.count;
        vector.items.insert(vector.items.end(), item.begin(), item.end());
    }
    static std::uint8_t index(const Vector& vector) { return static_cast<std::uint8_t>(vector.count - 1); }
    static Bytes sized(const Bytes& contents) { return join({leb(contents.size()), contents}); }
    static Bytes text(std::string_view text) { return sized(Bytes(text.begin(), text.end())); }
    static Bytes section(std::uint8_t id, const Bytes& contents) { return join({{id}, sized(contents)}); }
    static Bytes section(std::uint8_t id, const Vector& vector) {
        return vector.count == 0 ? Bytes{} : section(id, join({leb(vector.count), vector.items}));
    }
    Vector types_, imports_, functions_, bodies_, exports_, data_;
    Bytes tables_, memories_, elements_;
};

/// The value, or an exception: a benchmark that cannot run says why and is skipped (see skip_on_error).
template <class T>
T need(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}
template <class T>
T need(std::expected<T, InstantiationError> result) {
    if (!result) throw std::runtime_error(result.error().error.message);
    return std::move(*result);
}

/// Eager, on one thread, with guard pages where they can be had.
[[nodiscard]] inline std::shared_ptr<Engine> shared_engine() {
    static const std::shared_ptr<Engine> engine = need(Engine::create({.threads = 1}));
    return engine;
}

/// What a program of a benchmark is given: a name, and this process's standard streams, which stay open.
[[nodiscard]] inline wasi::Config wasi_config() {
    wasi::Config config;
    config.args = {"guest"};
    config.close_standard_streams = false;
    return config;
}

/// A module, an instance of it in a store of its own.
class GuestProgram {
public:
    explicit GuestProgram(const Bytes& bytes, const std::function<void(Linker&, Store&)>& define = {})
        : module_(need(ModuleBuilder::from_bytes(shared_engine(), bytes))), store_(need(Store::create(shared_engine()))) {
        Linker linker(*store_);
        if (define) define(linker, *store_);
        instance_ = need(linker.instantiate(module_));
    }

    [[nodiscard]] Store& store() { return *store_; }
    [[nodiscard]] Instance& instance() { return *instance_; }
    [[nodiscard]] Func function(std::string_view name) { return instance_->find_function(name); }

    /// Calls an exported function without results.
    void call(std::string_view name, std::initializer_list<Value> arguments) { call(function(name), arguments); }
    static void call(const Func& function, std::initializer_list<Value> arguments) {
        const auto called = function.call(std::span(arguments.begin(), arguments.size()), {});
        if (!called) throw std::runtime_error(called.error().to_string());
    }

private:
    std::shared_ptr<CompiledModule> module_;
    std::unique_ptr<Store> store_;
    Instance* instance_ = nullptr;
};

}  // namespace pollux::bench
