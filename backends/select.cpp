// Backends by name, and the host's.
#include "jit/compile/backend.h"

namespace pollux {

const Backend& host_backend() {
#if defined(__aarch64__)
    return arm64_backend();
#else
    return x64_backend();
#endif
}

const Backend* find_backend(std::string_view name) {
    for (const Backend* backend : {&x64_backend(), &arm64_backend()}) {
        if (backend->name() == name) return backend;
    }
    return nullptr;
}

}  // namespace pollux
