#include "tools/pollux/options.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

namespace pollux::cli {
namespace {

Result<RunOptions> parse(std::initializer_list<const char*> words) {
    const std::vector<const char*> all(words);
    return parse_run_options(all);
}

TEST(Options, Durations) {
    EXPECT_EQ(parse_duration("2"), 2'000'000'000U);
    EXPECT_EQ(parse_duration("1.5s"), 1'500'000'000U);
    EXPECT_EQ(parse_duration("200ms"), 200'000'000U);
    EXPECT_EQ(parse_duration("10us"), 10'000U);
    EXPECT_EQ(parse_duration("7ns"), 7U);
    EXPECT_EQ(parse_duration("5m"), 300'000'000'000U);
    EXPECT_EQ(parse_duration("1h"), 3'600'000'000'000U);
    EXPECT_EQ(parse_duration("0"), 0U);
    for (const char* wrong : {"", "s", "1d", "-1s", "1 s", "1e400", "nan", "inf", "1s2", "99999999999999999999h"}) {
        EXPECT_EQ(parse_duration(wrong), std::nullopt) << wrong;
    }
}

TEST(Options, Sizes) {
    EXPECT_EQ(parse_size("65536"), 65536U);
    EXPECT_EQ(parse_size("64k"), 65536U);
    EXPECT_EQ(parse_size("64KiB"), 65536U);
    EXPECT_EQ(parse_size("1.5M"), 1572864U);
    EXPECT_EQ(parse_size("4GiB"), std::uint64_t{4} << 30);
    for (const char* wrong : {"", "k", "1X", "-1", "1MB2", "9999999999T"}) EXPECT_EQ(parse_size(wrong), std::nullopt) << wrong;
}

TEST(Options, StopAtTheModule) {
    const auto options = parse({"--dir", "a::b", "--env=X=1", "file.wasm", "--dir", "-W", "--"});
    ASSERT_TRUE(options.has_value());
    EXPECT_EQ(options->file, "file.wasm");
    EXPECT_EQ(options->arguments, (std::vector<std::string>{"--dir", "-W", "--"}));
    ASSERT_EQ(options->directories.size(), 1U);
    EXPECT_EQ(options->directories[0].host, "a");
    EXPECT_EQ(options->directories[0].guest, "b");
    EXPECT_EQ(options->environment, (std::vector<std::pair<std::string, std::string>>{{"X", "1"}}));
}

TEST(Options, DoubleDashEndsThem) {
    const auto options = parse({"--trace", "--", "--odd-name.wasm", "x"});
    ASSERT_TRUE(options.has_value());
    EXPECT_EQ(options->file, "--odd-name.wasm");
    EXPECT_TRUE(options->trace);
}

TEST(Options, Groups) {
    const auto options = parse({"-W", "fuel=10,timeout=1s,simd=n", "-Wmax-memory-size=1GiB", "-S", "inherit-env", "-Omode=eager", "-"});
    ASSERT_FALSE(options.has_value());
    EXPECT_NE(options.error().message.find("'mode'"), std::string::npos);
    EXPECT_EQ(options.error().kind, ErrorKind::usage);

    const auto good = parse({"-W", "fuel=10,timeout=1s,simd=n", "-Wmax-memory-size=1GiB", "-S", "inherit-env", "-Cmode=eager", "-"});
    ASSERT_TRUE(good.has_value());
    EXPECT_EQ(good->fuel, 10U);
    EXPECT_EQ(good->timeout, 1'000'000'000U);
    EXPECT_EQ(good->max_memory_size, std::uint64_t{1} << 30);
    EXPECT_FALSE(good->features.has(wasm::Feature::simd));
    EXPECT_TRUE(good->features.has(wasm::Feature::bulk_memory));
    EXPECT_TRUE(good->inherit_environment);
    EXPECT_EQ(good->compile_mode, CompileMode::eager);
    EXPECT_EQ(good->file, "-");
}

TEST(Options, Features) {
    const auto plain = parse({"-"});
    ASSERT_TRUE(plain.has_value());
    EXPECT_TRUE(plain->features.has(wasm::Feature::threads));
    EXPECT_FALSE(plain->features.has(wasm::Feature::wide_arithmetic));
    EXPECT_FALSE(plain->relaxed_simd_deterministic);
    const auto some = parse({"-W", "threads=n,wide-arithmetic,relaxed-simd-deterministic=y", "-"});
    ASSERT_TRUE(some.has_value());
    EXPECT_FALSE(some->features.has(wasm::Feature::threads));
    EXPECT_TRUE(some->features.has(wasm::Feature::wide_arithmetic));
    EXPECT_TRUE(some->relaxed_simd_deterministic);
    const auto all = parse({"-Wall-proposals", "-"});
    ASSERT_TRUE(all.has_value());
    EXPECT_EQ(all->features, wasm::FeatureSet::all());
    EXPECT_FALSE(parse({"-W", "custom-descriptors", "-"}).has_value());
}

TEST(Options, EveryOptionIsInTheHelp) {
    const std::string help = run_help();
    for (const char* word :
         {"--dir",          "--dir-ro",         "--env",      "--argv0",   "--invoke", "--preload", "--timeout", "--fuel", "--stdin",
          "--tty",          "--on-broken-pipe", "--trace",    "--profile", "-W ",      "-S ",       "-O ",       "-C ",    "-D ",
          "max-wasm-stack", "tail-call",        "exit status"}) {
        EXPECT_NE(help.find(word), std::string::npos) << word;
    }
}

}  // namespace
}  // namespace pollux::cli
