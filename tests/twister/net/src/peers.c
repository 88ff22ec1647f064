/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that are slow, cut the connection or lie, as the whole client sees them through Zephyr's sockets. */
#include <mender_mcu.h>
#include <stdio.h>
#include <zephyr/ztest.h>

#include "fixtures.h"
#include "peer.h"

#define IDLE_MS  1500
#define TOTAL_MS 3000
/* At once, one after the other, before the client waits for longer. */
#define TRIES    3
/* For the handshake of each, on an emulator whose machine has more to do. */
#define SLACK_MS 3000

PEER_DEFINE(server);

static void *setup(void)
{
	fixtures_begin();
	return NULL;
}

static void after(void *fixture)
{
	ARG_UNUSED(fixture);
	(void)mender_client_exit();
	peer_stop(&server);
}

/* What the client says of a server, and after how many ms of asking it. */
static int32_t error_of(void (*serve)(struct peer *peer, int socket), uint32_t *ms)
{
	static char url[64];
	const struct mender_config config = {
		.server_url = url,
		.first_check_max_ms = 1,
		.idle_timeout_ms = IDLE_MS,
		.request_timeout_ms = TOTAL_MS,
	};
	int64_t asked = 0;

	peer_start(&server, AF_INET, TAG_API, serve);
	snprintf(url, sizeof(url), "https://localhost:%u", server.port);
	zassert_ok(mender_client_init(&config));
	zassert_ok(mender_client_activate());
	for (int i = 0; i < 2000 && mender_client_last_error() == 0; i++) {
		const uint32_t next_ms = mender_client_poll();

		if (asked == 0 && server.received > 0) {
			asked = k_uptime_get();
		}
		mender_client_wait(MIN(next_ms, 1000));
	}
	zassert_true(server.received > 0, "nothing was asked");
	*ms = k_uptime_get() - asked;
	return mender_client_last_error();
}

static bool take_request(struct peer *self, int socket)
{
	uint8_t bytes[1500];

	return peer_read(self, socket, bytes, sizeof(bytes)) > 0;
}

static void stay_silent(struct peer *self, int socket)
{
	while (take_request(self, socket)) {
	}
}

ZTEST(peers, test_a_silent_server_is_waited_for_no_longer_than_the_idle_timeout)
{
	uint32_t ms;

	zassert_equal(error_of(stay_silent, &ms), MENDER_E_IDLE_TIMEOUT);
	zassert_true(ms >= TRIES * IDLE_MS && ms < TRIES * (IDLE_MS + SLACK_MS), "%u ms", ms);
}

static void drip(struct peer *self, int socket)
{
	(void)take_request(self, socket);
	while (!self->stopped && peer_send(socket, "x", 1)) {
		k_msleep(300);
	}
}

static void drip_a_header(struct peer *self, int socket)
{
	static const char begin[] = "HTTP/1.1 200 OK\r\nX: ";

	if (peer_send(socket, begin, sizeof(begin) - 1)) {
		drip(self, socket);
	}
}

ZTEST(peers, test_a_dripping_server_is_waited_for_no_longer_than_the_total_timeout)
{
	uint32_t ms;

	zassert_equal(error_of(drip_a_header, &ms), MENDER_E_TOTAL_TIMEOUT);
	zassert_true(ms >= TRIES * TOTAL_MS && ms < TRIES * (TOTAL_MS + SLACK_MS), "%u ms", ms);
}

static void talk_nonsense(struct peer *self, int socket)
{
	if (take_request(self, socket)) {
		(void)peer_send(socket, "220 mail.example.com ESMTP\r\n\r\n", 30);
		(void)take_request(self, socket);
	}
}

ZTEST(peers, test_a_server_that_does_not_speak_http_is_an_error)
{
	uint32_t ms;

	zassert_equal(error_of(talk_nonsense, &ms), MENDER_E_HTTP_SYNTAX);
}

static void promise_more(struct peer *self, int socket)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\neyJhbGciOiJSUzI1NiJ9";

	if (take_request(self, socket)) {
		(void)peer_send(socket, reply, sizeof(reply) - 1);
	}
}

ZTEST(peers, test_a_reply_that_is_shorter_than_promised_is_an_error)
{
	uint32_t ms;
	const int32_t error = error_of(promise_more, &ms);
	struct mender_status status;

	zassert_true(error == MENDER_E_HTTP_TRUNCATED || error == MENDER_E_RECEIVE, "%d",
		     error);
	zassert_ok(mender_client_status(&status));
	zassert_equal(status.authenticated, 0);
}

static void hang_up(struct peer *self, int socket)
{
	(void)take_request(self, socket);
}

ZTEST(peers, test_a_server_that_hangs_up_instead_of_answering_is_an_error)
{
	uint32_t ms;
	const int32_t error = error_of(hang_up, &ms);

	zassert_true(error == MENDER_E_HTTP_CLOSED || error == MENDER_E_RECEIVE, "%d", error);
}

ZTEST_SUITE(peers, NULL, setup, fixtures_before, after, NULL);
