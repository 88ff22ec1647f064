/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_mcu.h>
#include <zephyr/logging/log.h>
#include <zephyr/net/net_if.h>

/* Zephyr's header does not declare struct net_if itself. */
#include <zephyr/net/dhcpv4.h>
#include <zephyr/sys/util.h>

#include "watchdog.h"

LOG_MODULE_REGISTER(ota, LOG_LEVEL_INF);

int main(void)
{
	int32_t rc = watchdog_start(WATCHDOG_TIMEOUT_MS);

	if (rc != 0) {
		LOG_ERR("no watchdog: %d", rc);
	}
	if (IS_ENABLED(CONFIG_NET_DHCPV4)) {
		net_dhcpv4_start(net_if_get_default());
	}
	rc = mender_client_init(NULL);
	if (rc == 0) {
		rc = mender_client_activate();
	}
	if (rc != 0) {
		LOG_ERR("mender_client_init: %s", mender_error_text(rc));
		watchdog_give_up();
	}
	for (;;) {
		const uint32_t ms = mender_client_poll();

		mender_client_wait(MIN(ms, WATCHDOG_SLEEP_MAX_MS));
		watchdog_feed();
	}
}
