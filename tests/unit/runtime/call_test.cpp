#include <tuple>

#include "tests/unit/runtime/runtime_fixture.h"

namespace pollux::test {
namespace {

class Call : public EveryMode {};

TEST_P(Call, IntegersAndRecursion) {
    Instance& instance = guest.instantiate(kBasicModule);
    EXPECT_EQ(result(instance, "add", {Value::i32(40), Value::i32(2)}), Value::i32(42));
    EXPECT_EQ(result(instance, "add", {Value::i32(-1), Value::i32(-1)}), Value::i32(-2));
    EXPECT_EQ(result(instance, "fac", {Value::i64(20)}), Value::i64(2432902008176640000));
}

TEST_P(Call, ParametersInRegistersAndOnTheStack) {
    Instance& instance = guest.instantiate(kBasicModule);
    const Value sum =
        result(instance, "many",
               {Value::i32(-1), Value::i64(2), Value::f32(3.5F), Value::f64(4.25), Value::i32(0),    Value::i64(0),    Value::f32(0),
                Value::f64(0),  Value::i32(0), Value::i64(0),    Value::f32(0),    Value::f64(0),    Value::i32(0),    Value::i64(0),
                Value::i32(0),  Value::i64(0), Value::i32(0),    Value::i64(0),    Value::i32(-100), Value::i64(1000), Value::f64(0),
                Value::f64(0),  Value::f64(0), Value::f64(0),    Value::f64(0),    Value::f64(0),    Value::f64(7),    Value::f64(0.5)});
    EXPECT_EQ(sum, Value::f64(-1 + 2 + 3.5 + 4.25 - 100 + 1000 + 7 + 1));
}

TEST_P(Call, ResultsInRegistersAndMemory) {
    Instance& instance = guest.instantiate(kBasicModule);
    const auto results = must(call(instance, "results", {Value::i32(9), Value::f64(2.5)}));
    EXPECT_EQ(results, (std::vector{Value::f64(2.5), Value::i32(9), Value::i64(-5), Value::f32(1.5F), Value::i32(-1)}));
    EXPECT_EQ(result(instance, "sum_results", {Value::i32(77), Value::f64(2.5)}), Value::i32(77));
}

TEST_P(Call, VectorsAndReferences) {
    Instance& instance = guest.instantiate(kBasicModule);
    const Value vector = Value::v128({0x0123'4567'89ab'cdef, 0xfedc'ba98'7654'3210});
    EXPECT_EQ(result(instance, "identity_v128", {vector}), vector);
    const Value reference = Value::extern_(guest.store->make_extern(17));
    EXPECT_EQ(result(instance, "identity_ref", {reference}), reference);
    EXPECT_EQ(guest.store->extern_value(reference.as_extern()), 17);
    EXPECT_EQ(result(instance, "not_null", {Value::ref(0)}), Value::i32(0));
    EXPECT_EQ(result(instance, "not_null", {Value::func(instance.func_ref(0))}), Value::i32(1));
}

TEST_P(Call, WrongArgumentsAreRefused) {
    Instance& instance = guest.instantiate(kBasicModule);
    EXPECT_EQ(trap_of(instance, "add", {Value::i32(1)}).error->kind, ErrorKind::usage);
    EXPECT_EQ(trap_of(instance, "add", {Value::i32(1), Value::i64(1)}).error->kind, ErrorKind::usage);
    EXPECT_FALSE(instance.find_function("none"));
    EXPECT_FALSE(Func().call());
}

// --- host functions --------------------------------------------------------------------------------------------------------

struct Host {
    std::vector<double> seen;
    Func callback;
};

double mix(CallContext& context, std::int32_t a, std::int64_t b, float c, double d, wasm::V128 e, ExternRef r, std::int32_t i,
           std::int32_t j, std::int32_t k, std::int32_t l, std::int32_t m, std::int32_t n, std::uint32_t o, double p) {
    host_data<Host>(context).seen = {static_cast<double>(a),
                                     static_cast<double>(b),
                                     static_cast<double>(c),
                                     d,
                                     static_cast<double>(e.low),
                                     static_cast<double>(e.high),
                                     static_cast<double>(store_of(context).extern_value(r).value_or(0)),
                                     static_cast<double>(i),
                                     static_cast<double>(j),
                                     static_cast<double>(k),
                                     static_cast<double>(l),
                                     static_cast<double>(m),
                                     static_cast<double>(n),
                                     static_cast<double>(o),
                                     p};
    EXPECT_EQ(memory_of(context)->bytes().size(), 65536U);
    EXPECT_EQ(memory_of(context)->bytes()[16], 'h');
    return 99.5;
}

std::tuple<std::int32_t, std::int64_t> pair(CallContext&, std::int32_t a) { return {a, std::int64_t{a} * -3}; }

TrapCode fail_with(CallContext& context, std::int32_t how) {
    Store& store = store_of(context);
    if (how == 1) return store.set_exit(7);
    if (how == 2) return store.set_host_error({ErrorKind::io, "the disk is on fire"});
    return TrapCode::none;
}

HostResult<std::int32_t> callback(CallContext& context, std::int32_t value) {
    const auto results = host_data<Host>(context).callback.call({Value::i32(value)});
    if (!results) return std::unexpected(results.error().code);
    return results->front().as_i32();
}

class HostFunctions : public EveryMode {
protected:
    HostFunctions() {
        guest.linker.define("env", "mix", host_function<&mix>(), &host);
        guest.linker.define("env", "pair", host_function<&pair>());
        guest.linker.define("env", "fail", host_function<&fail_with>());
        guest.linker.define("env", "callback", host_function<&callback>(), &host);
        instance = &guest.instantiate(kHostModule);
    }
    Host host;
    Instance* instance = nullptr;
};

TEST_P(HostFunctions, ArgumentsOfAllKinds) {
    EXPECT_EQ(result(*instance, "mix", {Value::extern_(guest.store->make_extern(1234))}), Value::f64(99.5));
    EXPECT_EQ(host.seen, (std::vector<double>{-1, 2, 3.5, 4.25, 5, 6, 1234, 7, 8, 9, 10, 11, 12, 13, 14}));
}

TEST_P(HostFunctions, SeveralResults) { EXPECT_EQ(result(*instance, "pair", {Value::i32(5)}), Value::i64(-15)); }

TEST_P(HostFunctions, CalledByTheHostItself) {
    Func function = must(guest.store->new_function(host_function<&pair>()));
    const auto results = must(function.call({Value::i32(2)}));
    EXPECT_EQ(results, (std::vector{Value::i32(2), Value::i64(-6)}));
}

TEST_P(HostFunctions, EndTheGuest) {
    EXPECT_TRUE(call(*instance, "fail", {Value::i32(0)}));
    EXPECT_EQ(trap_of(*instance, "fail", {Value::i32(1)}).code, TrapCode::host_exit);
    EXPECT_EQ(guest.store->exit_status(), 7U);
    const Trap trap = trap_of(*instance, "fail", {Value::i32(2)});
    EXPECT_EQ(trap.code, TrapCode::host_error);
    ASSERT_TRUE(trap.error);
    EXPECT_EQ(trap.error->message, "the disk is on fire");
    ASSERT_EQ(trap.frames.size(), 1U);
    EXPECT_EQ(trap.frames[0].name, "call_fail");
}

TEST_P(HostFunctions, NestGuestsAndHosts) {
    host.callback = instance->find_function("count");
    EXPECT_EQ(result(*instance, "count", {Value::i32(50)}), Value::i32(50));
    // A trap in the innermost guest goes through all host functions.
    host.callback = instance->find_function("down");
    const Trap trap = trap_of(*instance, "down", {Value::i32(3)});
    EXPECT_EQ(trap.code, TrapCode::unreachable);
    EXPECT_EQ(result(*instance, "count", {Value::i32(0)}), Value::i32(0));
    EXPECT_EQ(guest.store->entry, nullptr);
    EXPECT_EQ(guest.store->exit_frame, nullptr);
}

TEST_P(HostFunctions, RecursionThroughTheHostOverflowsTheStack) {
    host.callback = instance->find_function("count");
    EXPECT_EQ(trap_of(*instance, "count", {Value::i32(1'000'000)}).code, TrapCode::stack_overflow);
}

TEST_P(HostFunctions, Untyped) {
    const wasm::FuncType type{{wasm::Kind::i32}, {wasm::Kind::i32}};
    const HostBody body = [](CallContext&, wasm::V128* values) {
        if (values[0].low == 0) return TrapCode::host_error;
        values[0] = {values[0].low + 1, 0};
        return TrapCode::none;
    };
    const Func function = must(guest.store->new_function(type, body));
    EXPECT_EQ(must(function.call({Value::i32(4)})).front(), Value::i32(5));
    EXPECT_EQ(function.call({Value::i32(0)}).error().code, TrapCode::host_error);
}

POLLUX_IN_EVERY_MODE(Call);
POLLUX_IN_EVERY_MODE(HostFunctions);

}  // namespace
}  // namespace pollux::test
