/* SPDX-License-Identifier: Apache-2.0 */
/* TLS is compiled out here; tests/twister/net has it. */
#include <mender_port.h>
#include <string.h>
#include <zephyr/ztest.h>

#include "peer.h"
#include "stream.h"

#define API MENDER_CHANNEL_API

PEER_DEFINE(peer);
PEER_DEFINE(other);

static void *setup(void)
{
	peer_network_up();
	return NULL;
}

static void after(void *fixture)
{
	ARG_UNUSED(fixture);
	for (int32_t channel = API; channel <= MENDER_CHANNEL_CONNECT; channel++) {
		mender_port_transport_close(channel);
	}
	peer_stop(&peer);
	peer_stop(&other);
}

static void open_v4(void)
{
	zassert_ok(mender_port_transport_open(API, "127.0.0.1", peer.port, false));
}

ZTEST(transport, test_what_is_sent_arrives_and_what_comes_back_is_received)
{
	static const uint8_t hello[] = "hello";

	peer_start(&peer, AF_INET, 0, stream_echo);
	open_v4();
	zassert_equal(mender_port_transport_send(API, hello, 5), 5);
	zassert_equal(stream_receive(API, sizeof(stream_buf)), 5);
	zassert_mem_equal(stream_buf, hello, 5);
}

ZTEST(transport, test_nothing_yet_is_said_at_once)
{
	peer_start(&peer, AF_INET, 0, NULL);
	open_v4();
	const int64_t begun = k_uptime_get();

	zassert_equal(mender_port_transport_receive(API, stream_buf, sizeof(stream_buf)), MENDER_AGAIN);
	zassert_true(k_uptime_get() - begun < 20);
}

ZTEST(transport, test_all_that_was_sent_is_delivered_before_the_end_is_said)
{
	peer_start(&peer, AF_INET, 0, stream_send_pattern);
	open_v4();
	/* Time for the peer to send and to close. */
	k_msleep(200);
	stream_receive_all(API, 333);
	zassert_equal(stream_receive(API, 333), 0, "the end stays the end");
}

static void drip(struct peer *self, int socket)
{
	for (uint8_t byte = 0; byte < 20; byte++) {
		k_msleep(300);
		if (!peer_send(socket, &byte, 1)) {
			return;
		}
	}
	ARG_UNUSED(self);
}

ZTEST(transport, test_a_wait_ends_as_soon_as_a_slow_peer_sends)
{
	peer_start(&peer, AF_INET, 0, drip);
	open_v4();
	for (uint32_t i = 0; i < 20; i++) {
		const int64_t begun = k_uptime_get();

		zassert_equal(mender_port_transport_receive(API, stream_buf, sizeof(stream_buf)), MENDER_AGAIN);
		mender_port_clock_wait(5000);
		zassert_equal(mender_port_transport_receive(API, stream_buf, sizeof(stream_buf)), 1);
		zassert_equal(stream_buf[0], i);
		zassert_true(k_uptime_get() - begun < 1000);
	}
}

ZTEST(transport, test_sending_to_a_peer_that_does_not_read_does_not_block_and_loses_nothing)
{
	peer_start(&peer, AF_INET, 0, stream_read_late);
	open_v4();
	stream_send_all(API, 1000, &peer);
	mender_port_transport_close(API);
	for (int i = 0; i < 100 && peer.received < STREAM_LEN; i++) {
		k_msleep(50);
	}
	zassert_equal(peer.received, STREAM_LEN);
}

ZTEST(transport, test_a_refused_connection_is_an_error)
{
	const int64_t begun = k_uptime_get();

	zassert_true(mender_port_transport_open(API, "127.0.0.1", 9, false) < 0);
	zassert_true(k_uptime_get() - begun <= CONFIG_NET_SOCKETS_CONNECT_TIMEOUT + 500);
	zassert_equal(mender_port_transport_send(API, stream_buf, 1), -ENOTCONN);
	zassert_equal(mender_port_transport_receive(API, stream_buf, 1), -ENOTCONN);
}

ZTEST(transport, test_each_address_of_a_name_is_tried)
{
	/* "localhost" is 127.0.0.1 and ::1; only one of them has somebody who listens. */
	peer_start(&peer, AF_INET, 0, NULL);
	zassert_ok(mender_port_transport_open(API, "localhost", peer.port, false));
	mender_port_transport_close(API);
	peer_stop(&peer);
	peer_start(&peer, AF_INET6, 0, NULL);
	zassert_ok(mender_port_transport_open(API, "localhost", peer.port, false));
}

