/* SPDX-License-Identifier: Apache-2.0 */
/* A person types at the shell of a device that has a server, or none. */
#include <mender_mcu.h>
#include <string.h>
#include <zephyr/dfu/mcuboot.h>
#include <zephyr/kernel.h>
#include <zephyr/shell/shell_dummy.h>
#include <zephyr/storage/flash_map.h>
#include <zephyr/ztest.h>

#include "device.h"
#include "server.h"

#define TRAILER_PAGES_SIZE 4096

static int code;

/* What the shell writes when that is typed. */
static const char *typed(const char *line)
{
	const struct shell *sh = shell_backend_dummy_get_ptr();
	size_t len;

	while (!shell_ready(sh)) {
		k_msleep(1);
	}
	shell_backend_dummy_clear_output(sh);
	code = shell_execute_cmd(sh, line);
	return shell_backend_dummy_get_output(sh, &len);
}

static void says(const char *line, const char *expected)
{
	const char *text = typed(line);

	zassert_not_null(strstr(text, expected), "%s says: %s", line, text);
}

ZTEST(shell, test_without_a_client_every_command_says_so)
{
	static const char *const commands[] = {"status", "check", "inventory", "auth", "abort",
					       "retry",  "confirm", "key",       "log"};

	(void)server_start();
	for (size_t n = 0; n < ARRAY_SIZE(commands); n++) {
		char line[32];

		snprintf(line, sizeof(line), "mender %s", commands[n]);
		says(line, "client is not initialised");
		zassert_not_equal(code, 0);
	}
}

ZTEST(shell, test_status_has_names_and_units)
{
	device_begin();
	UNTIL(strstr(typed("mender status"), "authenticated:  yes") != NULL);
	says("mender status", "artifact:       release-1");
	says("mender status", "deployment:     none");
	says("mender status", "next check:     in 3");
	zassert_is_null(strstr(typed("mender status"), "last error"));
	zassert_ok(code);
}

ZTEST(shell, test_check_inventory_and_auth_reach_the_server)
{
	device_begin();
	says("mender check", "checking for updates");
	UNTIL(server.checks == 2);
	says("mender inventory", "sending the inventory");
	UNTIL(server.inventories == 2);
	says("mender auth", "authenticating");
	UNTIL(server.authentications == 2);
	says("mender retry", "may be tried again");
	UNTIL(server.checks == 4);
}

ZTEST(shell, test_key_prints_what_the_server_knows_the_device_by)
{
	char pem[MENDER_PUBLIC_KEY_MAX];
	char *line;

	device_begin();
	says("mender key", "-----BEGIN PUBLIC KEY-----");
	zassert_ok(code);
	zassert_ok(mender_client_public_key(pem, sizeof(pem)));
	says("mender key", "-----END PUBLIC KEY-----");
	line = strchr(pem, '\n') + 1;
	*strchr(line, '\n') = '\0';
	says("mender key", line);
	zassert_not_null(strstr(server.authentication, line));
}

ZTEST(shell, test_an_abort_ends_a_download_and_the_log_says_why)
{
	device_begin();
	says("mender abort", "no deployment in progress");
	says("mender log", "end of the log");
	server.offers = true;
	says("mender check", "checking for updates");
	UNTIL(server.downloading);
	UNTIL(strstr(typed("mender status"), "deployment:     downloading") != NULL);
	says("mender status", "deployment id:  0a1b2c3d-0001-4000-8000-000000000001");
	says("mender confirm", "an update is proving itself");
	says("mender abort", "aborting the deployment");
	UNTIL(server.failure_reported && server.log[0] != '\0');
	zassert_not_null(strstr(server.log, "deployment aborted on the device"), "%s", server.log);
	/* The time is the server's. */
	zassert_not_null(strstr(server.log, "\"2027-06-01T12:"), "%s", server.log);
	UNTIL(strstr(typed("mender status"), "deployment:     none") != NULL);
	says("mender status", "last one:       failed: deployment aborted on the device");
	says("mender log", "error: deployment of release-2 failed: deployment aborted on the device");
}

/* What MCUboot leaves behind when it has swapped an image in for a test. */
static void make_unconfirmed(void)
{
	static const uint32_t magic[] = {0xf395c277, 0x7fefd260, 0x0f505235, 0x8079b62c};
	const struct flash_area *area;

	zassert_ok(flash_area_open(FIXED_PARTITION_ID(slot0_partition), &area));
	/* The file that is the flash may be of the run before. */
	zassert_ok(flash_area_flatten(area, area->fa_size - TRAILER_PAGES_SIZE, TRAILER_PAGES_SIZE));
	zassert_ok(flash_area_write(area, area->fa_size - sizeof(magic), magic, sizeof(magic)));
	zassert_false(boot_is_img_confirmed());
	flash_area_close(area);
}

ZTEST(shell, test_confirm_makes_an_image_stay_that_no_deployment_brought)
{
	device_begin();
	make_unconfirmed();
	says("mender check", "checking for updates");
	k_msleep(500);
	zassert_equal(server.checks, 1, "held: the slot has the image to fall back to");
	says("mender confirm", "the running image is confirmed");
	zassert_ok(code);
	zassert_true(boot_is_img_confirmed());
	says("mender check", "checking for updates");
	UNTIL(server.checks == 2);
}

#ifdef CONFIG_MENDER_MCU_SETTINGS
ZTEST(shell, test_a_setting_is_kept_or_refused_with_a_reason)
{
	(void)server_start();
	says("mender set poll_interval 60", "kept; it counts from the next start");
	says("mender set poll_interval 1", "the value is no good");
	zassert_not_equal(code, 0);
	says("mender set poll_interval", "removed");
	says("mender set colour blue", "there is no setting of that name");
}

ZTEST(shell, test_a_setting_that_the_shell_may_have_cut_is_not_kept)
{
	static const char command[] = "mender set tenant_token ";
	static char line[CONFIG_SHELL_CMD_BUFF_SIZE];

	(void)server_start();
	memset(line, 'x', sizeof(line) - 1);
	memcpy(line, command, sizeof(command) - 1);
	says(line, "too long for the shell");
	zassert_not_equal(code, 0);
	/* Tokens of hosted Mender have up to 1000 bytes. */
	line[sizeof(command) - 1 + 1000] = '\0';
	says(line, "kept");
	says("mender set tenant_token", "removed");
}
#endif

ZTEST_SUITE(shell, NULL, NULL, NULL, device_end, NULL);
