/* SPDX-License-Identifier: Apache-2.0 */
/* The C API on Zephyr. Callbacks, update modules and misuse in detail: tests/capi. */
#include <mender_mcu.h>
#include <stdio.h>
#include <string.h>
#include <zephyr/kernel.h>
#include <zephyr/ztest.h>

#include "fixtures.h"
#include "peer.h"

PEER_DEFINE(server);

static char url[64];

static void *setup(void)
{
	fixtures_begin();
	return NULL;
}

static void after(void *fixture)
{
	ARG_UNUSED(fixture);
	(void)mender_client_exit();
	peer_stop(&server);
}

ZTEST(api, test_before_init_every_call_says_so)
{
	struct mender_status status;

	zassert_equal(mender_client_activate(), MENDER_E_NOT_INITIALISED);
	zassert_equal(mender_client_check_now(), MENDER_E_NOT_INITIALISED);
	zassert_equal(mender_client_inventory_now(), MENDER_E_NOT_INITIALISED);
	zassert_equal(mender_client_status(&status), MENDER_E_NOT_INITIALISED);
	zassert_equal(mender_client_exit(), MENDER_E_NOT_INITIALISED);
	zassert_equal(mender_client_last_error(), MENDER_E_NOT_INITIALISED);
	zassert_equal(mender_client_poll(), MENDER_POLL_MAX_MS);
}

ZTEST(api, test_init_without_a_configuration_takes_that_of_kconfig)
{
	struct mender_status status;

	zassert_ok(mender_client_init(NULL));
	zassert_ok(mender_client_status(&status));
	zassert_str_equal(status.artifact_name, CONFIG_MENDER_MCU_ARTIFACT_NAME);
	zassert_equal(status.phase, MENDER_PHASE_IDLE);
	zassert_equal(status.authenticated, 0);
}

ZTEST(api, test_nothing_happens_before_activate)
{
	zassert_ok(mender_client_init(NULL));
	zassert_equal(mender_client_poll(), MENDER_POLL_MAX_MS);
	zassert_equal(mender_client_last_error(), MENDER_E_NOT_ACTIVE);
	zassert_ok(mender_client_activate());
	zassert_ok(mender_client_activate());
	zassert_equal(mender_client_last_error(), 0);
}

ZTEST(api, test_there_is_one_client_at_a_time)
{
	zassert_ok(mender_client_init(NULL));
	zassert_equal(mender_client_init(NULL), MENDER_E_ALREADY_INITIALISED);
	for (int i = 0; i < 5; i++) {
		zassert_ok(mender_client_activate());
		(void)mender_client_poll();
		zassert_ok(mender_client_exit());
		zassert_ok(mender_client_init(NULL));
	}
}

ZTEST(api, test_null_is_refused_and_does_no_harm)
{
	zassert_ok(mender_client_init(NULL));
	zassert_equal(mender_client_status(NULL), MENDER_E_NULL_POINTER);
	zassert_equal(mender_client_register_module(NULL), MENDER_E_NULL_POINTER);
	zassert_equal(mender_pairs_add(NULL, "name", "value"), MENDER_E_NULL_POINTER);
	zassert_equal(mender_event_format(NULL, 0, 1, 0, 0, NULL, 0), MENDER_E_NULL_POINTER);
	zassert_not_null(mender_error_text(0));
	zassert_not_null(mender_error_text(INT32_MIN));
}

ZTEST(api, test_a_bad_setting_is_an_error_of_init)
{
	static char long_name[300];
	struct mender_config config = {.server_url = "ftp://example.com"};

	zassert_equal(mender_client_init(&config), MENDER_E_CONFIG_SERVER);
	config.server_url = "http://example.com";
	zassert_equal(mender_client_init(&config), MENDER_E_CLEAR_TEXT);
	config.server_url = NULL;
	memset(long_name, 'x', sizeof(long_name) - 1);
	config.device_type = long_name;
	zassert_equal(mender_client_init(&config), MENDER_E_CONFIG_NAME);
	config.device_type = NULL;
	zassert_ok(mender_client_init(&config));
}

ZTEST(api, test_a_server_that_is_not_there_costs_time_and_nothing_else)
{
	const struct mender_config config = {.server_url = "https://127.0.0.1:9", .first_check_max_ms = 1};

	zassert_ok(mender_client_init(&config));
	zassert_ok(mender_client_activate());
	for (int i = 0; i < 50 && mender_client_last_error() == 0; i++) {
		const uint32_t ms = mender_client_poll();

		zassert_true(ms >= 1 && ms <= MENDER_POLL_MAX_MS, "%u", ms);
		mender_client_wait(MIN(ms, 1000));
	}
	zassert_equal(mender_client_last_error(), MENDER_E_CONNECT, "%d", mender_client_last_error());
}

/* Polls until somebody has connected, for at most so long. */
static bool connects_within(uint32_t ms)
{
	const int64_t end = k_uptime_get() + ms;

	while (server.connections == 0 && k_uptime_get() < end) {
		const uint32_t next_ms = mender_client_poll();

		mender_client_wait(MIN(next_ms, 1000));
	}
	return server.connections > 0;
}

ZTEST(api, test_without_a_network_the_client_waits_and_counts_no_failure)
{
	const struct mender_config config = {.server_url = url, .first_check_max_ms = 1};

	peer_start(&server, AF_INET, TAG_API, NULL);
	snprintf(url, sizeof(url), "https://localhost:%u", server.port);
	peer_network_down();
	zassert_ok(mender_client_init(&config));
	zassert_ok(mender_client_activate());
	zassert_false(connects_within(5000));
	zassert_equal(mender_client_last_error(), 0, "%d", mender_client_last_error());
	peer_network_up();
	zassert_true(connects_within(5000), "%d", mender_client_last_error());
}

static void ask(struct k_timer *timer)
{
	ARG_UNUSED(timer);
	(void)mender_client_check_now();
}

static K_TIMER_DEFINE(button, ask, NULL);

ZTEST(api, test_a_check_that_an_interrupt_asks_for_ends_the_wait)
{
	zassert_ok(mender_client_init(NULL));
	zassert_ok(mender_client_activate());
	const int64_t begun = k_uptime_get();

	k_timer_start(&button, K_MSEC(100), K_NO_WAIT);
	mender_client_wait(20000);
	zassert_true(k_uptime_get() - begun < 5000);
}

static int32_t end_of_client;

static int32_t end_within(void *user, struct mender_pairs *pairs)
{
	ARG_UNUSED(user);
	zassert_ok(mender_pairs_add(pairs, "serial", "1"));
	end_of_client = mender_client_exit();
	return 0;
}

ZTEST(api, test_an_exit_from_a_callback_is_done_when_the_poll_returns)
{
	const struct mender_callbacks callbacks = {.identity = end_within};
	const struct mender_config config = {.server_url = url, .callbacks = &callbacks, .first_check_max_ms = 1};

	end_of_client = 0;
	peer_start(&server, AF_INET, TAG_API, NULL);
	snprintf(url, sizeof(url), "https://localhost:%u", server.port);
	zassert_ok(mender_client_init(&config));
	zassert_ok(mender_client_activate());
	for (int i = 0; i < 200 && end_of_client == 0; i++) {
		const uint32_t ms = mender_client_poll();

		mender_client_wait(MIN(ms, 1000));
	}
	zassert_equal(end_of_client, MENDER_PENDING);
	zassert_equal(mender_client_last_error(), MENDER_E_NOT_INITIALISED);
	zassert_ok(mender_client_init(NULL));
}

ZTEST_SUITE(api, NULL, setup, fixtures_before, after, NULL);