ZTEST(transport, test_an_ipv6_address_comes_without_brackets)
{
	peer_start(&peer, AF_INET6, 0, stream_echo);
	zassert_ok(mender_port_transport_open(API, "::1", peer.port, false));
	zassert_equal(mender_port_transport_send(API, (const uint8_t *)"6", 1), 1);
	zassert_equal(stream_receive(API, sizeof(stream_buf)), 1);
}

ZTEST(transport, test_another_open_closes_what_was_open_on_the_channel)
{
	peer_start(&peer, AF_INET, 0, NULL);
	peer_start(&other, AF_INET, 0, stream_echo);
	open_v4();
	zassert_ok(mender_port_transport_open(API, "127.0.0.1", other.port, false));
	/* The first peer takes the next one only when the connection is over. */
	zassert_ok(mender_port_transport_open(MENDER_CHANNEL_STORAGE, "127.0.0.1", peer.port, false));
	k_msleep(500);
	zassert_equal(peer.connections, 2);
	zassert_equal(mender_port_transport_send(API, (const uint8_t *)"x", 1), 1);
	zassert_equal(stream_receive(API, 1), 1);
}

ZTEST(transport, test_channels_do_not_mix)
{
	peer_start(&peer, AF_INET, 0, stream_echo);
	peer_start(&other, AF_INET, 0, stream_echo);
	open_v4();
	zassert_ok(mender_port_transport_open(MENDER_CHANNEL_STORAGE, "127.0.0.1", other.port, false));
	zassert_equal(mender_port_transport_send(API, (const uint8_t *)"api", 3), 3);
	zassert_equal(mender_port_transport_send(MENDER_CHANNEL_STORAGE, (const uint8_t *)"store", 5), 5);
	zassert_equal(stream_receive(MENDER_CHANNEL_STORAGE, sizeof(stream_buf)), 5);
	zassert_mem_equal(stream_buf, "store", 5);
	mender_port_transport_close(MENDER_CHANNEL_STORAGE);
	zassert_equal(stream_receive(API, sizeof(stream_buf)), 3);
	zassert_mem_equal(stream_buf, "api", 3);
}

ZTEST(transport, test_a_channel_that_does_not_exist_is_refused)
{
	zassert_true(mender_port_transport_open(-1, "127.0.0.1", 80, false) < 0);
	zassert_true(mender_port_transport_open(3, "127.0.0.1", 80, false) < 0);
	zassert_true(mender_port_transport_send(3, stream_buf, 1) < 0);
	zassert_true(mender_port_transport_receive(-1, stream_buf, 1) < 0);
	mender_port_transport_close(3);
}

static void cut(struct peer *self, int socket)
{
	uint8_t byte;

	(void)peer_read(self, socket, &byte, 1);
	/* The peer closes with bytes unread. */
}

ZTEST(transport, test_a_peer_that_goes_away_is_noticed_by_both_directions)
{
	int32_t rc;

	peer_start(&peer, AF_INET, 0, cut);
	open_v4();
	zassert_equal(mender_port_transport_send(API, (const uint8_t *)"xyz", 3), 3);
	rc = stream_receive(API, sizeof(stream_buf));
	zassert_true(rc == 0 || (rc < 0 && rc != MENDER_AGAIN), "%d", rc);
	for (int i = 0; i < 100 && (rc >= 0 || rc == MENDER_AGAIN); i++) {
		rc = mender_port_transport_send(API, stream_buf, 100);
		k_msleep(50);
	}
	zassert_true(rc < 0 && rc != MENDER_AGAIN, "%d", rc);
}

ZTEST(transport, test_without_tls_https_is_refused_and_not_a_byte_leaves)
{
	peer_start(&peer, AF_INET, 0, NULL);
	zassert_equal(mender_port_transport_open(API, "127.0.0.1", peer.port, true), -EPROTONOSUPPORT);
	/* Nor is the name asked for. */
	zassert_equal(mender_port_transport_open(API, "server.example", peer.port, true), -EPROTONOSUPPORT);
	zassert_equal(mender_port_transport_send(API, stream_buf, 1), -ENOTCONN);
	k_msleep(500);
	zassert_equal(peer.connections, 0);
	zassert_equal(peer.received, 0);
}

ZTEST_SUITE(transport, NULL, setup, NULL, after, NULL);
