#include "jit/runtime/func.h"

#include <algorithm>
#include <string>

#include "jit/abi/calling_convention.h"
#include "jit/runtime/exceptions.h"
#include "jit/runtime/fiber.h"
#include "jit/runtime/store.h"
#include "jit/wasm/type_registry.h"

namespace pollux {
namespace {

Trap usage_error(std::string message) {
    Trap trap;
    trap.code = TrapCode::host_error;
    trap.error = Error{ErrorKind::usage, std::move(message)};
    return trap;
}

/// Whether a value can be passed as `type`, as far as values know their types.
bool fits(const Value& value, wasm::ValType type) noexcept {
    return value.kind == type.kind() && (!type.is_ref() || type.nullable() || value.bits.low != 0);
}

wasm::V128 slot_bits(const Value& value) noexcept {
    if (value.kind == wasm::Kind::i32 || value.kind == wasm::Kind::f32) return {value.bits.low & 0xffff'ffff, 0};
    return value.bits;
}

/// Stack area or memory results of a call: few bytes in place, many on the heap.
class CallArea {
public:
    explicit CallArea(std::size_t bytes) {
        if (bytes > sizeof(fixed_)) large_.resize(bytes / sizeof(wasm::V128));
    }
    [[nodiscard]] std::uint8_t* data() noexcept { return reinterpret_cast<std::uint8_t*>(large_.empty() ? fixed_ : large_.data()); }

private:
    wasm::V128 fixed_[8];
    std::vector<wasm::V128> large_;
};

}  // namespace

const wasm::FuncType& Func::type() const noexcept { return wasm::func_type(ref_->type); }

CallResult Func::call(std::span<const Value> arguments, std::span<Value> results) const {
    if (ref_ == nullptr) return std::unexpected(usage_error("there is no such function"));
    const wasm::FuncType& signature = type();
    if (arguments.size() != signature.params.size() || results.size() != signature.results.size()) {
        return std::unexpected(usage_error("the function takes " + std::to_string(signature.params.size()) + " arguments and gives " +
                                           std::to_string(signature.results.size()) + " results; the call has " +
                                           std::to_string(arguments.size()) + " and " + std::to_string(results.size())));
    }
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (!fits(arguments[i], signature.params[i])) {
            return std::unexpected(
                usage_error("argument " + std::to_string(i) + " must be of type " + wasm::to_string(signature.params[i])));
        }
    }
    if (const Fiber* fiber = Fiber::current(); fiber != nullptr && &fiber->store() == store_) return call_here(arguments, results);
    CallResult result;
    if (auto ran = store_->run_on_fiber([&] { result = call_here(arguments, results); }); !ran) {
        Trap trap;
        trap.code = TrapCode::out_of_memory;
        trap.error = std::move(ran.error());
        return std::unexpected(std::move(trap));
    }
    return result;
}

std::expected<std::vector<Value>, Trap> Func::call(std::initializer_list<Value> arguments) const {
    std::vector<Value> results(ref_ != nullptr ? type().results.size() : 0);
    if (auto done = call(std::span(arguments.begin(), arguments.size()), results); !done) return std::unexpected(std::move(done.error()));
    return results;
}

CallResult Func::call_here(std::span<const Value> arguments, std::span<Value> results) const {
    const wasm::FuncType& signature = type();
    Store& store = *store_;
    const ArgumentRegisters registers = store.engine().backend().argument_registers();

    ParameterAssigner measure(registers.gp, registers.fp);
    for (const wasm::ValType& param : signature.params) measure.next(param.kind());
    CallArea stack(measure.stack_bytes());
    CallArea memory_results(memory_result_bytes(signature.results));

    EntryArguments& entry = store.entry_arguments();  // a nested call may use it again once this one has begun
    ParameterAssigner assigner(registers.gp, registers.fp);
    for (const Value& argument : arguments) {
        const Location location = assigner.next(argument.kind);
        const wasm::V128 bits = slot_bits(argument);
        switch (location.where) {
            case Location::Where::gp: entry.gp[location.index] = bits.low; break;
            case Location::Where::fp: entry.fp[location.index] = bits; break;
            case Location::Where::memory:
                std::copy_n(reinterpret_cast<const std::uint8_t*>(&bits), wasm::slot_bytes(argument.kind), stack.data() + location.index);
                break;
        }
    }
    entry.stack = stack.data();
    entry.stack_bytes = measure.stack_bytes();
    entry.memory_results = memory_results.data();

    EntryRecord record;
    record.previous = store.entry;
    record.outer_exit_frame = store.exit_frame;
    store.entry = &record;
    store.set_uncaught(nullptr);
    auto code = store.interrupted();
    if (code == TrapCode::none) code = static_cast<TrapCode>(store.engine().stubs().enter(&record, ref_->code, ref_->instance, &entry));
    store.entry = record.previous;
    store.exit_frame = record.outer_exit_frame;

    if (code != TrapCode::none) {
        if (code == TrapCode::host_exit) store.raw_backtrace().clear();
        Trap trap = make_trap(code, store.raw_backtrace());
        if (code == TrapCode::uncaught_exception && store.uncaught() != nullptr) trap.exception = thrown_exception(*store.uncaught());
        // Of an exception that a host function may throw on, the backtrace is kept: it is still that of who threw it.
        if (!trap.exception || store.entry == nullptr) store.raw_backtrace().clear();
        if (code == TrapCode::host_error) trap.error = store.take_host_error();
        if (store.entry == nullptr) store.clear_interrupt();  // the outermost activation has ended
        return std::unexpected(std::move(trap));
    }

    ResultAssigner result_assigner;
    for (std::size_t i = 0; i < results.size(); ++i) {
        const wasm::Kind kind = signature.results[i].kind();
        const Location location = result_assigner.next(kind);
        Value value{kind, {}};
        switch (location.where) {
            case Location::Where::gp: value.bits.low = entry.result_gp; break;
            case Location::Where::fp: value.bits = entry.result_fp; break;
            case Location::Where::memory:
                std::copy_n(memory_results.data() + location.index, sizeof(wasm::V128), reinterpret_cast<std::uint8_t*>(&value.bits));
                break;
        }
        if (kind != wasm::Kind::v128) value.bits.high = 0;
        value.bits = slot_bits(value);
        results[i] = value;
    }
    return {};
}

}  // namespace pollux
