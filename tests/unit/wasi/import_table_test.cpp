#include "wasi/import_table.h"

#include <algorithm>
#include <set>
#include <string>

#include "tests/unit/wasi/fixture.h"

namespace pollux::wasi {
namespace {

TEST(ImportTable, HasAllOfPreview1) {
    int preview1 = 0;
    for (const auto& [name, signature] : std::initializer_list<std::pair<const char*, const char*>>{{"args_get", "ii"},
                                                                                                    {"clock_time_get", "iIi"},
                                                                                                    {"fd_fdstat_set_rights", "iII"},
                                                                                                    {"fd_pread", "iiiIi"},
                                                                                                    {"fd_readdir", "iiiIi"},
                                                                                                    {"fd_seek", "iIii"},
                                                                                                    {"fd_write", "iiii"},
                                                                                                    {"path_filestat_set_times", "iiiiIIi"},
                                                                                                    {"path_link", "iiiiiii"},
                                                                                                    {"path_open", "iiiiiIIii"},
                                                                                                    {"path_rename", "iiiiii"},
                                                                                                    {"poll_oneoff", "iiii"},
                                                                                                    {"proc_exit", "i"},
                                                                                                    {"sched_yield", ""},
                                                                                                    {"sock_accept", "iii"},
                                                                                                    {"sock_recv", "iiiiii"},
                                                                                                    {"sock_send", "iiiii"}}) {
        EXPECT_NE(find_import(name, signature), nullptr) << name;
    }
    for (const Import& import : imports()) preview1 += import.preview0 ? 1 : 0;
    EXPECT_EQ(preview1, 45) << "46 with sock_accept, which preview 0 had not";
    EXPECT_FALSE(find_import("proc_exit", "i")->returns_errno);
    EXPECT_TRUE(find_import("fd_close", "i")->returns_errno);
}

TEST(ImportTable, OneNameWithSeveralTypes) {
    for (const auto& [name, signatures] :
         std::initializer_list<std::pair<const char*, std::vector<const char*>>>{{"sock_accept", {"iii", "ii"}},
                                                                                 {"sock_open", {"iii", "iiii"}},
                                                                                 {"sock_bind", {"iii", "ii"}},
                                                                                 {"sock_connect", {"iii", "ii"}},
                                                                                 {"sock_recv_from", {"iiiiiii", "iiiiiiii", "iiiiii"}},
                                                                                 {"sock_send_to", {"iiiiiii", "iiiiii"}},
                                                                                 {"sock_getlocaladdr", {"iiii", "iii"}}}) {
        std::set<const Import*> found;
        for (const char* signature : signatures) found.insert(find_import(name, signature));
        EXPECT_EQ(found.size(), signatures.size()) << name;
        EXPECT_FALSE(found.contains(nullptr)) << name;
    }
    EXPECT_EQ(find_import("sock_accept", "i"), nullptr);
    EXPECT_EQ(find_import("no_such_call", ""), nullptr);
    EXPECT_TRUE(has_import("sock_accept"));
    EXPECT_FALSE(has_import("no_such_call"));
}

TEST(ImportTable, NoRowTwice) {
    std::set<std::pair<std::string, std::string>> seen;
    for (const Import& import : imports()) EXPECT_TRUE(seen.emplace(import.name, import.signature).second) << import.name;
}

TEST(ImportTable, CallsWithUntypedArguments) {
    Guest guest;
    const wasm::V128 arguments[] = {{1, 0}, {0, 0}, {0xffff'ffff'0000'0000 | kOut, 0}};
    EXPECT_EQ(find_import("clock_time_get", "iIi")->invoke(guest.call(), arguments), Errno::success)
        << "the upper half of an i32 is ignored";
    EXPECT_GT(guest.at<u64>(kOut), 0u);
}

TEST(ImportTable, EveryCallSurvivesHostileArguments) {
    const Pipe pipe;
    const TemporaryDirectory directory;
    Config config = Guest::with_stream(0, pipe.reader.get());
    config.stdin_nonblock = StdinNonblock::on;
    config.directories.push_back({directory.path(), "/", false});
    config.allow_net = {"*"};
    Guest guest(std::move(config));
    const u64 values[] = {0, 1, 3, 64, 0x7fff'ffff, 0x8000'0000, 0xffff'fff0, 0xffff'ffff, ~u64{0}, u64{1} << 63};
    for (const Import& import : imports()) {
        if (import.name == "poll_oneoff" || import.name == "epoll_oneoff") continue;  // may wait for ever, rightly: see poll_test.cpp
        for (unsigned seed = 0; seed < 400; ++seed) {
            wasm::V128 arguments[9];
            unsigned state = seed * 2654435761u;
            for (wasm::V128& argument : arguments) {
                state = state * 1664525u + 1013904223u;
                argument = {values[(state >> 16) % std::size(values)], 0};
            }
            guest.interrupt = 1;  // what would wait ends
            static_cast<void>(import.invoke(guest.call(), arguments));
        }
    }
}

}  // namespace
}  // namespace pollux::wasi
