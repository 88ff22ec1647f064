/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include <mender_port.h>
#include <zephyr/ztest.h>

#define PATIENCE_MS (20 * MSEC_PER_SEC)

uint8_t stream_buf[4096];

static uint8_t pattern(uint32_t offset)
{
	return (offset * 2654435761U) >> 13;
}

void stream_fill(uint8_t *to, uint32_t offset, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		to[i] = pattern(offset + i);
	}
}

static void assert_pattern(const uint8_t *bytes, uint32_t offset, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		zassert_equal(bytes[i], pattern(offset + i), "at %u", offset + i);
	}
}

int32_t stream_receive(int32_t channel, uint32_t size)
{
	const int64_t end = k_uptime_get() + PATIENCE_MS;
	int32_t got;

	do {
		got = mender_port_transport_receive(channel, stream_buf, size);
		if (got == MENDER_AGAIN) {
			mender_port_clock_wait(1000);
		}
	} while (got == MENDER_AGAIN && k_uptime_get() < end);
	return got;
}

void stream_receive_all(int32_t channel, uint32_t size)
{
	uint32_t offset = 0;
	int32_t got;

	while ((got = stream_receive(channel, size)) > 0) {
		assert_pattern(stream_buf, offset, got);
		offset += got;
	}
	zassert_equal(got, 0, "%d", got);
	zassert_equal(offset, STREAM_LEN);
}

void stream_send_all(int32_t channel, uint32_t size, struct peer *peer)
{
	uint32_t offset = 0;
	uint32_t refused = 0;

	while (offset < STREAM_LEN) {
		const uint32_t len = MIN(size, STREAM_LEN - offset);
		const int64_t begun = k_uptime_get();

		stream_fill(stream_buf, offset, len);
		const int32_t sent = mender_port_transport_send(channel, stream_buf, len);

		zassert_true(k_uptime_get() - begun < 100, "it blocked");
		zassert_true(sent >= 0 || sent == MENDER_AGAIN, "%d", sent);
		if (sent > 0) {
			offset += sent;
			continue;
		}
		refused++;
		zassert_true(refused < 1000);
		if (refused == 3) {
			k_sem_give(&peer->go);
		}
		mender_port_clock_wait(50);
	}
	zassert_true(refused >= 3, "the peer's window is larger than the test");
}

void stream_echo(struct peer *peer, int socket)
{
	uint8_t bytes[256];
	uint32_t len;

	do {
		len = peer_read(peer, socket, bytes, sizeof(bytes));
	} while (len > 0 && peer_send(socket, bytes, len));
}

void stream_send_pattern(struct peer *peer, int socket)
{
	uint8_t bytes[1000];

	ARG_UNUSED(peer);
	for (uint32_t offset = 0; offset < STREAM_LEN; offset += sizeof(bytes)) {
		stream_fill(bytes, offset, sizeof(bytes));
		if (!peer_send(socket, bytes, sizeof(bytes))) {
			return;
		}
	}
}

void stream_read_late(struct peer *peer, int socket)
{
	uint8_t bytes[500];
	uint32_t offset = 0;
	uint32_t len;

	k_sem_take(&peer->go, K_SECONDS(30));
	while ((len = peer_read(peer, socket, bytes, sizeof(bytes))) > 0) {
		assert_pattern(bytes, offset, len);
		offset += len;
	}
}
