/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that no application should make: each has an answer, and none does harm. */
#include "check.h"
#include "ports.h"
#include "server.h"

#include <string.h>

static struct mender_update_module module;

static int32_t begin_file(void *user, uint8_t file_index, const char *name, uint32_t size)
{
	(void)user;
	(void)file_index;
	(void)name;
	(void)size;
	return 0;
}

static int32_t write_file(void *user, uint8_t file_index, uint32_t offset, const uint8_t *data, uint32_t len)
{
	(void)user;
	(void)file_index;
	(void)offset;
	(void)data;
	(void)len;
	return 0;
}

static void set_up_module(void)
{
	memset(&module, 0, sizeof(module));
	module.payload_type = "files";
	module.begin = begin_file;
	module.write = write_file;
}

static char long_text[4000];

static void log_line(void *user, int32_t level, uint64_t time_ms, const char *text)
{
	(void)user;
	(void)level;
	(void)time_ms;
	(void)text;
	CHECK(!"a log");
}

static void before_init(void)
{
	struct mender_status status;

	memset(&status, 0x77, sizeof(status));
	CHECK_INT(mender_client_activate(), MENDER_E_NOT_INITIALISED);
	CHECK_INT(mender_client_poll(), MENDER_POLL_MAX_MS);
	CHECK_INT(mender_client_exit(), MENDER_E_NOT_INITIALISED);
	CHECK_INT(mender_client_check_now(), MENDER_E_NOT_INITIALISED);
	CHECK_INT(mender_client_inventory_now(), MENDER_E_NOT_INITIALISED);
	CHECK_INT(mender_client_authenticate_now(), MENDER_E_NOT_INITIALISED);
	CHECK_INT(mender_client_retry(), MENDER_E_NOT_INITIALISED);
	CHECK_INT(mender_client_abort(), MENDER_E_NOT_INITIALISED);
	CHECK_INT(mender_client_confirm(), MENDER_E_NOT_INITIALISED);
	CHECK_INT(mender_client_public_key(long_text, sizeof(long_text)), MENDER_E_NOT_INITIALISED);
	CHECK_INT(long_text[0], 0);
	CHECK_INT(mender_client_deployment_log(log_line, NULL), MENDER_E_NOT_INITIALISED);
	CHECK_INT(mender_client_last_error(), MENDER_E_NOT_INITIALISED);
	CHECK_INT(mender_client_status(&status), MENDER_E_NOT_INITIALISED);
	CHECK_INT(status.phase, 0x77777777);
	CHECK_INT(mender_client_status(NULL), MENDER_E_NOT_INITIALISED);
	CHECK_INT(mender_client_register_module(&module), MENDER_E_NOT_INITIALISED);
	CHECK_INT(mender_client_register_module(NULL), MENDER_E_NULL_POINTER);
	CHECK_INT(platform.troubles, 0);
}

static void before_activate(void)
{
	CHECK_INT(mender_client_init(NULL), 0);
	CHECK_INT(mender_client_init(NULL), MENDER_E_ALREADY_INITIALISED);
	CHECK_INT(mender_client_poll(), MENDER_POLL_MAX_MS);
	CHECK_INT(mender_client_last_error(), MENDER_E_NOT_ACTIVE);
	CHECK_INT(mender_client_abort(), MENDER_E_NO_DEPLOYMENT);
	CHECK_INT(mender_client_confirm(), MENDER_E_BUSY);
	CHECK_INT(mender_client_public_key(long_text, sizeof(long_text)), MENDER_E_BUSY);
	CHECK_INT(mender_client_public_key(NULL, sizeof(long_text)), MENDER_E_NULL_POINTER);
	CHECK_INT(mender_client_public_key(long_text, 0), MENDER_E_CONFIG_BUFFER);
	CHECK_INT(mender_client_deployment_log(NULL, NULL), MENDER_E_NULL_POINTER);
	CHECK_INT(mender_client_deployment_log(log_line, NULL), 0);
	CHECK_INT(mender_client_status(NULL), MENDER_E_NULL_POINTER);
	CHECK_INT(mender_client_status((struct mender_status *)(void *)(long_text + 1)), MENDER_E_NULL_POINTER);
	CHECK_INT(server.authentications, 0);
	CHECK_INT(mender_client_exit(), 0);
	CHECK_INT(mender_client_exit(), MENDER_E_NOT_INITIALISED);
}

