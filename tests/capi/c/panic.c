/* SPDX-License-Identifier: Apache-2.0 */
/* Only a debug build of the library asks for these. */
#include <stdio.h>
#include <stdlib.h>

void mender_panic_reached(void);
void rust_eh_personality(void);

void mender_panic_reached(void)
{
	fputs("the library has panicked\n", stderr);
	abort();
}

/* Named by unwind tables that nobody reads. */
void rust_eh_personality(void)
{
	abort();
}
