#include "jit/runtime/precompiled.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "jit/base/syscall.h"
#include "jit/base/unique_fd.h"
#include "jit/wasm/decoder.h"

static_assert(std::endian::native == std::endian::little, "numbers stand in files as they stand in memory");

namespace pollux {
namespace {

constexpr std::array<char, 8> kMagic = {'\0', 'p', 'o', 'l', 'l', 'u', 'x', '\n'};
constexpr std::size_t kCodeAlignment = 64 * 1024;  // the largest page of the hosts
constexpr std::size_t kPartAlignment = 64;

/// Bytes of the file.
struct Part {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
};

struct Header {
    std::array<char, 8> magic = kMagic;
    std::uint32_t version = PrecompiledFile::kVersion;
    std::uint32_t header_bytes = 0;
    std::uint64_t checksum = 0;      ///< of all that follows
    std::uint64_t file_bytes = 0;
    std::uint64_t layouts = 0;       ///< fingerprint
    std::array<char, 16> isa{};      ///< of Backend::name
    std::array<char, 104> cpu_features{};
    std::uint8_t explicit_bounds = 0;
    std::uint8_t fuel = 0;
    std::uint8_t calls_by_table = 0;
    std::uint8_t relaxed_simd_deterministic = 0;
    std::uint32_t functions = 0;     ///< own ones
    std::uint64_t code_to_table = 0; ///< distance from the code to the table of code addresses
    Part module, map_functions, map_sites, code_offsets, handlers, not_compiled, code;
};
static_assert(offsetof(Header, version) == PrecompiledFile::kVersionOffset &&
              offsetof(Header, checksum) == PrecompiledFile::kChecksumOffset);
static_assert(std::is_trivially_copyable_v<Header> && std::has_unique_object_representations_v<Header>);

struct HandlerRow {
    std::uint32_t function = 0;
    std::uint32_t begin = 0, end = 0, region = 0, operand = 0, landing = 0, kind = 0;
};

/// What generated code takes for granted about structures, helpers and trap codes. The same on all hosts.
constexpr std::uint64_t layout_fingerprint() {
    std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
    const auto add = [&hash](std::uint64_t value) { hash = (hash ^ value) * 0x100'0000'01b3; };
    for (const char* text : {
#define HELPER(name, result, ...) #name " " #result " " #__VA_ARGS__,
#include "jit/abi/helpers.def"
#undef HELPER
         }) {
        for (; *text != '\0'; ++text) add(static_cast<unsigned char>(*text));
    }
    for (const std::size_t number : {offsetof(StoreContext, entry),
                                     offsetof(StoreContext, exit_frame),
                                     offsetof(StoreContext, interrupt_pending),
                                     offsetof(StoreContext, fuel),
                                     offsetof(StoreContext, landing_frame),
                                     offsetof(StoreContext, exception),
                                     offsetof(MemoryCell, base),
                                     offsetof(MemoryCell, length),
                                     offsetof(TableCell, elements),
                                     offsetof(TableCell, length),
                                     sizeof(GlobalCell),
                                     sizeof(FuncRef),
                                     offsetof(FuncRef, code),
                                     offsetof(FuncRef, instance),
                                     offsetof(FuncRef, type),
                                     offsetof(ImportedFunction, code),
                                     offsetof(ImportedFunction, instance),
                                     sizeof(ExceptionObject),
                                     sizeof(InstanceHeader),
                                     offsetof(InstanceHeader, stack_limit),
                                     offsetof(InstanceHeader, memory0_base),
                                     offsetof(InstanceHeader, helpers),
                                     sizeof(InstanceLayout),
                                     static_cast<std::size_t>(TrapCode::status)}) {
        add(number);
    }
    return hash;
}

template <std::size_t N>
bool set_text(std::array<char, N>& field, std::string_view text) noexcept {
    if (text.size() >= N) return false;
    std::ranges::copy(text, field.begin());
    return true;
}

template <std::size_t N>
std::string_view text_of(const std::array<char, N>& field) noexcept {
    return {field.data(), ::strnlen(field.data(), N)};
}

std::unexpected<Error> write_error() { return fail(ErrorKind::io, "cannot write the precompiled module: " + sys::error_text(errno)); }

/// Writes one part after another into a file, whose gaps read as zeros.
class PartWriter {
public:
    explicit PartWriter(int fd) : fd_(fd), end_(sizeof(Header)) {}

