/* SPDX-License-Identifier: Apache-2.0 */
/* Updates by the application's own update module. module <artifact> <its one file> */
#include "check.h"
#include "ports.h"
#include "server.h"

#include <string.h>

static uint8_t artifact[65536];
static size_t artifact_len;
static uint8_t content[65536];
static size_t content_len;

static struct {
	char trace[512];
	/* The state that fails, and how often each says "again". */
	const char *fails;
	int pending;
	int waited;
	char meta_data[128];
	uint8_t file[65536];
	uint32_t size;
	uint32_t written;
	int32_t reboot;
	int offers;
	int downloads;
} app;

static int32_t state(void *user, const char *name)
{
	CHECK(user == &app);
	if (app.waited < app.pending) {
		app.waited++;
		return MENDER_AGAIN;
	}
	app.waited = 0;
	strcat(app.trace, app.trace[0] != '\0' ? " " : "");
	strcat(app.trace, name);
	return app.fails != NULL && strcmp(app.fails, name) == 0 ? -EIO : 0;
}

#define STATE(name)                                                                                \
	static int32_t name(void *user)                                                            \
	{                                                                                          \
		return state(user, #name);                                                         \
	}

STATE(install)
STATE(reboot)
STATE(verify_reboot)
STATE(commit)
STATE(rollback)
STATE(rollback_reboot)
STATE(verify_rollback_reboot)
STATE(failure)
STATE(cleanup)

static int32_t needs_reboot(void *user)
{
	CHECK(user == &app);
	return app.reboot;
}

static int32_t download(void *user)
{
	CHECK(user == &app);
	CHECK(app.meta_data[0] == '\0' && app.size == 0);
	app.downloads++;
	return app.fails != NULL && strcmp(app.fails, "download") == 0 ? -EIO : 0;
}

static int32_t meta_data(void *user, const uint8_t *data, uint32_t len)
{
	size_t known = strlen(app.meta_data);

	CHECK(user == &app);
	CHECK(len < sizeof(app.meta_data) - known);
	memcpy(app.meta_data + known, data, len);
	return 0;
}

static int32_t begin_file(void *user, uint8_t file_index, const char *name, uint32_t size)
{
	CHECK(user == &app);
	CHECK_INT(file_index, 0);
	CHECK_TEXT(name, "settings.bin");
	CHECK_INT(size, content_len);
	app.size = size;
	app.written = 0;
	return app.fails != NULL && strcmp(app.fails, "begin") == 0 ? -EIO : 0;
}

static int32_t write_file(void *user, uint8_t file_index, uint32_t offset, const uint8_t *data, uint32_t len)
{
	CHECK(user == &app);
	CHECK_INT(file_index, 0);
	CHECK_INT(offset, app.written);
	CHECK(len > 0 && len <= app.size - offset);
	if (++app.offers % 2 == 0) {
		return MENDER_AGAIN;
	}
	memcpy(app.file + offset, data, len);
	app.written += len;
	return 0;
}

static int32_t end_file(void *user, uint8_t file_index)
{
	CHECK(user == &app);
	CHECK_INT(file_index, 0);
	CHECK_INT(app.written, app.size);
	return 0;
}

static const struct mender_update_module module = {
	.payload_type = "settings",
	.user = &app,
	.meta_data = meta_data,
	.begin = begin_file,
	.write = write_file,
	.end = end_file,
	.artifact_install = install,
	.needs_reboot = needs_reboot,
	.artifact_reboot = reboot,
	.artifact_verify_reboot = verify_reboot,
	.artifact_commit = commit,
	.artifact_rollback = rollback,
	.artifact_rollback_reboot = rollback_reboot,
	.artifact_verify_rollback_reboot = verify_rollback_reboot,
	.artifact_failure = failure,
	.cleanup = cleanup,
	.download = download,
};

static void update(const struct mender_update_module *by)
{
	int restarts = 0;

	server.artifact = artifact;
	server.artifact_len = artifact_len;
	do {
		platform_reset();
		CHECK_INT(mender_client_init(NULL), 0);
		if (by != NULL) {
			CHECK_INT(mender_client_register_module(by), 0);
		}
		CHECK_INT(mender_client_activate(), 0);
		platform_run(60000);
		CHECK_INT(mender_client_exit(), 0);
		CHECK(restarts++ < 5);
	} while (platform.reboot_asked);
}

static void next(void)
{
	memset(&app, 0, sizeof(app));
	platform_new();
}

static void without_restart(void)
{
	update(&module);
	CHECK_TEXT(server.statuses, "downloading installing success");
	CHECK_TEXT(app.trace, "install commit cleanup");
	CHECK_INT(app.downloads, 1);
	CHECK_TEXT(app.meta_data, "{\"level\":7}");
	CHECK_INT(app.written, content_len);
	CHECK(memcmp(app.file, content, content_len) == 0);
	next();
}

static void with_restart_and_patience(void)
{
	app.reboot = 1;
	app.pending = 2;
	update(&module);
	CHECK_TEXT(server.statuses, "downloading installing rebooting installing success");
	CHECK_TEXT(app.trace, "install reboot verify_reboot commit cleanup");
	next();
}

static void failing_states(void)
{
	static const char *const cases[][3] = {
		/* what fails, what is run, what is reported */
		{"download", "failure cleanup", "downloading failure"},
		{"begin", "failure cleanup", "downloading failure"},
		{"install", "install rollback failure cleanup", "downloading installing failure"},
		{"commit", "install commit rollback failure cleanup", "downloading installing failure"},
	};

	for (size_t n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
		app.fails = cases[n][0];
		update(&module);
		if (strcmp(app.fails, "download") == 0) {
			CHECK_INT(app.downloads, 1);
			CHECK_TEXT(app.meta_data, "");
			CHECK(strstr(app.trace, "install") == NULL);
		} else if (strcmp(app.fails, "begin") == 0) {
			/* Whether a module that could not begin is cleaned up after is the state machine's affair. */
			CHECK(strstr(app.trace, "install") == NULL);
		} else {
			CHECK_TEXT(app.trace, cases[n][1]);
		}
		CHECK_TEXT(server.statuses, cases[n][2]);
		next();
	}
}

static void restart_that_fails(void)
{
	app.reboot = 1;
	app.fails = "verify_reboot";
	update(&module);
	CHECK_TEXT(app.trace, "install reboot verify_reboot rollback rollback_reboot "
			      "verify_rollback_reboot failure cleanup");
	CHECK_TEXT(server.statuses, "downloading installing rebooting failure");
	next();
}

static void small_module(void)
{
	struct mender_update_module small;

	/* Only what must be there. */
	memset(&small, 0, sizeof(small));
	small.payload_type = module.payload_type;
	small.user = &app;
	small.begin = begin_file;
	small.write = write_file;
	update(&small);
	CHECK_TEXT(server.statuses, "downloading installing success");
	CHECK(memcmp(app.file, content, content_len) == 0);
	next();
}

static void module_that_cannot_undo(void)
{
	struct mender_update_module small = module;

	small.artifact_rollback = NULL;
	app.fails = "commit";
	update(&small);
	CHECK_TEXT(app.trace, "install commit failure cleanup");
	CHECK_TEXT(server.statuses, "downloading installing failure");
	CHECK(strstr(server.inventory, "_INCONSISTENT\"") != NULL);
	next();
}

static void no_module(void)
{
	update(NULL);
	CHECK_TEXT(server.statuses, "downloading failure");
	CHECK(strstr(server.log, mender_error_text(MENDER_E_PAYLOAD_UNKNOWN)) != NULL);
	next();
}

static size_t load(const char *path, uint8_t *to, size_t size)
{
	FILE *file = fopen(path, "rb");
	size_t len;

	CHECK(file != NULL);
	len = fread(to, 1, size, file);
	fclose(file);
	CHECK(len > 0 && len < size);
	return len;
}

int main(int argc, char **argv)
{
	CHECK(argc >= 3);
	platform.print_log = argc > 3;
	artifact_len = load(argv[1], artifact, sizeof(artifact));
	content_len = load(argv[2], content, sizeof(content));
	platform_new();

	without_restart();
	with_restart_and_patience();
	failing_states();
	restart_that_fails();
	small_module();
	module_that_cannot_undo();
	no_module();
	platform_free_buffers();
	return 0;
}
