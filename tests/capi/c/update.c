/* SPDX-License-Identifier: Apache-2.0 */
/* Whole updates of the image. update <artifact> <SHA-256 of its image> <the same artifact, signed> */
#include "check.h"
#include "ports.h"
#include "server.h"

#include <string.h>

static uint8_t artifact[SLOT_SIZE + 65536];
static size_t artifact_len;
static uint8_t signed_artifact[SLOT_SIZE + 65536];
static size_t signed_len;
static uint8_t image_hash[32];

static struct {
	char told[256];
	int deferrals;
	int32_t self_test;
	int32_t refuse_stage;
	int restarts;
	int32_t error;
} app;

static void tell(const char *word)
{
	strcat(app.told, app.told[0] != '\0' ? " " : "");
	strcat(app.told, word);
}

static int32_t approve(void *user, int32_t stage)
{
	CHECK(user == &app);
	if (stage == app.refuse_stage) {
		return -EPERM;
	}
	if (app.deferrals > 0) {
		app.deferrals--;
		return MENDER_AGAIN;
	}
	return 0;
}

static int32_t self_test(void *user)
{
	CHECK(user == &app);
	CHECK(!platform.confirmed);
	return app.self_test;
}

static void notice(void *user, const struct mender_notice *notice)
{
	CHECK(user == &app);
	switch (notice->kind) {
	case MENDER_NOTICE_DEPLOYMENT_STARTED:
		tell("started");
		break;
	case MENDER_NOTICE_PROGRESS:
		CHECK(notice->received <= notice->total && notice->total == server.artifact_len);
		break;
	case MENDER_NOTICE_RESTARTING:
		tell("restarting");
		break;
	case MENDER_NOTICE_DEPLOYMENT_SUCCEEDED:
		tell("succeeded");
		break;
	case MENDER_NOTICE_DEPLOYMENT_FAILED:
		tell("failed");
		app.error = notice->error;
		break;
	default:
		break;
	}
}

static void restart(void *user)
{
	CHECK(user == &app);
	app.restarts++;
	mender_port_system_reboot();
}

static const struct mender_callbacks callbacks = {
	.user = &app,
	.approve = approve,
	.self_test = self_test,
	.notice = notice,
	.restart = restart,
};

static void begin(void)
{
	struct mender_config config;

	memset(&config, 0, sizeof(config));
	config.callbacks = &callbacks;
	CHECK_INT(mender_client_init(&config), 0);
	CHECK_INT(mender_client_activate(), 0);
}

/* Runs until nothing is left to do, through every restart. */
static void run(void)
{
	server.artifact = artifact;
	server.artifact_len = artifact_len;
	memcpy(platform.other_hash, image_hash, sizeof(image_hash));
	app.refuse_stage = -1;
	begin();
	platform_run_through(begin);
}

static void end(void)
{
	CHECK_INT(mender_client_exit(), 0);
	memset(&app, 0, sizeof(app));
	platform_new();
}

static void good_image(void)
{
	struct mender_status status;

	app.deferrals = 2;
	run();
	CHECK_TEXT(server.statuses,
		   "downloading pause_before_installing installing rebooting installing success");
	CHECK_TEXT(app.told, "started restarting succeeded");
	CHECK_INT(app.restarts, 1);
	CHECK(memcmp(platform.running_hash, image_hash, sizeof(image_hash)) == 0);
	CHECK(platform.confirmed);
	CHECK_INT(server.logs, 0);
	CHECK_INT(mender_client_status(&status), 0);
	CHECK_TEXT(status.artifact_name, "release-2");
	CHECK_TEXT(status.deployment_id, "");
	CHECK_INT(status.deployment_error, 0);
	CHECK(strstr(server.inventory, "{\"name\":\"artifact_name\",\"value\":\"release-2\"}") != NULL);
	end();
}

