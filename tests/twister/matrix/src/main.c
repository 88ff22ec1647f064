/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_mcu.h>

int main(void)
{
	if (mender_client_init(NULL) != 0 || mender_client_activate() != 0) {
		return 0;
	}
#ifndef CONFIG_MENDER_MCU_THREAD
	for (;;) {
		mender_client_wait(mender_client_poll());
	}
#endif
	return 0;
}
