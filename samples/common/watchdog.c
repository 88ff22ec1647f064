/* SPDX-License-Identifier: Apache-2.0 */
#include <zephyr/device.h>
#include <zephyr/drivers/watchdog.h>

#include "app.h"

/* Longer than the longest call of mender_client_poll(): resolving, connecting and the handshake take up to 24 s (prj.conf). */
#define TIMEOUT_MS 30000

static const struct device *const watchdog = DEVICE_DT_GET(DT_ALIAS(watchdog0));
static int channel = -1;

int watchdog_start(void)
{
	const struct wdt_timeout_cfg config = {
		.window = {.max = TIMEOUT_MS},
		.flags = WDT_FLAG_RESET_SOC,
	};

	channel = wdt_install_timeout(watchdog, &config);
	return channel < 0 ? channel : wdt_setup(watchdog, WDT_OPT_PAUSE_HALTED_BY_DBG);
}

void watchdog_feed(void)
{
	if (channel >= 0) {
		(void)wdt_feed(watchdog, channel);
	}
}
