// From a pc to what it belongs to: function, trap code, wasm offset, state of the frame.
//
// Functions are recorded once and looked up rarely (traps, backtraces), by signal handlers too: a lookup takes no lock and allocates
// nothing. Each compiling thread appends to a writer of its own: blocks of {offset, function, position in the block's bytes}, ascending by
// offset. The sites of a function are mostly short, two bytes each; distances are from the site before:
//
//   short: kind (2 bits), code distance (6 bits) | 0, wasm distance (7 bits); a trap is memory_out_of_bounds
//   long:  kind (2 bits), 1, TrapCode (5 bits), or 0 (6 bits): memory_out_of_bounds | 0x80 | code distance, LEB128 | wasm distance, zigzag
//          LEB128
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "jit/abi/trap_code.h"
#include "jit/compile/backend.h"

namespace pollux {

/// What the code map knows about a pc.
struct PcInfo {
    std::uint32_t function = 0;
    std::uint32_t function_offset = 0;   ///< of its code in the region
    std::uint32_t function_bytes = 0;    ///< of its code
    std::uint32_t wasm_offset = 0;       ///< exact at a site, else that of the nearest site before (or of the body)
    TrapCode trap = TrapCode::none;      ///< of a trap site exactly here
    bool is_call = false;                ///< a return address; its call is at call_wasm_offset
    std::uint32_t call_wasm_offset = 0;
    bool frameless = false;              ///< the frame pointer is still, or again, the caller's
};

class CodeMap {
public:
    struct Block;

    /// A function's place in the map.
    struct Function {
        std::uint32_t code_offset = 0;
        std::uint32_t code_bytes = 0;
        std::uint32_t function = 0;
        std::uint32_t bytes_begin = 0;  ///< where the body's offset and the number of sites stand, as LEB128; then the sites
    };
    /// A whole map as plain data, in which a file can keep it: functions ascend by code_offset.
    struct Image {
        std::vector<Function> functions;
        std::vector<std::uint8_t> bytes;
    };

    /// Appends functions whose code lies at ascending offsets. One thread at a time.
    class Writer {
    public:
        Writer() = default;
        Writer(const Writer&) = delete;
        Writer& operator=(const Writer&) = delete;
        ~Writer();

        /// `code_offset`: of the function's code in the region. `body_offset`: of its body in the module. Sites may be reordered.
        void add(std::uint32_t code_offset, std::uint32_t code_bytes, std::uint32_t function, std::uint32_t body_offset,
                 std::span<Site> sites);

    private:
        friend class CodeMap;
        std::atomic<Block*> first_{nullptr};
        Block* last_ = nullptr;
        Writer* next_ = nullptr;
    };

    CodeMap() = default;
    CodeMap(const CodeMap&) = delete;
    CodeMap& operator=(const CodeMap&) = delete;
    ~CodeMap();

    /// A writer for the calling thread's use; lives as long as the map. Thread-safe.
    [[nodiscard]] Writer& make_writer();

    /// The map's contents. While nothing is added.
    [[nodiscard]] Image image() const;
    /// Makes an image, which outlives the map, this map's contents. `bytes` holds what its functions refer to.
    void use_image(std::span<const Function> functions, const std::uint8_t* bytes) noexcept;
    [[nodiscard]] const std::unordered_map<std::uint32_t, std::vector<ExceptionHandler>>& all_handlers() const noexcept {
        return handlers_;
    }

    /// What lies at an offset in the region; false if no function does. Async-signal-safe.
    [[nodiscard]] bool find(std::uint32_t code_offset, PcInfo& info) const noexcept;
    /// The same, but of `info` only the function's number and place are set.
    [[nodiscard]] bool find_function(std::uint32_t code_offset, PcInfo& info) const noexcept;

    /// What catches exceptions in a function; kept for as long as the map. Thread-safe, but not for signal handlers.
    void add_handlers(std::uint32_t function, std::vector<ExceptionHandler> handlers);
    [[nodiscard]] std::span<const ExceptionHandler> handlers(std::uint32_t function) const;

    /// Bytes that the map takes, for statistics.
    [[nodiscard]] std::size_t memory_bytes() const noexcept;

private:
    [[nodiscard]] const std::uint8_t* locate(std::uint32_t code_offset, PcInfo& info) const noexcept;
    static void read_sites(const std::uint8_t* at, std::uint32_t wanted, PcInfo& info) noexcept;
    [[nodiscard]] static const std::uint8_t* locate_in(std::span<const Function> functions, const std::uint8_t* bytes,
                                                       std::uint32_t code_offset, PcInfo& info) noexcept;
    template <class F>
    void each_block(F&& visit) const;

    std::atomic<Writer*> writers_{nullptr};
    std::span<const Function> image_functions_;
    const std::uint8_t* image_bytes_ = nullptr;
    mutable std::mutex handlers_mutex_;
    std::unordered_map<std::uint32_t, std::vector<ExceptionHandler>> handlers_;  ///< few functions have any
};

class CompiledModule;

/// A range of memory that signal handlers and stack walkers must recognise: a module's code, stubs, or a module's mapped file.
struct CodeRegion {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    const CodeMap* map = nullptr;            ///< of a module's code; null for the others
    const CompiledModule* module = nullptr;  ///< whose code or file it is
    std::atomic<bool>* file_changed = nullptr;  ///< of a file: set when its bytes are lost
    std::uint64_t map_origin = 0;            ///< address of the map's offset 0

    /// What lies at `pc`; false if the range holds no functions, or none is there.
    [[nodiscard]] bool find(std::uint64_t pc, PcInfo& info) const noexcept {
        return map != nullptr && map->find(static_cast<std::uint32_t>(pc - map_origin), info);
    }
    [[nodiscard]] bool find_function(std::uint64_t pc, PcInfo& info) const noexcept {
        return map != nullptr && map->find_function(static_cast<std::uint32_t>(pc - map_origin), info);
    }
};

/// A region's membership in the process-wide list, for as long as it lives. Not movable once registered.
class RegisteredRegion {
public:
    RegisteredRegion() = default;
    RegisteredRegion(const RegisteredRegion&) = delete;
    RegisteredRegion& operator=(const RegisteredRegion&) = delete;
    ~RegisteredRegion();

    void register_region(const CodeRegion& region);

private:
    friend bool find_code_region(std::uint64_t pc, CodeRegion& region) noexcept;
    CodeRegion region_;
    std::atomic<RegisteredRegion*> next_{nullptr};
    bool registered_ = false;
};

/// The registered region that holds `pc`. Async-signal-safe, and calls nothing of sanitizers. The copy's `map` and `module` are valid while
/// their owner is.
[[nodiscard]] bool find_code_region(std::uint64_t pc, CodeRegion& region) noexcept;

}  // namespace pollux
