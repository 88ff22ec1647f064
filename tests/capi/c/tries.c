/* SPDX-License-Identifier: Apache-2.0 */
/* How often and for how long something is tried is what the configuration says. tries <artifact> <SHA-256 of its image> */
#include "check.h"
#include "ports.h"
#include "server.h"

#include <errno.h>
#include <string.h>

/* Longer than any wait between tries, and shorter than the time between checks. */
#define TRIES_APART_MAX_MS 600000

static uint8_t artifact[SLOT_SIZE + 65536];
static size_t artifact_len;
static uint8_t image_hash[32];

static void begin(const struct mender_config *config)
{
	server.artifact = artifact;
	server.artifact_len = artifact_len;
	memcpy(platform.other_hash, image_hash, sizeof(image_hash));
	CHECK_INT(mender_client_init(config), 0);
	CHECK_INT(mender_client_activate(), 0);
}

static void end(void)
{
	CHECK_INT(mender_client_exit(), 0);
	platform_new();
}

/* Connections asked for until the deployment failed. */
static int tries_of_a_download(uint32_t download_tries)
{
	struct mender_config config;
	int opens;

	memset(&config, 0, sizeof(config));
	config.download_tries = download_tries;
	platform.storage_open_fails = -ECONNREFUSED;
	begin(&config);
	platform_run(TRIES_APART_MAX_MS);
	CHECK_TEXT(server.statuses, "downloading failure");
	opens = platform.storage_opens;
	end();
	return opens;
}

/* For how long new firmware looked for a server that is not there, in ms. */
static uint64_t time_of_a_probe(uint32_t tries, uint32_t timeout_ms)
{
	struct mender_config config;
	uint64_t start_ms;
	uint64_t took_ms;

	memset(&config, 0, sizeof(config));
	config.probe_tries = tries;
	config.probe_timeout_ms = timeout_ms;
	/* Waits of one second, so that it is neither the number of waits nor the deadline that ends it. */
	config.retry_interval_ms = config.retry_interval_max_ms = 1000;
	config.commit_deadline_ms = UINT32_MAX;
	begin(&config);
	platform_run(TRIES_APART_MAX_MS);
	CHECK(platform.reboot_asked);
	CHECK_INT(mender_client_exit(), 0);
	platform_reset();
	CHECK(!platform.confirmed);
	platform.open_fails = -ECONNREFUSED;
	start_ms = platform.now_ms;
	begin(&config);
	platform_run(TRIES_APART_MAX_MS);
	CHECK(platform.reboot_asked && !platform.confirmed);
	took_ms = platform.now_ms - start_ms;
	end();
	return took_ms;
}

static void probes(void)
{
	uint64_t took_ms = time_of_a_probe(255, 100000);

	CHECK(took_ms >= 100000 && took_ms < 110000);
	took_ms = time_of_a_probe(3, UINT32_MAX);
	CHECK(took_ms >= 2000 && took_ms < 10000);
	/* More than there may be are as many as there may be; none are the usual ten, and a quarter of an hour. */
	took_ms = time_of_a_probe(UINT32_MAX, UINT32_MAX);
	CHECK(took_ms >= 254 * 1000 && took_ms < 2 * 254 * 1000);
	took_ms = time_of_a_probe(0, 0);
	CHECK(took_ms >= 9000 && took_ms < 20000);
}

static void downloads(void)
{
	CHECK_INT(tries_of_a_download(1), 1);
	CHECK_INT(tries_of_a_download(3), 3);
	CHECK_INT(tries_of_a_download(0), 10);
	CHECK_INT(tries_of_a_download(256), 255);
}

static void load(const char *path)
{
	FILE *file = fopen(path, "rb");

	CHECK(file != NULL);
	artifact_len = fread(artifact, 1, sizeof(artifact), file);
	fclose(file);
	CHECK(artifact_len > 0 && artifact_len < sizeof(artifact));
}

int main(int argc, char **argv)
{
	CHECK(argc >= 3);
	load(argv[1]);
	for (size_t n = 0; n < sizeof(image_hash); n++) {
		unsigned int byte;

		CHECK(sscanf(argv[2] + 2 * n, "%2x", &byte) == 1);
		image_hash[n] = (uint8_t)byte;
	}
	platform_new();
	downloads();
	probes();
	platform_free_buffers();
	return 0;
}
