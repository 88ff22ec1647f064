/* SPDX-License-Identifier: Apache-2.0 */
/* Settings on flash over those of Kconfig. */
#include <mender_port.h>
#include <mender_settings.h>
#include <string.h>
#include <zephyr/settings/settings.h>
#include <zephyr/ztest.h>

#include "flash.h"

static const char *const names[] = {
	"server", "tenant_token", "device_type", "identity", "poll_interval", "inventory_interval",
};

static struct mender_config config;

static void before(void *fixture)
{
	ARG_UNUSED(fixture);
	flash_power_on();
	ARRAY_FOR_EACH(names, i) {
		zassert_ok(mender_settings_set(names[i], NULL));
	}
	memset(&config, 0, sizeof(config));
}

/* As if an older firmware or a person at the settings shell had written it. */
static void put(const char *name, const char *value)
{
	zassert_ok(settings_save_one(name, value, strlen(value)));
}

ZTEST(settings, test_without_settings_kconfig_counts)
{
	mender_port_defaults(&config);
	zassert_str_equal(config.server_url, CONFIG_MENDER_MCU_SERVER_URL);
	zassert_is_null(config.tenant_token);
	zassert_equal(config.poll_interval_ms, CONFIG_MENDER_MCU_POLL_INTERVAL_S * 1000);
}

ZTEST(settings, test_a_value_without_a_name_is_left_out)
{
	put("mender", "x");
	zassert_ok(mender_settings_set("device_type", "pump"));
	mender_port_defaults(&config);
	zassert_str_equal(config.device_type, "pump");
	zassert_ok(settings_delete("mender"));
}

ZTEST(settings, test_what_is_set_takes_the_place_of_kconfig)
{
	zassert_ok(mender_settings_set("server", "https://mender.example.com:444"));
	zassert_ok(mender_settings_set("tenant_token", "abc.def"));
	zassert_ok(mender_settings_set("device_type", "pump"));
	zassert_ok(mender_settings_set("poll_interval", "60"));
	zassert_ok(mender_settings_set("inventory_interval", "2592000"));
	mender_port_defaults(&config);
	zassert_str_equal(config.server_url, "https://mender.example.com:444");
	zassert_str_equal(config.tenant_token, "abc.def");
	zassert_str_equal(config.device_type, "pump");
	zassert_equal(config.poll_interval_ms, 60000);
	zassert_equal(config.inventory_interval_ms, 2592000000U);
	zassert_ok(mender_settings_set("device_type", ""));
	mender_port_defaults(&config);
	zassert_str_equal(config.device_type, CONFIG_MENDER_MCU_DEVICE_TYPE);
	zassert_str_equal(config.tenant_token, "abc.def");
}

ZTEST(settings, test_a_value_that_is_no_good_is_not_kept)
{
	static char longer[CONFIG_MENDER_MCU_SETTINGS_BUFFER_SIZE + 1];
	static const char *const bad[][2] = {
		{"server", "mender.example.com"},      {"server", "https://a/path"}, {"poll_interval", "4"},
		{"poll_interval", "60 s"},             {"poll_interval", "-60"},     {"inventory_interval", "2592001"},
		{"inventory_interval", "99999999999"}, {"identity", "serial"},       {"identity", "serial="},
		{"identity", "=1"},                    {"identity", "serial=\xff"},
		{"poll_interval", "00001800"},
		/* A name of 33 bytes. */
		{"identity", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1"},
	};
	static char identity[256] = "serial=";

	ARRAY_FOR_EACH(bad, i) {
		zassert_equal(mender_settings_set(bad[i][0], bad[i][1]), -EINVAL, "%s %s", bad[i][0], bad[i][1]);
	}
	memset(identity + 7, '7', 248);
	zassert_equal(mender_settings_set("identity", identity), -EINVAL);
	identity[254] = '\0';
	zassert_ok(mender_settings_set("identity", identity));
	memset(longer, 'x', sizeof(longer) - 1);
	zassert_equal(mender_settings_set("tenant_token", longer), -ENOSPC);
	zassert_equal(mender_settings_set("colour", "blue"), -ENOENT);
	zassert_equal(mender_settings_set(NULL, "blue"), -ENOENT);
	mender_port_defaults(&config);
	zassert_str_equal(config.server_url, CONFIG_MENDER_MCU_SERVER_URL);
	zassert_equal(config.poll_interval_ms, CONFIG_MENDER_MCU_POLL_INTERVAL_S * 1000);
}

ZTEST(settings, test_a_bad_setting_on_flash_is_left_out_and_the_others_count)
{
	put("mender/server", "ftp://mender.example.com");
	put("mender/poll_interval", "soon");
	put("mender/colour", "blue");
	put("mender/device_type", "pump");
	mender_port_defaults(&config);
	zassert_str_equal(config.server_url, CONFIG_MENDER_MCU_SERVER_URL);
	zassert_equal(config.poll_interval_ms, CONFIG_MENDER_MCU_POLL_INTERVAL_S * 1000);
	zassert_str_equal(config.device_type, "pump");
	zassert_ok(settings_delete("mender/colour"));
}

ZTEST(settings, test_texts_that_do_not_fit_together_leave_one_out)
{
	/* With its NUL it leaves 100 bytes. */
	static char token[CONFIG_MENDER_MCU_SETTINGS_BUFFER_SIZE - 100];
	static char type[101];

	memset(token, 'x', sizeof(token) - 1);
	memset(type, 't', sizeof(type) - 1);
	zassert_ok(mender_settings_set("tenant_token", token));
	zassert_equal(mender_settings_set("device_type", type), -ENOSPC);
	type[99] = '\0';
	zassert_ok(mender_settings_set("device_type", type));
	/* Again, and what takes no room. */
	zassert_ok(mender_settings_set("device_type", type));
	zassert_ok(mender_settings_set("poll_interval", "2592000"));
	mender_port_defaults(&config);
	zassert_str_equal(config.tenant_token, token);
	zassert_str_equal(config.device_type, type);
	zassert_equal(config.poll_interval_ms, 2592000000U);
	type[99] = 't';
	put("mender/device_type", type);
	mender_port_defaults(&config);
	zassert_true((config.tenant_token == NULL) != (strcmp(config.device_type, CONFIG_MENDER_MCU_DEVICE_TYPE) == 0));
}

ZTEST_SUITE(settings, NULL, NULL, before, NULL, NULL);
