/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_mcu.h>
#include <zephyr/logging/log.h>

LOG_MODULE_REGISTER(ota, LOG_LEVEL_INF);

int main(void)
{
	int32_t rc = mender_client_init(NULL);

	if (rc != 0) {
		LOG_ERR("mender_client_init: %s", mender_error_text(rc));
		return 0;
	}
	mender_client_activate();
	for (;;) {
		mender_client_wait(mender_client_poll());
	}
}
