/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody at the device asks for. asked <artifact> <SHA-256 of its image> */
#include "check.h"
#include "ports.h"
#include "server.h"

#include <string.h>

static uint8_t artifact[SLOT_SIZE + 65536];
static size_t artifact_len;
static uint8_t image_hash[32];
static int32_t self_test_answer;

static int32_t self_test(void *user)
{
	(void)user;
	return self_test_answer;
}

static const struct mender_callbacks callbacks = {.self_test = self_test};

static void begin(void)
{
	struct mender_config config;

	memset(&config, 0, sizeof(config));
	config.callbacks = &callbacks;
	CHECK_INT(mender_client_init(&config), 0);
	CHECK_INT(mender_client_activate(), 0);
}

/* The server has the artifact for a device that was factory-new a moment ago. */
static void offer(void)
{
	server.artifact = artifact;
	server.artifact_len = artifact_len;
	memcpy(platform.other_hash, image_hash, sizeof(image_hash));
}

static struct mender_status status_now(void)
{
	struct mender_status status;

	CHECK_INT(mender_client_status(&status), 0);
	return status;
}

static void poll_until_phase(int32_t phase)
{
	for (int n = 0; n < 20000 && status_now().phase != phase; n++) {
		mender_client_wait(mender_client_poll());
	}
	CHECK_INT(status_now().phase, phase);
}

static void end(void)
{
	CHECK_INT(mender_client_exit(), 0);
	self_test_answer = 0;
	platform_new();
}

static struct {
	int lines;
	char last[160];
} log_read;

static void keep_line(void *user, int32_t level, uint64_t time_ms, const char *text)
{
	CHECK(user == &log_read);
	CHECK(level == MENDER_LEVEL_ERROR || level == MENDER_LEVEL_WARNING);
	CHECK(time_ms > 0);
	CHECK(strlen(text) > 0 && strlen(text) < sizeof(log_read.last));
	strcpy(log_read.last, text);
	log_read.lines++;
	/* The client is in use: what would wait for it is answered at once. */
	CHECK_INT(mender_client_confirm(), MENDER_E_BUSY);
	CHECK_INT(mender_client_poll(), 1000);
}

static void read_log(void)
{
	memset(&log_read, 0, sizeof(log_read));
	CHECK_INT(mender_client_deployment_log(keep_line, &log_read), 0);
}

static void authentication(void)
{
	begin();
	platform_run(60000);
	CHECK_INT(server.authentications, 1);
	CHECK_INT(server.checks, 1);
	CHECK_INT(mender_client_authenticate_now(), 0);
	platform_run(60000);
	CHECK_INT(server.authentications, 2);
	CHECK_INT(server.checks, 2);
	CHECK(status_now().check_at_ms > platform.now_ms);
	end();
}

static void public_key(void)
{
	char pem[MENDER_PUBLIC_KEY_MAX];
	char again[MENDER_PUBLIC_KEY_MAX];

	/* Before it was ever at a server: the key is made, and stays. */
	begin();
	CHECK_INT(mender_client_public_key(pem, sizeof(pem)), MENDER_E_BUSY);
	for (int n = 0; n < 20 && mender_client_public_key(pem, sizeof(pem)) == MENDER_E_BUSY; n++) {
		mender_client_poll();
	}
	CHECK_INT(mender_client_public_key(pem, sizeof(pem)), 0);
	CHECK(platform.key);
	CHECK_INT(strlen(pem), MENDER_PUBLIC_KEY_MAX - 1);
	CHECK(strncmp(pem, "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE", 63) == 0);
	CHECK(strcmp(pem + sizeof(pem) - 1 - 25, "-----END PUBLIC KEY-----\n") == 0);
	CHECK_INT(mender_client_public_key(again, sizeof(again) - 1), MENDER_E_CONFIG_BUFFER);
	CHECK_INT(mender_client_exit(), 0);
	begin();
	platform_run(60000);
	CHECK_INT(mender_client_public_key(again, sizeof(again)), 0);
	CHECK_TEXT(again, pem);
	/* It is the one that the server hears of. */
	for (char *c = pem; *c != '\0'; c++) {
		CHECK(*c != '\n' || strstr(server.authentication, "-----BEGIN PUBLIC KEY-----\\n") != NULL);
	}
	CHECK(strstr(server.authentication, strtok(pem + 27, "\n")) != NULL);
	end();
}

static void abort_of_a_download(void)
{
	begin();
	CHECK_INT(mender_client_abort(), MENDER_E_NO_DEPLOYMENT);
	platform_run(60000);
	CHECK_INT(mender_client_abort(), MENDER_E_NO_DEPLOYMENT);
	offer();
	CHECK_INT(mender_client_check_now(), 0);
	poll_until_phase(MENDER_PHASE_DOWNLOAD);
	while (status_now().received == 0) {
		mender_client_wait(mender_client_poll());
	}
	CHECK_INT(status_now().can_abort, 1);
	CHECK_INT(mender_client_abort(), 0);
	platform_run_through(begin);
	CHECK_TEXT(server.statuses, "downloading failure");
	CHECK(strstr(server.log, mender_error_text(MENDER_E_ABORTED_HERE)) != NULL);
	CHECK_INT(status_now().deployment_error, MENDER_E_ABORTED_HERE);
	CHECK(!platform.swap_asked);
	read_log();
	CHECK_INT(log_read.lines, 1);
	CHECK_TEXT(log_read.last, "deployment of release-2 failed: deployment aborted on the device");
	/* The same artifact may come again. */
	offer();
	CHECK_INT(mender_client_check_now(), 0);
	platform_run_through(begin);
	CHECK_TEXT(status_now().artifact_name, "release-2");
	end();
}