static void modules(void)
{
	struct mender_update_module others[MENDER_MODULES_MAX];
	static const char *const types[MENDER_MODULES_MAX] = {"one", "two", "three", "four"};

	CHECK_INT(mender_client_init(NULL), 0);
	CHECK_INT(mender_client_register_module(NULL), MENDER_E_NULL_POINTER);
	module.payload_type = NULL;
	CHECK_INT(mender_client_register_module(&module), MENDER_E_NULL_POINTER);
	module.payload_type = "";
	CHECK_INT(mender_client_register_module(&module), MENDER_E_ARGUMENT);
	module.payload_type = "a payload type that is much too long";
	CHECK_INT(mender_client_register_module(&module), MENDER_E_ARGUMENT);
	module.payload_type = "zephyr-image";
	CHECK_INT(mender_client_register_module(&module), MENDER_E_ARGUMENT);
	module.payload_type = "\xc3\x28";
	CHECK_INT(mender_client_register_module(&module), MENDER_E_ARGUMENT);
	set_up_module();
	module.begin = NULL;
	CHECK_INT(mender_client_register_module(&module), MENDER_E_NULL_POINTER);
	set_up_module();
	module.write = NULL;
	CHECK_INT(mender_client_register_module(&module), MENDER_E_NULL_POINTER);
	set_up_module();
	for (int n = 0; n < MENDER_MODULES_MAX; n++) {
		others[n] = module;
		others[n].payload_type = types[n];
		CHECK_INT(mender_client_register_module(&others[n]), 0);
		CHECK_INT(mender_client_register_module(&others[n]), MENDER_E_MODULE_TABLE);
	}
	CHECK_INT(mender_client_register_module(&module), MENDER_E_MODULE_TABLE);
	CHECK_INT(mender_client_activate(), 0);
	CHECK_INT(mender_client_activate(), 0);
	CHECK_INT(mender_client_register_module(&module), MENDER_E_ALREADY_ACTIVE);
	CHECK_INT(mender_client_exit(), 0);
	/* The table is empty again. */
	CHECK_INT(mender_client_init(NULL), 0);
	CHECK_INT(mender_client_register_module(&module), 0);
	CHECK_INT(mender_client_exit(), 0);
}

static int32_t init_with(void (*change)(struct mender_config *))
{
	int32_t code;
	struct mender_config config;

	memset(&config, 0, sizeof(config));
	change(&config);
	code = mender_client_init(&config);
	if (code == 0) {
		CHECK_INT(mender_client_exit(), 0);
	} else {
		CHECK_INT(mender_client_exit(), MENDER_E_NOT_INITIALISED);
	}
	return code;
}

static char *endless;

static void server_endless(struct mender_config *c) { c->server_url = endless; }
static void nothing(struct mender_config *c) { (void)c; }
static void server_clear(struct mender_config *c) { c->server_url = "http://mender.example.com"; }
static void server_clear_allowed(struct mender_config *c)
{
	server_clear(c);
	c->allow_http = 1;
}
static void server_ftp(struct mender_config *c) { c->server_url = "ftp://mender.example.com"; }
static void server_empty(struct mender_config *c) { c->server_url = ""; }
static void server_path(struct mender_config *c) { c->server_url = "https://mender.example.com/api"; }
static void server_long(struct mender_config *c) { c->server_url = long_text; }
static void type_long(struct mender_config *c) { c->device_type = long_text + sizeof(long_text) - 258; }
static void type_longest(struct mender_config *c) { c->device_type = long_text + sizeof(long_text) - 257; }
static void type_empty(struct mender_config *c) { c->device_type = ""; }
static void name_bad(struct mender_config *c) { c->artifact_name = "\xf0\x28"; }
static void token_long(struct mender_config *c) { c->tenant_token = long_text; }
static void tier_unknown(struct mender_config *c) { c->tier = 4; }
static void tier_negative(struct mender_config *c) { c->tier = -1; }
static void tier_micro(struct mender_config *c) { c->tier = MENDER_TIER_MICRO; }
static void unaligned(struct mender_config *c)
{
	c->callbacks = (const struct mender_callbacks *)(const void *)(long_text + 1);
}
static void io_small(struct mender_config *c)
{
	c->buffers = platform.defaults.buffers;
	c->buffers.io_len = MENDER_IO_BUFFER_MIN - 1;
}
static void token_none(struct mender_config *c)
{
	c->buffers = platform.defaults.buffers;
	c->buffers.token = NULL;
}
static void token_empty(struct mender_config *c)
{
	c->buffers = platform.defaults.buffers;
	c->buffers.token_len = 0;
}
static void overlapping(struct mender_config *c)
{
	c->buffers = platform.defaults.buffers;
	c->buffers.uri = c->buffers.token + MENDER_TOKEN_BUFFER - 1;
}
static void all_times(struct mender_config *c)
{
	c->poll_interval_ms = c->inventory_interval_ms = c->retry_interval_ms = UINT32_MAX;
	c->retry_interval_max_ms = c->first_check_max_ms = c->defer_interval_ms = UINT32_MAX;
	c->commit_deadline_ms = c->abort_probe_interval_ms = UINT32_MAX;
	c->idle_timeout_ms = c->request_timeout_ms = c->probe_timeout_ms = UINT32_MAX;
	c->download_tries = c->probe_tries = UINT32_MAX;
}

