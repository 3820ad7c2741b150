#include "tests/unit/runtime/runtime_fixture.h"

namespace pollux::test {
namespace {

class Link : public EveryMode {
protected:
    Instance& library() {
        Instance& instance = guest.instantiate(kLibraryModule);
        guest.linker.define_instance("library", instance);
        return instance;
    }
    std::string error_of(std::span<const std::uint8_t> bytes) {
        auto made = guest.linker.instantiate(must(ModuleBuilder::from_bytes(guest.engine, bytes)));
        EXPECT_FALSE(made);
        if (made) return {};
        EXPECT_EQ(made.error().error.kind, ErrorKind::link);
        return made.error().error.message;
    }
};

TEST_P(Link, InstancesShareMemoriesTablesAndGlobals) {
    Instance& exporter = library();
    Instance& user = guest.instantiate(kUserModule);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(result(user, "direct", {Value::i32(10)}), Value::i32(20 + 0x04030201 + 42));
        EXPECT_EQ(result(user, "through_table", {Value::i32(0), Value::i32(7)}), Value::i32(21));
        EXPECT_EQ(result(user, "through_table", {Value::i32(1), Value::i32(7)}), Value::i32(14));
    }
    EXPECT_EQ(result(user, "bump"), Value::i64(6));
    EXPECT_EQ(std::get<Global>(*exporter.find_export("variable")).get(), Value::i64(6));
    EXPECT_EQ(result(user, "double_again", {Value::i32(4)}), Value::i32(8));
    EXPECT_EQ(user.find_function("double_again").ref(), exporter.find_function("double").ref());
    EXPECT_EQ(trap_of(user, "through_table", {Value::i32(2), Value::i32(7)}).code, TrapCode::indirect_call_to_null);
}

TEST_P(Link, MissingImportsAreAllNamed) {
    const std::string message = error_of(kUserModule);
    EXPECT_NE(message.find("\"library\" \"memory\" (memory of 1 pages)"), std::string::npos) << message;
    EXPECT_NE(message.find("\"library\" \"double\" (function [i32] -> [i32])"), std::string::npos) << message;
}

TEST_P(Link, WrongTypesAreNamed) {
    library();
    guest.linker.define("library", "double", host_function<[](CallContext&, std::int64_t) { return 1.0F; }>());
    std::string message = error_of(kUserModule);
    EXPECT_NE(message.find("incompatible import type: \"library\" \"double\" must be a function [i32] -> [i32]"), std::string::npos)
        << message;
    EXPECT_NE(message.find("function [i64] -> [f32]"), std::string::npos) << message;
    guest.linker.define("library", "double", guest.store->new_global({wasm::Kind::i32, false}, Value::i32(1)));
    EXPECT_NE(error_of(kUserModule).find("given is a global i32"), std::string::npos);
}

TEST_P(Link, Limits) {
    library();
    guest.linker.define("library", "table", must(guest.store->new_table({wasm::kFuncRef, {.min = 1}}, Value::ref(0))));
    EXPECT_NE(error_of(kUserModule).find("\"table\""), std::string::npos);
    guest.linker.define("library", "table", must(guest.store->new_table({wasm::kExternRef, {.min = 2}}, Value::ref(0))));
    EXPECT_NE(error_of(kUserModule).find("\"table\""), std::string::npos);
    guest.linker.define("library", "table", must(guest.store->new_table({wasm::kFuncRef, {.min = 2}}, Value::ref(0))));
    guest.linker.define("library", "memory", must(guest.store->new_memory({{.min = 0, .max = 3, .has_max = true}})));
    EXPECT_NE(error_of(kUserModule).find("\"memory\""), std::string::npos);
    guest.linker.define("library", "memory", must(guest.store->new_memory({{.min = 1, .max = 3, .has_max = true}})));
    guest.linker.define("library", "variable", guest.store->new_global({wasm::Kind::i64, false}, Value::i64(1)));
    EXPECT_NE(error_of(kUserModule).find("\"variable\" must be a global mut i64"), std::string::npos);
    guest.linker.define("library", "variable", guest.store->new_global({wasm::Kind::i64, true}, Value::i64(1)));
    guest.instantiate(kUserModule);
}

TEST_P(Link, ResolverIsAskedLast) {
    library();
    int asked = 0;
    guest.linker.set_resolver([&](Store& store, const wasm::Module& module, const wasm::Import& import) -> std::optional<Extern> {
        ++asked;
        if (import.kind != wasm::ExternKind::func) return std::nullopt;
        return must(store.new_function(module.func_type(import.index), [](CallContext&, wasm::V128*) { return TrapCode::host_error; }));
    });
    guest.instantiate(kUserModule);
    EXPECT_EQ(asked, 0);
    Instance& host = guest.instantiate(kHostModule);
    EXPECT_EQ(asked, 4);
    EXPECT_EQ(trap_of(host, "fail", {Value::i32(0)}).code, TrapCode::host_error);
}

TEST_P(Link, SegmentsBeforeTheOneThatTrapsStay) {
    Instance& exporter = library();
    auto made = guest.linker.instantiate(must(ModuleBuilder::from_bytes(guest.engine, kSegmentTrapsModule)));
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().error.kind, ErrorKind::instantiate);
    ASSERT_TRUE(made.error().trap);
    EXPECT_EQ(made.error().trap->code, TrapCode::memory_out_of_bounds);
    EXPECT_EQ(exporter.memory(0).bytes()[0], 'f');
    EXPECT_EQ(exporter.memory(0).bytes()[65534], 0);
}

TEST_P(Link, ObjectsOfOtherStoresAndEnginesAreRefused) {
    Guest other(guest.engine);
    guest.linker.define("library", "double",
                        must(other.store->new_function(host_function<[](CallContext&, std::int32_t a) { return a; }>())));
    Instance& instance = guest.instantiate(kLibraryModule);
    for (const wasm::Export& item : instance.module().exports) {
        if (item.name != "double") guest.linker.define("library", item.name, *instance.find_export(item.name));
    }
    auto made = guest.linker.instantiate(must(ModuleBuilder::from_bytes(guest.engine, kUserModule)));
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().error.kind, ErrorKind::usage);
    const auto foreign = must(ModuleBuilder::from_bytes(make_engine(GetParam()), kBasicModule));
    EXPECT_FALSE(guest.linker.instantiate(foreign));
}

POLLUX_IN_EVERY_MODE(Link);

}  // namespace
}  // namespace pollux::test
