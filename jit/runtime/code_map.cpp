#include "jit/runtime/code_map.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "jit/runtime/no_sanitize.h"

namespace pollux {
namespace {

constexpr std::uint8_t kLong = 0x80;       ///< byte 1 of a long site; of a short one it is the distance in the body
constexpr std::uint32_t kCodeBits = 0x3f;  ///< of byte 0 of a short site: the distance in the code
constexpr std::uint32_t kTrapBits = 0x1f;  ///< of byte 0 of a long site: the trap's code

constexpr std::size_t kMaxLebBytes = 5;
constexpr std::size_t kMaxSiteBytes = 2 + 2 * kMaxLebBytes;

std::uint8_t* put_leb(std::uint8_t* at, std::uint32_t value) noexcept {
    for (; value >= 0x80; value >>= 7) *at++ = static_cast<std::uint8_t>(value | 0x80);
    *at++ = static_cast<std::uint8_t>(value);
    return at;
}

std::uint32_t get_leb(const std::uint8_t*& at) noexcept {
    std::uint32_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        const std::uint8_t byte = *at++;
        value |= static_cast<std::uint32_t>(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
    }
}

constexpr std::uint32_t zigzag(std::uint32_t distance) noexcept { return (distance << 1) ^ (0U - (distance >> 31)); }
constexpr std::uint32_t unzigzag(std::uint32_t value) noexcept { return (value >> 1) ^ (0U - (value & 1)); }

/// A site as a number: code offset (32 bits) | tag (8 bits) | wasm offset (24 bits), from the lowest on.
std::uint64_t bits_of(const Site& site) noexcept { return std::uint64_t{site.wasm_and_tag} << 32 | site.code_offset; }
constexpr std::uint64_t kTagBits = std::uint64_t{0xFF} << 32;

// The difference of two sites, but with the latter's tag. A short one has no other bits than these: 6 of the code's distance, the tag's
// kind, 7 of the wasm offset's distance.
constexpr std::uint64_t kShortBits = std::uint64_t{0x7FC0} << 32 | kCodeBits;

/// Writes a site and returns its end; null if it is out of order. `before`: bits of the last one, without its tag.
std::uint8_t* put_site(std::uint8_t* at, const Site& site, std::uint64_t& before) noexcept {
    const std::uint64_t difference = bits_of(site) - before;
    if (site.code_offset < static_cast<std::uint32_t>(before)) return nullptr;
    before = bits_of(site) & ~kTagBits;
    if ((difference & ~kShortBits) == 0) {
        const auto bytes = static_cast<std::uint16_t>(difference >> 32 | difference);
        std::memcpy(at, &bytes, sizeof bytes);
        return at + sizeof bytes;
    }
    *at++ = static_cast<std::uint8_t>(site.wasm_and_tag);
    *at++ = kLong;
    at = put_leb(at, static_cast<std::uint32_t>(difference));
    return put_leb(at, zigzag(static_cast<std::uint32_t>(static_cast<std::int32_t>(difference >> 32) >> Site::kWasmShift)));
}

/// Writes sites and returns their end; null if they are out of order, as traps of out-of-line stubs, at the end, can be.
std::uint8_t* put_sites(std::uint8_t* at, std::uint32_t body_offset, std::span<const Site> sites) noexcept {
    std::uint64_t before = std::uint64_t{body_offset} << (32 + Site::kWasmShift);
    std::size_t i = 0;
    while (i < sites.size()) {
        std::size_t until = sites.size();
        if (until - i >= 4) {
            // Four as if they were short, and looked at afterwards: most are, but not foreseeably.
            until = i + 4;
            const std::uint64_t bits[] = {bits_of(sites[i]), bits_of(sites[i + 1]), bits_of(sites[i + 2]), bits_of(sites[i + 3])};
            const std::uint64_t d0 = bits[0] - before;
            const std::uint64_t d1 = bits[1] - (bits[0] & ~kTagBits);
            const std::uint64_t d2 = bits[2] - (bits[1] & ~kTagBits);
            const std::uint64_t d3 = bits[3] - (bits[2] & ~kTagBits);
            if (((d0 | d1 | d2 | d3) & ~kShortBits) == 0) [[likely]] {
                const auto bytes = [](std::uint64_t difference) { return (difference >> 32 | difference) & 0xffff; };
                const std::uint64_t all = bytes(d0) | bytes(d1) << 16 | bytes(d2) << 32 | bytes(d3) << 48;
                std::memcpy(at, &all, sizeof all);
                at += sizeof all;
                before = bits[3] & ~kTagBits;
                i = until;
                continue;
            }
        }
        for (; i < until; ++i) {
            at = put_site(at, sites[i], before);
            if (at == nullptr) return nullptr;
        }
    }
    return at;
}

}  // namespace

/// Functions and the bytes that describe their sites, in one allocation that never moves.
struct CodeMap::Block {
    std::atomic<Block*> next{nullptr};
    std::atomic<std::uint32_t> count{0};  ///< functions that readers may look at
    std::uint32_t function_capacity = 0;
    std::uint32_t byte_capacity = 0;
    std::uint32_t bytes_used = 0;

