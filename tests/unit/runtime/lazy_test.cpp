#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "jit/base/mapping.h"
#include "tests/unit/runtime/runtime_fixture.h"

namespace pollux::test {
namespace {

TEST(Lazy, CompilesAtTheFirstCall) {
    Guest guest(make_engine(kModes[1]));
    const auto module = must(ModuleBuilder::from_bytes(guest.engine, kBasicModule));
    EXPECT_TRUE(module->is_lazy());
    EXPECT_TRUE(module->machine_code(1).empty());
    Instance& instance = guest.instantiate(module);
    const Func fac = instance.find_function("fac");
    EXPECT_TRUE(module->is_thunk(fac.ref()->code));
    EXPECT_EQ(result(instance, "fac", {Value::i64(5)}), Value::i64(120));
    EXPECT_FALSE(module->machine_code(1).empty());
    EXPECT_FALSE(module->is_thunk(fac.ref()->code)) << "references are pointed to the code";
    EXPECT_TRUE(module->machine_code(0).empty());
    EXPECT_EQ(result(instance, "fac", {Value::i64(6)}), Value::i64(720));
}

/// A module is shared; every store and thread may be the first to call.
TEST(Lazy, StoresOnThreadsShareAModule) {
    for (const EngineMode& mode : kModes) {
        const auto engine = make_engine(mode);
        for (int round = 0; round < 20; ++round) {
            const auto module = must(ModuleBuilder::from_bytes(engine, kBasicModule));
            std::atomic<int> correct{0};
            std::vector<std::thread> threads;
            for (int i = 0; i < 4; ++i) {
                threads.emplace_back([&] {
                    Guest guest(engine);
                    Instance& instance = guest.instantiate(module);
                    if (result(instance, "fac", {Value::i64(10)}) == Value::i64(3628800)) ++correct;
                    if (result(instance, "add", {Value::i32(1), Value::i32(2)}) == Value::i32(3)) ++correct;
                });
            }
            for (std::thread& thread : threads) thread.join();
            EXPECT_EQ(correct, 8);
        }
    }
}

class ModuleFile : public ::testing::Test {
protected:
    ModuleFile() {
        path = std::filesystem::temp_directory_path() / ("pollux-runtime-test-" + std::to_string(::getpid()) + ".wasm");
        std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(kBasicModule), sizeof kBasicModule);
    }
    ~ModuleFile() override { std::filesystem::remove(path); }
    std::filesystem::path path;
};

TEST_F(ModuleFile, IsMapped) {
    for (const EngineMode& mode : kModes) {
        Guest guest(make_engine(mode));
        const auto module = must(ModuleBuilder::from_file(guest.engine, path));
        EXPECT_EQ(module->name(), "basic");
        EXPECT_EQ(result(guest.instantiate(module), "fac", {Value::i64(5)}), Value::i64(120));
    }
}

TEST_F(ModuleFile, ChangedBodiesTrap) {
    Guest guest(make_engine(kModes[1]));
    const auto module = must(ModuleBuilder::from_file(guest.engine, path));
    Instance& instance = guest.instantiate(module);
    {
        const std::uint32_t at = module->module().functions[1].body_offset;
        std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
        file.seekp(at);
        file.write("\xff\xff\xff", 3);
    }
    EXPECT_EQ(trap_of(instance, "fac", {Value::i64(5)}).code, TrapCode::file_changed);
    EXPECT_EQ(result(instance, "add", {Value::i32(1), Value::i32(2)}), Value::i32(3)) << "the other bodies are as they were";
}

TEST_F(ModuleFile, TruncatedFileTraps) {
    // Larger than a page, so that whole pages are lost.
    std::ofstream(path, std::ios::binary | std::ios::app).write("\x00\x81\x80\x04\x00", 5).write(std::string(65536, '\0').c_str(), 65536);
    Guest guest(make_engine(kModes[1]));
    const auto module = must(ModuleBuilder::from_file(guest.engine, path));
    Instance& instance = guest.instantiate(module);
    EXPECT_EQ(result(instance, "add", {Value::i32(1), Value::i32(2)}), Value::i32(3));
    ASSERT_EQ(::truncate(path.c_str(), 0), 0);
    EXPECT_EQ(trap_of(instance, "fac", {Value::i64(5)}).code, TrapCode::file_changed);
    EXPECT_TRUE(module->file_changed());
    EXPECT_EQ(result(instance, "add", {Value::i32(1), Value::i32(2)}), Value::i32(3)) << "what is compiled goes on";
}

TEST_F(ModuleFile, MissingOrUnreadable) {
    const auto engine = make_engine(kModes[0]);
    const auto missing = ModuleBuilder::from_file(engine, "/nonexistent/module.wasm");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind, ErrorKind::io);
    EXPECT_NE(missing.error().message.find("/nonexistent/module.wasm"), std::string::npos);
    EXPECT_FALSE(ModuleBuilder::from_file(engine, "/"));
}

TEST_F(ModuleFile, FromAPipe) {
    for (const EngineMode& mode : kModes) {
        Guest guest(make_engine(mode));
        int ends[2];
        ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        std::thread writer([&] {
            for (std::size_t i = 0; i < sizeof kBasicModule; i += 7) {
                const std::size_t size = std::min<std::size_t>(7, sizeof kBasicModule - i);
                EXPECT_EQ(::write(ends[1], kBasicModule + i, size), static_cast<ssize_t>(size));
            }
            ::close(ends[1]);
        });
        const auto module = must(ModuleBuilder::from_descriptor(guest.engine, ends[0], "pipe"));
        writer.join();
        ::close(ends[0]);
        EXPECT_EQ(result(guest.instantiate(module), "fac", {Value::i64(5)}), Value::i64(120));
    }
}

}  // namespace
}  // namespace pollux::test
