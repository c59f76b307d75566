# SPDX-License-Identifier: MIT
# Toolchain: Debian's cross gcc for aarch64; the programs run under qemu-user.
# cmocka for arm64 is unpacked by tools/sysroot_aarch64 into WEFT_AARCH64_ROOT.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_ASM_COMPILER aarch64-linux-gnu-gcc)
set(WEFT_AARCH64_ROOT ${CMAKE_CURRENT_LIST_DIR}/../build/aarch64-root
    CACHE PATH "libraries for arm64 from tools/sysroot_aarch64")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES WEFT_AARCH64_ROOT)
get_filename_component(WEFT_AARCH64_ROOT ${WEFT_AARCH64_ROOT} ABSOLUTE)
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu ${WEFT_AARCH64_ROOT})
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64;-L;/usr/aarch64-linux-gnu;-E;LD_LIBRARY_PATH=${WEFT_AARCH64_ROOT}/usr/lib/aarch64-linux-gnu)
set(WEFT_WITH_LIBDW OFF CACHE BOOL "")
set(WEFT_WITH_TLS OFF CACHE BOOL "")
set(WEFT_WITH_HTTP_PARSER OFF CACHE BOOL "")
