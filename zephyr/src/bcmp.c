/* SPDX-License-Identifier: Apache-2.0 */
/* What LLVM calls on Linux targets where only equality is asked for. Zephyr's minimal libc has none. */
#include <string.h>

int bcmp(const void *a, const void *b, size_t len);

int bcmp(const void *a, const void *b, size_t len)
{
	return memcmp(a, b, len);
}
