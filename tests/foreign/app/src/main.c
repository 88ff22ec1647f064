/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_mcu.h>

int main(void)
{
	if (mender_client_init(NULL) != 0) {
		return 1;
	}
	mender_client_activate();
	for (;;) {
		mender_client_wait(mender_client_poll());
	}
}
