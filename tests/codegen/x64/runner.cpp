#include "tests/codegen/x64/runner.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cstdlib>
#include <cstring>

#include "backends/x64/disasm.h"
#include "backends/x64/stubs.h"

namespace pollux::x64::test {

namespace {

const Runner* g_running = nullptr;
Runner* g_runner = nullptr;
EntryRecord* g_record = nullptr;

/// Turns a fault in tested code into trap_exit of the running entry.
void on_signal(int signal, siginfo_t* /*info*/, void* raw) {
    auto* const context = static_cast<ucontext_t*>(raw);
    auto* const registers = context->uc_mcontext.gregs;
    const auto pc = static_cast<std::uint64_t>(registers[REG_RIP]);
    const Site* const site = g_running == nullptr ? nullptr : g_running->trap_site(pc);
    if (site == nullptr) {
        ::signal(signal, SIG_DFL);
        return;
    }
    const auto code = site->trap() == TrapCode::status ? static_cast<TrapCode>(registers[REG_RAX]) : site->trap();
    registers[REG_RDI] = static_cast<greg_t>(reinterpret_cast<std::uintptr_t>(g_record));
    registers[REG_RSI] = static_cast<greg_t>(code);
    registers[REG_RIP] = static_cast<greg_t>(reinterpret_cast<std::uintptr_t>(g_running->stubs().trap_exit));
}

void install_handlers() {
    struct sigaction action{};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    for (const int signal : {SIGILL, SIGSEGV, SIGFPE, SIGBUS}) sigaction(signal, &action, nullptr);
}

[[noreturn]] void unexpected() { std::abort(); }

constexpr RegSet kCompared = Masm::kTemporaries | RegSet::of(kRsi, kR8, kR9, kR10, kRbx, kR12, kR13) |
                             RegSet::of(fp(6), fp(7), fp(8), fp(9), fp(10), fp(11), fp(12), fp(13));

}  // namespace

StubTargets unused_targets() {
    StubTargets targets;
    targets.helpers.fill(reinterpret_cast<const void*>(&unexpected));
    targets.preempt = [](StoreContext*) -> std::uint32_t { unexpected(); };
    targets.lazy_compile = [](InstanceHeader*, std::uint32_t) -> const void* { unexpected(); };
    targets.pending_trap = [](StoreContext*) -> std::uint32_t { unexpected(); };
    return targets;
}

std::vector<CpuFeatures> feature_sets() {
    const CpuFeatures& all = host_features();
    std::vector<CpuFeatures> sets = {CpuFeatures{}, all};
    CpuFeatures avx;
    avx.avx = all.avx;
    if (avx != sets[0] && avx != all) sets.push_back(avx);
    return sets;
}

std::string describe(const CpuFeatures& features) {
    std::string text = "baseline";
    if (features.avx) text += " avx";
    if (features.avx2) text += " avx2";
    if (features.fma) text += " fma";
    if (features.bmi1) text += " bmi1";
    if (features.bmi2) text += " bmi2";
    if (features.lzcnt) text += " lzcnt";
    return text;
}

Runner::Runner(const CpuFeatures& features) : masm_(features), block_(std::make_unique<Block>()) {
    install_handlers();
    void* const memory = mmap(nullptr, kCodeBytes + kStubBytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    code_ = static_cast<std::uint8_t*>(memory);
    const StubTargets targets = unused_targets();
    std::uint8_t* const stub_code = code_ + kCodeBytes;
    const auto emitted = emit_stubs({stub_code, kStubBytes, reinterpret_cast<std::uint64_t>(stub_code)}, targets, stubs_);
    if (!emitted) std::abort();
    instance_.store = &store_;
    instance_.memory0_base = reinterpret_cast<std::uint8_t*>(block_.get());
}

Runner::~Runner() { munmap(code_, kCodeBytes + kStubBytes); }

void Runner::compile(const std::function<void(Masm&)>& operation, Contains contains) {
    output_.sites.clear();
    output_.relocations.clear();
    output_.not_compiled.clear();
    masm_.begin(environment_, {code_, kCodeBytes, reinterpret_cast<std::uint64_t>(code_)}, 100, output_);
    masm_.prologue();
    const auto for_each = [&](const auto& visit) {
        for (RegSet rest = kCompared; !rest.empty(); rest.remove(rest.first())) visit(rest.first());
    };
    const auto place = [](Reg reg, bool out) {
        const std::size_t state = out ? offsetof(Block, out) : offsetof(Block, in);
        const std::size_t member = reg.is_fp() ? offsetof(State, fp) + 16U * reg.number() : offsetof(State, gp) + 8U * reg.number();
        return Address{Masm::kMemoryBase, kNoReg, static_cast<std::int32_t>(state + member)};
    };
    for_each([&](Reg reg) { masm_.load(reg.is_fp() ? LoadOp::v128 : LoadOp::u64, reg, place(reg, false)); });
    const std::uint32_t begin = masm_.position();
    operation(masm_);
    const std::uint32_t end = masm_.position();
    for_each([&](Reg reg) { masm_.store(reg.is_fp() ? StoreOp::v128 : StoreOp::b64, place(reg, true), reg); });
    masm_.epilogue(0);
    masm_.finish(256);
    ASSERT_FALSE(masm_.overflowed());
    ASSERT_EQ(output_.not_compiled, "");
    if (contains == Contains::data) return;
    const auto decoded = disassemble({code_ + begin, end - begin}, reinterpret_cast<std::uint64_t>(code_) + begin);
    if (!decoded) return;  // without Zydis
    for (const DisassembledInstruction& instruction : *decoded) {
        ASSERT_NE(instruction.text.substr(0, 5), ".byte") << "at " << instruction.offset;
    }
}

TrapCode Runner::run() {
    EntryRecord record;
    EntryArguments arguments;
    store_.entry = &record;
    g_record = &record;
    g_running = this;
    g_runner = this;
    block_->out = {};
    const std::uint32_t code = stubs_.enter(&record, code_, &instance_, &arguments);
    g_running = nullptr;
    return static_cast<TrapCode>(code);
}

const Site* Runner::trap_site(std::uint64_t pc) const noexcept {
    const std::uint64_t offset = pc - reinterpret_cast<std::uint64_t>(code_);
    for (const Site& site : output_.sites) {
        if (site.kind() == Site::Kind::trap && site.code_offset == offset) {
            g_runner->trap_wasm_offset_ = site.wasm_offset(0);
            return &site;
        }
    }
    return nullptr;
}

RegSet Runner::clobbered(RegSet changed) const {
    RegSet result;
    for (RegSet rest = kCompared - changed; !rest.empty(); rest.remove(rest.first())) {
        const Reg reg = rest.first();
        const std::size_t n = reg.number();
        const bool same = reg.is_fp() ? block_->in.fp[n] == block_->out.fp[n] : block_->in.gp[n] == block_->out.gp[n];
        if (!same) result.add(reg);
    }
    return result;
}

void fill(Runner& runner) {
    for (std::size_t i = 0; i < 16; ++i) {
        runner.block().in.gp[i] = 0x1111'1111'1111'1111 * (i + 1);
        runner.block().in.fp[i] = {0x0101'0101'0101'0101 * i, ~(0x0101'0101'0101'0101 * i)};
    }
    for (std::size_t i = 0; i < runner.block().memory.size(); ++i) runner.block().memory[i] = static_cast<std::uint8_t>(0x80 + 7 * i);
}

}  // namespace pollux::x64::test
