/* SPDX-License-Identifier: Apache-2.0 */
/* Ports and callbacks that fail, or call what they should not. */
#include "check.h"
#include "ports.h"
#include "server.h"

#include <string.h>

static struct {
	int notices;
	int inventories;
	bool exits;
	bool answered;
	int32_t identity;
} app;

static int32_t identity(void *user, struct mender_pairs *pairs)
{
	CHECK(user == &app);
	CHECK_INT(mender_pairs_add(pairs, "serial", "4711"), 0);
	CHECK_INT(mender_pairs_add(pairs, "site", "attic"), 0);
	return app.identity;
}

/* A callback may call anything; what cannot be done there says so. */
static void call_everything(void)
{
	struct mender_status status;

	CHECK_INT(mender_client_init(NULL), MENDER_E_BUSY);
	CHECK_INT(mender_client_activate(), 0);
	CHECK_INT(mender_client_poll(), 1000);
	CHECK_INT(mender_client_status(&status), 0);
	CHECK_INT(mender_client_check_now(), 0);
	CHECK_INT(mender_client_register_module(NULL), MENDER_E_NULL_POINTER);
	if (app.exits) {
		CHECK_INT(mender_client_exit(), MENDER_PENDING);
		CHECK_INT(mender_client_exit(), MENDER_PENDING);
		CHECK_INT(mender_client_init(NULL), MENDER_E_BUSY);
		app.answered = true;
	}
}

static void notice(void *user, const struct mender_notice *notice)
{
	CHECK(user == &app);
	CHECK(notice->kind > 0);
	app.notices++;
	call_everything();
}

static void inventory(void *user, struct mender_pairs *pairs)
{
	CHECK(user == &app);
	app.inventories++;
	CHECK_INT(mender_pairs_add(pairs, "good", "\xc3\xbc \"quoted\""), 0);
	CHECK_INT(mender_pairs_add(pairs, "bad", NULL), MENDER_E_NULL_POINTER);
	CHECK_INT(mender_pairs_add(pairs, "bad", "\xff"), MENDER_E_ARGUMENT);
}

static const struct mender_callbacks callbacks = {
	.user = &app,
	.identity = identity,
	.inventory = inventory,
	.notice = notice,
};

static void begin(bool with_callbacks)
{
	struct mender_config config;

	memset(&config, 0, sizeof(config));
	config.callbacks = with_callbacks ? &callbacks : NULL;
	CHECK_INT(mender_client_init(&config), 0);
	CHECK_INT(mender_client_activate(), 0);
}

static void end(void)
{
	CHECK_INT(mender_client_exit(), 0);
	memset(&app, 0, sizeof(app));
	platform_new();
}

static void callbacks_that_call(void)
{
	begin(true);
	/* Every authentication asks for a check: the client must not hurry for ever. */
	platform_run(60000);
	CHECK_INT(app.notices, 1);
	CHECK(server.checks >= 1 && server.checks <= 2);
	CHECK(app.inventories > 1);
	CHECK(strstr(server.authentication, "4711") != NULL && strstr(server.authentication, "attic") != NULL);
	CHECK(strstr(server.authentication, "02:00:00:00:00:01") == NULL);
	CHECK(strstr(server.inventory, "{\"name\":\"good\",\"value\":\"\xc3\xbc \\\"quoted\\\"\"}") != NULL);
	CHECK(strstr(server.inventory, "bad") == NULL);
	end();
}

static void exit_from_a_callback(void)
{
	app.exits = true;
	begin(true);
	while (!app.answered) {
		mender_client_wait(mender_client_poll());
	}
	CHECK_INT(mender_client_exit(), MENDER_E_NOT_INITIALISED);
	CHECK(!platform.open[MENDER_CHANNEL_API]);
	app.exits = false;
	begin(true);
	platform_run(60000);
	end();
}

static void call_from_close(void)
{
	CHECK_INT(mender_client_init(NULL), MENDER_E_BUSY);
	CHECK_INT(mender_client_poll(), 1000);
	app.answered = true;
}

