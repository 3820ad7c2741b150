// The heap of a store: structs, arrays, exceptions. Objects never move and are freed by a mark-sweep collector.
//
//   | block | block | block … |  one reservation of the limit's size, blocks of 32 KiB: cells of one size, or part of a large object
//
// Nothing is written into free cells. A block has two bitmaps: `allocated` (cells handed out) and `marked`; after marking, the one becomes
// the other, and that was the sweep. Whether a word is the address of an object, or points into one, is a subtraction, a multiplication and
// a bit test: what the conservative scan of stacks asks for each word.
//
// Small objects are taken from windows: runs of free cells, zeroed, that belong to one fiber (AllocationWindows), so that generated code
// may be preempted anywhere in an allocation. Cells of a window count as allocated.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "jit/abi/layout.h"
#include "jit/base/error.h"
#include "jit/base/mapping.h"

namespace pollux {

class Store;

/// What a heap has done so far. Times in nanoseconds.
struct GcStatistics {
    std::uint64_t collections = 0;
    std::uint64_t allocated_bytes = 0;  ///< handed out, in cells and windows
    std::uint64_t live_bytes = 0;  ///< after the last collection
    std::uint64_t longest_pause = 0;
    std::uint64_t total_pause = 0;
};

class GcHeap {
public:
    static constexpr std::uint32_t kBlockBytes = 32 * 1024;

    /// `limit`: bytes of all blocks; `stress`: a collection before every allocation. Reserves nothing yet.
    GcHeap(Store& store, std::uint64_t limit, bool stress) noexcept : store_(store), limit_(limit), stress_(stress) {}
    GcHeap(const GcHeap&) = delete;
    GcHeap& operator=(const GcHeap&) = delete;

    /// An object, zeroed behind its header; null: the limit is reached, or the system has no memory. May collect: everything that is to
    /// stay must be on a fiber's stack, or in a root. `bytes`: of the whole, at least type.bytes.
    [[nodiscard]] Object* allocate(const wasm::ObjectType& type, std::uint64_t bytes);
    [[nodiscard]] ArrayObject* allocate_array(const wasm::ObjectType& type, std::uint32_t length);

    /// Frees what cannot be reached. On the store's thread.
    void collect();

    /// The object that `address` points to or into; null if there is none.
    [[nodiscard]] Object* find(std::uint64_t address) const noexcept;

    /// While one exists, nothing is collected: for objects that are in no root yet.
    class Pause {
    public:
        explicit Pause(GcHeap& heap) noexcept : heap_(heap) { ++heap_.paused_; }
        Pause(const Pause&) = delete;
        Pause& operator=(const Pause&) = delete;
        ~Pause() { --heap_.paused_; }

    private:
        GcHeap& heap_;
    };

    /// A place whose reference counts as a root until it is given back.
    [[nodiscard]] std::uint64_t* add_root(std::uint64_t reference);
    void remove_root(std::uint64_t* root) noexcept;

    [[nodiscard]] GcStatistics statistics() const noexcept {
        GcStatistics now = statistics_;
        now.allocated_bytes += since_collection_;
        return now;
    }

private:
    friend class Marker;

    static constexpr std::uint32_t kWindowBytes = 4096;  ///< of a window: zeroed at once, so no larger than what a cache keeps
    static constexpr std::uint32_t kMaxCellBytes = 16 * 1024;
    static constexpr std::uint32_t kSizeClasses = 43;
    static constexpr std::uint32_t kMaxCells = kBlockBytes / AllocationWindows::kMinBytes;
    static constexpr std::uint32_t kNoBlock = ~std::uint32_t{0};
    static constexpr std::uint64_t kLeastThreshold = std::uint64_t{4} << 20;

