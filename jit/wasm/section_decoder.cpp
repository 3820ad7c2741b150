// Sections other than type and code (WebAssembly 3.0, section 5.5), validated as they are read (section 3.5).
#include "jit/wasm/section_decoder.h"

#include <algorithm>
#include <numeric>

#include "jit/wasm/branch_hints.h"
#include "jit/wasm/limits.h"
#include "jit/wasm/type_reader.h"
#include "jit/wasm/type_registry.h"

namespace pollux::wasm {

namespace {

std::uint32_t size_of(const auto& vector) { return static_cast<std::uint32_t>(vector.size()); }

}  // namespace

std::string_view section_name(SectionId id) noexcept {
    static constexpr std::string_view kNames[kSectionIds] = {"custom", "type",  "import",  "function", "table", "memory",     "global",
                                                             "export", "start", "element", "code",     "data",  "data count", "tag"};
    return kNames[static_cast<std::size_t>(id)];
}

bool SectionDecoder::decode(SectionId id, Cursor& in, bool before_code) {
    bool ok = false;
    switch (id) {
        case SectionId::custom:     return custom(in, before_code);  // whatever follows the name is its own
        case SectionId::type:       ok = types(in); break;
        case SectionId::import:     ok = imports(in); break;
        case SectionId::function:   ok = functions(in); break;
        case SectionId::table:      ok = tables(in); break;
        case SectionId::memory:     ok = memories(in); break;
        case SectionId::tag:        ok = tags(in); break;
        case SectionId::global:     ok = globals(in); break;
        case SectionId::export_:    ok = exports(in); break;
        case SectionId::start:      ok = start(in); break;
        case SectionId::element:    ok = elements(in); break;
        case SectionId::data_count: ok = data_count(in); break;
        case SectionId::data:       ok = data(in); break;
        case SectionId::code:       break;
    }
    if (!ok) return false;
    return in.at_end() ||
           in.fail(ErrorKind::malformed, "section size mismatch: the " + std::string(section_name(id)) + " section ends here");
}

bool SectionDecoder::count(Cursor& in, std::uint64_t limit, std::string_view what, std::uint32_t& out) {
    const std::uint64_t at = in.offset();
    if (!in.read_u32(out)) return false;
    if (out > in.remaining())
        return in.fail(ErrorKind::malformed, "unexpected end: there are fewer " + std::string(what) + " than said", at);
    return out <= limit || in.fail(ErrorKind::resource, "more than " + std::to_string(limit) + " " + std::string(what), at);
}

bool SectionDecoder::index(Cursor& in, std::size_t size, std::string_view what, std::uint32_t& out) {
    const std::uint64_t at = in.offset();
    if (!in.read_u32(out)) return false;
    return out < size || in.fail(ErrorKind::invalid,
                                 "unknown " + std::string(what) + " " + std::to_string(out) + ": there are " + std::to_string(size), at);
}

bool SectionDecoder::function_type(Cursor& in, TypeId& out) {
    std::uint32_t type = 0;
    if (!index(in, module_.types.size(), "type", type)) return false;
    out = module_.types[type];
    return defined_type(out).form == DefinedType::Form::func || in.fail(ErrorKind::invalid, "expected a function type");
}

bool SectionDecoder::const_expr(Cursor& in, ValType expected, ConstExpr& out, bool before_code) {
    return const_exprs_.read(in, expected, out, before_code ? &module_.declared_functions : nullptr);
}

bool SectionDecoder::custom(Cursor& in, bool before_code) {
    std::string_view name;
    if (!in.read_name(name)) return false;
    if (name == "name" && module_.name_section_size == 0) {
        module_.name_section_offset = static_cast<std::uint32_t>(in.offset());
        module_.name_section_size = static_cast<std::uint32_t>(in.remaining());
    } else if (name == "metadata.code.branch_hint" && before_code) {
        module_.branch_hints = read_branch_hints(in);
    }
    return true;
}

// --- types of imports and definitions --------------------------------------------------------------------------------

bool SectionDecoder::limits(Cursor& in, bool of_memory, Limits& out, bool& has_page_size) {
    const std::uint64_t at = in.offset();
    std::uint8_t flags = 0;
    if (!in.read_u8(flags)) return false;
    if (flags > (of_memory ? 0xF : 0x7) || (!of_memory && (flags & 2) != 0))
        return in.fail(ErrorKind::malformed, "malformed limits flags", at);
    out.has_max = (flags & 1) != 0;
    out.shared = (flags & 2) != 0;
    out.is_64 = (flags & 4) != 0;
    has_page_size = (flags & 8) != 0;
    if (out.shared && !require(in, features_, Feature::threads, "a shared memory")) return false;
    if (out.is_64 && !require(in, features_, Feature::memory64, "a 64-bit memory or table")) return false;
    if (has_page_size && !require(in, features_, Feature::custom_page_sizes, "a page size")) return false;

    if (!in.read_u64(out.min) || (out.has_max && !in.read_u64(out.max))) return false;
    if (out.shared && !out.has_max) return in.fail(ErrorKind::invalid, "shared memory must have maximum", at);
    if (out.has_max && out.min > out.max) return in.fail(ErrorKind::invalid, "size minimum must not be greater than maximum", at);
    return true;
}

bool SectionDecoder::table_type(Cursor& in, TableType& out) {
    bool has_page_size = false;
    const std::uint64_t at = in.offset();
    if (!read_ref_type(in, type_context(), out.element) || !limits(in, false, out.limits, has_page_size)) return false;
    constexpr std::uint64_t kMost = 0xFFFF'FFFF;
    if (out.limits.is_64 || (out.limits.min <= kMost && out.limits.max <= kMost)) return true;
    return in.fail(ErrorKind::invalid, "table size must be at most 2^32-1", at);
}

bool SectionDecoder::memory_type(Cursor& in, MemoryType& out) {
    const std::uint64_t at = in.offset();
    bool has_page_size = false;
    if (!limits(in, true, out.limits, has_page_size)) return false;
    if (has_page_size) {
        std::uint32_t page_bits = 0;
        if (!in.read_u32(page_bits)) return false;
        if (page_bits > 64) return in.fail(ErrorKind::malformed, "invalid custom page size", at);
        if (page_bits != 0 && page_bits != 16) return in.fail(ErrorKind::invalid, "invalid custom page size: 1 and 65536 are possible", at);
        out.page_bits = static_cast<std::uint8_t>(page_bits);
    }
    const unsigned address_bits = out.limits.is_64 ? 64 : 32;
    const std::uint64_t most =
        out.page_bits == 0 ? ~std::uint64_t{0} >> (64 - address_bits) : std::uint64_t{1} << (address_bits - out.page_bits);
    if (out.limits.min > most || (out.limits.has_max && out.limits.max > most)) {
        return in.fail(ErrorKind::invalid, "memory size must be at most " + std::to_string(most) + " pages", at);
    }
    return true;
}

bool SectionDecoder::global_type(Cursor& in, GlobalType& out) {
    std::uint8_t mutability = 0;
    if (!read_val_type(in, type_context(), out.type) || !in.read_u8(mutability)) return false;
    if (mutability > 1) return in.fail(ErrorKind::malformed, "malformed mutability");
    out.is_mutable = mutability == 1;
    return true;
}

bool SectionDecoder::tag_type(Cursor& in, Tag& out) {
    std::uint8_t attribute = 0;
    if (!features_.has(Feature::legacy_exceptions) && !require(in, features_, Feature::exceptions, "a tag")) return false;
    if (!in.read_u8(attribute)) return false;
    if (attribute != 0) return in.fail(ErrorKind::malformed, "malformed tag attribute");
    if (!function_type(in, out.type)) return false;
    return func_type(out.type).results.empty() || in.fail(ErrorKind::invalid, "non-empty tag result type");
}

bool SectionDecoder::add_table(Cursor& in, const Table& table) {
    if (module_.tables.size() == kMaxTables) return in.fail(ErrorKind::resource, "more than " + std::to_string(kMaxTables) + " tables");
    module_.tables.push_back(table);
    return module_.tables.size() == 1 || require(in, features_, Feature::reference_types, "a second table");
}

bool SectionDecoder::add_memory(Cursor& in, const MemoryType& memory) {
    if (module_.memories.size() == kMaxMemories)
        return in.fail(ErrorKind::resource, "more than " + std::to_string(kMaxMemories) + " memories");
    module_.memories.push_back(memory);
    return module_.memories.size() == 1 || require(in, features_, Feature::multi_memory, "a second memory");
}

// --- sections --------------------------------------------------------------------------------------------------------

bool SectionDecoder::imports(Cursor& in) {
    std::uint32_t size = 0;
    if (!count(in, kMaxImports, "imports", size)) return false;
    module_.imports.reserve(size);
    for (std::uint32_t i = 0; i < size; ++i) {
        std::string_view module_name;
        std::string_view name;
        std::uint8_t kind = 0;
        if (!in.read_name(module_name) || !in.read_name(name) || !in.read_u8(kind)) return false;
        constexpr std::uint8_t kExactFunction = 0x20;
        if (kind == kExactFunction) {
            return in.fail(ErrorKind::unsupported, lacks_feature("an exact import", Feature::custom_descriptors));
        }
        if (kind > static_cast<std::uint8_t>(ExternKind::tag)) return in.fail(ErrorKind::malformed, "malformed import kind");
        Import& import = module_.imports.emplace_back(std::string(module_name), std::string(name), static_cast<ExternKind>(kind), 0);
        bool ok = false;
        switch (import.kind) {
            case ExternKind::func: {
                import.index = size_of(module_.functions);
                Function& function = module_.functions.emplace_back();
                ok = function_type(in, function.type);
                break;
            }
            case ExternKind::table: {
                import.index = size_of(module_.tables);
                Table table;
                ok = table_type(in, table.type) && add_table(in, table);
                break;
            }
            case ExternKind::memory: {
                import.index = size_of(module_.memories);
                MemoryType memory;
                ok = memory_type(in, memory) && add_memory(in, memory);
                break;
            }
            case ExternKind::global: {
                import.index = size_of(module_.globals);
                Global& global = module_.globals.emplace_back();
                ok = global_type(in, global.type);
                if (ok && global.type.is_mutable) ok = require(in, features_, Feature::mutable_global, "an imported mutable global");
                break;
            }
            case ExternKind::tag:
                import.index = size_of(module_.tags);
                ok = tag_type(in, module_.tags.emplace_back());
                break;
        }
        if (!ok) return false;
    }
    module_.imported_functions = size_of(module_.functions);
    module_.imported_tables = size_of(module_.tables);
    module_.imported_memories = size_of(module_.memories);
    module_.imported_globals = size_of(module_.globals);
    module_.imported_tags = size_of(module_.tags);
    module_.declared_functions.resize(module_.functions.size());
    return true;
}

bool SectionDecoder::functions(Cursor& in) {
    std::uint32_t size = 0;
    if (!count(in, kMaxFunctions - std::min(kMaxFunctions, module_.imported_functions), "functions", size)) return false;
    module_.functions.resize(module_.imported_functions + size);
    module_.declared_functions.resize(module_.functions.size());
    for (Function& function : std::span(module_.functions).subspan(module_.imported_functions)) {
        if (!function_type(in, function.type)) return false;
    }
    return true;
}

bool SectionDecoder::tables(Cursor& in) {
    std::uint32_t size = 0;
    if (!count(in, kMaxTables, "tables", size)) return false;
    for (std::uint32_t i = 0; i < size; ++i) {
        constexpr std::uint8_t kWithInit = 0x40;
        std::uint8_t byte = 0;
        Table table;
        if (!in.peek_u8(byte)) return false;
        if (byte == kWithInit) {
            std::uint8_t zero = 0;
            if (!require(in, features_, Feature::function_references, "a table's initialiser") || !in.read_u8(byte) || !in.read_u8(zero))
                return false;
            if (zero != 0) return in.fail(ErrorKind::malformed, "zero byte expected");
            if (!table_type(in, table.type) || !const_expr(in, table.type.element, table.init)) return false;
        } else {
            if (!table_type(in, table.type)) return false;
            if (!table.type.element.defaultable()) {
                return in.fail(ErrorKind::invalid, "type mismatch: a table of non-nullable references needs an initialiser");
            }
        }
        if (!add_table(in, table)) return false;
    }
    return true;
}

bool SectionDecoder::memories(Cursor& in) {
    std::uint32_t size = 0;
    if (!count(in, kMaxMemories, "memories", size)) return false;
    for (std::uint32_t i = 0; i < size; ++i) {
        MemoryType memory;
        if (!memory_type(in, memory) || !add_memory(in, memory)) return false;
    }
    return true;
}

bool SectionDecoder::tags(Cursor& in) {
    std::uint32_t size = 0;
    if (!count(in, kMaxTags, "tags", size)) return false;
    for (std::uint32_t i = 0; i < size; ++i) {
        if (!tag_type(in, module_.tags.emplace_back())) return false;
    }
    return true;
}

bool SectionDecoder::globals(Cursor& in) {
    std::uint32_t size = 0;
    if (!count(in, kMaxGlobals, "globals", size)) return false;
    module_.globals.reserve(module_.globals.size() + size);
    for (std::uint32_t i = 0; i < size; ++i) {
        Global global;
        if (!global_type(in, global.type) || !const_expr(in, global.type.type, global.init)) return false;
        module_.globals.push_back(global);  // only now: an initialiser sees the globals before it
    }
    return true;
}

bool SectionDecoder::exports(Cursor& in) {
    std::uint32_t size = 0;
    if (!count(in, kMaxExports, "exports", size)) return false;
    module_.exports.reserve(size);
    for (std::uint32_t i = 0; i < size; ++i) {
        std::string_view name;
        std::uint8_t kind = 0;
        if (!in.read_name(name) || !in.read_u8(kind)) return false;
        Export& added = module_.exports.emplace_back(std::string(name), static_cast<ExternKind>(kind), 0);
        bool ok = false;
        switch (added.kind) {
            case ExternKind::func:
                ok = index(in, module_.functions.size(), "function", added.index);
                if (ok) module_.declared_functions[added.index] = true;
                break;
            case ExternKind::table:  ok = index(in, module_.tables.size(), "table", added.index); break;
            case ExternKind::memory: ok = index(in, module_.memories.size(), "memory", added.index); break;
            case ExternKind::global:
                ok = index(in, module_.globals.size(), "global", added.index);
                if (ok && module_.globals[added.index].type.is_mutable) {
                    ok = require(in, features_, Feature::mutable_global, "an exported mutable global");
                }
                break;
            case ExternKind::tag: ok = index(in, module_.tags.size(), "tag", added.index); break;
            default:              ok = in.fail(ErrorKind::malformed, "malformed export kind"); break;
        }
        if (!ok) return false;
    }

    const auto name_of = [this](std::uint32_t i) { return std::string_view(module_.exports[i].name); };
    module_.exports_by_name.resize(size);
    std::iota(module_.exports_by_name.begin(), module_.exports_by_name.end(), 0U);
    std::ranges::sort(module_.exports_by_name, {}, name_of);
    const auto twice = std::ranges::adjacent_find(module_.exports_by_name, {}, name_of);
    return twice == module_.exports_by_name.end() ||
           in.fail(ErrorKind::invalid, "duplicate export name \"" + std::string(name_of(*twice)) + "\"");
}

bool SectionDecoder::start(Cursor& in) {
    std::uint32_t function = 0;
    if (!index(in, module_.functions.size(), "function", function)) return false;
    const FuncType& type = module_.func_type(function);
    if (!type.params.empty() || !type.results.empty()) {
        return in.fail(ErrorKind::invalid, "start function must take and return nothing, but takes " + to_string(type.params) +
                                               " and returns " + to_string(type.results));
    }
    module_.start = function;
    return true;
}

bool SectionDecoder::elements(Cursor& in) {
    std::uint32_t size = 0;
    if (!count(in, kMaxElementSegments, "element segments", size)) return false;
    for (std::uint32_t i = 0; i < size; ++i) {
        if (!element_segment(in, module_.elements.emplace_back())) return false;
    }
    return true;
}

bool SectionDecoder::element_segment(Cursor& in, ElementSegment& out) {
    constexpr std::uint32_t kNotActive = 1;
    constexpr std::uint32_t kExplicit = 2;  // a table index; without kActive: declarative
    constexpr std::uint32_t kExpressions = 4;
    std::uint32_t flags = 0;
    if (!in.read_u32(flags)) return false;
    if (flags > 7) return in.fail(ErrorKind::malformed, "malformed elements segment kind " + std::to_string(flags));
    if (flags != 0 && !require(in, features_, Feature::bulk_memory, "this element segment")) return false;
    out.mode = (flags & kNotActive) == 0 ? SegmentMode::active : (flags & kExplicit) != 0 ? SegmentMode::declarative : SegmentMode::passive;

    if (out.mode == SegmentMode::active) {
        if ((flags & kExplicit) != 0 && !in.read_u32(out.table)) return false;
        if (out.table >= module_.tables.size()) return in.fail(ErrorKind::invalid, "unknown table " + std::to_string(out.table));
        if (!const_expr(in, module_.tables[out.table].type.address_kind(), out.offset)) return false;
    }
    if ((flags & (kNotActive | kExplicit)) == 0) {
        out.type = (flags & kExpressions) != 0 ? kFuncRef : ValType::ref(Heap::func, false);
    } else if ((flags & kExpressions) != 0) {
        if (!read_ref_type(in, type_context(), out.type)) return false;
    } else {
        std::uint8_t kind = 0;
        if (!in.read_u8(kind)) return false;
        if (kind != 0) return in.fail(ErrorKind::malformed, "malformed element kind");
        out.type = ValType::ref(Heap::func, false);
    }
    if (out.mode == SegmentMode::active && !matches(out.type, module_.tables[out.table].type.element)) {
        return in.fail(ErrorKind::invalid, "type mismatch: the segment holds " + to_string(out.type) + ", the table " +
                                               to_string(module_.tables[out.table].type.element));
    }

    std::uint32_t size = 0;
    if (!count(in, kMaxElements, "elements", size)) return false;
    if ((flags & kExpressions) != 0) {
        out.expressions.resize(size);
        for (ConstExpr& expression : out.expressions) {
            if (!const_expr(in, out.type, expression)) return false;
        }
        return true;
    }
    out.functions.resize(size);
    for (std::uint32_t& function : out.functions) {
        if (!index(in, module_.functions.size(), "function", function)) return false;
        module_.declared_functions[function] = true;
    }
    return true;
}

bool SectionDecoder::data_count(Cursor& in) {
    std::uint32_t size = 0;
    if (!in.read_u32(size)) return false;
    if (size > kMaxDataSegments) return in.fail(ErrorKind::resource, "more than " + std::to_string(kMaxDataSegments) + " data segments");
    module_.data_count = size;
    return true;
}

bool SectionDecoder::data(Cursor& in) {
    std::uint32_t size = 0;
    if (!count(in, kMaxDataSegments, "data segments", size)) return false;
    if (module_.data_count && *module_.data_count != size) {
        return in.fail(ErrorKind::malformed, "data count and data section have inconsistent lengths: " +
                                                 std::to_string(*module_.data_count) + " and " + std::to_string(size));
    }
    module_.data.reserve(size);
    for (std::uint32_t i = 0; i < size; ++i) {
        DataSegment& segment = module_.data.emplace_back();
        std::uint32_t flags = 0;
        std::uint32_t bytes_size = 0;
        std::span<const std::uint8_t> bytes;
        if (!in.read_u32(flags)) return false;
        if (flags > 2) return in.fail(ErrorKind::malformed, "malformed data segment kind " + std::to_string(flags));
        if (flags != 0 && !require(in, features_, Feature::bulk_memory, "this data segment")) return false;
        if (flags == 2 && !in.read_u32(segment.memory)) return false;
        if (flags != 1) {
            segment.mode = SegmentMode::active;
            if (segment.memory >= module_.memories.size())
                return in.fail(ErrorKind::invalid, "unknown memory " + std::to_string(segment.memory));
            if (!const_expr(in, module_.memories[segment.memory].address_kind(), segment.offset, false)) return false;
        }
        if (!in.read_u32(bytes_size)) return false;
        segment.bytes_offset = static_cast<std::uint32_t>(in.offset());
        segment.bytes_size = bytes_size;
        if (!in.read_bytes(bytes_size, bytes)) return false;
    }
    return true;
}

}  // namespace pollux::wasm