    [[nodiscard]] Function* functions() noexcept { return reinterpret_cast<Function*>(this + 1); }
    [[nodiscard]] std::uint8_t* bytes() noexcept { return reinterpret_cast<std::uint8_t*>(functions() + function_capacity); }
    [[nodiscard]] std::size_t memory_bytes() const noexcept { return sizeof(Block) + function_capacity * sizeof(Function) + byte_capacity; }

    [[nodiscard]] static Block* make(std::uint32_t function_capacity, std::uint32_t byte_capacity) {
        void* memory = ::operator new(sizeof(Block) + function_capacity * sizeof(Function) + byte_capacity);
        auto* block = new (memory) Block;
        block->function_capacity = function_capacity;
        block->byte_capacity = byte_capacity;
        return block;
    }
    static void destroy(Block* block) noexcept {
        block->~Block();
        ::operator delete(block);
    }
};

CodeMap::Writer::~Writer() {
    for (Block* block = first_.load(std::memory_order_relaxed); block != nullptr;) {
        Block* next = block->next.load(std::memory_order_relaxed);
        Block::destroy(block);
        block = next;
    }
}

void CodeMap::Writer::add(std::uint32_t code_offset, std::uint32_t code_bytes, std::uint32_t function, std::uint32_t body_offset,
                          std::span<Site> sites) {
    // Written into the block at once, so there must be room for the most that the sites can take.
    const auto most = static_cast<std::uint32_t>(2 * kMaxLebBytes + sites.size() * kMaxSiteBytes);
    if (last_ == nullptr || last_->count.load(std::memory_order_relaxed) == last_->function_capacity ||
        most > last_->byte_capacity - last_->bytes_used) {
        const std::uint32_t functions = last_ == nullptr ? 16 : std::min<std::uint32_t>(last_->function_capacity * 2, 4096);
        Block* block = Block::make(functions, std::max(most, functions * 50));
        (last_ == nullptr ? first_ : last_->next).store(block, std::memory_order_release);
        last_ = block;
    }
    std::uint8_t* const begin = last_->bytes() + last_->bytes_used;
    std::uint8_t* const first = put_leb(put_leb(begin, body_offset), static_cast<std::uint32_t>(sites.size()));
    std::uint8_t* at = put_sites(first, body_offset, sites);
    if (at == nullptr) {
        // A return address can be that of a trap site too: the call comes first.
        std::ranges::sort(sites, {}, [](const Site& site) { return std::pair(site.code_offset, site.kind() != Site::Kind::call); });
        at = put_sites(first, body_offset, sites);
    }

    const std::uint32_t count = last_->count.load(std::memory_order_relaxed);
    new (last_->functions() + count) Function{code_offset, code_bytes, function, last_->bytes_used};
    last_->bytes_used += static_cast<std::uint32_t>(at - begin);
    last_->count.store(count + 1, std::memory_order_release);
}

CodeMap::~CodeMap() {
    for (Writer* writer = writers_.load(std::memory_order_relaxed); writer != nullptr;) {
        Writer* next = writer->next_;
        delete writer;
        writer = next;
    }
}

CodeMap::Writer& CodeMap::make_writer() {
    auto* writer = new Writer;
    writer->next_ = writers_.load(std::memory_order_relaxed);
    while (!writers_.compare_exchange_weak(writer->next_, writer, std::memory_order_release, std::memory_order_relaxed)) {
    }
    return *writer;
}

/// Walks the sites of a function up to `wanted`, an offset in its code.
void CodeMap::read_sites(const std::uint8_t* at, std::uint32_t wanted, PcInfo& info) noexcept {
    std::uint32_t code_at = 0;
    std::uint32_t wasm_at = get_leb(at);
    info.wasm_offset = wasm_at;
    bool seen_mark = false;
    for (std::uint32_t left = get_leb(at); left != 0; --left) {
        const std::uint8_t first = *at++;
        const std::uint8_t second = *at++;
        const auto kind = static_cast<Site::Kind>(first >> 6);
        auto trap = TrapCode::memory_out_of_bounds;
        if (second != kLong) {
            code_at += first & kCodeBits;
            wasm_at += second;
        } else {
            if ((first & Site::kOtherTrap) != 0) trap = static_cast<TrapCode>(first & kTrapBits);
            code_at += get_leb(at);
            wasm_at += unzigzag(get_leb(at));
        }
        if (kind == Site::Kind::framed || kind == Site::Kind::frameless) {
            if (code_at <= wanted) {
                info.frameless = kind == Site::Kind::frameless;
            } else if (!seen_mark) {  // the first mark is `framed`: what is before it is the prologue
                info.frameless = kind == Site::Kind::framed;
            }
            seen_mark = true;
            continue;
        }
        if (code_at > wanted) {
            if (seen_mark) return;
            continue;
        }
        if (kind == Site::Kind::call) {
            info.is_call = code_at == wanted;
            info.call_wasm_offset = wasm_at;
        } else {
            info.trap = code_at == wanted ? trap : TrapCode::none;
        }
        info.wasm_offset = wasm_at;
    }
}

void CodeMap::add_handlers(std::uint32_t function, std::vector<ExceptionHandler> handlers) {
    const std::scoped_lock lock(handlers_mutex_);
    handlers_.insert_or_assign(function, std::move(handlers));
}

std::span<const ExceptionHandler> CodeMap::handlers(std::uint32_t function) const {
    const std::scoped_lock lock(handlers_mutex_);
    const auto found = handlers_.find(function);
    return found == handlers_.end() ? std::span<const ExceptionHandler>() : found->second;
}

/// The bytes that describe the sites of the function at an offset, or null.
const std::uint8_t* CodeMap::locate_in(std::span<const Function> functions, const std::uint8_t* bytes, std::uint32_t code_offset,
                                       PcInfo& info) noexcept {
    const auto after = std::ranges::upper_bound(functions, code_offset, {}, &Function::code_offset);
    if (after == functions.begin()) return nullptr;
    const Function& function = *std::prev(after);
    // One past the end belongs to it: the return address of a call that is the last instruction.
    if (code_offset - function.code_offset > function.code_bytes) return nullptr;

    info = {};
    info.function = function.function;
    info.function_offset = function.code_offset;
    info.function_bytes = function.code_bytes;
    return bytes + function.bytes_begin;
}

/// Calls visit(functions, block) for each block, until it returns true.
template <class F>
void CodeMap::each_block(F&& visit) const {
    for (const Writer* writer = writers_.load(std::memory_order_acquire); writer != nullptr; writer = writer->next_) {
        for (Block* block = writer->first_.load(std::memory_order_acquire); block != nullptr;
             block = block->next.load(std::memory_order_acquire)) {
            if (visit(std::span<const Function>(block->functions(), block->count.load(std::memory_order_acquire)), *block)) return;
        }
    }
}

const std::uint8_t* CodeMap::locate(std::uint32_t code_offset, PcInfo& info) const noexcept {
    const std::uint8_t* sites = nullptr;
    // Goes on where a function only ends: the one that begins there may be in another block.
    const auto holds = [&](std::span<const Function> functions, const std::uint8_t* bytes) {
        const std::uint8_t* const found = locate_in(functions, bytes, code_offset, info);
        if (found != nullptr) sites = found;
        return found != nullptr && code_offset - info.function_offset < info.function_bytes;
    };
    if (holds(image_functions_, image_bytes_)) return sites;
    each_block([&](std::span<const Function> functions, Block& block) { return holds(functions, block.bytes()); });
    return sites;
}

bool CodeMap::find(std::uint32_t code_offset, PcInfo& info) const noexcept {
    const std::uint8_t* sites = locate(code_offset, info);
    if (sites == nullptr) return false;
    read_sites(sites, code_offset - info.function_offset, info);
    return true;
}

bool CodeMap::find_function(std::uint32_t code_offset, PcInfo& info) const noexcept { return locate(code_offset, info) != nullptr; }

CodeMap::Image CodeMap::image() const {
    Image image;
    each_block([&](std::span<const Function> functions, Block& block) {
        const auto base = static_cast<std::uint32_t>(image.bytes.size());
        for (Function function : functions) {
            function.bytes_begin += base;
            image.functions.push_back(function);
        }
        image.bytes.insert(image.bytes.end(), block.bytes(), block.bytes() + block.bytes_used);
        return false;
    });
    std::ranges::sort(image.functions, {}, &Function::code_offset);
    return image;
}

void CodeMap::use_image(std::span<const Function> functions, const std::uint8_t* bytes) noexcept {
    image_functions_ = functions;
    image_bytes_ = bytes;
}

std::size_t CodeMap::memory_bytes() const noexcept {
    std::size_t bytes = 0;
    each_block([&](std::span<const Function>, const Block& block) {
        bytes += block.memory_bytes();
        return false;
    });
    return bytes;
}

// --- the process-wide list of regions --------------------------------------------------------------------------------

namespace {

std::mutex region_mutex;  ///< of those who change the list
std::atomic<RegisteredRegion*> region_list{nullptr};
std::atomic<std::uint32_t> region_readers{0};  ///< who may stand on a node that has just been taken out

/// Unlike std::atomic's load, always inlined, also into what TSan does not instrument.
[[gnu::always_inline]] inline const RegisteredRegion* load(const std::atomic<RegisteredRegion*>& from) noexcept {
    return __atomic_load_n(reinterpret_cast<const RegisteredRegion* const*>(&from), __ATOMIC_SEQ_CST);
}

}  // namespace

void RegisteredRegion::register_region(const CodeRegion& region) {
    const std::scoped_lock lock(region_mutex);
    region_ = region;
    next_.store(region_list.load(std::memory_order_relaxed), std::memory_order_relaxed);
    region_list.store(this, std::memory_order_seq_cst);
    registered_ = true;
}

RegisteredRegion::~RegisteredRegion() {
    if (!registered_) return;
    const std::scoped_lock lock(region_mutex);
    std::atomic<RegisteredRegion*>* link = &region_list;
    while (link->load(std::memory_order_relaxed) != this) link = &link->load(std::memory_order_relaxed)->next_;
    link->store(next_.load(std::memory_order_relaxed), std::memory_order_seq_cst);
    while (region_readers.load(std::memory_order_seq_cst) != 0) {
    }  // lookups are short
}

POLLUX_NO_SANITIZE bool find_code_region(std::uint64_t pc, CodeRegion& region) noexcept {
    region_readers.fetch_add(1, std::memory_order_seq_cst);
    bool found = false;
    for (const RegisteredRegion* at = load(region_list); at != nullptr; at = load(at->next_)) {
        if (pc - at->region_.begin >= at->region_.end - at->region_.begin) continue;
        region = at->region_;
        found = true;
        break;
    }
    region_readers.fetch_sub(1, std::memory_order_seq_cst);
    return found;
}

}  // namespace pollux
