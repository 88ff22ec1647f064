/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_port.h>
#include <string.h>
#include <zephyr/logging/log.h>
#include <zephyr/logging/log_backend.h>
#include <zephyr/logging/log_ctrl.h>
#include <zephyr/logging/log_output.h>
#include <zephyr/ztest.h>

/* Numbers of docs/events.md. */
#define STARTED         1
#define NOTHING_OFFERED 5
#define CONNECTION_FAILED 51
#define KEY_LOST        1541

/* What came to the log from the module since the last case began. */
static struct {
	uint32_t lines;
	uint8_t level;
	char text[256];
	size_t len;
} seen;

static int keep(uint8_t *data, size_t len, void *ctx)
{
	const size_t taken = MIN(len, sizeof(seen.text) - 1 - seen.len);

	ARG_UNUSED(ctx);
	memcpy(seen.text + seen.len, data, taken);
	seen.len += taken;
	seen.text[seen.len] = '\0';
	return len;
}

static uint8_t one_byte[1];
LOG_OUTPUT_DEFINE(output, keep, one_byte, sizeof(one_byte));

static void process(const struct log_backend *const backend, union log_msg_generic *msg)
{
	const char *source = log_source_name_get(0, log_msg_get_source_id(&msg->log));

	ARG_UNUSED(backend);
	if (source != NULL && strcmp(source, "mender_mcu") == 0) {
		seen.lines++;
		seen.level = log_msg_get_level(&msg->log);
		seen.len = 0;
		log_output_msg_process(&output, &msg->log, 0);
	}
}

static void panicked(const struct log_backend *const backend)
{
	ARG_UNUSED(backend);
}

static const struct log_backend_api api = {.process = process, .panic = panicked};
LOG_BACKEND_DEFINE(keeper, api, true);

static void before(void *fixture)
{
	ARG_UNUSED(fixture);
	memset(&seen, 0, sizeof(seen));
}

static void assert_logged(uint8_t level, const char *text)
{
	log_flush();
	zassert_equal(seen.lines, 1, "%u lines", seen.lines);
	zassert_equal(seen.level, level, "level %u", seen.level);
	zassert_not_null(strstr(seen.text, text), "%s", seen.text);
	memset(&seen, 0, sizeof(seen));
}

ZTEST(log, test_an_event_comes_out_under_its_level)
{
	mender_port_log(MENDER_LEVEL_ERROR, STARTED, 0, 0, "release-1", 9);
	assert_logged(LOG_LEVEL_ERR, "started with artifact release-1");
	mender_port_log(MENDER_LEVEL_WARNING, STARTED, 0, 0, "release-2", 9);
	assert_logged(LOG_LEVEL_WRN, "started with artifact release-2");
	mender_port_log(MENDER_LEVEL_INFO, STARTED, 0, 0, "release-3", 9);
	assert_logged(LOG_LEVEL_INF, "started with artifact release-3");
	mender_port_log(MENDER_LEVEL_DEBUG, NOTHING_OFFERED, 0, 0, NULL, 0);
	assert_logged(LOG_LEVEL_DBG, "no update");
}

ZTEST(log, test_numbers_and_errors_are_spelled_out)
{
	mender_port_log(MENDER_LEVEL_WARNING, CONNECTION_FAILED, KEY_LOST, -5, "sign", 4);
	assert_logged(LOG_LEVEL_WRN, "device key is lost: sign (errno -5)");
}

ZTEST(log, test_a_text_ends_where_its_length_says)
{
	mender_port_log(MENDER_LEVEL_INFO, STARTED, 0, 0, "release-1 and what lies behind it", 9);
	assert_logged(LOG_LEVEL_INF, "started with artifact release-1");
	zassert_is_null(strstr(seen.text, "behind"));
}

ZTEST(log, test_a_text_that_is_too_long_for_a_line_is_cut)
{
	char name[257];

	memset(name, 'x', sizeof(name));
	mender_port_log(MENDER_LEVEL_INFO, STARTED, 0, 0, name, sizeof(name));
	assert_logged(LOG_LEVEL_INF, "started with artifact xxxxxxxx");
}

ZTEST(log, test_formatting_characters_of_a_peer_are_only_text)
{
	mender_port_log(MENDER_LEVEL_INFO, STARTED, 0, 0, "%s%n%d", 6);
	assert_logged(LOG_LEVEL_INF, "started with artifact %s%n%d");
}

ZTEST(log, test_an_unknown_event_is_left_out)
{
	mender_port_log(MENDER_LEVEL_INFO, 9999, 0, 0, NULL, 0);
	log_flush();
	zassert_equal(seen.lines, 0);
}

ZTEST_SUITE(log, NULL, NULL, before, NULL, NULL);
