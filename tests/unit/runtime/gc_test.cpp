#include "tests/unit/runtime/runtime_fixture.h"
#include "tests/unit/wasm/module_bytes.h"

namespace pollux::test {
namespace {

void pause_fiber(CallContext&) {
    if (Fiber::current()->scheduler_data != nullptr) Fiber::suspend();
}

/// The reference that came, but only after a collection.
TrapCode swap_body(CallContext& context, wasm::V128* /*values*/) {
    store_of(context).heap().collect();
    return TrapCode::none;
}

class GcGuest : public Guest {
public:
    GcGuest(const EngineMode& mode, const StoreOptions& options) : Guest(make_engine(mode), options) {
        linker.define("host", "pause", host_function<&pause_fiber>());
        const wasm::ValType any = wasm::ValType::ref(wasm::Heap::any, true);
        linker.define("host", "swap", must(store->new_function(wasm::FuncType{{any}, {any}}, &swap_body)));
        instance = &instantiate(kGcModule);
    }
    Instance* instance = nullptr;
};

constexpr std::int64_t sum_to(std::int64_t count) { return count * (count + 1) / 2; }

class Gc : public ::testing::TestWithParam<EngineMode> {
protected:
    GcGuest guest{GetParam(), {.max_gc_heap_bytes = 16 << 20}};
    Instance& instance = *guest.instance;
};

TEST_P(Gc, ManyTimesTheHeapIsAllocated) {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(call(instance, "list", {Value::i32(200'000)}));  // 4.8 MB each
    EXPECT_GT(guest.store->heap().statistics().collections, 3U);
    EXPECT_GE(guest.store->heap().statistics().allocated_bytes, 96'000'000U);
    EXPECT_LE(guest.store->heap().statistics().live_bytes, 16U << 20);
}

TEST_P(Gc, LongListsNeedNoRecursion) {
    EXPECT_EQ(result(instance, "list_and_garbage", {Value::i32(400'000), Value::i32(100'000)}).as_i64(), sum_to(400'000));
}

TEST_P(Gc, ArraysOfAllSizesKeepTheirContents) {
    // Every 32768 arrays have each length once. The last 256 are not checked.
    EXPECT_EQ(result(instance, "churn", {Value::i32(32'768 + 256)}).as_i64(), sum_to(32'767));
}

TEST_P(Gc, TheLimitIsATrap) {
    const Trap trap = trap_of(instance, "list", {Value::i32(1'000'000)});
    EXPECT_EQ(trap.code, TrapCode::out_of_memory);
    EXPECT_FALSE(trap.frames.empty());
    // What was reachable from the trapped guest alone is garbage.
    EXPECT_EQ(result(instance, "list_and_garbage", {Value::i32(1000), Value::i32(300'000)}).as_i64(), sum_to(1000));
}

TEST_P(Gc, HugeLengthsAreATrap) {
    for (const std::uint32_t length : {0xffff'ffffU, 0x8000'0000U, 0x1000'0000U, 16U << 20}) {
        EXPECT_EQ(trap_of(instance, "bytes", {Value::i32(static_cast<std::int32_t>(length))}).code, TrapCode::out_of_memory) << length;
        EXPECT_EQ(trap_of(instance, "refs", {Value::i32(static_cast<std::int32_t>(length))}).code, TrapCode::out_of_memory) << length;
    }
    EXPECT_EQ(result(instance, "bytes", {Value::i32(8 << 20)}).as_i32(), 8 << 20);
    EXPECT_EQ(result(instance, "refs", {Value::i32(1 << 20)}).as_i32(), 1 << 20);
}

TEST_P(Gc, RootsAreEverywhere) {
    EXPECT_EQ(result(instance, "places", {Value::i32(300'000)}).as_i64(), 5 + sum_to(30) + sum_to(10) + sum_to(20));
}

TEST_P(Gc, NullAndWrongReferencesTrap) {
    EXPECT_EQ(trap_of(instance, "null_field").code, TrapCode::null_reference);
    EXPECT_EQ(trap_of(instance, "bad_cast", {make_i31(3)}).code, TrapCode::cast_failure);
    EXPECT_EQ(trap_of(instance, "bad_cast", {Value::ref(0)}).code, TrapCode::cast_failure);
    EXPECT_EQ(trap_of(instance, "bad_cast", {Value::extern_(guest.store->make_extern(7))}).code, TrapCode::cast_failure);
}

/// A module whose export "ask" has this code: [] -> [i32]. Type 0 is an empty struct, type 1 an array of bytes, type 2 one of i32. Local 0
/// is an i32, local 1 such an array.
Bytes asking(const Bytes& code) {
    return module_of({section(1, vec({{0x5f, 0}, {0x5e, 0x78, 1}, {0x5e, kI32, 1}, {0x60, 0, 1, kI32}})), section(3, vec({{3}})),
                      section(7, vec({join({name("ask"), {0, 0}})})),
                      section(10, vec({sized(join({{2, 1, kI32, 1, 0x63, 2}, code, {kEnd}}))}))});
}

/// The operand's type alone says that the cast fails. (Assemblers replace such a target by the bottom type.)
TEST_P(Gc, NoObjectIsAnI31) {
    const Bytes i31 = {0x41, 0xf8, 0xac, 0xd1, 0x91, 0x01, 0xfb, 0x1c};  // 0x12345678: not an address
    const Bytes empty_struct = {0xfb, 0x01, 0};
    const Bytes array = {0x41, 3, 0xfb, 0x07, 1};
    constexpr std::uint8_t kI31 = 0x6c;
    constexpr std::uint8_t kAnyStruct = 0x6b;
    constexpr std::uint8_t kAnyArray = 0x6a;
    for (const auto& [operand, target] : {std::pair{i31, std::uint8_t{0}},
                                          {i31, std::uint8_t{1}},
                                          {i31, kAnyStruct},
                                          {i31, kAnyArray},
                                          {empty_struct, kI31},
                                          {array, kI31},
                                          {array, kAnyStruct},
                                          {empty_struct, std::uint8_t{1}}}) {
        const Bytes test = asking(join({operand, {0xfb, 0x14, target}}));
        EXPECT_EQ(result(guest.instantiate(test), "ask").as_i32(), 0) << int{target};
        const Bytes cast = asking(join({operand, {0xfb, 0x16, target, 0x1a, 0x41, 1}}));
        EXPECT_EQ(trap_of(guest.instantiate(cast), "ask").code, TrapCode::cast_failure) << int{target};
    }
}

/// The local that an element is loaded into has reads that are still pending: they need registers, but not that of the element's address.
TEST_P(Gc, AnElementIsLoadedIntoALocalThatIsStillRead) {
    const Bytes code = join({{0x41, 7, 0x41, 3, 0xfb, 0x06, 2, 0x21, 1},       // local 1 = three times 7
                             {0x41, 5, 0x21, 0},                               // local 0 = 5
                             {0x20, 0, 0x20, 0},                               // two reads
                             {0x20, 1, 0x20, 0, 0x41, 1, 0x71, 0xfb, 0x0b, 2}, // local 1 [local 0 & 1]
                             {0x21, 0, 0x20, 0, 0x6a, 0x6a}});                 // local 0 = that; the sum
    EXPECT_EQ(result(guest.instantiate(asking(code)), "ask").as_i32(), 5 + 5 + 7);
}

/// Two fibers of one store, each in the middle of its work while the other collects.
TEST_P(Gc, ParkedFibersAreScanned) {
    std::vector<std::int64_t> sums;
    bool parks = true;
    const auto body = [&] {
        Fiber::current()->scheduler_data = &parks;
        sums.push_back(result(instance, "list_and_garbage", {Value::i32(50'000), Value::i32(200'000)}).as_i64());
    };
    auto one = must(Fiber::create(*guest.store, body));
    auto other = must(Fiber::create(*guest.store, body));
    while (!one->done() || !other->done()) {
        if (!one->done()) one->resume();
        if (!other->done()) other->resume();
        guest.store->heap().collect();
    }
    EXPECT_EQ(sums, (std::vector<std::int64_t>{sum_to(50'000), sum_to(50'000)}));
}

TEST_P(Gc, ReferencesGoThroughTheHost) { EXPECT_EQ(result(instance, "through_host", {Value::i32(77)}).as_i32(), 77); }

TEST_P(Gc, TheHostReadsAndWritesFields) {
    const GcRoot root(*guest.store, result(instance, "make_mixed").bits.low);
    guest.store->heap().collect();
    const auto object = ObjectView::of(*guest.store, Value::ref(root.reference()));
    ASSERT_TRUE(object);
    ASSERT_EQ(object->size(), 7U);
    EXPECT_EQ(object->get(0).as_i32(), 0xff);
    EXPECT_EQ(object->get(1).as_i32(), 0x2345);
    EXPECT_EQ(object->get(2).as_i32(), -1);
    EXPECT_EQ(object->get(3).as_i64(), -2);
    EXPECT_EQ(object->get(4).bits, (wasm::V128{3, 4}));
    EXPECT_EQ(i31_value(object->get(5)), -5);
    EXPECT_EQ(object->get(6).as_f64(), 6.5);
    EXPECT_EQ(result(instance, "sum_mixed", {Value::ref(root.reference())}).as_i64(), -1 + 0x2345 - 2 + 4);
    object->set(3, Value::i64(1000));
    EXPECT_EQ(result(instance, "sum_mixed", {Value::ref(root.reference())}).as_i64(), -1 + 0x2345 + 1000 + 4);
}

TEST_P(Gc, TheHostMakesObjects) {
    const wasm::TypeId node = instance.module().types[0];
    Value list = Value::ref(0);
    for (int i = 1; i <= 100; ++i) list = must(ObjectView::make(*guest.store, node, std::array{Value::i32(i), list}));
    EXPECT_EQ(result(instance, "sum", {list}).as_i64(), sum_to(100));
    EXPECT_FALSE(ObjectView::make(*guest.store, node, std::array{Value::i32(1)}));
    EXPECT_FALSE(ObjectView::make(*guest.store, node, std::array{Value::i64(1), list}));
    const wasm::TypeId bytes = instance.module().types[2];
    const Value array = must(ObjectView::make(*guest.store, bytes, std::array{Value::i32(0x101), Value::i32(2)}));
    EXPECT_EQ(ObjectView::of(*guest.store, array)->get(0).as_i32(), 1);
    EXPECT_FALSE(ObjectView::of(*guest.store, make_i31(1)));
    EXPECT_FALSE(ObjectView::of(*guest.store, Value::extern_(guest.store->make_extern(1))));
}

TEST_P(Gc, RootsKeepObjectsUntilTheyAreGivenBack) {
    Store& store = *guest.store;
    const std::uint64_t before = (store.heap().collect(), store.heap().statistics().live_bytes);
    {
        const GcRoot root(store, result(instance, "list", {Value::i32(100'000)}).bits.low);
        store.heap().collect();
        EXPECT_GE(store.heap().statistics().live_bytes, before + 2'400'000);
        EXPECT_EQ(result(instance, "sum", {Value::ref(root.reference())}).as_i64(), sum_to(100'000));
    }
    store.heap().collect();
    EXPECT_LE(store.heap().statistics().live_bytes, before + 100'000);
}

TEST_P(Gc, HostValuesKeepTheirIdentityAsAny) {
    const Value value = Value::extern_(guest.store->make_extern(42));
    EXPECT_EQ(result(instance, "is_node", {value}).as_i32(), 0);
    EXPECT_TRUE(call(instance, "keep", {value}));
    guest.store->heap().collect();
    EXPECT_EQ(result(instance, "kept"), value);
    EXPECT_EQ(guest.store->extern_value(result(instance, "kept").as_extern()), 42U);
}

INSTANTIATE_TEST_SUITE_P(Modes, Gc, ::testing::Values(kModes[0], kModes[3]), [](const auto& mode) { return std::string(mode.param.name); });

TEST(GcStress, CollectsBeforeEveryAllocation) {
    GcGuest guest(kModes[0], {.gc_stress = true});
    EXPECT_EQ(result(*guest.instance, "list_and_garbage", {Value::i32(300), Value::i32(300)}).as_i64(), sum_to(300));
    EXPECT_GE(guest.store->heap().statistics().collections, 600U);
    EXPECT_EQ(result(*guest.instance, "places", {Value::i32(100)}).as_i64(), 5 + sum_to(30) + sum_to(10) + sum_to(20));
    EXPECT_GT(result(*guest.instance, "churn", {Value::i32(600)}).as_i64(), 0);
}

TEST(GcLimit, NoHeapAtAll) {
    GcGuest guest(kModes[0], {.max_gc_heap_bytes = 0});
    EXPECT_EQ(trap_of(*guest.instance, "list", {Value::i32(1)}).code, TrapCode::out_of_memory);
    EXPECT_EQ(result(*guest.instance, "sum", {Value::ref(0)}).as_i64(), 0);
}

}  // namespace
}  // namespace pollux::test
