/* SPDX-License-Identifier: Apache-2.0 */
#include <app_version.h>
#include <mender_mcu.h>
#include <zephyr/drivers/hwinfo.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/net/net_if.h>

/* Zephyr's header does not declare struct net_if itself. */
#include <zephyr/net/dhcpv4.h>
#include <zephyr/sys/util.h>
#include <zephyr/version.h>

#include "app.h"
#include "watchdog.h"

LOG_MODULE_REGISTER(app, LOG_LEVEL_INF);

static uint32_t reset_cause;

static const char *reset_cause_name(void)
{
	if (reset_cause & RESET_WATCHDOG) {
		return "watchdog";
	}
	if (reset_cause & RESET_SOFTWARE) {
		return "software";
	}
	return reset_cause & (RESET_POR | RESET_BROWNOUT) ? "power" : "other";
}

/* What the server shows beside what the client tells by itself. The same at each call, or it would be sent each time. */
static void inventory(void *user, struct mender_pairs *pairs)
{
	ARG_UNUSED(user);
	mender_pairs_add(pairs, "app_version", APP_VERSION_STRING);
	mender_pairs_add(pairs, "zephyr_version", KERNEL_VERSION_STRING);
	mender_pairs_add(pairs, "reset_cause", reset_cause_name());
}

/* New firmware is kept only if this says 0, and it then reaches the server. Test here what your product cannot do without. */
static int32_t self_test(void *user)
{
	ARG_UNUSED(user);
	return button_check();
}

static const struct mender_callbacks callbacks = {
	.self_test = self_test,
	.inventory = inventory,
};

static int start(void)
{
	const struct mender_config config = {.callbacks = &callbacks};
	int32_t rc = mender_client_init(&config);

	if (rc != 0) {
		LOG_ERR("mender_client_init: %s", mender_error_text(rc));
		return rc;
	}
	return mender_client_activate();
}

int main(void)
{
	/* First of all: firmware that hangs from here on is reset, and MCUboot goes back to the old one. */
	int rc = watchdog_start(WATCHDOG_TIMEOUT_MS);

	if (rc != 0) {
		LOG_ERR("no watchdog: %d", rc);
	}
	/* The client clears it, at its first poll. */
	(void)hwinfo_get_reset_cause(&reset_cause);
	rc = leds_start();
	if (rc != 0) {
		LOG_ERR("no LEDs: %d", rc);
	}
	if (IS_ENABLED(CONFIG_NET_DHCPV4)) {
		net_dhcpv4_start(net_if_get_default());
	}
	if (start() != 0) {
		watchdog_give_up();
	}
	for (;;) {
		const uint32_t ms = mender_client_poll();

		mender_client_wait(MIN(ms, WATCHDOG_SLEEP_MAX_MS));
		watchdog_feed();
	}
}
