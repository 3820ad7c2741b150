// traps.c in C++: methods, templates, namespaces and lambdas, whose names must appear demangled in backtraces.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <vector>

#include "traps.h"

namespace zoo {

struct Animal {
    virtual ~Animal() = default;
    virtual int feed(int portions) = 0;
};

struct Lion : Animal {
    NOINLINE int feed(int portions) override { return portions / zero; }
};

template <class T>
NOINLINE T read_beyond(T* start, std::size_t index) {
    return *static_cast<volatile T*>(start + index);
}

NOINLINE int recurse(std::vector<int>& path) {
    path[0] = path[0] + 1;
    return recurse(path) + path[0];
}

NOINLINE void sort_with_trap() {
    std::vector<int> values{3, 1, 2};
    std::sort(values.begin(), values.end(), [](int a, int b) -> bool {
        if (a != b) __builtin_trap();
        return false;
    });
}

NOINLINE int call_wrong_type() {
    int (*volatile function)(std::vector<int>&) = recurse;
    return reinterpret_cast<int (*)()>(function)();
}

}  // namespace zoo

int main(int argc, char** argv) {
    const char* how = argc < 2 ? "" : argv[1];
    zoo::Lion lion;
    zoo::Animal* volatile animal = &lion;
    std::vector<int> path{0};
    if (std::strcmp(how, "divide") == 0) return animal->feed(2);
    if (std::strcmp(how, "read") == 0) return zoo::read_beyond<int>(nullptr, far_away / sizeof(int));
    if (std::strcmp(how, "recursion") == 0) return zoo::recurse(path);
    if (std::strcmp(how, "callback") == 0) return zoo::sort_with_trap(), 0;
    if (std::strcmp(how, "type") == 0) return zoo::call_wrong_type();
    if (std::strcmp(how, "unreachable") == 0) __builtin_trap();
    std::fprintf(stderr, "traps_cpp: no way called %s\n", how);
    return 2;
}
