# SPDX-License-Identifier: MIT
# What `cmake --install` puts where: libraries, headers, the tool, weftConfig.cmake, *.pc.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(libraries GLOBAL PROPERTY WEFT_LIBRARIES)
if(NOT libraries)
    return()
endif()
foreach(name ${libraries})
    install(TARGETS ${name} ${name}_shared EXPORT weftTargets)
endforeach()
if(TARGET weft-tool)
    install(TARGETS weft-tool)
    set(completions ${PROJECT_SOURCE_DIR}/data/completions)
    install(FILES ${PROJECT_SOURCE_DIR}/docs/man/weft.1 TYPE MAN RENAME man1/weft.1)
    install(FILES ${completions}/weft.bash
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME weft)
    install(FILES ${completions}/_weft DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
    install(FILES ${completions}/weft.fish
        DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/weft TYPE INCLUDE FILES_MATCHING PATTERN "*.h"
    PATTERN "*.hpp")

# gdb loads it by itself with the shared library, if the prefix is gdb's own.
if(TARGET weft_shared)
    install(FILES ${PROJECT_SOURCE_DIR}/data/weft-gdb.py DESTINATION ${CMAKE_INSTALL_DATADIR}/weft)
    install(FILES ${PROJECT_SOURCE_DIR}/data/weft-gdb.py
        DESTINATION ${CMAKE_INSTALL_DATADIR}/gdb/auto-load${CMAKE_INSTALL_FULL_LIBDIR}
        RENAME libweft.so.${PROJECT_VERSION}-gdb.py)
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/weft)
install(EXPORT weftTargets NAMESPACE weft:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/weftConfig.cmake.in
    ${PROJECT_BINARY_DIR}/cmake/weftConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/weftConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cmake/weftConfig.cmake
    ${PROJECT_BINARY_DIR}/cmake/weftConfigVersion.cmake
    ${PROJECT_SOURCE_DIR}/cmake/FindLibdw.cmake DESTINATION ${package_dir})

# weft_pkgconfig(NAME DESCRIPTION [OTHER]): NAME.pc beside the libraries, which needs OTHER.pc; the prefix is relative
# to the file.
file(RELATIVE_PATH WEFT_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" WEFT_PC_PREFIX "${WEFT_PC_PREFIX}")
function(weft_pkgconfig name description)
    if(NOT TARGET ${name})
        return()
    endif()
    set(WEFT_PC_NAME ${name})
    set(WEFT_PC_DESCRIPTION ${description})
    set(WEFT_PC_LIBS_PRIVATE -pthread)
    set(WEFT_PC_REQUIRES ${ARGN})
    get_target_property(private ${name} LINK_LIBRARIES)
    if("Libdw::Libdw" IN_LIST private)
        string(PREPEND WEFT_PC_LIBS_PRIVATE "-ldw -lelf ")
    endif()
    if("ZLIB::ZLIB" IN_LIST private)
        string(PREPEND WEFT_PC_LIBS_PRIVATE "-lz ")
    endif()
    if("SQLite::SQLite3" IN_LIST private)
        string(PREPEND WEFT_PC_LIBS_PRIVATE "-lsqlite3 ")
    endif()
    if("OpenSSL::SSL" IN_LIST private)
        string(PREPEND WEFT_PC_LIBS_PRIVATE "-lssl -lcrypto ")
    endif()
    configure_file(${PROJECT_SOURCE_DIR}/cmake/weft.pc.in
        ${PROJECT_BINARY_DIR}/cmake/${name}.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/cmake/${name}.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
weft_pkgconfig(weft "Goroutine-style concurrency for C with an execution tracer")
weft_pkgconfig(weft-trace "The execution tracer of weft, to embed into another runtime")
weft_pkgconfig(weft-recover "Makes traces from flight files of programs that have died" weft-reader)
weft_pkgconfig(weft-reader "Reads, orders and validates Go v2 execution traces")
weft_pkgconfig(weft-tls "TLS over weft's connections, through OpenSSL" weft)
