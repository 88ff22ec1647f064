/* SPDX-License-Identifier: Apache-2.0 */
/* samples/ota with a watchdog, and images from version 2 on that a test can make fail in several ways. */
#include <cut_flash.h>
#include <errno.h>
#include <mender_mcu.h>
#include <stdio.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/settings/settings.h>
#include <zephyr/storage/flash_map.h>
#include <zephyr/sys/util.h>

#include "shift.h"
#include "watchdog.h"

LOG_MODULE_REGISTER(app, LOG_LEVEL_INF);

/* Of a record of no use, in bytes. */
#define FILL_LEN 900

/* MCUboot's image header: the major version. */
#define VERSION_AT 20

/* tests/qemu/machine.py has the same numbers. */
enum trial {
	TRIAL_GOOD,
	TRIAL_SELF_TEST_FAILS,
	TRIAL_HANGS,
	TRIAL_FAULTS,
	TRIAL_DOES_NOT_START,
};

/* Moves everything that is linked after it. */
static __noinline void shift(void)
{
	__asm__ volatile("b 1f\n\t.skip %c0\n\t1:" : : "i"(SHIFT));
}

static uint32_t version(void)
{
	return *(const uint8_t *)(CONFIG_FLASH_BASE_ADDRESS + FIXED_PARTITION_OFFSET(slot0_partition) + VERSION_AT);
}

static bool is_trial(enum trial kind)
{
	return version() > 1 && CUT_CONTROL->trial == kind;
}

static int32_t self_test(void *user)
{
	ARG_UNUSED(user);
	return is_trial(TRIAL_SELF_TEST_FAILS) ? -EIO : 0;
}

static void inventory(void *user, struct mender_pairs *pairs)
{
	char text[12];

	ARG_UNUSED(user);
	snprintf(text, sizeof(text), "%u", version());
	mender_pairs_add(pairs, "version", text);
}

/* Brings the settings to where the next records make them move what is still good and erase a page. */
static void fill(void)
{
	static uint8_t record[FILL_LEN];
	int rc = settings_subsys_init();

	for (; rc == 0 && CUT_CONTROL->fill > 0; CUT_CONTROL->fill = CUT_CONTROL->fill - 1) {
		record[0]++;
		rc = settings_save_one("test/fill", record, sizeof(record));
	}
	if (rc != 0) {
		LOG_ERR("the settings are not to be written: %d", rc);
	}
}

static int start(void)
{
	static const struct mender_callbacks callbacks = {.self_test = self_test, .inventory = inventory};
	static char url[sizeof("https://10.0.2.2:65535")];
	const struct mender_config config = {
		.server_url = is_trial(TRIAL_DOES_NOT_START) ? "no URL" : url,
		.callbacks = &callbacks,
		.commit_deadline_ms = CUT_CONTROL->commit_deadline_ms,
	};
	int32_t rc;

	snprintf(url, sizeof(url), "https://10.0.2.2:%u", CUT_CONTROL->port);
	rc = mender_client_init(&config);
	return rc != 0 ? rc : mender_client_activate();
}

int main(void)
{
	int rc = watchdog_start(CUT_CONTROL->watchdog_ms);

	CUT_CONTROL->version = version();
	CUT_CONTROL->starts = CUT_CONTROL->starts + 1;
	LOG_INF("version %u, watchdog %d", version(), rc);
	if (is_trial(TRIAL_HANGS)) {
		for (;;) {
		}
	}
	if (is_trial(TRIAL_FAULTS)) {
		*(volatile uint32_t *)0xFFFFFFF0 = 0;
	}
	shift();
	fill();
	rc = start();
	if (rc != 0) {
		LOG_ERR("the client does not start: %s", mender_error_text(rc));
		watchdog_give_up();
	}
	for (;;) {
		const uint32_t ms = mender_client_poll();

		mender_client_wait(MIN(ms, WATCHDOG_SLEEP_MAX_MS));
		watchdog_feed();
	}
}
