# Guest programs: C and C++ compiled to WebAssembly with clang and wasi-libc, for examples and tests.
#
# pollux_add_guest(NAME SOURCE [OPTIONS...]) builds NAME.wasm into the current binary directory, as part of the target `guests`
# of that directory. Where clang cannot build for wasm32-wasi, POLLUX_GUESTS is false and POLLUX_GUESTS_MISSING says why.
include_guard(GLOBAL)

find_program(POLLUX_GUEST_CC clang)
find_program(POLLUX_GUEST_CXX clang++)
set(POLLUX_GUESTS FALSE CACHE INTERNAL "Whether guest programs can be built")
if(NOT POLLUX_GUEST_CC OR NOT POLLUX_GUEST_CXX)
  set(POLLUX_GUESTS_MISSING "clang is not installed" CACHE INTERNAL "")
else()
  file(WRITE ${PROJECT_BINARY_DIR}/guest-probe.c "#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n")
  execute_process(
    COMMAND ${POLLUX_GUEST_CC} --target=wasm32-wasi -O0 -o ${PROJECT_BINARY_DIR}/guest-probe.wasm ${PROJECT_BINARY_DIR}/guest-probe.c
    RESULT_VARIABLE probe_status OUTPUT_QUIET ERROR_QUIET)
  if(probe_status EQUAL 0)
    set(POLLUX_GUESTS TRUE CACHE INTERNAL "")
  else()
    set(POLLUX_GUESTS_MISSING "clang cannot build for wasm32-wasi (Debian: lld wasi-libc libclang-rt-14-dev-wasm32)" CACHE INTERNAL "")
  endif()
endif()
if(NOT POLLUX_GUESTS)
  message(STATUS "Guest programs are not built: ${POLLUX_GUESTS_MISSING}")
endif()

# Options: for compiling, after the defaults -O2 -Wall -Wextra -Werror; -Wl,…, -nostdlib and -mexec-model=… for linking. Linking is a step of its own and
# without -O, because clang would then run any wasm-opt that it finds, which drops the function names.
function(pollux_add_guest name source)
  if(NOT POLLUX_GUESTS)
    return()
  endif()
  set(link_options ${ARGN})
  list(FILTER link_options INCLUDE REGEX "^-(Wl,|mexec-model=|nostdlib)")
  list(FILTER ARGN EXCLUDE REGEX "^-(Wl,|mexec-model=|nostdlib)")
  get_filename_component(extension ${source} EXT)
  set(compiler ${POLLUX_GUEST_CC})
  if(extension STREQUAL ".cpp")
    set(compiler ${POLLUX_GUEST_CXX} -std=c++20 -fno-exceptions)
  endif()
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${name}.wasm)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${compiler} --target=wasm32-wasi -O2 -Wall -Wextra -Werror ${ARGN} -c -o ${name}.o ${CMAKE_CURRENT_SOURCE_DIR}/${source}
    COMMAND ${compiler} --target=wasm32-wasi -Wl,--strip-debug ${link_options} -o ${output} ${name}.o
    WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${source}
    COMMENT "Building guest ${name}.wasm"
    VERBATIM)
  set_property(DIRECTORY APPEND PROPERTY POLLUX_GUEST_FILES ${output})
endfunction()

# Call after the last pollux_add_guest of a directory: makes `target` build them, as part of `all`.
function(pollux_guests_target target)
  get_property(files DIRECTORY PROPERTY POLLUX_GUEST_FILES)
  add_custom_target(${target} ALL DEPENDS ${files})
endfunction()
