// Calls @oxc-parser/binding-wasm32-wasi, which parses JavaScript and TypeScript.
// clang-format off
#define REGISTER(F)                                                                                     \
    F(ExportExportNameKind_18) F(ExportImportNameKind_16) F(ExportLocalNameKind_21) F(ImportNameKind_12) \
    F(Severity_3) F(ParseResult_impl_6) F(ParseResult_struct_1) F(ResolveTask_impl_25)                   \
    F(parse_26) F(parse_sync_24) F(raw_transfer_supported_23)
// clang-format on
#define ASYNC_WORK
#include "call.h"