static void settings(void)
{
	memset(long_text, 'x', sizeof(long_text) - 1);
	CHECK_INT(init_with(nothing), 0);
	CHECK_INT(init_with(server_clear), MENDER_E_CLEAR_TEXT);
	CHECK_INT(init_with(server_clear_allowed), 0);
	CHECK_INT(init_with(server_ftp), MENDER_E_CONFIG_SERVER);
	/* An application that does not look at the answer leaves a trace all the same. */
	CHECK(strcmp(platform.line, "configuration: bad server URL") == 0);
	CHECK_INT(init_with(server_empty), MENDER_E_CONFIG_SERVER);
	CHECK_INT(init_with(server_path), MENDER_E_CONFIG_SERVER);
	CHECK_INT(init_with(server_long), MENDER_E_CONFIG_SERVER);
	CHECK_INT(init_with(type_long), MENDER_E_CONFIG_NAME);
	CHECK_INT(init_with(type_longest), 0);
	CHECK_INT(init_with(type_empty), MENDER_E_CONFIG_NAME);
	CHECK_INT(init_with(name_bad), MENDER_E_CONFIG_NAME);
	CHECK_INT(init_with(token_long), MENDER_E_ARGUMENT);
	CHECK_INT(init_with(tier_unknown), MENDER_E_ARGUMENT);
	CHECK_INT(init_with(tier_negative), MENDER_E_ARGUMENT);
	CHECK_INT(init_with(tier_micro), 0);
	CHECK_INT(init_with(unaligned), MENDER_E_NULL_POINTER);
	CHECK_INT(init_with(io_small), MENDER_E_CONFIG_BUFFER);
	CHECK_INT(init_with(token_none), MENDER_E_CONFIG_BUFFER);
	CHECK_INT(init_with(token_empty), MENDER_E_CONFIG_BUFFER);
	CHECK_INT(init_with(overlapping), MENDER_E_CONFIG_BUFFER);
	CHECK_INT(init_with(all_times), 0);
	/* A text without an end is not looked for beyond the longest there can be. */
	endless = malloc(2049);
	CHECK(endless != NULL);
	memset(endless, 'x', 2049);
	CHECK_INT(init_with(server_endless), MENDER_E_CONFIG_SERVER);
	free(endless);
	/* A platform without settings. */
	platform.defaults.device_type = NULL;
	CHECK_INT(init_with(nothing), MENDER_E_CONFIG_NAME);
	platform_free_buffers();
	platform.defaults.device_type = "test-device";
	CHECK_INT(init_with(nothing), MENDER_E_CONFIG_BUFFER);
	platform_lend_buffers();
}

static void texts(void)
{
	char buf[200];
	int32_t whole;

	CHECK_TEXT(mender_error_text(0), "no error");
	CHECK_TEXT(mender_error_text(MENDER_E_BUSY), "client is busy");
	CHECK_TEXT(mender_error_text(1), "unknown error");
	CHECK_TEXT(mender_error_text(-5), "unknown error");
	CHECK_TEXT(mender_error_text(INT32_MIN), "unknown error");
	CHECK_TEXT(mender_error_text(INT32_MAX), "unknown error");

	CHECK_INT(mender_event_format(NULL, 10, 1, 0, 0, NULL, 0), MENDER_E_NULL_POINTER);
	CHECK_INT(mender_event_format(buf, 0, 1, 0, 0, NULL, 0), MENDER_E_NULL_POINTER);
	CHECK_INT(mender_event_format(buf, sizeof(buf), 0, 0, 0, NULL, 0), MENDER_E_ARGUMENT);
	CHECK_INT(mender_event_format(buf, sizeof(buf), -1, 0, 0, NULL, 0), MENDER_E_ARGUMENT);
	CHECK_INT(mender_event_format(buf, sizeof(buf), 65537, 0, 0, NULL, 0), MENDER_E_ARGUMENT);
	CHECK_INT(mender_event_format(buf, sizeof(buf), 1, 0, 0, "\xff", 1), MENDER_E_ARGUMENT);
	CHECK_INT(mender_event_format(buf, sizeof(buf), 1, 0, 0, long_text, sizeof(long_text)), MENDER_E_ARGUMENT);
	whole = mender_event_format(buf, sizeof(buf), 1, 0, 0, "release-\xc3\xbc", 10);
	CHECK_TEXT(buf, "started with artifact release-\xc3\xbc");
	CHECK_INT(whole, strlen(buf));
	/* What is cut is cut between characters. */
	for (size_t size = 1; size < 40; size++) {
		char cut[40];

		memset(cut, 'x', sizeof(cut));
		CHECK_INT(mender_event_format(cut, size, 1, 0, 0, "release-\xc3\xbc", 10), whole);
		CHECK(memchr(cut, 0, size) != NULL && strncmp(buf, cut, strlen(cut)) == 0);
		CHECK(strlen(cut) == (size > 32 ? 32 : size == 32 ? 30 : size - 1));
		CHECK(cut[size] == 'x' || size >= sizeof(cut));
	}
	whole = mender_event_format(buf, sizeof(buf), 51, 1501, INT64_MIN, NULL, 99);
	CHECK_TEXT(buf, "connecting failed:  (errno -9223372036854775808)");
	CHECK(mender_pairs_add(NULL, NULL, NULL) == MENDER_E_NULL_POINTER);
}

int main(int argc, char **argv)
{
	(void)argv;
	platform.print_log = argc > 1;
	platform_new();
	set_up_module();

	before_init();
	before_activate();
	modules();
	settings();
	texts();
	platform_free_buffers();
	return 0;
}
