/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_mcu.h>
#include <zephyr/kernel.h>

static void run(void *a, void *b, void *c)
{
	ARG_UNUSED(a);
	ARG_UNUSED(b);
	ARG_UNUSED(c);
	for (;;) {
		/* Without an active client it waits until there is one. */
		mender_client_wait(mender_client_poll());
	}
}

K_THREAD_DEFINE(mender_mcu, CONFIG_MENDER_MCU_THREAD_STACK_SIZE, run, NULL, NULL, NULL,
		CONFIG_MENDER_MCU_THREAD_PRIORITY, 0, 0);