    [[nodiscard]] Result<Part> add(const void* data, std::size_t bytes, std::size_t alignment = kPartAlignment) {
        if (bytes == 0) return Part{end_, 0};
        end_ = (end_ + alignment - 1) / alignment * alignment;
        const Part part{end_, bytes};
        if (auto done = write_at(data, bytes, part.offset); !done) return std::unexpected(std::move(done.error()));
        end_ += bytes;
        return part;
    }
    template <class T>
    [[nodiscard]] Result<Part> add(const std::vector<T>& rows) {
        return add(rows.data(), rows.size() * sizeof(T));
    }
    [[nodiscard]] Result<> write_at(const void* data, std::size_t bytes, std::uint64_t offset) const {
        const auto* at = static_cast<const std::uint8_t*>(data);
        while (bytes != 0) {
            const ssize_t written = sys::call_again<sys::Call::write>([&] { return ::pwrite(fd_, at, bytes, static_cast<off_t>(offset)); });
            if (written < 0) return write_error();
            at += written;
            offset += static_cast<std::uint64_t>(written);
            bytes -= static_cast<std::size_t>(written);
        }
        return {};
    }
    [[nodiscard]] std::uint64_t end() const noexcept { return end_; }

private:
    int fd_;
    std::uint64_t end_;
};

std::vector<HandlerRow> handler_rows(const CodeMap& map) {
    std::vector<HandlerRow> rows;
    for (const auto& [function, handlers] : map.all_handlers()) {
        for (const ExceptionHandler& handler : handlers) {
            rows.push_back({function, handler.begin, handler.end, handler.region, handler.operand, handler.landing,
                            static_cast<std::uint32_t>(handler.kind)});
        }
    }
    // By function, for the map has no order; of one function, their order counts.
    std::ranges::stable_sort(rows, {}, &HandlerRow::function);
    return rows;
}

void use_handlers(CodeMap& map, std::span<const HandlerRow> rows) {
    for (std::size_t i = 0; i < rows.size();) {
        const std::uint32_t function = rows[i].function;
        std::vector<ExceptionHandler> handlers;
        for (; i < rows.size() && rows[i].function == function; ++i) {
            const HandlerRow& row = rows[i];
            handlers.push_back({row.begin, row.end, row.region, row.operand, row.landing, static_cast<ExceptionHandler::Kind>(row.kind)});
        }
        map.add_handlers(function, std::move(handlers));
    }
}

/// "function feature\n" for each function that was not compiled.
std::string not_compiled_text(const CompiledModule& module) {
    std::string text;
    for (const auto& [function, feature] : module.not_compiled_functions()) text += std::to_string(function) + " " + feature + "\n";
    return text;
}

std::vector<std::pair<std::uint32_t, std::string>> parse_not_compiled(std::string_view text) {
    std::vector<std::pair<std::uint32_t, std::string>> list;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        std::uint32_t function = 0;
        std::size_t at = 0;
        for (; at < line.size() && line[at] >= '0' && line[at] <= '9'; ++at)
            function = function * 10 + static_cast<std::uint32_t>(line[at] - '0');
        list.emplace_back(function, line.substr(std::min(at + 1, line.size())));
    }
    return list;
}

/// The first of the comma-separated names in `needed` that is not in `present`; empty if all are.
std::string_view first_missing(std::string_view needed, std::string_view present) {
    const std::string all = "," + std::string(present) + ",";
    while (!needed.empty()) {
        const std::string_view name = needed.substr(0, needed.find(','));
        if (!all.contains("," + std::string(name) + ",")) return name;
        needed.remove_prefix(std::min(name.size() + 1, needed.size()));
    }
    return {};
}

/// That the file is made for this host and for the engine's options.
Result<> check_fits(const Header& header, const Engine& engine) {
    const std::string_view isa = text_of(header.isa);
    if (isa != engine.backend().name()) {
        return fail(ErrorKind::unsupported,
                    "it holds code for " + std::string(isa) + ", and this host is " + std::string(engine.backend().name()));
    }
    if (const auto missing = first_missing(text_of(header.cpu_features), engine.backend().cpu_features()); !missing.empty()) {
        return fail(ErrorKind::unsupported, "its code needs the CPU feature " + std::string(missing) + ", which this processor lacks");
    }
    if (header.explicit_bounds == 0 && engine.bounds() != BoundsMode::guard_pages) {
        return fail(ErrorKind::unsupported,
                    "its code relies on guard pages, which are not available here; compile it with -O signals-based-traps=n");
    }
    if ((header.fuel != 0) != engine.options().fuel) {
        return fail(ErrorKind::unsupported, header.fuel != 0 ? "its code counts fuel, so it needs a limit: run it with --fuel=N"
                                                             : "its code does not count fuel; compile it with --fuel");
    }
    if (header.relaxed_simd_deterministic == 0 && engine.options().relaxed_simd_deterministic)
        return fail(ErrorKind::unsupported, "its relaxed SIMD is not deterministic; compile it with -W relaxed-simd-deterministic");
    return {};
}

/// That nobody but the user and root could have written the file.
Result<> check_owner(const struct stat& status) {
    if (!S_ISREG(status.st_mode)) return fail(ErrorKind::io, "it is not a regular file");
    if (status.st_uid != 0 && status.st_uid != ::geteuid())
        return fail(ErrorKind::io, "it is native code and belongs to another user: only your own files and root's are run");
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return fail(ErrorKind::io, "it is native code and others may write it: take that right away (chmod go-w) if you trust it");
    return {};
}

std::uint64_t nanoseconds() noexcept {
    return static_cast<std::uint64_t>(std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
}

/// Looks at what decoding a module yields, and at no body.
struct HeaderOnly final : wasm::ModuleConsumer {};

}  // namespace

std::uint64_t PrecompiledFile::checksum(std::span<const std::uint8_t> bytes) noexcept {
    // Eight chains, for speed. Each step is a bijection of the chain's state, for each word and of the word, for each state: two files
    // that differ in one word differ in the sum.
    constexpr std::size_t kLanes = 8;
    constexpr std::uint64_t kFactor = 0x9e37'79b9'7f4a'7c15;  // odd
    const auto step = [](std::uint64_t state, std::uint64_t word) { return std::rotl((state ^ word) * kFactor, 29); };
    std::array<std::uint64_t, kLanes> lanes{1, 2, 3, 4, 5, 6, 7, 8};
    const std::uint8_t* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= kLanes * 8; left -= kLanes * 8, at += kLanes * 8) {
        std::array<std::uint64_t, kLanes> words{};
        std::memcpy(words.data(), at, sizeof words);
        for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = step(lanes[i], words[i]);
    }
    std::array<std::uint64_t, kLanes> rest{};
    if (left != 0) std::memcpy(rest.data(), at, left);
    std::uint64_t sum = bytes.size();
    for (std::size_t i = 0; i < kLanes; ++i) sum = step(sum, step(lanes[i], rest[i]));
    return sum;
}

