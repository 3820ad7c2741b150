// Reads value, reference and heap types, for sections, function bodies and constant expressions alike.
//
// In: a cursor and what type indices mean at this place. Out: types with canonical ids, or an error in the cursor.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "jit/wasm/bytes.h"
#include "jit/wasm/features.h"
#include "jit/wasm/types.h"

namespace pollux::wasm {

struct TypeContext {
    std::span<const TypeId> types;  ///< type indices from 0 on
    FeatureSet features;
    std::uint32_t group_size = 0;   ///< indices that follow `types` mean TypeRegistry::in_group(0 …), while a group is read
};

/// Why `what` is refused: it needs a feature that is off or not supported.
[[nodiscard]] std::string lacks_feature(std::string_view what, Feature feature);
/// `feature` is on, or the cursor fails with its name. `what` is the thing that needs it.
bool require(Cursor& in, FeatureSet features, Feature feature, std::string_view what);

[[nodiscard]] bool read_val_type(Cursor& in, const TypeContext& context, ValType& out);
[[nodiscard]] bool read_ref_type(Cursor& in, const TypeContext& context, ValType& out);
/// A heap type; `out` is the reference to it.
[[nodiscard]] bool read_heap_type(Cursor& in, const TypeContext& context, bool nullable, ValType& out);
/// The parameters and results of a block. Their memory is static or the registry's.
[[nodiscard]] bool read_block_type(Cursor& in, const TypeContext& context, BlockType& out);

}  // namespace pollux::wasm
