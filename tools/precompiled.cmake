# Precompiled headers: what most files include is parsed once for the libraries and once for tests and programs, which may throw.
# CMAKE_DISABLE_PRECOMPILE_HEADERS=ON builds without, as `tools/dev lint` does, so that a missing #include is noticed.

set(POLLUX_COMMON_HEADERS
  <algorithm> <array> <atomic> <bit> <cerrno> <charconv> <cstddef> <cstdint> <cstdio> <cstdlib> <cstring> <expected> <functional>
  <limits> <map> <memory> <mutex> <optional> <span> <string> <string_view> <type_traits> <unordered_map> <utility> <vector>)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-fpch-preprocess)  # what ccache needs to see through a precompiled header
endif()

# Makes the programs and libraries of `folder` and of those below use the headers that `source` has precompiled; where a third
# argument names a library, only those that link it.
function(pollux_reuse_headers folder source)
  get_property(folders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(inner ${folders})
    pollux_reuse_headers(${inner} ${source} ${ARGN})
  endforeach()
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    get_target_property(libraries ${target} LINK_LIBRARIES)
    if(type MATCHES "EXECUTABLE|STATIC_LIBRARY" AND libraries MATCHES "${ARGN}" AND NOT target STREQUAL source)
      target_precompile_headers(${target} REUSE_FROM ${source})
    endif()
  endforeach()
endfunction()
