#include "tests/codegen/arm64/runner.h"

#include <signal.h>
#include <sys/mman.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#if defined(__aarch64__)
#include <ucontext.h>
#endif

namespace pollux::arm64::test {

using namespace words;

CodeMemory::CodeMemory(std::size_t bytes) : bytes_(bytes) {
    void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    EXPECT_NE(mapped, MAP_FAILED);
    data_ = static_cast<std::uint8_t*>(mapped);
}

CodeMemory::~CodeMemory() { munmap(data_, bytes_); }

CodeBuffer CodeMemory::buffer(std::size_t offset, std::size_t bytes) const {
    return {data_ + offset, std::min(bytes, bytes_ - offset), reinterpret_cast<std::uint64_t>(data_ + offset)};
}

void CodeMemory::flush(std::size_t bytes) const { arm64_backend().flush_instruction_cache(reinterpret_cast<std::uint64_t>(data_), bytes); }

namespace {

CodeMemory& sequence_memory() {
    static CodeMemory memory(std::size_t{24} << 20);
    return memory;
}

/// The sequence that is running, for the signal handler.
struct Running {
    std::uint64_t begin = 0;
    std::uint64_t exit = 0;
    const ScratchVector<Site>* sites = nullptr;
    TrapCode trap = TrapCode::none;
};
Running running;

#if defined(__aarch64__)
void on_signal(int, siginfo_t*, void* context) {
    auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
    running.trap = TrapCode::host_error;  // no site
    for (const Site& site : *running.sites) {
        if (site.kind() != Site::Kind::trap || running.begin + site.code_offset != machine.pc) continue;
        running.trap = site.trap() == TrapCode::status ? static_cast<TrapCode>(machine.regs[0]) : site.trap();
    }
    machine.pc = running.exit;
}

void install_handler() {
    static const bool installed = [] {
        struct sigaction action{};
        action.sa_sigaction = on_signal;
        action.sa_flags = SA_SIGINFO | SA_NODEFER;
        for (const int signal : {SIGILL, SIGSEGV, SIGBUS}) sigaction(signal, &action, nullptr);
        return true;
    }();
    static_cast<void>(installed);
}
#endif

constexpr std::int32_t kSaved = 256;
constexpr std::int32_t kStatePointer = 144;
constexpr std::int32_t kStateVectors = offsetof(State, fp);

bool is_state_register(unsigned r) { return r < 16 || (r >= 19 && r <= 26); }

}  // namespace

Sequence::Context& Sequence::context() {
    static Context context;
    if (context.header.store == nullptr) {
        context.header.store = &context.store;
        context.header.memory0_base = guest_memory();
        context.memory.base = guest_memory();
        context.memory.length = kGuestBytes;
        context.memories[0] = &context.memory;
    }
    return context;
}

std::uint8_t* Sequence::guest_memory() {
    static std::uint8_t* memory = [] {
        void* mapped = mmap(nullptr, std::size_t{3} << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        mprotect(mapped, kGuestBytes, PROT_READ | PROT_WRITE);
        return static_cast<std::uint8_t*>(mapped);
    }();
    return memory;
}

Sequence::Sequence(const std::function<void(Masm&)>& emit, Branches branches) {
    static Masm masm;
    const bool shortest = branches == Branches::shortest;
    masm.begin(environment_, sequence_memory().buffer(0, shortest ? std::size_t{30} << 10 : ~std::size_t{0}), shortest ? 8 : 1 << 20,
               output_);
    const std::int32_t frame = kSlotBytes + kSaved;
    masm.put(stp(kFp, kLr, kSp, -16, Pair::pre));
    masm.put(mov_from_sp(kFp));
    masm.put_add(kSp, kSp, -frame);
    for (unsigned r = 19; r < 29; r += 2) masm.put(stp(r, r + 1, kSp, static_cast<std::int32_t>(r - 19) * 8));
    for (unsigned r = 8; r < 16; r += 2) masm.put(stp_d(r, r + 1, kSp, 80 + static_cast<std::int32_t>(r - 8) * 8));
    masm.put(access(kStrX, 0, kSp, kStatePointer));
    masm.put(words::mov(Width::w64, kX28, 1));
    masm.put(words::mov(Width::w64, kX27, 2));
    masm.put(words::mov(Width::w64, kX16, 0));
    for (unsigned r = 0; r < 30; ++r) masm.put(access(kLdrQ, r, kX16, kStateVectors + static_cast<std::int32_t>(r) * 16));
    for (unsigned r = 0; r < 32; ++r) {
        if (is_state_register(r)) masm.put(access(kLdrX, r, kX16, static_cast<std::int32_t>(r) * 8));
    }
    emit(masm);
    exit_ = masm.position();
    masm.put_add(kSp, kFp, -frame);
    masm.put(access(kLdrX, kX16, kSp, kStatePointer));
    for (unsigned r = 0; r < 30; ++r) masm.put(access(kStrQ, r, kX16, kStateVectors + static_cast<std::int32_t>(r) * 16));
    for (unsigned r = 0; r < 32; ++r) {
        if (is_state_register(r)) masm.put(access(kStrX, r, kX16, static_cast<std::int32_t>(r) * 8));
    }
    for (unsigned r = 19; r < 29; r += 2) masm.put(ldp(r, r + 1, kSp, static_cast<std::int32_t>(r - 19) * 8));
    for (unsigned r = 8; r < 16; r += 2) masm.put(ldp_d(r, r + 1, kSp, 80 + static_cast<std::int32_t>(r - 8) * 8));
    masm.put(mov_to_sp(kFp));
    masm.put(ldp(kFp, kLr, kSp, 16, Pair::post));
    masm.put(ret());
    masm.finish(0);
    EXPECT_FALSE(masm.encoding_failed());
    EXPECT_FALSE(masm.overflowed());
    sequence_memory().flush(masm.position());
}

TrapCode Sequence::run([[maybe_unused]] State& state) {
#if defined(__aarch64__)
    install_handler();
    const std::uint64_t begin = sequence_memory().buffer().execute;
    running = {begin, begin + exit_, &output_.sites, TrapCode::none};
    reinterpret_cast<void (*)(State*, Context*, std::uint8_t*)>(begin)(&state, &context(), guest_memory());
    return running.trap;
#else
    ADD_FAILURE() << "cannot execute";
    return TrapCode::none;
#endif
}

State scrambled() {
    State state;
    std::mt19937_64 random(42);
    for (auto& value : state.gp) value = random();
    for (auto& value : state.fp) value = {random(), random()};
    return state;
}

TrapCode run_checked(Sequence& sequence, State& state, RegSet written) {
    const State before = state;
    const TrapCode trap = sequence.run(state);
    for (std::uint8_t r = 0; r < 32; ++r) {
        if (is_state_register(r) && !written.has(gp(r))) {
            EXPECT_EQ(state.gp[r], before.gp[r]) << "clobbers x" << int{r};
        }
        if (r < 30 && !written.has(fp(r))) {
            EXPECT_EQ(state.fp[r], before.fp[r]) << "clobbers v" << int{r};
        }
    }
    return trap;
}

const std::vector<std::uint64_t> kIntegers = {0,
                                              1,
                                              2,
                                              3,
                                              7,
                                              8,
                                              15,
                                              16,
                                              31,
                                              32,
                                              33,
                                              63,
                                              64,
                                              65,
                                              127,
                                              128,
                                              255,
                                              256,
                                              4095,
                                              4096,
                                              0x7fff,
                                              0x8000,
                                              0xffff,
                                              0x10000,
                                              0x7fff'ffff,
                                              0x8000'0000,
                                              0x8000'0001,
                                              0xffff'fffe,
                                              0xffff'ffff,
                                              0x1'0000'0000,
                                              0x1'0000'0001,
                                              0x7fff'ffff'ffff'ffff,
                                              0x8000'0000'0000'0000,
                                              0x8000'0000'0000'0001,
                                              0xffff'ffff'8000'0000,
                                              0xffff'ffff'ffff'fffe,
                                              0xffff'ffff'ffff'ffff,
                                              0x0123'4567'89ab'cdef,
                                              0xdead'beef'cafe'f00d};

const std::vector<double> kDoubles = [] {
    using Limits = std::numeric_limits<double>;
    std::vector<double> values = {0.0,
                                  0.4,
                                  0.5,
                                  0.6,
                                  0.9999999999999999,
                                  1.0,
                                  1.5,
                                  2.0,
                                  2.5,
                                  3.5,
                                  1e10,
                                  1e20,
                                  1e300,
                                  2147483647.0,
                                  2147483647.5,
                                  2147483648.0,
                                  2147483649.0,
                                  4294967295.0,
                                  4294967295.5,
                                  4294967296.0,
                                  9223372036854774784.0,
                                  9223372036854775808.0,
                                  18446744073709549568.0,
                                  18446744073709551616.0,
                                  16777216.0,
                                  16777217.0,
                                  Limits::denorm_min(),
                                  Limits::min(),
                                  Limits::max(),
                                  static_cast<double>(std::numeric_limits<float>::max()),
                                  static_cast<double>(std::numeric_limits<float>::denorm_min()),
                                  Limits::infinity(),
                                  Limits::quiet_NaN(),
                                  std::bit_cast<double>(0x7ff0'0000'0000'0001U),
                                  std::bit_cast<double>(0x7ff8'dead'beef'0001U)};
    const std::size_t count = values.size();
    for (std::size_t i = 0; i < count; ++i)
        values.push_back(std::bit_cast<double>(std::bit_cast<std::uint64_t>(values[i]) ^ std::uint64_t{1} << 63));
    return values;
}();

const std::vector<wasm::V128> kVectors = [] {
    std::vector<wasm::V128> values = {
        {0, 0},
        {~std::uint64_t{0}, ~std::uint64_t{0}},
        {0x8080'8080'8080'8080, 0x8080'8080'8080'8080},
        {0x7f7f'7f7f'7f7f'7f7f, 0x7f7f'7f7f'7f7f'7f7f},
        {0x8000'8000'8000'8000, 0x8000'8000'8000'8000},
        {0x7fff'7fff'7fff'7fff, 0x7fff'7fff'7fff'7fff},
        {0x8000'0000'8000'0000, 0x7fff'ffff'7fff'ffff},
        {0x8000'0000'0000'0000, 0x7fff'ffff'ffff'ffff},
        {1, 0},
        {0, 1},
        {0x0706'0504'0302'0100, 0x0f0e'0d0c'0b0a'0908},
        {0x1011'1213'ff0f'1e00, 0x80ff'0001'0203'0410},
        {0x7fc0'0000'3f80'0000, 0xbf00'0000'4f00'0000},   // f32: 1, NaN, 2^31, -0.5
        {0x0000'0000'8000'0000, 0xff80'0000'7f80'0000},   // f32: -0, 0, inf, -inf
        {0xcf00'0000'cf00'0001, 0x4f80'0000'7f80'0001},   // f32: around -2^31, sNaN, 2^32
        {0x3fff'ffff'4020'0000, 0xc020'0000'bfc0'0000},   // f32: 2.5, 2-, -1.5, -2.5
        {0x3ff8'0000'0000'0000, 0xc004'0000'0000'0000},   // f64: 1.5, -2.5
        {0x7ff8'0000'0000'0000, 0x7ff0'0000'0000'0000},   // f64: NaN, inf
        {0x8000'0000'0000'0000, 0x0000'0000'0000'0000},   // f64: -0, 0
        {0x41e0'0000'0000'0000, 0xc1e0'0000'0020'0000},   // f64: 2^31, -2^31 - 1
        {0x41f0'0000'0000'0000, 0x43e0'0000'0000'0000},   // f64: 2^32, 2^63
        {0xfff0'0000'0000'0001, 0xbff0'0000'0000'0000},   // f64: sNaN, -1
    };
    std::mt19937_64 random(7);
    for (int i = 0; i < 6; ++i) values.push_back({random(), random()});
    return values;
}();

}  // namespace pollux::arm64::test
