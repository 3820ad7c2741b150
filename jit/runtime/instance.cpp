#include "jit/runtime/instance.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "jit/runtime/code_map.h"
#include "jit/runtime/constant_evaluator.h"
#include "jit/runtime/import_check.h"
#include "jit/runtime/store.h"
#include "jit/wasm/type_registry.h"

namespace pollux {
namespace {

constexpr std::size_t kHeaderOffset = (sizeof(Instance) + 15) & ~std::size_t{15};

std::unexpected<InstantiationError> not_instantiated(Error error) {
    return std::unexpected(InstantiationError{std::move(error), std::nullopt});
}

std::unexpected<InstantiationError> trapped(Trap trap, const std::string& what) {
    Error error{ErrorKind::instantiate, what + ": " + trap.message()};
    return std::unexpected(InstantiationError{std::move(error), std::move(trap)});
}

}  // namespace

void Instance::FreeMemory::operator()(void* memory) const noexcept { std::free(memory); }

Instance::Instance(Store& store, std::shared_ptr<const CompiledModule> module) : store_(&store), module_(std::move(module)) {}

Instance::~Instance() = default;

void* Instance::operator new(std::size_t /*bytes*/, VariablePart variable) {
    void* memory = ::operator new(kHeaderOffset + variable.bytes, std::align_val_t{16});
    std::memset(static_cast<std::uint8_t*>(memory) + kHeaderOffset, 0, variable.bytes);
    return memory;
}

void Instance::operator delete(void* memory) noexcept { ::operator delete(memory, std::align_val_t{16}); }

void Instance::operator delete(void* memory, VariablePart /*variable*/) noexcept { operator delete(memory); }

Instance& Instance::of(InstanceHeader* header) noexcept {
    return *reinterpret_cast<Instance*>(reinterpret_cast<std::uint8_t*>(header) - kHeaderOffset);
}

InstanceHeader* Instance::header() noexcept {
    return reinterpret_cast<InstanceHeader*>(reinterpret_cast<std::uint8_t*>(this) + kHeaderOffset);
}

std::expected<Instance*, InstantiationError> Instance::create(Store& store, std::shared_ptr<const CompiledModule> module,
                                                              std::span<const Extern> imports) {
    if (!store.engine().runs_here()) return not_instantiated({ErrorKind::usage, "the module was compiled for another host"});
    if (&module->engine() != &store.engine())
        return not_instantiated({ErrorKind::usage, "the module was compiled by another engine than the store's"});
    if (!store.can_add_instance()) return not_instantiated({ErrorKind::resource, "the store's limit of instances is reached"});
    const VariablePart variable{module->layout().size};
    std::unique_ptr<Instance> owner(new (variable) Instance(store, std::move(module)));
    Instance& self = *owner;
    new (self.header()) InstanceHeader{&store, store.stack_limit(), nullptr, store.engine().stubs().helpers.data(), store.windows()};

    if (auto done = self.link(imports); !done) return not_instantiated(std::move(done.error()));
    {
        const GcHeap::Pause pause(store.heap());  // what initialisers make is in no root until the instance is the store's
        if (auto done = self.make_own(); !done) return not_instantiated(std::move(done.error()));
    }
    // From here on others may refer to the instance, even if the rest fails.
    Instance* instance = store.add_instance(std::move(owner));
    if (auto done = instance->run_active_segments(); !done) return std::unexpected(std::move(done.error()));
    if (instance->module_->file_changed()) return not_instantiated({ErrorKind::io, "the module's file was cut off while it was read"});
    if (const auto start = instance->module().start) {
        if (auto called = instance->function(*start).call(std::span<const Value>{}, std::span<Value>{}); !called)
            return trapped(std::move(called.error()), "the start function");
    }
    return instance;
}

Result<> Instance::link(std::span<const Extern> imports) {
    const wasm::Module& module = this->module();
    if (imports.size() != module.imports.size()) {
        return fail(ErrorKind::usage, "the module has " + std::to_string(module.imports.size()) + " imports, but " +
                                          std::to_string(imports.size()) + " were given");
    }
    const InstanceLayout& layout = module_->layout();
    for (std::size_t i = 0; i < imports.size(); ++i) {
        const wasm::Import& import = module.imports[i];
        if (auto fits = check_import(module, import, imports[i]); !fits) return fits;
        switch (import.kind) {
            case wasm::ExternKind::func: {
                const Func& function = std::get<Func>(imports[i]);
                if (&function.store() != store_)
                    return fail(ErrorKind::usage,
                                "import \"" + import.module + "\" \"" + import.name + "\" is a function of another store");
                FuncRef* ref = function.ref();
                imported_functions_.push_back(ref);
                ImportedFunction& slot = part<ImportedFunction>(layout.imported_functions)[import.index];
                slot = {ref->code, ref->instance};
                CodeRegion region;
                if (find_code_region(reinterpret_cast<std::uint64_t>(ref->code), region) && region.module != nullptr &&
                    region.module->is_thunk(ref->code)) {
                    Instance::of(static_cast<InstanceHeader*>(ref->instance)).thunk_users_.emplace_back(ref->function, &slot);
                }
                break;
            }
            case wasm::ExternKind::table:  part<TableCell*>(layout.tables)[import.index] = std::get<Table*>(imports[i]); break;
            case wasm::ExternKind::memory: {
                const auto& memory = std::get<std::shared_ptr<Memory>>(imports[i]);
                part<MemoryCell*>(layout.memories)[import.index] = memory.get();
                memories_.push_back(memory);
                break;
            }
            case wasm::ExternKind::global:
                part<GlobalCell*>(layout.imported_globals)[import.index] = std::get<Global>(imports[i]).cell;
                break;
            case wasm::ExternKind::tag: tags_.push_back(std::get<const Tag*>(imports[i])); break;
        }
    }
    return {};
}

Result<> Instance::make_own() {
    const wasm::Module& module = this->module();
    const InstanceLayout& layout = module_->layout();
    const std::size_t own_functions = module.functions.size() - module.imported_functions;
    if (own_functions != 0) {
        // calloc: of many functions few are ever referred to
        func_refs_.reset(static_cast<FuncRef*>(std::calloc(own_functions, sizeof(FuncRef))));
        if (!func_refs_) return fail(ErrorKind::resource, "out of memory for function references");
    }
    std::ranges::copy(module.types, part<wasm::TypeId>(layout.types));
    std::ranges::transform(module.types, part<const wasm::ObjectType*>(layout.object_types),
                           [](wasm::TypeId type) { return &wasm::TypeRegistry::object_type(type); });
    for (std::size_t i = module.imported_memories; i < module.memories.size(); ++i) {
        auto memory = store_->new_memory(module.memories[i]);
        if (!memory) return std::unexpected(std::move(memory.error()));
        part<MemoryCell*>(layout.memories)[i] = memory->get();
        memories_.push_back(std::move(*memory));
    }
    if (!memories_.empty()) {
        header()->memory0_base = memories_.front()->base;
        default_memory_ = memories_.front().get();
        if (const wasm::Export* item = module.find_export("memory"); item != nullptr && item->kind == wasm::ExternKind::memory)
            default_memory_ = memories_[item->index].get();
    }
    for (std::size_t i = module.imported_globals; i < module.globals.size(); ++i) {
        wasm::V128 value;
        if (auto done = evaluate(module.globals[i].init, value); !done) return done;
        GlobalCell& cell = part<GlobalCell>(layout.globals)[i - module.imported_globals];
        cell.bits[0] = value.low;
        cell.bits[1] = value.high;
    }
    for (std::size_t i = module.imported_tables; i < module.tables.size(); ++i) {
        wasm::V128 value;
        if (module.tables[i].init.size != 0) {
            if (auto done = evaluate(module.tables[i].init, value); !done) return done;
        }
        auto table = store_->new_table(module.tables[i].type, Value::ref(value.low));
        if (!table) return std::unexpected(std::move(table.error()));
        part<TableCell*>(layout.tables)[i] = *table;
    }
    for (std::size_t i = module.imported_tags; i < module.tags.size(); ++i) tags_.push_back(store_->new_tag(module.tags[i].type));
    data_dropped_.resize(module.data.size());
    elements_dropped_.resize(module.elements.size());
    return evaluate_elements();
}

Result<> Instance::evaluate(const wasm::ConstExpr& expression, wasm::V128& value) {
    ConstantEvaluator evaluator([this](std::uint32_t index) { return global(index).get().bits; },
                                [this](std::uint32_t index) { return func_ref(index); }, store_->heap());
    auto result = evaluator.evaluate(module(), expression);
    if (!result) return std::unexpected(std::move(result.error()));
    value = *result;
    return {};
}

Result<> Instance::evaluate_elements() {
    const wasm::Module& module = this->module();
    elements_.resize(module.elements.size());
    for (std::size_t i = 0; i < module.elements.size(); ++i) {
        const wasm::ElementSegment& segment = module.elements[i];
        if (segment.mode == wasm::SegmentMode::declarative) continue;
        for (const wasm::ConstExpr& expression : segment.expressions) {
            wasm::V128 value;
            if (auto done = evaluate(expression, value); !done) return done;
            elements_[i].push_back(value.low);
        }
    }
    return {};
}

std::expected<void, InstantiationError> Instance::run_active_segments() {
    const wasm::Module& module = this->module();
    const auto trap = [](TrapCode code, const std::string& what) {
        Trap reason;
        reason.code = code;
        return trapped(std::move(reason), what);
    };
    for (std::uint32_t i = 0; i < module.elements.size(); ++i) {
        const wasm::ElementSegment& segment = module.elements[i];
        if (segment.mode == wasm::SegmentMode::passive) continue;
        if (segment.mode == wasm::SegmentMode::active) {
            wasm::V128 offset;
            if (auto done = evaluate(segment.offset, offset); !done) return not_instantiated(std::move(done.error()));
            Table& target = table(segment.table);
            if (target.type().address_kind() == wasm::Kind::i32) offset.low &= 0xffff'ffff;
            const std::uint64_t count = element_count(i);
            if (offset.low > target.length || count > target.length - offset.low)
                return trap(TrapCode::table_out_of_bounds, "element segment " + std::to_string(i));
            for (std::uint64_t at = 0; at < count; ++at) target.elements[offset.low + at] = element(i, at);
        }
        drop_elements(i);
    }
    for (std::uint32_t i = 0; i < module.data.size(); ++i) {
        const wasm::DataSegment& segment = module.data[i];
        if (segment.mode != wasm::SegmentMode::active) continue;
        wasm::V128 offset;
        if (auto done = evaluate(segment.offset, offset); !done) return not_instantiated(std::move(done.error()));
        const Memory& target = memory(segment.memory);
        if (target.type().address_kind() == wasm::Kind::i32) offset.low &= 0xffff'ffff;
        const std::span<const std::uint8_t> bytes = data_segment(i);
        const std::span<std::uint8_t> all = target.bytes();
        if (offset.low > all.size() || bytes.size() > all.size() - offset.low)
            return trap(TrapCode::memory_out_of_bounds, "data segment " + std::to_string(i));
        if (!bytes.empty()) std::memcpy(all.data() + offset.low, bytes.data(), bytes.size());
        drop_data(i);
    }
    return {};
}

std::optional<Extern> Instance::find_export(std::string_view name) {
    const wasm::Export* item = module().find_export(name);
    if (item == nullptr) return std::nullopt;
    switch (item->kind) {
        case wasm::ExternKind::func:   return function(item->index);
        case wasm::ExternKind::table:  return &table(item->index);
        case wasm::ExternKind::memory: return memories_[item->index];
        case wasm::ExternKind::global: return global(item->index);
        case wasm::ExternKind::tag:    return tags_[item->index];
    }
    return std::nullopt;
}

Func Instance::find_function(std::string_view name) {
    const wasm::Export* item = module().find_export(name);
    return item != nullptr && item->kind == wasm::ExternKind::func ? function(item->index) : Func();
}

FuncRef* Instance::func_ref(std::uint32_t index) noexcept {
    const wasm::Module& module = this->module();
    if (index < module.imported_functions) return imported_functions_[index];
    FuncRef& ref = func_refs_[index - module.imported_functions];
    if (ref.code == nullptr) {
        const wasm::TypeId type = module.functions[index].type;
        ref = {&wasm::TypeRegistry::object_type(type), module_->code(index), header(), type, index};
    }
    return &ref;
}

Memory& Instance::memory(std::uint32_t index) noexcept { return *memories_[index]; }

Table& Instance::table(std::uint32_t index) noexcept { return *static_cast<Table*>(part<TableCell*>(module_->layout().tables)[index]); }

GlobalCell* Instance::global_cell(std::uint32_t index) noexcept {
    const InstanceLayout& layout = module_->layout();
    if (index < layout.imported_global_count) return part<GlobalCell*>(layout.imported_globals)[index];
    return part<GlobalCell>(layout.globals) + (index - layout.imported_global_count);
}

Global Instance::global(std::uint32_t index) noexcept { return {module().globals[index].type, global_cell(index)}; }

std::span<const std::uint8_t> Instance::data_segment(std::uint32_t index) const noexcept {
    if (data_dropped_[index]) return {};
    const wasm::DataSegment& segment = module().data[index];
    return module().bytes.subspan(segment.bytes_offset, segment.bytes_size);
}

std::uint64_t Instance::element_count(std::uint32_t segment) const noexcept {
    return elements_dropped_[segment] ? 0 : module().elements[segment].size();
}

std::uint64_t Instance::element(std::uint32_t segment, std::uint64_t index) noexcept {
    const wasm::ElementSegment& definition = module().elements[segment];
    if (definition.functions.empty()) return elements_[segment][index];
    return reinterpret_cast<std::uint64_t>(func_ref(definition.functions[index]));
}

void Instance::drop_elements(std::uint32_t index) noexcept {
    elements_dropped_[index] = true;
    elements_[index] = {};
}

const void* Instance::compile_lazily(std::uint32_t function, TrapCode& trap) {
    const void* code = module_->compile_lazily(function, trap);
    if (code == nullptr) return nullptr;
    FuncRef& ref = func_refs_[function - module().imported_functions];
    if (ref.code != nullptr) ref.code = code;
    std::erase_if(thunk_users_, [&](const auto& user) {
        if (user.first != function) return false;
        user.second->code = code;
        return true;
    });
    return code;
}

}  // namespace pollux
