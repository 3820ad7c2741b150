#include "jit/runtime/code_pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <thread>

#include "jit/base/syscall.h"
#include "jit/base/tuning.h"
#include "jit/base/unique_fd.h"
#include "jit/runtime/code_memory.h"
#include "jit/runtime/precompiled.h"
#include "tests/unit/runtime/memory_maps.h"
#include "tests/unit/runtime/runtime_fixture.h"

namespace pollux::test {
namespace {

constexpr std::uint8_t kOld = 0xab;  ///< what pages hold that were used before

class CodePagesTest : public ::testing::Test {
protected:
    ~CodePagesTest() override {
        tuning = saved;
        sys::clear_faults();
    }

    /// Writable pages full of kOld.
    static Mapping old_pages(std::size_t bytes) {
        Mapping pages = must(Mapping::anonymous(bytes, "a test"));
        std::memset(pages.data(), kOld, bytes);
        return pages;
    }
    /// A region that takes what it can get.
    void reserve(CodeMemory& memory, bool huge = false) {
        ASSERT_TRUE(memory.reserve(CodeSharing::sealed, huge ? 64 * kHugePage : 256 * page, page, 0, huge, &pages));
    }
    /// What a region that takes `count` pages leaves behind.
    void use(std::size_t count) {
        CodeMemory memory;
        reserve(memory);
        std::memset(must(memory.take(count * page)).write, kOld, count * page);
        ASSERT_TRUE(memory.seal());
    }

    const std::size_t page = page_bytes();
    Tuning saved = tuning;
    CodePages pages;
};

TEST_F(CodePagesTest, PagesOfARegionServeTheNext) {
    const std::uint8_t* first = nullptr;
    {
        CodeMemory memory;
        reserve(memory);
        const CodeBuffer code = must(memory.take(10 * page));
        std::memset(code.write, kOld, code.capacity);
        ASSERT_TRUE(memory.seal());
        first = code.write;
        EXPECT_EQ(permissions(first), "r-xp");
    }
    EXPECT_EQ(pages.bytes(), 10 * page);
    EXPECT_EQ(permissions(first), "rw-p");

    CodeMemory memory;
    reserve(memory);
    EXPECT_EQ(pages.bytes(), 0U);
    const CodeBuffer reused = must(memory.take(4 * page));
    const CodeBuffer both = must(memory.take(8 * page));
    EXPECT_EQ(both.execute, reused.execute + reused.capacity);
    for (const CodeBuffer& code : {reused, both}) {
        memory.clear_rest(code);
        EXPECT_EQ(std::count(code.write, code.write + code.capacity, 0), static_cast<std::ptrdiff_t>(code.capacity));
        std::memset(code.write, 1, code.capacity);
    }
    ASSERT_TRUE(memory.seal());
    EXPECT_EQ(permissions(reused.write), "r-xp");
    EXPECT_EQ(permissions(both.write + both.capacity - 1), "r-xp");
}

TEST_F(CodePagesTest, OnlyTheRestIsCleared) {
    pages.give_back(old_pages(8 * page), false);
    CodeMemory memory;
    reserve(memory);
    const CodeBuffer code = must(memory.take(2 * page));
    std::memset(code.write, 1, 100);
    memory.clear_rest({code.write + 100, code.capacity - 100, code.execute + 100});
    EXPECT_EQ(std::count(code.write, code.write + 100, 1), 100);
    EXPECT_EQ(std::count(code.write + 100, code.write + code.capacity, 0), static_cast<std::ptrdiff_t>(code.capacity) - 100);
}

TEST_F(CodePagesTest, WhatIsNotUsedIsGivenBack) {
    use(10);
    {
        CodeMemory memory;
        reserve(memory);
        ASSERT_TRUE(memory.take(3 * page));
        ASSERT_TRUE(memory.seal());
        EXPECT_EQ(pages.bytes(), 7 * page);
    }
    EXPECT_EQ(pages.bytes(), 10 * page);
    { // never sealed
        CodeMemory memory;
        reserve(memory);
        EXPECT_EQ(pages.bytes(), 3 * page);
    }
    EXPECT_EQ(pages.bytes(), 10 * page);
}

TEST_F(CodePagesTest, OfTwoOriginsTheLargerPartIsKept) {
    use(4);
    use(9);  // 4 reused, 5 fresh
    EXPECT_EQ(pages.bytes(), 5 * page);
    use(8);  // 5 reused, 3 fresh
    EXPECT_EQ(pages.bytes(), 5 * page);
}

TEST_F(CodePagesTest, ARegionTakesNoMoreThanItMayNeed) {
    pages.give_back(old_pages(100 * page), false);
    CodeMemory memory;
    reserve(memory);
    EXPECT_EQ(pages.bytes(), 36 * page);
}

TEST_F(CodePagesTest, HugePagesStayWhole) {
    for (int i = 0; i < 3; ++i) {
        CodeMemory memory;
        reserve(memory, true);
        EXPECT_EQ(memory.begin() % kHugePage, 0U);
        EXPECT_EQ(pages.bytes(), 0U);
        ASSERT_TRUE(memory.take(1));
        const CodeBuffer second = must(memory.take(kHugePage + 1));
        EXPECT_EQ(second.execute, memory.begin() + kHugePage);
        memory.clear_rest(second);
        EXPECT_EQ(second.write[second.capacity - 1], 0);
        second.write[second.capacity - 1] = kOld;
        ASSERT_TRUE(memory.seal());
    }
    EXPECT_EQ(pages.bytes(), 3 * kHugePage);
    CodeMemory small;
    reserve(small);
    EXPECT_EQ(pages.bytes(), 3 * kHugePage);
}

TEST_F(CodePagesTest, KeepsNoMoreThanTheLimit) {
    tuning.pooled_code_bytes = 16 * page;
    use(10);
    pages.give_back(old_pages(10 * page), false);
    EXPECT_EQ(pages.bytes(), 16 * page);
    pages.give_back(old_pages(20 * page), false);
    EXPECT_EQ(pages.bytes(), 16 * page);
    pages.give_back(must(Mapping::reserve(kHugePage, "a test", kHugePage)), true);
    EXPECT_EQ(pages.bytes(), 16 * page);
    tuning.pooled_code_bytes = 1000 * page;
    for (std::size_t i = 1; i <= 10; ++i) pages.give_back(old_pages(10 * i * page), false);
    EXPECT_EQ(pages.bytes(), (100 + 90 + 80 + 70) * page);
}

TEST_F(CodePagesTest, ARefusedMoveIsNoError) {
    use(10);
    sys::inject(sys::Call::mremap, ENOMEM);
    {
        CodeMemory memory;
        reserve(memory);
        EXPECT_EQ(pages.bytes(), 0U);
        EXPECT_EQ(memory.end() - memory.begin(), 246 * page);
        const CodeBuffer code = must(memory.take(246 * page));
        EXPECT_EQ(std::count(code.write, code.write + code.capacity, 0), static_cast<std::ptrdiff_t>(code.capacity));
        std::memset(code.write, 1, code.capacity);
        ASSERT_TRUE(memory.seal());
    }
    use(10);
    EXPECT_EQ(pages.bytes(), 0U);  // once is enough
}

TEST_F(CodePagesTest, PagesThatCannotBeMadeWritableAreNotKept) {
    sys::inject(sys::Call::mprotect, ENOMEM);
    pages.give_back(old_pages(page), false);
    EXPECT_EQ(pages.bytes(), 0U);
}

// --- modules ----------------------------------------------------------------------------------------------------------------

/// Engines whose modules are spread over many small chunks.
class ReusedCode : public CodePagesTest {
protected:
    ReusedCode() {
        tuning.compile_batch_bytes = 16;
        tuning.bytes_per_thread = 32;
        tuning.code_chunk_bytes = 1;
    }

