/* SPDX-License-Identifier: Apache-2.0 */
/* Whole updates: TLS to a server in this firmware, the flash simulator, and a test that plays MCUboot. */
#include <mender_mcu.h>
#include <mender_port.h>
#include <stdio.h>
#include <string.h>
#include <zephyr/dfu/mcuboot.h>
#include <zephyr/drivers/hwinfo.h>
#include <zephyr/net/net_if.h>
#include <zephyr/ztest.h>

#include "fixtures.h"
#include "flash.h"
#include "peer.h"
#include "server.h"

#define OLD_HASH 7

PEER_DEFINE(eavesdropper);

static char url[64];

static struct {
	bool overwrites;
	bool restart;
	uint32_t self_tests;
	int32_t verdict;
	int32_t error;
	uint32_t reset_causes;
} app;

int32_t __real_mender_port_boot_can_revert(void);

int32_t __wrap_mender_port_boot_can_revert(void)
{
	return app.overwrites ? 0 : __real_mender_port_boot_can_revert();
}

int __wrap_z_impl_hwinfo_get_reset_cause(uint32_t *causes)
{
	*causes = app.reset_causes;
	return 0;
}

int __wrap_z_impl_hwinfo_clear_reset_cause(void)
{
	app.reset_causes = 0;
	return 0;
}

static int32_t self_test(void *user)
{
	ARG_UNUSED(user);
	app.self_tests++;
	return app.verdict;
}

static void restart(void *user)
{
	ARG_UNUSED(user);
	app.restart = true;
}

static void notice(void *user, const struct mender_notice *notice)
{
	ARG_UNUSED(user);
	if (notice->kind == MENDER_NOTICE_DEPLOYMENT_FAILED) {
		app.error = notice->error;
	}
}

static void *setup(void)
{
	fixtures_begin();
	return NULL;
}

static void begin(void)
{
	static const struct mender_callbacks callbacks = {.self_test = self_test, .restart = restart, .notice = notice};
	const struct mender_config config = {
		.server_url = url,
		.callbacks = &callbacks,
		.first_check_max_ms = 1,
		.poll_interval_ms = 5000,
		.retry_interval_ms = 1000,
		.retry_interval_max_ms = 2000,
	};

	app.restart = false;
	zassert_ok(mender_client_init(&config));
	zassert_ok(mender_client_activate());
}

static void before(void *fixture)
{
	flash_power_on();
	fixtures_before(fixture);
	flash_set_all(SLOT0, 0xff);
	flash_set_all(SLOT1, 0xff);
	flash_put_image(SLOT0, OLD_HASH);
	memset(&app, 0, sizeof(app));
	server_start(url, sizeof(url));
	begin();
}

static void after(void *fixture)
{
	ARG_UNUSED(fixture);
	(void)mender_client_exit();
	server_stop();
	peer_stop(&eavesdropper);
}

static bool run_until(bool (*done)(void))
{
	const int64_t end = k_uptime_get() + 120 * MSEC_PER_SEC;

	while (!done()) {
		if (k_uptime_get() > end) {
			return false;
		}
		mender_client_wait(mender_client_poll());
	}
	return true;
}

static bool restarts(void)
{
	return app.restart;
}

static bool has_inventory(void)
{
	return server.inventory[0] != '\0';
}

/* The server has the outcome, and the device knows that it has. */
static bool is_over(void)
{
	struct mender_status status;
	const bool told = strstr(server.statuses, "success") != NULL || strstr(server.statuses, "failure") != NULL;

	return told && mender_client_status(&status) == 0 && status.phase == MENDER_PHASE_IDLE;
}

/* A deployment is offered, and taken up to the restart with a swap that was asked for. */
static void update_to_the_restart(void)
{
	server.offers = true;
	zassert_true(run_until(restarts), "%s", server.statuses);
	zassert_str_equal(server.statuses, "downloading installing rebooting");
	zassert_equal(mcuboot_swap_type(), BOOT_SWAP_TYPE_TEST);
	zassert_ok(mender_client_exit());
}

static bool runs_old_image(void)
{
	uint8_t hash[32];

	zassert_ok(mender_port_boot_running_hash(hash));
	return hash[0] == OLD_HASH && hash[31] == OLD_HASH + 31;
}

ZTEST(update, test_a_device_authenticates_by_its_address_and_sends_its_inventory)
{
	const struct net_linkaddr *address = net_if_get_link_addr(net_if_get_default());
	char mac[32];

	zassert_true(run_until(has_inventory));
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", address->addr[0], address->addr[1], address->addr[2],
		 address->addr[3], address->addr[4], address->addr[5]);
	zassert_not_null(strstr(server.authentication, mac), "%s", server.authentication);
	zassert_not_null(strstr(server.authentication, "BEGIN PUBLIC KEY"));
	zassert_not_null(strstr(server.inventory, "\"release-1\""), "%s", server.inventory);
	zassert_not_null(strstr(server.inventory, "\"test-device\""), "%s", server.inventory);
}

ZTEST(update, test_a_good_image_is_installed_tried_confirmed_and_reported)
{
	struct mender_status status;

	update_to_the_restart();
	flash_swap();
	zassert_false(runs_old_image());
	zassert_false(boot_is_img_confirmed());
	memset(server.inventory, 0, sizeof(server.inventory));
	begin();
	zassert_true(run_until(is_over), "%s", server.statuses);
	zassert_true(run_until(has_inventory));
	zassert_str_equal(server.statuses, "downloading installing rebooting installing success", "%s", server.statuses);
	zassert_true(app.self_tests > 0);
	zassert_true(boot_is_img_confirmed());
	zassert_ok(mender_client_status(&status));
	zassert_str_equal(status.artifact_name, "release-2");
	zassert_equal(server.downloads, 1);
	/* Reported once, also after another restart. */
	zassert_ok(mender_client_exit());
	memset(server.inventory, 0, sizeof(server.inventory));
	begin();
	zassert_true(run_until(has_inventory));
	zassert_str_equal(server.statuses, "downloading installing rebooting installing success");
	zassert_not_null(strstr(server.inventory, "\"release-2\""), "%s", server.inventory);
}

