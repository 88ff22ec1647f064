/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware that an update brings, which can be made to fail its trial: zephyr.exe --trial=pass|fail|hang */
#include <errno.h>
#include <string.h>

#include <app_version.h>
#include <mender_mcu.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>

#include "cmdline.h"
#include "soc.h"

LOG_MODULE_REGISTER(firmware, LOG_LEVEL_INF);

/* NULL without the option. */
static char *trial;

static void add_options(void)
{
	static struct args_struct_t options[] = {
		{
			.option = "trial",
			.name = "how",
			.type = 's',
			.dest = (void *)&trial,
			.descript = "pass: the self-test is good; fail: it is not; hang: the client never starts",
		},
		ARG_TABLE_ENDMARKER,
	};

	native_add_command_line_opts(options);
}

NATIVE_TASK(add_options, PRE_BOOT_1, 10);

static bool is_trial(const char *how)
{
	return trial != NULL && strcmp(trial, how) == 0;
}

static int32_t self_test(void *user)
{
	ARG_UNUSED(user);
	return is_trial("fail") ? -EIO : 0;
}

static void inventory(void *user, struct mender_pairs *pairs)
{
	ARG_UNUSED(user);
	mender_pairs_add(pairs, "release", APP_VERSION_STRING);
}

int main(void)
{
	static const struct mender_callbacks callbacks = {.self_test = self_test, .inventory = inventory};
	static const struct mender_config config = {.callbacks = &callbacks};
	int32_t rc;

	LOG_INF("release " APP_VERSION_STRING);
	if (is_trial("hang")) {
		return 0;
	}
	rc = mender_client_init(&config);
	if (rc != 0) {
		LOG_ERR("mender_client_init: %s", mender_error_text(rc));
		return 0;
	}
	mender_client_activate();
	for (;;) {
		mender_client_wait(mender_client_poll());
	}
}
