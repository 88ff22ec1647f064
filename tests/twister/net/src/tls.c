/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_port.h>
#include <string.h>
#include <zephyr/ztest.h>

#include "fixtures.h"
#include "peer.h"
#include "stream.h"

#define API     MENDER_CHANNEL_API
#define STORAGE MENDER_CHANNEL_STORAGE

PEER_DEFINE(peer);

static void *setup(void)
{
	fixtures_begin();
	return NULL;
}

static void after(void *fixture)
{
	ARG_UNUSED(fixture);
	mender_port_transport_close(API);
	mender_port_transport_close(STORAGE);
	peer_stop(&peer);
}

/* It fails within the time that Kconfig sets for connecting, TCP and handshake together, and leaves nothing open. */
static void assert_not_opened(int32_t channel, const char *host)
{
	const int64_t begun = k_uptime_get();
	const int32_t rc = mender_port_transport_open(channel, host, peer.port, true);

	zassert_true(rc < 0 && rc != MENDER_AGAIN, "%d", rc);
	zassert_true(k_uptime_get() - begun < 2 * CONFIG_NET_SOCKETS_CONNECT_TIMEOUT + 1000, "it took too long");
	zassert_equal(mender_port_transport_send(channel, stream_buf, 1), -ENOTCONN);
}

ZTEST(tls, test_a_server_with_the_right_chain_and_name_is_talked_to)
{
	peer_start(&peer, AF_INET, TAG_API, stream_echo);
	zassert_ok(mender_port_transport_open(API, "localhost", peer.port, true));
	zassert_equal(mender_port_transport_send(API, (const uint8_t *)"hello", 5), 5);
	zassert_equal(stream_receive(API, sizeof(stream_buf)), 5);
	zassert_mem_equal(stream_buf, "hello", 5);
}

ZTEST(tls, test_an_authority_that_is_not_trusted_is_refused)
{
	peer_start(&peer, AF_INET, TAG_UNTRUSTED, NULL);
	assert_not_opened(API, "localhost");
	zassert_true(peer.connections > 0, "nothing was tried");
	zassert_equal(peer.received, 0);
}

ZTEST(tls, test_a_certificate_for_another_host_is_refused)
{
	peer_start(&peer, AF_INET, TAG_ELSEWHERE, NULL);
	assert_not_opened(API, "localhost");
	zassert_true(peer.connections > 0, "nothing was tried");
	zassert_equal(peer.received, 0);
}

ZTEST(tls, test_api_and_store_have_authorities_of_their_own)
{
	peer_start(&peer, AF_INET, TAG_STORAGE, NULL);
	assert_not_opened(API, "localhost");
	zassert_ok(mender_port_transport_open(STORAGE, "localhost", peer.port, true));
	mender_port_transport_close(STORAGE);
	peer_stop(&peer);
	peer_start(&peer, AF_INET, TAG_API, NULL);
	assert_not_opened(STORAGE, "localhost");
}

ZTEST(tls, test_a_server_of_any_authority_that_is_named_is_talked_to)
{
	peer_start(&peer, AF_INET, TAG_API_2, NULL);
	zassert_ok(mender_port_transport_open(API, "localhost", peer.port, true));
	mender_port_transport_close(API);
	assert_not_opened(STORAGE, "localhost");
}

/* Both must be in the certificate (RFC 6125). */
ZTEST(tls, test_an_address_instead_of_a_name_is_verified_too)
{
	peer_start(&peer, AF_INET, TAG_API, NULL);
	zassert_ok(mender_port_transport_open(API, "127.0.0.1", peer.port, true));
	mender_port_transport_close(API);
	peer_stop(&peer);
	peer_start(&peer, AF_INET, TAG_API_2, NULL);
	assert_not_opened(API, "127.0.0.1");
}

ZTEST(tls, test_ipv6_is_talked_to_by_name_and_by_address)
{
	peer_start(&peer, AF_INET6, TAG_API, stream_echo);
	zassert_ok(mender_port_transport_open(API, "localhost", peer.port, true));
	zassert_equal(mender_port_transport_send(API, (const uint8_t *)"six", 3), 3);
	zassert_equal(stream_receive(API, sizeof(stream_buf)), 3);
	zassert_ok(mender_port_transport_open(API, "::1", peer.port, true));
	mender_port_transport_close(API);
	peer_stop(&peer);
	peer_start(&peer, AF_INET6, TAG_API_2, NULL);
	assert_not_opened(API, "::1");
}

ZTEST(tls, test_a_certificate_that_has_expired_is_refused)
{
	peer_start(&peer, AF_INET, TAG_API, NULL);
	/* In the year 2160; they are made for a hundred years. */
	fixtures_set_clock(6000000000);
	assert_not_opened(API, "localhost");
	zassert_equal(peer.received, 0);
	fixtures_set_clock(GOOD_DAY);
	zassert_ok(mender_port_transport_open(API, "localhost", peer.port, true));
}

ZTEST(tls, test_a_certificate_that_is_not_valid_yet_is_refused)
{
	peer_start(&peer, AF_INET, TAG_API, NULL);
	/* In January 2024. */
	fixtures_set_clock(1705000000);
	assert_not_opened(API, "localhost");
	zassert_equal(peer.received, 0);
}

ZTEST(tls, test_a_clock_that_is_not_set_is_waited_for_and_nothing_is_tried)
{
	peer_start(&peer, AF_INET, TAG_API, NULL);
	fixtures_set_clock(60);
	zassert_equal(mender_port_transport_open(API, "localhost", peer.port, true), MENDER_AGAIN);
	zassert_equal(peer.connections, 0);
	fixtures_set_clock(GOOD_DAY);
	zassert_ok(mender_port_transport_open(API, "localhost", peer.port, true));
}