ZTEST(update, test_an_image_that_mcuboot_reverts_is_a_failure_with_a_log)
{
	update_to_the_restart();
	flash_swap();
	app.reset_causes = RESET_WATCHDOG | RESET_PIN;
	flash_revert();
	begin();
	zassert_true(run_until(is_over), "%s", server.statuses);
	zassert_not_null(strstr(server.statuses, "failure"), "%s", server.statuses);
	zassert_equal(app.error, MENDER_E_REVERTED, "%d", app.error);
	zassert_true(runs_old_image());
	zassert_not_null(strstr(server.log, mender_error_text(MENDER_E_REVERTED)), "%s", server.log);
	zassert_not_null(strstr(server.log, "reset cause: watchdog"), "%s", server.log);
	/* A clock that is trusted goes before the server's. */
	zassert_not_null(strstr(server.log, "\"2027-01-15T08:"), "%s", server.log);
	zassert_is_null(strstr(server.log, "2027-06-01"), "%s", server.log);
}

ZTEST(update, test_an_image_that_fails_its_self_test_goes_back)
{
	update_to_the_restart();
	flash_swap();
	app.verdict = -EIO;
	begin();
	zassert_true(run_until(restarts), "%s", server.statuses);
	zassert_false(boot_is_img_confirmed());
	zassert_ok(mender_client_exit());
	flash_revert();
	begin();
	zassert_true(run_until(is_over), "%s", server.statuses);
	zassert_equal(app.error, MENDER_E_SELF_TEST, "%d", app.error);
	zassert_true(runs_old_image());
}

ZTEST(update, test_a_good_image_that_overwrites_the_old_one_is_committed)
{
	app.overwrites = true;
	update_to_the_restart();
	flash_overwrite();
	begin();
	zassert_true(run_until(is_over), "%s", server.statuses);
	zassert_str_equal(server.statuses, "downloading installing rebooting installing success");
	zassert_true(app.self_tests > 0);
	zassert_false(runs_old_image());
}

ZTEST(update, test_where_mcuboot_overwrites_a_bad_image_stays_and_the_log_says_so)
{
	app.overwrites = true;
	update_to_the_restart();
	flash_overwrite();
	app.verdict = -EIO;
	memset(server.inventory, 0, sizeof(server.inventory));
	begin();
	zassert_true(run_until(is_over), "%s", server.statuses);
	zassert_true(run_until(has_inventory));
	zassert_not_null(strstr(server.statuses, "failure"), "%s", server.statuses);
	zassert_equal(app.error, MENDER_E_SELF_TEST, "%d", app.error);
	zassert_not_null(strstr(server.log, mender_error_text(MENDER_E_CANNOT_REVERT)), "%s", server.log);
	zassert_not_null(strstr(server.log, "old software not restored: release-2_INCONSISTENT"), "%s", server.log);
	zassert_not_null(strstr(server.inventory, "\"release-2_INCONSISTENT\""), "%s", server.inventory);
	zassert_false(runs_old_image());
}

ZTEST(update, test_a_damaged_artifact_is_refused_and_no_swap_is_asked_for)
{
	server.damaged_at = artifact_len / 2;
	server.offers = true;
	zassert_true(run_until(is_over), "%s", server.statuses);
	zassert_not_null(strstr(server.statuses, "failure"), "%s", server.statuses);
	zassert_equal(app.error, MENDER_E_FILE_HASH, "%d", app.error);
	zassert_equal(mcuboot_swap_type(), BOOT_SWAP_TYPE_NONE);
	zassert_false(app.restart);
}

ZTEST(update, test_a_download_that_is_cut_goes_on_where_it_was)
{
	server.cut_at = artifact_len * 2 / 3;
	update_to_the_restart();
	zassert_equal(server.downloads, 2);
	zassert_true(strncmp(server.range, "bytes=", 6) != 0 && server.range[0] > '0', "%s", server.range);
}

ZTEST(update, test_a_store_that_redirects_to_http_gets_no_byte_in_clear_text)
{
	peer_start(&eavesdropper, AF_INET, 0, NULL);
	snprintf(server.redirect, sizeof(server.redirect), "http://localhost:%u/artifact", eavesdropper.port);
	server.offers = true;
	zassert_true(run_until(is_over), "%s", server.statuses);
	zassert_true(server.downloads > 0, "the store was never asked");
	zassert_equal(app.error, MENDER_E_CLEAR_TEXT, "%d", app.error);
	zassert_equal(eavesdropper.connections, 0);
	zassert_equal(eavesdropper.received, 0);
}

ZTEST(update, test_an_offer_with_an_http_url_gets_no_byte_in_clear_text)
{
	peer_start(&eavesdropper, AF_INET, 0, NULL);
	snprintf(server.artifact_url, sizeof(server.artifact_url), "http://localhost:%u/artifact", eavesdropper.port);
	server.offers = true;
	zassert_true(run_until(is_over), "%s", server.statuses);
	zassert_equal(app.error, MENDER_E_CLEAR_TEXT, "%d", app.error);
	zassert_equal(eavesdropper.connections, 0);
	zassert_equal(eavesdropper.received, 0);
}

ZTEST_SUITE(update, NULL, setup, before, after, NULL);