static void image_that_fails_its_self_test(void)
{
	struct mender_status status;

	app.self_test = -EIO;
	run();
	CHECK_TEXT(server.statuses, "downloading installing rebooting failure");
	CHECK_TEXT(app.told, "started restarting restarting failed");
	CHECK_INT(app.error, MENDER_E_SELF_TEST);
	CHECK(memcmp(platform.running_hash, image_hash, sizeof(image_hash)) != 0);
	CHECK(platform.confirmed);
	CHECK_INT(server.logs, 1);
	CHECK(strstr(server.log, mender_error_text(MENDER_E_SELF_TEST)) != NULL);
	CHECK_INT(mender_client_status(&status), 0);
	CHECK_TEXT(status.artifact_name, "release-1");
	CHECK_INT(status.deployment_error, MENDER_E_SELF_TEST);
	end();
}

static void refused_image(void)
{
	run();
	end();
	app.refuse_stage = MENDER_STAGE_INSTALL;
	server.artifact = artifact;
	server.artifact_len = artifact_len;
	begin();
	platform_run(60000);
	CHECK_TEXT(server.statuses, "downloading failure");
	CHECK_INT(app.error, MENDER_E_APPLICATION_REFUSED);
	CHECK_INT(app.restarts, 0);
	end();
}

static void signatures(void)
{
	static const int32_t answers[] = {1, 0, 2, -EIO};

	for (size_t n = 0; n < sizeof(answers) / sizeof(answers[0]); n++) {
		platform.keys = 2;
		platform.verified = answers[n];
		server.artifact = signed_artifact;
		server.artifact_len = signed_len;
		app.refuse_stage = MENDER_STAGE_INSTALL;
		begin();
		platform_run(60000);
		CHECK_TEXT(server.statuses, "downloading failure");
		/* Only 1 is good: then it comes as far as the application's no. */
		CHECK_INT(app.error, n == 0 ? MENDER_E_APPLICATION_REFUSED : MENDER_E_SIGNATURE_WRONG);
		end();
	}
	platform.keys = 1;
	platform.verified = 1;
	server.artifact = artifact;
	server.artifact_len = artifact_len;
	begin();
	platform_run(60000);
	CHECK_INT(app.error, MENDER_E_SIGNATURE_MISSING);
	end();
}

static void slot_that_lies(void)
{
	server.artifact = artifact;
	server.artifact_len = artifact_len;
	app.refuse_stage = -1;
	platform.lies = "slot";
	begin();
	platform_run(60000);
	CHECK_TEXT(server.statuses, "downloading failure");
	CHECK_INT(app.error, MENDER_E_SLOT_WRITE);
	CHECK(!platform.swap_asked);
	end();
}

static void status_during_a_download(void)
{
	struct mender_status status;
	uint32_t received = 0;

	server.artifact = artifact;
	server.artifact_len = artifact_len;
	app.refuse_stage = -1;
	begin();
	for (int n = 0; n < 20000 && received == 0; n++) {
		mender_client_wait(mender_client_poll());
		CHECK_INT(mender_client_status(&status), 0);
		if (status.phase == MENDER_PHASE_DOWNLOAD) {
			CHECK_TEXT(status.deployment_id, "0a1b2c3d-0001-4000-8000-000000000001");
			CHECK_TEXT(status.artifact_name, "release-1");
			received = status.received;
		}
	}
	CHECK(received > 0 && received <= status.total);
	CHECK_INT(status.total, artifact_len);
	/* An exit in the middle keeps the record; the same offer is taken up again. */
	CHECK_INT(mender_client_exit(), 0);
	CHECK(!platform.open[MENDER_CHANNEL_STORAGE]);
	begin();
	platform_run(60000);
	CHECK(platform.reboot_asked);
	CHECK_INT(server.downloads, 2);
	end();
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
	CHECK(argc >= 4);
	platform.print_log = argc > 4;
	artifact_len = load(argv[1], artifact, sizeof(artifact));
	signed_len = load(argv[3], signed_artifact, sizeof(signed_artifact));
	for (size_t n = 0; n < sizeof(image_hash); n++) {
		unsigned int byte;

		CHECK(sscanf(argv[2] + 2 * n, "%2x", &byte) == 1);
		image_hash[n] = (uint8_t)byte;
	}
	platform_new();

	good_image();
	image_that_fails_its_self_test();
	refused_image();
	signatures();
	slot_that_lies();
	status_during_a_download();
	platform_free_buffers();
	return 0;
}