static void calls_during_an_exit(void)
{
	begin(false);
	platform_run(60000);
	platform.on_close = call_from_close;
	CHECK_INT(mender_client_exit(), 0);
	CHECK(app.answered);
	platform.on_close = NULL;
	begin(false);
	end();
}

static void replies_that_end_with_the_connection(void)
{
	server.until_close = true;
	begin(false);
	platform_run(60000);
	CHECK_INT(server.authentications, 1);
	CHECK_INT(server.checks, 1);
	CHECK(platform.now_ms < 1000);
	CHECK_INT(platform.troubles, 0);
	end();
}

static void identity_that_is_not_known(void)
{
	app.identity = -EIO;
	begin(true);
	platform_run(30000);
	CHECK_INT(server.authentications, 0);
	CHECK(platform.troubles > 0);
	app.identity = 0;
	platform_run(600000);
	CHECK_INT(server.authentications, 1);
	end();
	/* Half an identity would be another device. */
	platform.identity_bad = true;
	begin(false);
	platform_run(30000);
	CHECK_INT(server.authentications, 0);
	end();
	platform.identity_fails = -EAGAIN;
	begin(false);
	platform_run(30000);
	CHECK_INT(server.authentications, 0);
	end();
}

static void network_that_is_down(void)
{
	struct mender_status status;

	platform.open_fails = -EHOSTUNREACH;
	begin(false);
	platform_run(30000);
	CHECK_INT(mender_client_last_error(), MENDER_E_CONNECT);
	CHECK_INT(mender_client_status(&status), 0);
	CHECK_INT(status.last_error, MENDER_E_CONNECT);
	CHECK_INT(status.last_errno, -EHOSTUNREACH);
	CHECK_INT(status.authenticated, 0);
	/* It comes back by itself. */
	platform.open_fails = 0;
	platform_run(600000);
	CHECK_INT(server.checks, 1);
	end();
	/* A positive number is no success either. */
	platform.open_fails = 5;
	begin(false);
	platform_run(30000);
	CHECK_INT(mender_client_last_error(), MENDER_E_CONNECT);
	CHECK_INT(server.authentications, 0);
	end();
}

static void device_that_is_not_accepted(void)
{
	struct mender_status status;

	server.authentication_status = 401;
	begin(false);
	platform_run(30000);
	CHECK(server.authentications > 0);
	CHECK_INT(server.checks, 0);
	CHECK_INT(mender_client_status(&status), 0);
	CHECK_INT(status.authenticated, 0);
	server.authentication_status = 0;
	platform_run(600000);
	CHECK_INT(server.checks, 1);
	end();
}

static void key_that_does_not_sign(void)
{
	platform.sign_fails = -133;
	begin(false);
	platform_run(30000);
	CHECK_INT(server.authentications, 0);
	CHECK_INT(mender_client_last_error(), MENDER_E_SIGN);
	platform.sign_fails = 0;
	platform.record_write_fails = -EIO;
	platform_run(600000);
	CHECK_INT(server.checks, 1);
	end();
}

/* What a port says is believed only as far as the buffer goes. */
static void ports_that_lie(void)
{
	static const char *const ports[] = {"send", "receive"};

	for (size_t n = 0; n < sizeof(ports) / sizeof(ports[0]); n++) {
		platform.lies = ports[n];
		begin(false);
		platform_run(30000);
		CHECK_INT(mender_client_last_error(), n == 0 ? MENDER_E_SEND : MENDER_E_RECEIVE);
		platform.lies = NULL;
		platform_run(600000);
		CHECK_INT(server.checks, 1);
		end();
	}
	/* Records that cannot be read are not taken for absent: no new key is made. */
	platform.lies = "store";
	begin(false);
	platform_run(30000);
	CHECK(!platform.key);
	CHECK_INT(server.authentications, 0);
	end();
}

int main(int argc, char **argv)
{
	(void)argv;
	platform.print_log = argc > 1;
	platform_new();

	callbacks_that_call();
	exit_from_a_callback();
	calls_during_an_exit();
	replies_that_end_with_the_connection();
	identity_that_is_not_known();
	network_that_is_down();
	device_that_is_not_accepted();
	key_that_does_not_sign();
	ports_that_lie();
	platform_free_buffers();
	return 0;
}