    struct Block {
        enum class Use : std::uint8_t { free, cells, large, large_rest };
        Use use = Use::free;
        std::uint8_t size_class = 0;
        std::uint16_t cells = 0;
        std::uint32_t cell_bytes = 0;
        std::uint32_t reciprocal = 0;  ///< cell of an offset: offset * reciprocal >> 32
        std::uint32_t clean_from = 0;  ///< bytes from here on are zero
        std::uint32_t blocks = 0;  ///< large: how many; large_rest: how many blocks after the first
    };
    struct Bits {
        std::array<std::uint64_t, kMaxCells / 64> allocated, marked;
    };
    /// A place: a block, and a cell in it (0 for large objects).
    struct Place {
        std::uint32_t block = kNoBlock;
        std::uint32_t cell = 0;
    };
    struct SizeClass {
        std::uint32_t current = kNoBlock;  ///< block that cells are taken from, from `cursor` on
        std::uint32_t cursor = 0;
        std::vector<std::uint32_t> partial;  ///< blocks with free cells, the next one last
    };

    [[nodiscard]] static std::uint32_t size_class(std::uint32_t bytes) noexcept;
    [[nodiscard]] static std::uint32_t class_bytes(std::uint32_t size_class) noexcept;
    [[nodiscard]] std::uint8_t* address(Place place) const noexcept {
        return memory_.data() + std::uint64_t{place.block} * kBlockBytes + std::uint64_t{place.cell} * blocks_[place.block].cell_bytes;
    }
    [[nodiscard]] bool place_of(std::uint64_t word, Place& place) const noexcept;
    [[nodiscard]] bool reserve();
    [[nodiscard]] std::uint8_t* take(std::uint64_t bytes);
    [[nodiscard]] std::uint8_t* take_small(std::uint32_t index);
    [[nodiscard]] std::uint8_t* take_cells(std::uint32_t size_class, std::uint32_t wanted, std::uint32_t& got);
    [[nodiscard]] std::uint8_t* take_large(std::uint64_t bytes);
    [[nodiscard]] std::uint32_t take_blocks(std::uint32_t count);
    [[nodiscard]] bool commit(std::uint32_t blocks);
    void clear(std::uint32_t block, std::uint32_t begin, std::uint32_t end) noexcept;
    void clear_marks() noexcept;
    void mark_window(const AllocationWindow& window) noexcept;
    void sweep();
    [[nodiscard]] std::uint64_t sweep_cells(std::uint32_t block) noexcept;
    [[nodiscard]] std::uint64_t sweep_large(std::uint32_t block) noexcept;

    Store& store_;
    std::uint64_t limit_;
    bool stress_;
    int paused_ = 0;
    Mapping memory_;
    Mapping block_memory_, bit_memory_;  ///< untouched parts cost nothing
    Block* blocks_ = nullptr;
    Bits* bits_ = nullptr;
    std::uint32_t capacity_ = 0;  ///< blocks
    std::uint32_t used_ = 0;  ///< blocks below were in use once
    std::uint32_t committed_ = 0;  ///< blocks below can be accessed
    std::uint32_t lowest_free_ = 0;  ///< no block below is free
    std::array<SizeClass, kSizeClasses> classes_;
    std::uint64_t since_collection_ = 0;
    std::uint64_t threshold_ = kLeastThreshold;
    std::vector<std::uint64_t> mark_stack_;
    std::deque<std::uint64_t> roots_;
    std::vector<std::uint64_t*> free_roots_;
    GcStatistics statistics_;
};

/// A reference that the host keeps alive. Must not outlive the store.
class GcRoot {
public:
    GcRoot(Store& store, std::uint64_t reference);
    GcRoot(GcRoot&& other) noexcept : heap_(other.heap_), place_(std::exchange(other.place_, nullptr)) {}
    GcRoot& operator=(GcRoot&& other) noexcept;
    GcRoot(const GcRoot&) = delete;
    GcRoot& operator=(const GcRoot&) = delete;
    ~GcRoot();
    [[nodiscard]] std::uint64_t reference() const noexcept { return *place_; }

private:
    GcHeap* heap_;
    std::uint64_t* place_;
};

}  // namespace pollux
