// Every switch of an experiment: its default, and what it does to speed or memory. None has an effect on correctness.
//
// Benchmarks and tests set members of `tuning` before the first Engine is made; nothing changes them afterwards.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pollux {

struct Tuning {
    /// Code: a comparison waits for its br_if, if or select. Off: it is made 0 or 1, then tested.
    bool fuse_comparisons = true;
    /// Code: a shift by 1 to 3 waits for its addition. Off: an instruction more.
    bool fuse_shifts = true;
    /// Code, x86-64: a load waits for the arithmetic that comes next, as its memory operand. Off: an instruction and a register more.
    bool fuse_loads = true;
    /// Code, x86-64: no test before a branch on a value whose arithmetic has just set the flags. Off: an instruction more.
    bool reuse_flags = true;
    /// Code: a result is computed in the home of the local that the next instruction sets. Off: a move more.
    bool choose_destinations = true;
    /// Code: a look at a loop's body decides what its header keeps in homes. Off: everything, and nothing where it calls.
    bool scan_loops = true;
    /// Compilation: CompileMode::automatic is lazy from modules of so many bytes on. For less, what lazy compilation needs (a second
    /// view of the code, thunks, validation apart) costs more than compiling what is never called.
    std::size_t lazy_from_bytes = 64 * 1024;
    /// Compilation: bytes of function bodies that a thread takes at a time. Smaller balances better, larger locks less.
    std::size_t compile_batch_bytes = 32 * 1024;
    /// Compilation: no second thread for a module whose code section has fewer bytes per thread; a thread costs about 50 µs to start.
    std::size_t bytes_per_thread = 64 * 1024;
    /// Code memory: bytes that a compiling thread takes from the module's region at a time.
    std::size_t code_chunk_bytes = 256 * 1024;
    /// Code memory: huge pages for modules with at least this many bytes of code section. Zeroing 4 KiB pages one by one costs
    /// 0.44 ns a byte, huge pages 0.05; but a small module would zero 2 MiB for nothing.
    std::size_t huge_page_threshold = 1024 * 1024;
    /// Code memory: bytes of pages that an engine keeps of modules that are gone, for the next ones; the kernel may take them back. A kept
    /// page saves its fault and its zeroing. Enough for the code of a module of 100 MB, not so much that address space would matter.
    std::size_t pooled_code_bytes = std::size_t{64} << 20;
    /// Modules that arrive piece by piece: address space for their bytes, and so the largest that is taken; and bytes of wasm for whose
    /// code address space is reserved. Address space costs nothing, but under qemu-user: a reservation takes 6 MiB for each GiB there.
    std::size_t stream_reservation = 0xFFFF'FFFF;
    std::size_t stream_expected_bytes = std::size_t{32} << 20;
    /// Memories: slots of 8 GiB kept for reuse. A kept slot saves the mmap, munmap and page-table work of a new one.
    std::size_t pooled_memory_slots = 16;
    /// Fibers: stacks kept for reuse.
    std::size_t pooled_stacks = 256;
    /// Fibers: stacks kept with all the memory that their guests touched; of the others all but the top is given back to the system, a
    /// madvise each.
    std::size_t hot_stacks = 16;
};

inline Tuning tuning;

}  // namespace pollux