static void abort_on_trial(void)
{
	offer();
	self_test_answer = MENDER_AGAIN;
	begin();
	platform_run(60000);
	CHECK_INT(mender_client_abort(), MENDER_E_TOO_LATE);
	CHECK_INT(mender_client_exit(), 0);
	platform_reset();
	begin();
	poll_until_phase(MENDER_PHASE_VERIFY_REBOOT);
	CHECK_INT(mender_client_confirm(), MENDER_E_IN_DEPLOYMENT);
	CHECK(!platform.confirmed);
	CHECK_INT(mender_client_abort(), 0);
	platform_run_through(begin);
	CHECK_TEXT(server.statuses, "downloading installing rebooting failure");
	CHECK(memcmp(platform.running_hash, image_hash, sizeof(image_hash)) != 0);
	CHECK_TEXT(status_now().artifact_name, "release-1");
	end();
}

static void brake(void)
{
	offer();
	self_test_answer = -EIO;
	begin();
	platform_run_through(begin);
	CHECK_INT(status_now().deployment_error, MENDER_E_SELF_TEST);
	/* It asked for the restart itself: nothing to wonder about. */
	CHECK(strstr(server.log, "reset cause") == NULL);
	/* Another deployment of the same image, after another restart. */
	self_test_answer = 0;
	CHECK_INT(mender_client_exit(), 0);
	offer();
	begin();
	platform_run_through(begin);
	CHECK_INT(status_now().deployment_error, MENDER_E_REVERTED_BEFORE);
	CHECK_TEXT(status_now().artifact_name, "release-1");
	read_log();
	CHECK_TEXT(log_read.last, "deployment of release-2 failed: image was reverted before and is not tried again");
	/* Somebody has the image tried again. */
	CHECK_INT(mender_client_retry(), 0);
	offer();
	platform_run_through(begin);
	CHECK_TEXT(status_now().artifact_name, "release-2");
	CHECK(memcmp(platform.running_hash, image_hash, sizeof(image_hash)) == 0);
	end();
}

static void reset_cause(int32_t cause, const char *word)
{
	offer();
	self_test_answer = MENDER_AGAIN;
	begin();
	platform_run(60000);
	CHECK_INT(mender_client_exit(), 0);
	platform_reset();
	/* On trial, and before it says anything it hangs. */
	platform_reset();
	platform.reset_cause = cause;
	begin();
	platform_run_through(begin);
	CHECK_INT(status_now().deployment_error, MENDER_E_REVERTED);
	CHECK((strstr(server.log, "old image runs again, reset cause: ") != NULL) == (word != NULL));
	CHECK(word == NULL || strstr(server.log, word) != NULL);
	end();
}

static void confirmation(void)
{
	platform.confirmed = false;
	begin();
	CHECK_INT(mender_client_confirm(), MENDER_E_BUSY);
	platform_run(60000);
	CHECK_INT(server.checks, 0);
	CHECK_INT(mender_client_confirm(), 0);
	CHECK(platform.confirmed);
	CHECK_INT(mender_client_check_now(), 0);
	platform_run(60000);
	CHECK_INT(server.checks, 1);
	/* Once more does no harm. */
	CHECK_INT(mender_client_confirm(), 0);
	end();
}

int main(int argc, char **argv)
{
	FILE *file;

	CHECK(argc >= 3);
	platform.print_log = argc > 4;
	file = fopen(argv[1], "rb");
	CHECK(file != NULL);
	artifact_len = fread(artifact, 1, sizeof(artifact), file);
	fclose(file);
	CHECK(artifact_len > 0 && artifact_len < sizeof(artifact));
	for (size_t n = 0; n < sizeof(image_hash); n++) {
		unsigned int byte;

		CHECK(sscanf(argv[2] + 2 * n, "%2x", &byte) == 1);
		image_hash[n] = (uint8_t)byte;
	}
	platform_new();

	authentication();
	public_key();
	abort_of_a_download();
	abort_on_trial();
	brake();
	reset_cause(MENDER_RESET_WATCHDOG, "reset cause: watchdog");
	reset_cause(MENDER_RESET_FAULT, "reset cause: hardware fault");
	reset_cause(MENDER_RESET_POWER, "reset cause: power");
	reset_cause(MENDER_RESET_PIN, "reset cause: reset pin");
	reset_cause(MENDER_RESET_SOFTWARE, "reset cause: software");
	reset_cause(MENDER_RESET_UNKNOWN, NULL);
	reset_cause(-EIO, NULL);
	confirmation();
	platform_free_buffers();
	return 0;
}
