/* SPDX-License-Identifier: MIT */
/*
 * weft/config.h: what every public header begins with.
 *
 * The version, the mark of a public function and the C++ linkage brackets. It declares no function
 * and includes no header, so that it may be included anywhere, also from assembly's C side.
 */
#ifndef WEFT_CONFIG_H
#define WEFT_CONFIG_H

/* The version of the headers; CMake, the pkg-config files and the libraries' names take it from
 * here. */
#define WEFT_VERSION_MAJOR  0
#define WEFT_VERSION_MINOR  1
#define WEFT_VERSION_PATCH  0
#define WEFT_VERSION_STRING "0.1.0"
/* One number that compares: 0x010203 is 1.2.3. */
#define WEFT_VERSION (WEFT_VERSION_MAJOR << 16 | WEFT_VERSION_MINOR << 8 | WEFT_VERSION_PATCH)

/* A function of the public interface. The libraries are compiled with hidden visibility: what does
 * not carry this mark cannot be reached from outside of a shared library. */
#if defined(__GNUC__) || defined(__clang__)
#define WEFT_API __attribute__((visibility("default")))
#else
#define WEFT_API
#endif

/* A result that must be looked at: 0 or a negative errno value. */
#if defined(__GNUC__) || defined(__clang__)
#define WEFT_MUST_USE                __attribute__((warn_unused_result))
#define WEFT_PRINTF(position, first) __attribute__((format(printf, position, first)))
#define WEFT_NORETURN                __attribute__((noreturn))
#else
#define WEFT_MUST_USE
#define WEFT_PRINTF(position, first)
#define WEFT_NORETURN
#endif

/* Brackets around the declarations of a header, for C++. */
#ifdef __cplusplus
#define WEFT_BEGIN_DECLS extern "C" {
#define WEFT_END_DECLS   }
#else
#define WEFT_BEGIN_DECLS
#define WEFT_END_DECLS
#endif

#endif