Result<> PrecompiledFile::check(std::span<const std::uint8_t> bytes) {
    Header header;
    if (bytes.size() < sizeof header || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0)
        return fail(ErrorKind::malformed, "it is not a precompiled module (pollux compile makes them)");
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.version != kVersion) {
        return fail(ErrorKind::unsupported, "it has version " + std::to_string(header.version) + " of the format, and this Pollux reads " +
                                                std::to_string(kVersion) + "; compile the module again");
    }
    if (header.file_bytes != bytes.size() || header.header_bytes != sizeof header)
        return fail(ErrorKind::malformed, "it is damaged: its size is not what it was");
    if (checksum(bytes.subspan(kChecksumOffset + sizeof header.checksum)) != header.checksum)
        return fail(ErrorKind::malformed, "it is damaged: its checksum is wrong");
    if (header.layouts != layout_fingerprint())
        return fail(ErrorKind::unsupported, "another build of Pollux made it; compile the module again");
    return {};
}

Result<> PrecompiledFile::write(const CompiledModule& module, int fd) {
    const CompileEnvironment& environment = module.environment_;
    if (!environment.portable || module.is_lazy()) return fail(ErrorKind::usage, "the module was not compiled for a file");
    Header header;
    header.header_bytes = sizeof header;
    header.layouts = layout_fingerprint();
    const Backend& backend = module.engine().backend();
    if (!set_text(header.isa, backend.name()) || !set_text(header.cpu_features, backend.cpu_features()))
        return fail(ErrorKind::usage, "the names of CPU features do not fit");
    header.explicit_bounds = environment.bounds == BoundsMode::explicit_checks ? 1 : 0;
    header.fuel = environment.fuel ? 1 : 0;
    header.relaxed_simd_deterministic = environment.relaxed_simd_deterministic ? 1 : 0;
    header.calls_by_table = environment.calls == CallMode::table ? 1 : 0;
    header.functions = static_cast<std::uint32_t>(module.module().functions.size() - module.module().imported_functions);
    header.code_to_table = module.code_memory_.end() - module.code_memory_.begin();

    const CodeMap::Image map = module.code_map_.image();
    std::vector<std::uint32_t> code_offsets(header.functions);
    for (std::uint32_t i = 0; i < header.functions; ++i) code_offsets[i] = module.code_offsets_[i].load(std::memory_order_relaxed);
    const std::vector<HandlerRow> handlers = handler_rows(module.code_map_);
    const std::string not_compiled = not_compiled_text(module);

    PartWriter out(fd);
    const auto place = [](Part& part, Result<Part> added) -> Result<> {
        if (!added) return std::unexpected(std::move(added.error()));
        part = *added;
        return {};
    };
    if (auto done = place(header.module, out.add(module.module().bytes.data(), module.module().bytes.size())); !done) return done;
    if (auto done = place(header.map_functions, out.add(map.functions)); !done) return done;
    if (auto done = place(header.map_sites, out.add(map.bytes)); !done) return done;
    if (auto done = place(header.code_offsets, out.add(code_offsets)); !done) return done;
    if (auto done = place(header.handlers, out.add(handlers)); !done) return done;
    if (auto done = place(header.not_compiled, out.add(not_compiled.data(), not_compiled.size())); !done) return done;
    const std::size_t code_bytes = map.functions.empty() ? 0 : map.functions.back().code_offset + map.functions.back().code_bytes;
    const auto* code = reinterpret_cast<const void*>(module.code_memory_.begin());
    if (auto done = place(header.code, out.add(code, code_bytes, kCodeAlignment)); !done) return done;

    header.file_bytes = out.end();
    if (auto done = out.write_at(&header, sizeof header, 0); !done) return done;
    const auto file = Mapping::file(fd, header.file_bytes, PROT_READ, MAP_PRIVATE, "the precompiled module");
    if (!file) return std::unexpected(file.error());
    header.checksum = checksum({file->data() + kChecksumOffset + sizeof header.checksum,
                                static_cast<std::size_t>(header.file_bytes) - kChecksumOffset - sizeof header.checksum});
    return out.write_at(&header.checksum, sizeof header.checksum, kChecksumOffset);
}

