// The registry's map from a recursion group's structure to ids, and subtyping.
//
// A group is looked up by a key of words that spells out its structure, with references inside the group as indices.
// Entries are filled in under the lock and never change afterwards; readers got the id from whoever added the type.
#include "jit/wasm/type_registry.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

namespace pollux::wasm {

constinit std::array<std::atomic<TypeRegistry::Entry*>, TypeRegistry::kMaxTypes / TypeRegistry::kChunkSize> TypeRegistry::chunks_{};

namespace {

using Key = std::vector<std::uint64_t>;
using KeyView = std::span<const std::uint64_t>;

struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(KeyView key) const noexcept {
        std::uint64_t hash = 0x9E3779B97F4A7C15;
        for (const std::uint64_t word : key) {
            hash = (hash ^ word) * 0xFF51AFD7ED558CCD;
            hash ^= hash >> 32;
        }
        return hash;
    }
};
struct KeyEqual {
    using is_transparent = void;
    bool operator()(KeyView a, KeyView b) const noexcept { return std::ranges::equal(a, b); }
};

void append_types(Key& key, const std::vector<ValType>& types) {
    key.push_back(types.size());
    for (const ValType type : types) key.push_back(type.bits());
}

void append_type(Key& key, const DefinedType& type) {
    key.push_back(static_cast<std::uint64_t>(type.form) | (type.is_final ? 0x100U : 0U) | std::uint64_t{type.supertype} << 32);
    if (type.form == DefinedType::Form::func) {
        append_types(key, type.func.params);
        append_types(key, type.func.results);
        return;
    }
    key.push_back(type.fields.size());
    for (const FieldType& field : type.fields) {
        // Heap types and codes leave bits 24 to 31 of a value type free.
        key.push_back(field.type.bits() | static_cast<std::uint64_t>(field.packed) << 24 | (field.is_mutable ? 1U << 28 : 0U));
    }
}

}  // namespace

struct TypeRegistry::Storage {
    std::shared_mutex mutex;
    std::unordered_map<Key, TypeId, KeyHash, KeyEqual> groups;
    std::uint32_t count = 0;

    /// Room for `more` types after `count`; its memory is first touched where a type is added.
    void reserve(std::uint32_t more) {
        for (std::uint32_t chunk = count >> kChunkBits; chunk <= (count + more - 1) >> kChunkBits; ++chunk) {
            if (chunks_[chunk].load(std::memory_order_relaxed) == nullptr) {
                chunks_[chunk].store(std::allocator<Entry>().allocate(kChunkSize), std::memory_order_release);
            }
        }
    }
};

TypeRegistry::Storage& TypeRegistry::storage() {
    // Never destroyed: threads may still read types while the process exits.
    static Storage& storage = *new Storage;
    return storage;
}

Result<TypeId> TypeRegistry::add(std::span<const DefinedType> group) {
    static thread_local Key key;
    key.clear();
    for (const DefinedType& type : group) append_type(key, type);

    Storage& all = storage();
    {
        const std::shared_lock lock(all.mutex);
        if (const auto found = all.groups.find(KeyView(key)); found != all.groups.end()) return found->second;
    }
    const std::unique_lock lock(all.mutex);
    if (const auto found = all.groups.find(KeyView(key)); found != all.groups.end()) return found->second;
    if (group.size() > kMaxTypes - all.count) {
        return fail(ErrorKind::resource, "this process has seen more than " + std::to_string(kMaxTypes) + " different types");
    }

    const TypeId base = all.count;
    const auto count = static_cast<std::uint32_t>(group.size());
    std::vector<std::uint32_t> depths(count, 0);
    for (std::uint32_t i = 0; i < count; ++i) {
        const TypeId super = group[i].supertype;
        if (super == kNoType) continue;
        depths[i] = 1 + ((super & kInGroup) != 0 ? depths[super & ~kInGroup] : entry(super).depth);
        if (depths[i] > kMaxDepth) return fail(ErrorKind::invalid, "a type has more than 63 supertypes");
    }

    const auto resolve_id = [base](TypeId id) { return id != kNoType && (id & kInGroup) != 0 ? base + (id & ~kInGroup) : id; };
    const auto resolve = [&](ValType& type) {
        if (type.is_ref() && type.heap() == Heap::concrete) type = ValType::ref(resolve_id(type.type_id()), type.nullable());
    };
    if (count != 0) all.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        const TypeId id = base + i;
        Entry& added = *std::construct_at(chunks_[id >> kChunkBits].load(std::memory_order_relaxed) + (id & (kChunkSize - 1)));
        added.type = group[i];
        std::ranges::for_each(added.type.func.params, resolve);
        std::ranges::for_each(added.type.func.results, resolve);
        for (FieldType& field : added.type.fields) resolve(field.type);
        added.type.supertype = resolve_id(added.type.supertype);
        added.refs = {ValType::ref(id, false), ValType::ref(id, true)};
        added.depth = depths[i];
        if (depths[i] != 0) {
            auto above = std::make_unique<TypeId[]>(depths[i]);
            std::ranges::copy(supertypes(added.type.supertype), above.get());
            above[depths[i] - 1] = added.type.supertype;
            added.supertypes = above.release();
        }
    }
    for (std::uint32_t i = 0; i < count; ++i) {
        const TypeId id = base + i;
        Entry& added = chunks_[id >> kChunkBits].load(std::memory_order_relaxed)[id & (kChunkSize - 1)];
        make_object_type(added.type, id, {added.supertypes, added.depth}, added.object);
    }
    all.groups.emplace(key, base);
    all.count += count;
    return base;
}

