/* SPDX-License-Identifier: Apache-2.0 */
#include "watchdog.h"

#include <zephyr/device.h>
#include <zephyr/drivers/watchdog.h>
#include <zephyr/fatal.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log_ctrl.h>
#include <zephyr/sys/reboot.h>

#ifdef CONFIG_WATCHDOG
static const struct device *const watchdog = DEVICE_DT_GET(DT_ALIAS(watchdog0));
static int channel = -1;

int watchdog_start(uint32_t timeout_ms)
{
	const struct wdt_timeout_cfg config = {
		.window = {.max = timeout_ms},
		.flags = WDT_FLAG_RESET_SOC,
	};
	int rc;

	channel = wdt_install_timeout(watchdog, &config);
	if (channel < 0) {
		return channel;
	}
	rc = wdt_setup(watchdog, WDT_OPT_PAUSE_HALTED_BY_DBG);
	/* Some cannot be stopped for a debugger. */
	return rc == -ENOTSUP ? wdt_setup(watchdog, 0) : rc;
}

void watchdog_feed(void)
{
	if (channel >= 0) {
		(void)wdt_feed(watchdog, channel);
	}
}
#else
int watchdog_start(uint32_t timeout_ms)
{
	ARG_UNUSED(timeout_ms);
	return 0;
}

void watchdog_feed(void)
{
}
#endif

void watchdog_give_up(void)
{
	k_sleep(K_MSEC(WATCHDOG_TIMEOUT_MS));
	sys_reboot(SYS_REBOOT_COLD);
}

/* Zephyr would halt, and nobody comes by to press the reset button. */
void k_sys_fatal_error_handler(unsigned int reason, const struct arch_esf *esf)
{
	ARG_UNUSED(reason);
	ARG_UNUSED(esf);
	LOG_PANIC();
	sys_reboot(SYS_REBOOT_COLD);
}
