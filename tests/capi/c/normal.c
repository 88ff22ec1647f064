/* SPDX-License-Identifier: Apache-2.0 */
/* What an application does on an ordinary day. */
#include "check.h"
#include "ports.h"
#include "server.h"

#include <string.h>

int main(int argc, char **argv)
{
	struct mender_status status;

	(void)argv;
	platform.print_log = argc > 1;
	platform_new();

	CHECK_INT(mender_client_init(NULL), 0);
	CHECK_INT(mender_client_activate(), 0);
	platform_run(60000);
	CHECK_INT(mender_client_last_error(), 0);
	CHECK_INT(platform.troubles, 0);
	CHECK_INT(server.authentications, 1);
	CHECK_INT(server.checks, 1);
	CHECK_INT(server.inventories, 1);
	CHECK(strstr(server.authentication, "02:00:00:00:00:01") != NULL);
	CHECK(strstr(server.inventory, "{\"name\":\"device_type\",\"value\":\"test-device\"}") != NULL);

	CHECK_INT(mender_client_status(&status), 0);
	CHECK_INT(status.phase, MENDER_PHASE_IDLE);
	CHECK_INT(status.authenticated, 1);
	CHECK_TEXT(status.artifact_name, "release-1");
	CHECK_TEXT(status.deployment_id, "");

	/* A request ends the wait and is served by the next poll. */
	CHECK_INT(mender_client_check_now(), 0);
	mender_client_wait(MENDER_POLL_MAX_MS);
	CHECK_INT(platform.woken, 2); /* the other one was the activation */
	platform_run(60000);
	CHECK_INT(server.checks, 2);
	CHECK_INT(mender_client_inventory_now(), 0);
	platform_run(60000);
	CHECK_INT(server.inventories, 2);

	/* An exit, and everything once more: the device and its key are the same. */
	CHECK_INT(mender_client_exit(), 0);
	CHECK(!platform.open[MENDER_CHANNEL_API]);
	platform_free_buffers();
	CHECK_INT(mender_client_poll(), MENDER_POLL_MAX_MS);
	platform_lend_buffers();
	CHECK_INT(mender_client_init(NULL), 0);
	CHECK_INT(mender_client_activate(), 0);
	platform_run(60000);
	CHECK_INT(server.authentications, 2);
	CHECK_INT(mender_client_exit(), 0);
	platform_free_buffers();
	return 0;
}
