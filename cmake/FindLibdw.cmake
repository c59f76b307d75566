# SPDX-License-Identifier: MIT
# Finds elfutils' libdw and libelf; offers the target Libdw::Libdw.
find_path(Libdw_INCLUDE_DIR elfutils/libdwfl.h)
find_library(Libdw_LIBRARY dw)
find_library(Libdw_ELF_LIBRARY elf)
mark_as_advanced(Libdw_INCLUDE_DIR Libdw_LIBRARY Libdw_ELF_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Libdw
    REQUIRED_VARS Libdw_LIBRARY Libdw_ELF_LIBRARY Libdw_INCLUDE_DIR)

if(Libdw_FOUND AND NOT TARGET Libdw::Libdw)
    add_library(Libdw::Libdw INTERFACE IMPORTED)
    set_target_properties(Libdw::Libdw PROPERTIES
        INTERFACE_INCLUDE_DIRECTORIES "${Libdw_INCLUDE_DIR}"
        INTERFACE_LINK_LIBRARIES "${Libdw_LIBRARY};${Libdw_ELF_LIBRARY}")
endif()
