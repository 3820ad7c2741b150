#include "jit/runtime/precompiled.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "jit/wasm/type_registry.h"
#include "tests/unit/runtime/runtime_fixture.h"

namespace pollux::test {
namespace {

class Precompiled : public ::testing::Test {
protected:
    Precompiled() { EXPECT_NE(::mkdtemp(folder_.data()), nullptr); }
    ~Precompiled() override {
        static_cast<void>(::unlink(path().c_str()));
        static_cast<void>(::rmdir(folder_.c_str()));
    }

    [[nodiscard]] std::string path() const { return folder_ + "/module.pollux"; }

    /// Compiles a module into path(), and returns the file's bytes.
    [[nodiscard]] std::vector<std::uint8_t> compile(std::span<const std::uint8_t> module, EngineOptions options = {}) {
        options.portable = true;
        options.threads = 1;
        const auto compiled = must(ModuleBuilder::from_bytes(must(Engine::create(options)), module));
        std::FILE* file = std::fopen(path().c_str(), "w+b");
        must(PrecompiledFile::write(*compiled, ::fileno(file)));
        EXPECT_EQ(std::fclose(file), 0);
        alive_.push_back(compiled);
        EXPECT_EQ(::chmod(path().c_str(), 0600), 0);
        std::ifstream in(path(), std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void replace(std::span<const std::uint8_t> bytes) const {
        std::ofstream out(path(), std::ios::binary | std::ios::trunc);
        out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }

    [[nodiscard]] Result<std::shared_ptr<CompiledModule>> load() const { return PrecompiledFile::load(guest_.engine, path()); }
    [[nodiscard]] std::string refusal() const {
        const auto loaded = load();
        return loaded ? "loaded" : loaded.error().message;
    }
    Instance& run() { return guest_.instantiate(must(load())); }

    Guest guest_{must(Engine::create())};

private:
    std::vector<std::shared_ptr<CompiledModule>> alive_;  ///< so that the next one is compiled at another address
    std::string folder_ = "/tmp/pollux-precompiled-XXXXXX";
};

TEST_F(Precompiled, RunsAndTrapsAsCompiledCodeDoes) {
    static_cast<void>(compile(kTrapsModule));
    Instance& instance = run();
    EXPECT_EQ(result(instance, "divide", {Value::i32(9), Value::i32(3)}), Value::i32(3));
    EXPECT_EQ(trap_of(instance, "divide", {Value::i32(1), Value::i32(0)}).code, TrapCode::integer_divide_by_zero);
    EXPECT_EQ(trap_of(instance, "load", {Value::i32(65533)}).code, TrapCode::memory_out_of_bounds);
    EXPECT_EQ(trap_of(instance, "indirect_int", {Value::i32(1)}).code, TrapCode::bad_signature);
    const Trap trap = trap_of(instance, "outer");
    ASSERT_EQ(trap.frames.size(), 3U);
    EXPECT_EQ(trap.frames[0].name, "inner");
    EXPECT_EQ(trap.frames[2].name, "outer");
}

TEST_F(Precompiled, ChecksBoundsWhereItWasToldTo) {
    EngineOptions checked;
    checked.bounds = BoundsOption::explicit_checks;
    static_cast<void>(compile(kTrapsModule, checked));
    EXPECT_EQ(trap_of(run(), "load_far", {Value::i32(-1)}).code, TrapCode::memory_out_of_bounds);

    static_cast<void>(compile(kTrapsModule));
    const auto loaded = PrecompiledFile::load(must(Engine::create(checked)), path());
    ASSERT_FALSE(loaded);
    EXPECT_NE(loaded.error().message.find("guard pages"), std::string::npos) << loaded.error().message;
}

TEST_F(Precompiled, CodeKnowsNoTypeIdsOfTheProcessThatMadeIt) {
    const pid_t child = ::fork();
    if (child == 0) {
        // Here the module's types get other ids than in the process that will run it.
        wasm::FuncType type;
        for (int i = 0; i < 5000; ++i) {
            type.params.assign(static_cast<std::size_t>(40 + i % 50), i % 2 == 0 ? wasm::Kind::i64 : wasm::Kind::f64);
            type.results.assign(static_cast<std::size_t>(i / 100), wasm::Kind::i32);
            static_cast<void>(wasm::TypeRegistry::add(type));
        }
        static_cast<void>(compile(kTrapsModule));
        ::_exit(0);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    Instance& instance = run();
    EXPECT_EQ(trap_of(instance, "indirect_int", {Value::i32(1)}).code, TrapCode::bad_signature);
    EXPECT_TRUE(call(instance, "indirect", {Value::i32(1)}));
}

TEST_F(Precompiled, TheSameModuleGivesTheSameFile) {
    for (const char* target : {"x86_64", "aarch64"}) {
        EngineOptions options;
        options.target = find_backend(target);
        EXPECT_EQ(compile(kBulkModule, options), compile(kBulkModule, options)) << target;
    }
}

TEST_F(Precompiled, CodeOfAnotherProcessorIsRefused) {
    EngineOptions options;
    options.target = find_backend(guest_.engine->backend().name() == "x86_64" ? "aarch64" : "x86_64");
    static_cast<void>(compile(kBasicModule, options));
    EXPECT_NE(refusal().find("it holds code for " + std::string(options.target->name())), std::string::npos) << refusal();
}

TEST_F(Precompiled, FuelIsCountedOrNot) {
    EngineOptions options;
    options.fuel = true;
    static_cast<void>(compile(kLoopModule, options));
    EXPECT_NE(refusal().find("fuel"), std::string::npos) << refusal();
    Guest guest(must(Engine::create(options)));
    Instance& instance = guest.instantiate(must(PrecompiledFile::load(guest.engine, path())));
    guest.store->set_fuel(1000);
    EXPECT_EQ(trap_of(instance, "spin").code, TrapCode::fuel_exhausted);
}

TEST_F(Precompiled, EveryChangedByteIsNoticed) {
    std::vector<std::uint8_t> bytes = compile(kBasicModule);
    ASSERT_TRUE(PrecompiledFile::check(bytes));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto flip = static_cast<std::uint8_t>(1U << (i % 8));
        bytes[i] ^= flip;
        ASSERT_FALSE(PrecompiledFile::check(bytes)) << "byte " << i;
        bytes[i] ^= flip;
    }
    ASSERT_TRUE(PrecompiledFile::check(bytes));
}

TEST_F(Precompiled, ADamagedFileIsRefused) {
    const std::vector<std::uint8_t> whole = compile(kBasicModule);
    for (std::size_t at = 0; at < whole.size(); at += at < 256 ? 8 : 4099) {
        std::vector<std::uint8_t> bytes = whole;
        bytes[at] ^= 0x40;
        replace(bytes);
        EXPECT_NE(refusal(), "loaded") << "byte " << at;
    }
    for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{100}, whole.size() - 1}) {
        replace(std::span(whole).first(size));
        EXPECT_NE(refusal(), "loaded") << size << " bytes";
    }
    std::vector<std::uint8_t> longer = whole;
    longer.push_back(0);
    replace(longer);
    EXPECT_EQ(refusal(), "it is damaged: its size is not what it was");
    replace(whole);
    EXPECT_EQ(refusal(), "loaded");
}

TEST_F(Precompiled, AnotherVersionIsRefused) {
    std::vector<std::uint8_t> bytes = compile(kBasicModule);
    ++bytes[PrecompiledFile::kVersionOffset];
    replace(bytes);
    EXPECT_EQ(refusal(), "it has version " + std::to_string(PrecompiledFile::kVersion + 1) + " of the format, and this Pollux reads " +
                             std::to_string(PrecompiledFile::kVersion) + "; compile the module again");
}

TEST_F(Precompiled, AMissingCpuFeatureIsNamed) {
    std::vector<std::uint8_t> bytes = compile(kBasicModule);
    // The list of features stands behind the name of the ISA.
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::size_t isa = text.find(guest_.engine->backend().name());
    std::memcpy(bytes.data() + isa + 16, "tachyons", 9);
    const std::size_t behind = PrecompiledFile::kChecksumOffset + 8;
    const std::uint64_t sum = PrecompiledFile::checksum(std::span(bytes).subspan(behind));
    std::memcpy(bytes.data() + PrecompiledFile::kChecksumOffset, &sum, 8);
    replace(bytes);
    EXPECT_EQ(refusal(), "its code needs the CPU feature tachyons, which this processor lacks");
}

TEST_F(Precompiled, AFileThatOthersMayWriteIsRefused) {
    static_cast<void>(compile(kBasicModule));
    for (const mode_t mode : {0620U, 0602U, 0666U}) {
        ASSERT_EQ(::chmod(path().c_str(), mode), 0);
        EXPECT_NE(refusal().find("others may write it"), std::string::npos) << refusal();
    }
    ASSERT_EQ(::chmod(path().c_str(), 0644), 0);
    EXPECT_EQ(refusal(), "loaded");
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
    ASSERT_EQ(::chown(path().c_str(), 12345, 12345), 0);
    EXPECT_NE(refusal().find("belongs to another user"), std::string::npos) << refusal();
    ASSERT_EQ(::chown(path().c_str(), 0, 0), 0);
}

TEST_F(Precompiled, WhatIsNoPrecompiledModuleIsRefused) {
    replace(kBasicModule);
    ASSERT_EQ(::chmod(path().c_str(), 0600), 0);
    EXPECT_EQ(refusal(), "it is not a precompiled module (pollux compile makes them)");
    ASSERT_EQ(::unlink(path().c_str()), 0);
    EXPECT_NE(refusal().find("cannot open it"), std::string::npos) << refusal();
    ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
    EXPECT_EQ(refusal(), "it is not a regular file");
}

TEST_F(Precompiled, CodeIsMappedExecutableAndNotWritable) {
    static_cast<void>(compile(kBasicModule));
    const auto module = must(load());
    const auto code = reinterpret_cast<std::uint64_t>(module->code(0));
    std::ifstream maps("/proc/self/maps");
    std::string line;
    bool found = false;
    while (std::getline(maps, line)) {
        unsigned long long begin = 0;
        unsigned long long end = 0;
        ASSERT_EQ(std::sscanf(line.c_str(), "%llx-%llx", &begin, &end), 2);
        if (code < begin || code >= end) continue;
        found = true;
        EXPECT_NE(line.find(" r-xp "), std::string::npos) << line;
    }
    EXPECT_TRUE(found);
}

}  // namespace
}  // namespace pollux::test