    /// A module whose code fills several chunks: multiplications, more in every tenth function.
    static std::vector<std::uint8_t> several_chunks() {
        constexpr std::uint8_t kFunctions = 100;
        std::vector<std::uint8_t> code = {kFunctions};
        const auto put_size = [](std::vector<std::uint8_t>& out, std::size_t size) {  // a LEB128 of four bytes
            for (int shift = 0; shift < 28; shift += 7)
                out.push_back(static_cast<std::uint8_t>((size >> shift & 0x7f) | (shift < 21 ? 0x80 : 0)));
        };
        for (std::size_t i = 0; i < kFunctions; ++i) {
            const std::size_t multiplications = i % 10 == 9 ? 200 : 10;
            put_size(code, 4 + 3 * multiplications);
            code.insert(code.end(), {0x00, 0x20, 0x00});                                                             // local.get 0
            for (std::size_t k = 0; k < multiplications; ++k) code.insert(code.end(), {0x41, 0x23, 0x6c});  // i32.const 35, i32.mul
            code.push_back(0x0b);
        }
        std::vector<std::uint8_t> module = {
            0x00, 'a', 's', 'm', 1, 0, 0, 0, /* type */ 1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f, /* functions */ 3, kFunctions + 1, kFunctions};
        module.resize(module.size() + kFunctions);
        module.push_back(10);
        put_size(module, code.size());
        module.insert(module.end(), code.begin(), code.end());
        return module;
    }

