/* SPDX-License-Identifier: Apache-2.0 */
/* What LLVM calls to move blocks on Arm. GCC never does, so Zephyr's minimal libc has none of them. */
#include <stddef.h>
#include <string.h>

#define ALSO(name) __attribute__((alias(#name)))

void __aeabi_memcpy(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
}

void __aeabi_memmove(void *to, const void *from, size_t len)
{
	memmove(to, from, len);
}

void __aeabi_memset(void *to, size_t len, int value)
{
	memset(to, value, len);
}

void __aeabi_memclr(void *to, size_t len)
{
	memset(to, 0, len);
}

void __aeabi_memcpy4(void *to, const void *from, size_t len) ALSO(__aeabi_memcpy);
void __aeabi_memcpy8(void *to, const void *from, size_t len) ALSO(__aeabi_memcpy);
void __aeabi_memmove4(void *to, const void *from, size_t len) ALSO(__aeabi_memmove);
void __aeabi_memmove8(void *to, const void *from, size_t len) ALSO(__aeabi_memmove);
void __aeabi_memset4(void *to, size_t len, int value) ALSO(__aeabi_memset);
void __aeabi_memset8(void *to, size_t len, int value) ALSO(__aeabi_memset);
void __aeabi_memclr4(void *to, size_t len) ALSO(__aeabi_memclr);
void __aeabi_memclr8(void *to, size_t len) ALSO(__aeabi_memclr);
