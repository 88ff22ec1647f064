/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

#include "peer.h"
#include "server.h"

/* Emulators have neither an address nor a number of their own. */
static int32_t identity(void *user, struct mender_pairs *pairs)
{
	ARG_UNUSED(user);
	return mender_pairs_add(pairs, "serial", "1");
}

static const struct mender_callbacks callbacks = {.identity = identity};

void device_begin(void)
{
	static struct mender_config config = {
		.device_type = "test-device",
		.callbacks = &callbacks,
		.allow_http = true,
		.first_check_max_ms = 1,
	};
	static bool up;

	if (!up) {
		peer_network_up();
		up = true;
	}
	config.server_url = server_start();
	zassert_ok(mender_client_init(&config));
	zassert_ok(mender_client_activate());
	UNTIL(server.checks == 1 && server.inventories == 1);
}

void device_end(void *fixture)
{
	ARG_UNUSED(fixture);
	(void)mender_client_exit();
	UNTIL(mender_client_last_error() == MENDER_E_NOT_INITIALISED);
	server_stop();
}