    static std::shared_ptr<Engine> engine(EngineOptions options = {}) { return must(Engine::create(options)); }
};

/// All executable bytes of a module.
std::span<const std::uint8_t> executable_bytes(const CompiledModule& module) {
    const std::uint8_t* begin = module.machine_code(module.module().imported_functions).data();
    for (std::uint32_t function = module.module().imported_functions; function < module.module().functions.size(); ++function)
        begin = std::min(begin, module.machine_code(function).data());
    begin -= 16;  // where FunctionEmitter puts the first function
    return {begin, static_cast<std::size_t>(module.times().code_bytes)};
}

TEST_F(ReusedCode, NothingOfWhatWasThereIsExecutable) {
    for (const unsigned threads : {1U, 4U}) {
        const auto shared = engine({.threads = threads});
        for (int i = 0; i < 20; ++i) {
            shared->code_pages().give_back(old_pages(64 * page), false);
            const std::size_t before = shared->code_pages().bytes();
            Guest guest(shared);
            const auto module = must(ModuleBuilder::from_bytes(shared, kTrapsModule));
            EXPECT_EQ(shared->code_pages().bytes(), before - module->times().code_bytes);
            const auto bytes = executable_bytes(*module);
            EXPECT_EQ(permissions(bytes.data()), "r-xp");
            EXPECT_EQ(permissions(&bytes.back()), "r-xp");
            EXPECT_TRUE(std::ranges::search_n(bytes, 4, kOld).empty());
            EXPECT_EQ(result(guest.instantiate(module), "divide", {Value::i32(8), Value::i32(2)}), Value::i32(4));
        }
    }
    const auto shared = engine();
    shared->code_pages().give_back(old_pages(64 * page), false);
    const auto module = must(ModuleBuilder::from_bytes(shared, several_chunks()));
    EXPECT_GT(module->times().code_bytes, 3 * page);
    EXPECT_TRUE(std::ranges::search_n(executable_bytes(*module), 4, kOld).empty());
}

TEST_F(ReusedCode, OneModuleAfterTheOther) {
    const auto shared = engine({.threads = 1});
    const std::size_t large = must(ModuleBuilder::from_bytes(shared, several_chunks()))->times().code_bytes;
    EXPECT_EQ(shared->code_pages().bytes(), large);
    {
        const auto module = must(ModuleBuilder::from_bytes(shared, kTrapsModule));
        EXPECT_LT(module->times().code_bytes, large);
        EXPECT_EQ(shared->code_pages().bytes(), large - module->times().code_bytes);
    }
    EXPECT_EQ(shared->code_pages().bytes(), large);
}

/// The bytes of a module's precompiled file.
std::vector<std::uint8_t> precompiled(const CompiledModule& module) {
    const UniqueFd file(::memfd_create("pollux-test", MFD_CLOEXEC));
    must(PrecompiledFile::write(module, file.get()));
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(::lseek(file.get(), 0, SEEK_END)));
    EXPECT_EQ(::pread(file.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    return bytes;
}

TEST_F(ReusedCode, IsTheSame) {
    const std::vector<std::uint8_t> large = several_chunks();
    for (const char* target : {"x86_64", "aarch64"}) {
        for (const std::size_t chunk : {std::size_t{1}, std::size_t{1} << 18}) {
            tuning.code_chunk_bytes = chunk;
            const EngineOptions options = {.target = find_backend(target), .portable = true, .threads = 1};
            for (const std::span<const std::uint8_t> bytes : {std::span<const std::uint8_t>(large), {kGcModule}, {kTrapsModule}}) {
                const auto fresh = must(ModuleBuilder::from_bytes(engine(options), bytes));
                const auto used = engine(options);
                used->code_pages().give_back(old_pages(256 * page), false);
                const auto reused = must(ModuleBuilder::from_bytes(used, bytes));
                EXPECT_EQ(used->code_pages().bytes() + reused->times().code_bytes, 256 * page);
                EXPECT_EQ(precompiled(*fresh), precompiled(*reused)) << target;
            }
        }
    }
}

TEST_F(ReusedCode, RefusedMoves) {
    const auto shared = engine();
    for (int i = 0; i < 3; ++i) {
        sys::inject(sys::Call::mremap, EPERM);
        Guest guest(shared);
        EXPECT_EQ(result(guest.instantiate(kBasicModule), "fac", {Value::i64(5)}), Value::i64(120));
    }
    EXPECT_EQ(shared->code_pages().bytes(), 0U);
}

TEST_F(ReusedCode, SeveralThreadsWithOneEngine) {
    const auto shared = engine({.threads = 2});
    const auto work = [&shared](std::span<const std::uint8_t> bytes, const std::function<void(Instance&)>& check) {
        for (int i = 0; i < 30; ++i) {
            Guest guest(shared);
            check(guest.instantiate(bytes));
        }
    };
    std::thread other(work, std::span(kBasicModule), [](Instance& i) { EXPECT_EQ(result(i, "fac", {Value::i64(5)}), Value::i64(120)); });
    work(kTrapsModule, [](Instance& i) { EXPECT_EQ(result(i, "divide", {Value::i32(8), Value::i32(2)}), Value::i32(4)); });
    other.join();
    EXPECT_GT(shared->code_pages().bytes(), 0U);
}

TEST_F(ReusedCode, LazyCodeIsNotKept) {
    const auto lazy = engine({.mode = CompileMode::lazy});
    {
        Guest guest(lazy);
        EXPECT_EQ(result(guest.instantiate(kBasicModule), "fac", {Value::i64(5)}), Value::i64(120));
    }
    EXPECT_EQ(lazy->code_pages().bytes(), 0U);
}

}  // namespace
}  // namespace pollux::test
