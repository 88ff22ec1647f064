/* SPDX-License-Identifier: Apache-2.0 */
/* One thread polls, others call everything else. */
#include "check.h"
#include "ports.h"
#include "server.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define ROUNDS 20
#define CALLERS 3

static pthread_mutex_t state_lock = PTHREAD_MUTEX_INITIALIZER;
static bool stop;

static bool stopped(void)
{
	bool result;

	CHECK(pthread_mutex_lock(&state_lock) == 0);
	result = stop;
	CHECK(pthread_mutex_unlock(&state_lock) == 0);
	return result;
}

static void set_stop(bool to)
{
	CHECK(pthread_mutex_lock(&state_lock) == 0);
	stop = to;
	CHECK(pthread_mutex_unlock(&state_lock) == 0);
}

/* What CONFIG_MENDER_MCU_THREAD does. */
static void *poller(void *unused)
{
	(void)unused;
	while (!stopped()) {
		uint32_t wait_ms = mender_client_poll();

		CHECK(wait_ms >= 1 && wait_ms <= MENDER_POLL_MAX_MS);
		mender_client_wait(wait_ms);
	}
	return NULL;
}

/* There was no deployment, so its log has no line. */
static void no_line(void *user, int32_t level, uint64_t time_ms, const char *text)
{
	(void)user;
	(void)level;
	(void)time_ms;
	printf("%s\n", text);
	CHECK(false);
}

static void *caller(void *unused)
{
	(void)unused;
	while (!stopped()) {
		struct timespec moment = {0, 100000};
		struct mender_status status;
		char pem[MENDER_PUBLIC_KEY_MAX];
		int32_t code = mender_client_status(&status);

		CHECK(code == 0 || code == MENDER_E_NOT_INITIALISED);
		if (code == 0) {
			CHECK_TEXT(status.artifact_name, "release-1");
			CHECK_INT(status.phase, MENDER_PHASE_IDLE);
		}
		code = mender_client_check_now();
		CHECK(code == 0 || code == MENDER_E_NOT_INITIALISED);
		code = mender_client_inventory_now();
		CHECK(code == 0 || code == MENDER_E_NOT_INITIALISED);
		code = mender_client_authenticate_now();
		CHECK(code == 0 || code == MENDER_E_NOT_INITIALISED);
		code = mender_client_retry();
		CHECK(code == 0 || code == MENDER_E_NOT_INITIALISED);
		code = mender_client_abort();
		CHECK(code == MENDER_E_NO_DEPLOYMENT || code == MENDER_E_NOT_INITIALISED);
		code = mender_client_public_key(pem, sizeof(pem));
		CHECK(code == 0 || code == MENDER_E_NOT_INITIALISED || code == MENDER_E_BUSY);
		CHECK(code != 0 || strncmp(pem, "-----BEGIN PUBLIC KEY-----\n", 27) == 0);
		code = mender_client_confirm();
		CHECK(code == 0 || code == MENDER_E_NOT_INITIALISED || code == MENDER_E_BUSY);
		code = mender_client_deployment_log(no_line, NULL);
		CHECK(code == 0 || code == MENDER_E_NOT_INITIALISED || code == MENDER_E_BUSY);
		code = mender_client_last_error();
		CHECK(code == 0 || code == MENDER_E_NOT_INITIALISED || code == MENDER_E_NOT_ACTIVE);
		code = mender_client_register_module(NULL);
		CHECK_INT(code, MENDER_E_NULL_POINTER);
		nanosleep(&moment, NULL);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct timespec moment = {0, 7000000};
	pthread_t poll_thread;
	pthread_t callers[CALLERS];
	int pending = 0;

	(void)argv;
	platform.print_log = argc > 1;
	platform_new();
	platform.open_blocks = true;
	CHECK(pthread_create(&poll_thread, NULL, poller, NULL) == 0);
	for (int n = 0; n < CALLERS; n++) {
		CHECK(pthread_create(&callers[n], NULL, caller, NULL) == 0);
	}
	for (int round = 0; round < ROUNDS; round++) {
		int32_t code = mender_client_init(NULL);

		/* An exit that is pending is done by the polling thread. */
		while (code == MENDER_E_BUSY) {
			nanosleep(&moment, NULL);
			code = mender_client_init(NULL);
		}
		CHECK_INT(code, 0);
		/* Busy where another thread reads the key at this moment. */
		code = mender_client_init(NULL);
		CHECK(code == MENDER_E_ALREADY_INITIALISED || code == MENDER_E_BUSY);
		CHECK_INT(mender_client_activate(), 0);
		nanosleep(&moment, NULL);
		code = mender_client_exit();
		CHECK(code == 0 || code == MENDER_PENDING);
		pending += code == MENDER_PENDING;
	}
	set_stop(true);
	mender_port_clock_wake();
	CHECK(pthread_join(poll_thread, NULL) == 0);
	for (int n = 0; n < CALLERS; n++) {
		CHECK(pthread_join(callers[n], NULL) == 0);
	}
	CHECK_INT(mender_client_exit(), MENDER_E_NOT_INITIALISED);
	CHECK(server.authentications > 0);
	CHECK(pending > 0);
	printf("%d authentications, %d checks, %d exits during a poll\n", server.authentications, server.checks,
	       pending);
	platform_free_buffers();
	return 0;
}