Result<std::shared_ptr<CompiledModule>> PrecompiledFile::load(const std::shared_ptr<Engine>& engine, const std::string& path) {
    const std::uint64_t start = nanoseconds();
    const UniqueFd fd(sys::call_again<sys::Call::open>([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }));
    if (!fd) return fail(ErrorKind::io, "cannot open it: " + sys::error_text(errno));
    struct stat status{};
    if (sys::call<sys::Call::fstat>([&] { return ::fstat(fd.get(), &status); }) != 0)
        return fail(ErrorKind::io, "cannot read it: " + sys::error_text(errno));
    if (auto done = check_owner(status); !done) return std::unexpected(std::move(done.error()));
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size < sizeof(Header)) return std::unexpected(check({}).error());
    // All of it is read at once, for the checksum.
    auto file = Mapping::file(fd.get(), size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, "the precompiled module");
    if (!file) return std::unexpected(std::move(file.error()));

    std::shared_ptr<CompiledModule> result(new CompiledModule(engine));
    CompiledModule& out = *result;
    out.file_ = std::move(*file);
    out.file_region_.register_region(
        {out.file_.address(), out.file_.address() + out.file_.size(), nullptr, nullptr, &out.file_changed_, 0});
    const std::span bytes(std::as_const(out).file_.data(), size);
    if (auto done = check(bytes); !done) return std::unexpected(std::move(done.error()));
    Header header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (auto done = check_fits(header, *engine); !done) return std::unexpected(std::move(done.error()));
    const auto rows = [&bytes]<class T>(const Part& part, std::type_identity<T> /*row*/) {
        return std::span(reinterpret_cast<const T*>(bytes.data() + part.offset), part.bytes / sizeof(T));
    };

    HeaderOnly consumer;
    auto decoded = wasm::Decoder::decode_whole(rows(header.module, std::type_identity<std::uint8_t>{}), wasm::FeatureSet::all(), consumer);
    if (!decoded) return std::unexpected(std::move(decoded.error()));
    out.module_ = *std::move(decoded);
    out.layout_ = InstanceLayout(*out.module_);
    out.environment_.calls = header.calls_by_table != 0 ? CallMode::table : CallMode::direct;
    const std::size_t all_functions = out.module_->functions.size();
    if (auto done = out.code_memory_.map_file(
            fd.get(), header.code.offset, header.code.bytes,
            header.calls_by_table != 0 ? header.code_to_table : round_to_pages(std::max<std::size_t>(header.code.bytes, 1)),
            header.calls_by_table != 0 ? all_functions * sizeof(void*) : 0);
        !done) {
        return std::unexpected(std::move(done.error()));
    }
    const std::uint64_t code = out.code_memory_.begin();
    out.environment_.function_table = reinterpret_cast<std::uint64_t>(out.code_memory_.data());
    out.code_offsets_ = std::make_unique<std::atomic<std::uint32_t>[]>(header.functions);
    const auto offsets = rows(header.code_offsets, std::type_identity<std::uint32_t>{});
    for (std::uint32_t i = 0; i < header.functions; ++i) {
        out.code_offsets_[i].store(offsets[i], std::memory_order_relaxed);
        if (header.calls_by_table != 0) {
            out.table_entry(out.module_->imported_functions + i)
                .store(reinterpret_cast<const void*>(code + offsets[i]), std::memory_order_relaxed);
        }
    }
    out.code_map_.use_image(rows(header.map_functions, std::type_identity<CodeMap::Function>{}), bytes.data() + header.map_sites.offset);
    use_handlers(out.code_map_, rows(header.handlers, std::type_identity<HandlerRow>{}));
    const auto names = rows(header.not_compiled, std::type_identity<char>{});
    out.not_compiled_ = parse_not_compiled({names.data(), names.size()});
    out.region_.register_region({code, out.code_memory_.end(), &out.code_map_, &out, nullptr, code});
    BuildTimes& times = out.times_;
    times.functions = header.functions;
    times.not_compiled = static_cast<std::uint32_t>(out.not_compiled_.size());
    times.wasm_bytes = header.module.bytes;
    times.code_bytes = header.code.bytes;
    times.map_bytes = header.map_functions.bytes + header.map_sites.bytes;
    times.threads = 0;
    times.published = nanoseconds() - start;
    return result;
}

}  // namespace pollux