ZTEST(tls, test_a_server_that_asks_for_the_device_s_certificate_gets_it)
{
	peer_start_mutual(&peer, TAG_API, TAG_CLIENT_CA);
	zassert_ok(mender_port_transport_open(API, "localhost", peer.port, true));
}

ZTEST(tls, test_a_store_that_asks_for_the_device_s_certificate_does_not_get_it)
{
	peer_start_mutual(&peer, TAG_STORAGE, TAG_CLIENT_CA);
	assert_not_opened(STORAGE, "localhost");
	zassert_true(peer.connections > 0, "nothing was tried");
	zassert_equal(peer.received, 0);
}

ZTEST(tls, test_a_server_that_speaks_no_tls_sees_a_client_hello_and_nothing_else)
{
	static const char needle[] = "localhost";
	bool named = false;

	peer_start(&peer, AF_INET, 0, NULL);
	assert_not_opened(API, "localhost");
	zassert_true(peer.received > 5 && peer.received < sizeof(peer.first), "%u bytes", peer.received);
	/* RFC 5246, 6.2.1: type handshake, version, and the length of the one record there is. */
	zassert_equal(peer.first[0], 22);
	zassert_equal(peer.first[1], 3);
	zassert_equal(peer.received, 5 + 256 * peer.first[3] + peer.first[4]);
	zassert_equal(peer.first[5], 1, "no ClientHello");
	for (uint32_t i = 0; i + sizeof(needle) <= peer.received; i++) {
		named |= memcmp(peer.first + i, needle, sizeof(needle) - 1) == 0;
	}
	zassert_true(named, "no server name (RFC 6066)");
}

static void answer_in_clear_text(struct peer *self, int socket)
{
	static const char reply[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
	uint8_t bytes[512];

	(void)peer_read(self, socket, bytes, sizeof(bytes));
	(void)peer_send(socket, reply, sizeof(reply) - 1);
	(void)peer_read(self, socket, bytes, sizeof(bytes));
}

ZTEST(tls, test_an_answer_in_clear_text_is_refused)
{
	peer_start(&peer, AF_INET, 0, answer_in_clear_text);
	assert_not_opened(API, "localhost");
}

static void drip_a_handshake(struct peer *self, int socket)
{
	/* A handshake record of 16 KiB (RFC 5246, 6.2.1), which never is. */
	static const uint8_t record[] = {22, 3, 3, 0x40, 0};
	uint8_t bytes[512];

	(void)peer_read(self, socket, bytes, sizeof(bytes));
	(void)peer_send(socket, record, sizeof(record));
	while (!self->stopped && peer_send(socket, "\2", 1)) {
		k_msleep(300);
	}
}

ZTEST(tls, test_a_peer_whose_handshake_comes_byte_by_byte_is_left_when_the_time_for_connecting_is_over)
{
	const int64_t begun = k_uptime_get();

	peer_start(&peer, AF_INET, 0, drip_a_handshake);
	assert_not_opened(API, "localhost");
	zassert_true(k_uptime_get() - begun >= CONFIG_NET_SOCKETS_CONNECT_TIMEOUT, "it was left for something else");
}

static void hang_up(struct peer *self, int socket)
{
	uint8_t bytes[512];

	(void)peer_read(self, socket, bytes, sizeof(bytes));
}

ZTEST(tls, test_a_peer_that_hangs_up_in_the_handshake_is_an_error)
{
	peer_start(&peer, AF_INET, 0, hang_up);
	assert_not_opened(API, "localhost");
}

ZTEST(tls, test_a_server_that_goes_away_is_noticed_by_both_directions)
{
	int32_t rc;

	peer_start(&peer, AF_INET, TAG_API, hang_up);
	zassert_ok(mender_port_transport_open(API, "localhost", peer.port, true));
	zassert_equal(mender_port_transport_send(API, (const uint8_t *)"bye", 3), 3);
	rc = stream_receive(API, sizeof(stream_buf));
	zassert_true(rc == 0 || (rc < 0 && rc != MENDER_AGAIN), "%d", rc);
	for (int i = 0; i < 100 && (rc >= 0 || rc == MENDER_AGAIN); i++) {
		rc = mender_port_transport_send(API, stream_buf, 100);
		k_msleep(50);
	}
	zassert_true(rc < 0 && rc != MENDER_AGAIN, "%d", rc);
}

ZTEST(tls, test_records_are_delivered_whole_through_small_buffers)
{
	peer_start(&peer, AF_INET, TAG_API, stream_send_pattern);
	zassert_ok(mender_port_transport_open(API, "localhost", peer.port, true));
	const int64_t begun = k_uptime_get();

	stream_receive_all(API, 333);
	/* What is decrypted already does not show on the socket: nobody may wait for it. */
	zassert_true(k_uptime_get() - begun < 10000, "%u ms", (uint32_t)(k_uptime_get() - begun));
}

ZTEST(tls, test_what_a_full_window_holds_back_is_sent_once_and_in_order)
{
	peer_start(&peer, AF_INET, TAG_API, stream_read_late);
	zassert_ok(mender_port_transport_open(API, "localhost", peer.port, true));
	stream_send_all(API, 700, &peer);
	for (int i = 0; i < 200 && peer.received < STREAM_LEN; i++) {
		k_msleep(50);
	}
	zassert_equal(peer.received, STREAM_LEN);
}

ZTEST_SUITE(tls, NULL, setup, fixtures_before, after, NULL);
