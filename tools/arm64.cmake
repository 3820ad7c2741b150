# Cross build for AArch64 Linux: cmake -S . -B build/arm64 -G Ninja --toolchain tools/arm64.cmake, after tools/arm64-sysroot.sh.
# Tests run under qemu. POLLUX_ARM64_SYSROOT names another folder than build/arm64-sysroot.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

if(NOT POLLUX_ARM64_SYSROOT)
  get_filename_component(POLLUX_ARM64_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../build/arm64-sysroot ABSOLUTE)
endif()
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES POLLUX_ARM64_SYSROOT)

# The compiler brings its own C and C++ libraries; the sysroot has the others.
set(CMAKE_FIND_ROOT_PATH ${POLLUX_ARM64_SYSROOT} /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
include_directories(SYSTEM ${POLLUX_ARM64_SYSROOT}/usr/include)
link_directories(${POLLUX_ARM64_SYSROOT}/usr/lib/aarch64-linux-gnu)

set(CMAKE_CROSSCOMPILING_EMULATOR
  qemu-aarch64-static;-L;/usr/aarch64-linux-gnu;-E;LD_LIBRARY_PATH=${POLLUX_ARM64_SYSROOT}/usr/lib/aarch64-linux-gnu)
