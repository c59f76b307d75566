/* SPDX-License-Identifier: MIT */
/* A library to be loaded and unloaded. Its two versions differ in size, so that their functions lie
 * elsewhere. */
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT uintptr_t plugin_entry(void);
EXPORT uintptr_t plugin_static_address(void);

#if PLUGIN_VERSION == 2
EXPORT int plugin_padding(int x);
int plugin_padding(int x)
{
    for (int i = 0; i < x; i++)
        x ^= i * x;
    return x;
}
#endif

__attribute__((noinline)) static int plugin_static(int x)
{
    __asm__ __volatile__("" : "+r"(x));
    return x + PLUGIN_VERSION;
}

uintptr_t plugin_entry(void)
{
    return (uintptr_t)plugin_static(1) - 1 - PLUGIN_VERSION + (uintptr_t)plugin_entry;
}

uintptr_t plugin_static_address(void)
{
    return (uintptr_t)plugin_static;
}