Result<TypeId> TypeRegistry::add(const FuncType& type) {
    DefinedType defined;
    defined.func = type;
    return add(std::span(&defined, 1));
}

bool TypeRegistry::check_supertype(TypeId id) noexcept {
    const DefinedType& sub = type(id);
    if (sub.supertype == kNoType) return true;
    const DefinedType& super = type(sub.supertype);
    if (super.is_final || super.form != sub.form) return false;
    const auto pairwise = [](const auto& subs, const auto& supers) {
        return std::ranges::equal(subs, supers, [](const auto& a, const auto& b) { return matches(a, b); });
    };
    if (sub.form == DefinedType::Form::func) {
        return pairwise(super.func.params, sub.func.params) && pairwise(sub.func.results, super.func.results);
    }
    if (super.fields.size() > sub.fields.size()) return false;
    return pairwise(std::span(sub.fields).first(super.fields.size()), super.fields);
}

Heap abstract_heap(ValType reference) noexcept {
    if (reference.heap() != Heap::concrete) return reference.heap();
    switch (defined_type(reference.type_id()).form) {
        case DefinedType::Form::func:    return Heap::func;
        case DefinedType::Form::struct_: return Heap::struct_;
        case DefinedType::Form::array:   break;
    }
    return Heap::array;
}

Heap top_of(ValType reference) noexcept {
    switch (abstract_heap(reference)) {
        case Heap::func:
        case Heap::nofunc:   return Heap::func;
        case Heap::extern_:
        case Heap::noextern: return Heap::extern_;
        case Heap::exn:
        case Heap::noexn:    return Heap::exn;
        default:             return Heap::any;
    }
}

namespace {

/// Subtyping of abstract heap types.
bool abstract_matches(Heap sub, Heap super) noexcept {
    if (sub == super) return true;
    switch (super) {
        case Heap::func:    return sub == Heap::nofunc;
        case Heap::extern_: return sub == Heap::noextern;
        case Heap::exn:     return sub == Heap::noexn;
        case Heap::any:     return sub == Heap::eq || sub == Heap::i31 || sub == Heap::struct_ || sub == Heap::array || sub == Heap::none;
        case Heap::eq:      return sub == Heap::i31 || sub == Heap::struct_ || sub == Heap::array || sub == Heap::none;
        case Heap::i31:
        case Heap::struct_:
        case Heap::array:   return sub == Heap::none;
        default:            return false;
    }
}

}  // namespace

bool detail::matches_slow(ValType sub, ValType super) noexcept {
    if (sub.is_bottom()) return true;
    if (!sub.is_ref() || !super.is_ref()) return sub == super;
    if (sub.nullable() && !super.nullable()) return false;
    if (super.heap() == Heap::concrete) {
        if (sub.heap() == Heap::concrete) return is_subtype(sub.type_id(), super.type_id());
        return sub.heap() == (abstract_heap(super) == Heap::func ? Heap::nofunc : Heap::none);
    }
    return abstract_matches(abstract_heap(sub), super.heap());
}

bool matches(const FieldType& sub, const FieldType& super) noexcept {
    if (sub.is_mutable != super.is_mutable || sub.packed != super.packed) return false;
    if (sub.packed != FieldType::Packed::no) return true;
    return sub.is_mutable ? sub.type == super.type : matches(sub.type, super.type);
}

std::string to_string(ValType type) {
    static constexpr const char* kNumeric[] = {"i32", "i64", "f32", "f64", "v128"};
    static constexpr const char* kHeaps[] = {"",      "func", "extern", "any",    "eq",       "i31",  "struct",
                                             "array", "exn",  "none",   "nofunc", "noextern", "noexn"};
    if (type.is_bottom()) return "an unknown type";
    if (!type.is_ref()) return kNumeric[static_cast<std::size_t>(type.kind())];
    std::string text = type.nullable() ? "(ref null " : "(ref ";
    if (type.heap() == Heap::concrete) {
        text.append("$").append(std::to_string(type.type_id()));
    } else {
        text.append(kHeaps[static_cast<std::size_t>(type.heap())]);
    }
    return text.append(")");
}

std::string to_string(std::span<const ValType> types) {
    std::string text = "[";
    for (const ValType type : types) {
        if (text.size() > 1) text.append(" ");
        text.append(to_string(type));
    }
    return text.append("]");
}

}  // namespace pollux::wasm
