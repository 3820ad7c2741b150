#include "jit/runtime/gc_heap.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "jit/runtime/fiber.h"
#include "jit/runtime/store.h"

namespace pollux {
namespace {

constexpr std::uint64_t kMaxHeapBytes = std::uint64_t{256} << 30;
constexpr std::uint32_t kCommitBlocks = 32;
/// Freed large objects of this many blocks give their memory back to the system.
constexpr std::uint32_t kDiscardBlocks = 32;
constexpr std::uint32_t kSmallClasses = std::tuple_size_v<decltype(AllocationWindows::by_size)>;

/// The first bit of value `wanted` in [from, end), or end.
std::uint32_t find_bit(const std::uint64_t* words, std::uint32_t from, std::uint32_t end, bool wanted) noexcept {
    while (from < end) {
        const std::uint64_t word = wanted ? words[from / 64] : ~words[from / 64];
        if (const std::uint64_t rest = word >> from % 64; rest != 0)
            return std::min(end, from + static_cast<std::uint32_t>(std::countr_zero(rest)));
        from = (from / 64 + 1) * 64;
    }
    return end;
}

void set_bits(std::uint64_t* words, std::uint32_t begin, std::uint32_t end) noexcept {
    for (; begin < end; ++begin) words[begin / 64] |= std::uint64_t{1} << begin % 64;
}

}  // namespace

// --- sizes -----------------------------------------------------------------------------------------------------------------
//
// Up to 128 bytes in steps of 8, then four sizes to each doubling: 160, 192, 224, 256, 320 … 16384.

std::uint32_t GcHeap::size_class(std::uint32_t bytes) noexcept {
    if (bytes <= AllocationWindows::kMaxBytes) return AllocationWindows::index(bytes);
    const auto log2 = static_cast<std::uint32_t>(std::bit_width(bytes - 1)) - 1;  // 2^log2 < bytes <= 2^(log2 + 1)
    const std::uint32_t step = 1U << (log2 - 2);
    return kSmallClasses + (log2 - 7) * 4 + (bytes - (1U << log2) + step - 1) / step - 1;
}

std::uint32_t GcHeap::class_bytes(std::uint32_t size_class) noexcept {
    if (size_class < kSmallClasses) return AllocationWindows::cell_bytes(size_class);
    const std::uint32_t log2 = (size_class - kSmallClasses) / 4 + 7;
    return (1U << log2) + ((size_class - kSmallClasses) % 4 + 1) * (1U << (log2 - 2));
}

// --- blocks ----------------------------------------------------------------------------------------------------------------

bool GcHeap::reserve() {
    if (capacity_ != 0) return true;
    // Where address space is short the heap is smaller than its limit.
    for (std::uint64_t bytes = std::min(limit_, kMaxHeapBytes); bytes >= kBlockBytes; bytes /= 2) {
        const std::uint64_t blocks = bytes / kBlockBytes;
        const auto table = [&](std::size_t entry) {
            auto mapping = Mapping::reserve(blocks * entry, "a heap's block table");
            if (mapping && !mapping->protect(0, mapping->size(), PROT_READ | PROT_WRITE, "a heap's block table")) *mapping = {};
            return mapping && *mapping ? std::move(*mapping) : Mapping();
        };
        auto memory = Mapping::reserve(blocks * kBlockBytes, "a heap");
        Mapping block_memory = table(sizeof(Block));
        Mapping bit_memory = table(sizeof(Bits));
        if (!memory || !block_memory || !bit_memory) continue;
        memory_ = std::move(*memory);
        block_memory_ = std::move(block_memory);
        bit_memory_ = std::move(bit_memory);
        blocks_ = reinterpret_cast<Block*>(block_memory_.data());  // all zero: Use::free, clean
        bits_ = reinterpret_cast<Bits*>(bit_memory_.data());
        capacity_ = static_cast<std::uint32_t>(blocks);
        return true;
    }
    return false;
}

bool GcHeap::commit(std::uint32_t blocks) {
    if (blocks <= committed_) return true;
    const std::uint32_t end = std::min(capacity_, (blocks + kCommitBlocks - 1) / kCommitBlocks * kCommitBlocks);
    const std::size_t from = std::size_t{committed_} * kBlockBytes;
    if (!memory_.protect(from, std::size_t{end} * kBlockBytes - from, PROT_READ | PROT_WRITE, "a heap")) return false;
    committed_ = end;
    return true;
}

/// The first of `count` free blocks in a row, or kNoBlock.
std::uint32_t GcHeap::take_blocks(std::uint32_t count) {
    std::uint32_t begin = lowest_free_;
    std::uint32_t end = begin;
    for (; end < capacity_ && end - begin < count; ++end) {
        if (end < used_ && blocks_[end].use != Block::Use::free) begin = end + 1;
    }
    if (end - begin < count || !commit(end)) return kNoBlock;
    if (begin == lowest_free_) lowest_free_ = end;
    used_ = std::max(used_, end);
    return begin;
}

/// Makes bytes [begin, end) of a block zero; they are handed out.
void GcHeap::clear(std::uint32_t block, std::uint32_t begin, std::uint32_t end) noexcept {
    Block& info = blocks_[block];
    std::uint8_t* const base = memory_.data() + std::size_t{block} * kBlockBytes;
    if (begin < info.clean_from) std::memset(base + begin, 0, std::min(end, info.clean_from) - begin);
    info.clean_from = std::max(info.clean_from, end);
}

// --- allocation --------------------------------------------------------------------------------------------------------------

/// Up to `wanted` free cells in a row, zeroed.
std::uint8_t* GcHeap::take_cells(std::uint32_t size_class, std::uint32_t wanted, std::uint32_t& got) {
    SizeClass& size = classes_[size_class];
    while (true) {
        if (size.current == kNoBlock && !size.partial.empty()) {
            size.current = size.partial.back();
            size.cursor = 0;
            size.partial.pop_back();
        }
        if (size.current == kNoBlock) {
            const std::uint32_t fresh = take_blocks(1);
            if (fresh == kNoBlock) return nullptr;
            Block& block = blocks_[fresh];
            block.use = Block::Use::cells;
            block.size_class = static_cast<std::uint8_t>(size_class);
            block.cell_bytes = class_bytes(size_class);
            block.cells = static_cast<std::uint16_t>(kBlockBytes / block.cell_bytes);
            block.reciprocal = static_cast<std::uint32_t>((std::uint64_t{1} << 32) / block.cell_bytes + 1);
            bits_[fresh].allocated.fill(0);
            size.current = fresh;
            size.cursor = 0;
        }
        const Block& block = blocks_[size.current];
        std::uint64_t* const allocated = bits_[size.current].allocated.data();
        const std::uint32_t begin = find_bit(allocated, size.cursor, block.cells, false);
        if (begin == block.cells) {
            size.current = kNoBlock;
            continue;
        }
        const std::uint32_t end = find_bit(allocated, begin, std::min<std::uint32_t>(block.cells, begin + wanted), true);
        set_bits(allocated, begin, end);
        size.cursor = end;
        clear(size.current, begin * block.cell_bytes, end * block.cell_bytes);
        since_collection_ += std::uint64_t{end - begin} * block.cell_bytes;
        got = end - begin;
        return address({size.current, begin});
    }
}

/// A cell out of the running fiber's window, which gets a new one if it is used up.
std::uint8_t* GcHeap::take_small(std::uint32_t index) {
    const std::uint32_t bytes = AllocationWindows::cell_bytes(index);
    Fiber* fiber = Fiber::current();
    const bool has_window = fiber != nullptr && &fiber->store() == &store_ && !stress_;
    std::uint32_t got = 0;
    if (!has_window) return take_cells(index, 1, got);
    AllocationWindow& window = fiber->windows().by_size[index];
    if (window.next == window.end) {
        const std::uint8_t* cells = take_cells(index, kWindowBytes / bytes, got);
        if (cells == nullptr) return nullptr;
        window.next = reinterpret_cast<std::uint64_t>(cells);
        window.end = window.next + std::uint64_t{got} * bytes;
    }
    window.next += bytes;
    return reinterpret_cast<std::uint8_t*>(window.next - bytes);
}

std::uint8_t* GcHeap::take_large(std::uint64_t bytes) {
    if (bytes > std::uint64_t{capacity_} * kBlockBytes) return nullptr;
    const auto count = static_cast<std::uint32_t>((bytes + kBlockBytes - 1) / kBlockBytes);
    const std::uint32_t first = take_blocks(count);
    if (first == kNoBlock) return nullptr;
    for (std::uint32_t i = 0; i < count; ++i) {
        blocks_[first + i].use = i == 0 ? Block::Use::large : Block::Use::large_rest;
        blocks_[first + i].blocks = i == 0 ? count : i;
        clear(first + i, 0, i + 1 < count ? kBlockBytes : static_cast<std::uint32_t>(bytes - std::uint64_t{i} * kBlockBytes));
    }
    blocks_[first].cell_bytes = 0;
    bits_[first].allocated[0] = 1;
    since_collection_ += std::uint64_t{count} * kBlockBytes;
    return address({first, 0});
}

std::uint8_t* GcHeap::take(std::uint64_t bytes) {
    if (bytes <= AllocationWindows::kMaxBytes) return take_small(AllocationWindows::index(static_cast<std::uint32_t>(bytes)));
    if (bytes > kMaxCellBytes) return take_large(bytes);
    std::uint32_t got = 0;
    return take_cells(size_class(static_cast<std::uint32_t>(bytes)), 1, got);
}

Object* GcHeap::allocate(const wasm::ObjectType& type, std::uint64_t bytes) {
    if (!reserve()) return nullptr;
    if (stress_ || since_collection_ >= threshold_ || bytes >= threshold_) collect();
    std::uint8_t* memory = take(bytes);
    if (memory == nullptr) {
        collect();
        memory = take(bytes);
        if (memory == nullptr) return nullptr;
    }
    auto* object = reinterpret_cast<Object*>(memory);
    object->type = &type;
    return object;
}

ArrayObject* GcHeap::allocate_array(const wasm::ObjectType& type, std::uint32_t length) {
    auto* array = static_cast<ArrayObject*>(allocate(type, type.bytes + (std::uint64_t{length} << type.element_log2)));
    if (array != nullptr) array->length = length;
    return array;
}

// --- objects ---------------------------------------------------------------------------------------------------------------

bool GcHeap::place_of(std::uint64_t word, Place& place) const noexcept {
    const std::uint64_t offset = word - memory_.address();
    if (offset >= std::uint64_t{used_} * kBlockBytes) return false;
    place.block = static_cast<std::uint32_t>(offset / kBlockBytes);
    const Block* block = &blocks_[place.block];
    switch (block->use) {
        case Block::Use::free:  return false;
        case Block::Use::cells: {
            const std::uint64_t in_block = offset % kBlockBytes;
            place.cell = static_cast<std::uint32_t>(in_block * block->reciprocal >> 32);
            return place.cell < block->cells && (bits_[place.block].allocated[place.cell / 64] >> place.cell % 64 & 1) != 0;
        }
        case Block::Use::large_rest: place.block -= block->blocks; break;
        case Block::Use::large:      break;
    }
    place.cell = 0;
    return true;
}

Object* GcHeap::find(std::uint64_t word) const noexcept {
    Place place;
    if (!place_of(word, place)) return nullptr;
    auto* object = reinterpret_cast<Object*>(address(place));
    return object->type != nullptr ? object : nullptr;
}

// --- roots of the host -----------------------------------------------------------------------------------------------------

std::uint64_t* GcHeap::add_root(std::uint64_t reference) {
    if (free_roots_.empty()) return &roots_.emplace_back(reference);
    std::uint64_t* root = free_roots_.back();
    free_roots_.pop_back();
    *root = reference;
    return root;
}

void GcHeap::remove_root(std::uint64_t* root) noexcept {
    *root = 0;
    free_roots_.push_back(root);
}

GcRoot::GcRoot(Store& store, std::uint64_t reference) : heap_(&store.heap()), place_(heap_->add_root(reference)) {}

GcRoot& GcRoot::operator=(GcRoot&& other) noexcept {
    std::swap(heap_, other.heap_);
    std::swap(place_, other.place_);
    return *this;
}

GcRoot::~GcRoot() {
    if (place_ != nullptr) heap_->remove_root(place_);
}

// --- sweeping: what was marked is what is allocated ------------------------------------------------------------------------

void GcHeap::clear_marks() noexcept {
    for (std::uint32_t i = 0; i < used_; ++i) {
        if (blocks_[i].use == Block::Use::cells) std::fill_n(bits_[i].marked.begin(), (blocks_[i].cells + 63) / 64, 0);
        if (blocks_[i].use == Block::Use::large) bits_[i].marked[0] = 0;
    }
}

/// Cells of a window stay allocated: their fiber may be in the middle of taking one.
void GcHeap::mark_window(const AllocationWindow& window) noexcept {
    Place place;
    if (window.next == window.end || !place_of(window.next, place)) return;
    const auto cells = static_cast<std::uint32_t>((window.end - window.next) / blocks_[place.block].cell_bytes);
    set_bits(bits_[place.block].marked.data(), place.cell, place.cell + cells);
}

/// Bytes that stay.
std::uint64_t GcHeap::sweep_cells(std::uint32_t index) noexcept {
    Block& block = blocks_[index];
    Bits& bits = bits_[index];
    std::uint32_t live = 0;
    for (std::uint32_t i = 0; i < (block.cells + 63U) / 64; ++i) {
        live += static_cast<std::uint32_t>(std::popcount(bits.marked[i]));
        bits.allocated[i] = bits.marked[i];
    }
    if (live == 0) {
        block.use = Block::Use::free;
    } else if (live < block.cells) {
        classes_[block.size_class].partial.push_back(index);
    }
    return std::uint64_t{live} * block.cell_bytes;
}

std::uint64_t GcHeap::sweep_large(std::uint32_t index) noexcept {
    const std::uint32_t count = blocks_[index].blocks;
    if (bits_[index].marked[0] != 0) return std::uint64_t{count} * kBlockBytes;
    const bool discarded = count >= kDiscardBlocks;
    if (discarded) memory_.discard(std::size_t{index} * kBlockBytes, std::size_t{count} * kBlockBytes);
    for (std::uint32_t i = index; i < index + count; ++i) blocks_[i] = {.clean_from = discarded ? 0 : blocks_[i].clean_from};
    return 0;
}

void GcHeap::sweep() {
    for (SizeClass& size : classes_) {
        size.current = kNoBlock;
        size.partial.clear();
    }
    std::uint64_t live = 0;
    // Downwards, so that the lowest blocks are used first.
    lowest_free_ = used_;
    for (std::uint32_t i = used_; i-- > 0;) {
        if (blocks_[i].use == Block::Use::cells) live += sweep_cells(i);
        if (blocks_[i].use == Block::Use::large) live += sweep_large(i);
        if (blocks_[i].use == Block::Use::free) lowest_free_ = i;
    }
    statistics_.allocated_bytes += since_collection_;
    statistics_.live_bytes = live;
    since_collection_ = 0;
    threshold_ = std::max(kLeastThreshold, live);
}

}  // namespace pollux
