/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <string.h>
#include <zephyr/net/net_if.h>
#include <zephyr/net/tls_credentials.h>
#include <zephyr/ztest.h>

#define SLICE_MS   10
#define PATIENCE_S 60

/* Of the ranges for documentation (RFC 5737, RFC 3849). */
static struct in_addr v4 = {.s4_addr = {192, 0, 2, 1}};
static struct in6_addr v6 = {.s6_addr = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};

void peer_network_up(void)
{
	struct net_if *iface = net_if_get_default();

	zassert_not_null(net_if_ipv4_addr_add(iface, &v4, NET_ADDR_MANUAL, 0));
	zassert_not_null(net_if_ipv6_addr_add(iface, &v6, NET_ADDR_MANUAL, 0));
}

void peer_network_down(void)
{
	(void)net_if_ipv4_addr_rm(net_if_get_default(), &v4);
	(void)net_if_ipv6_addr_rm(net_if_get_default(), &v6);
}

static bool readable(struct peer *peer, int socket)
{
	struct zsock_pollfd polled = {.fd = socket, .events = ZSOCK_POLLIN};
	const int64_t end = k_uptime_get() + PATIENCE_S * MSEC_PER_SEC;

	while (!peer->stopped && k_uptime_get() < end) {
		if (zsock_poll(&polled, 1, SLICE_MS) > 0) {
			return true;
		}
	}
	return false;
}

uint32_t peer_read(struct peer *peer, int socket, void *buf, uint32_t size)
{
	ssize_t len = readable(peer, socket) ? zsock_recv(socket, buf, size, ZSOCK_MSG_DONTWAIT) : 0;

	while (len < 0 && errno == EAGAIN && readable(peer, socket)) {
		k_yield();
		len = zsock_recv(socket, buf, size, ZSOCK_MSG_DONTWAIT);
	}
	if (len <= 0) {
		return 0;
	}
	if (peer->received < sizeof(peer->first)) {
		memcpy(peer->first + peer->received, buf, MIN(len, sizeof(peer->first) - peer->received));
	}
	peer->received += len;
	return len;
}

bool peer_read_all(struct peer *peer, int socket, void *buf, uint32_t len)
{
	uint32_t done = 0;

	while (done < len) {
		const uint32_t more = peer_read(peer, socket, (uint8_t *)buf + done, len - done);

		if (more == 0) {
			return false;
		}
		done += more;
	}
	return true;
}

bool peer_send(int socket, const void *data, uint32_t len)
{
	const uint8_t *bytes = data;

	while (len > 0) {
		const ssize_t sent = zsock_send(socket, bytes, len, 0);

		if (sent <= 0) {
			return false;
		}
		bytes += sent;
		len -= sent;
	}
	return true;
}

static int listen_on(struct peer *peer)
{
	struct sockaddr_in any_v4 = {.sin_family = AF_INET, .sin_port = htons(peer->port), .sin_addr = INADDR_ANY_INIT};
	struct sockaddr_in6 any_v6 = {.sin6_family = AF_INET6, .sin6_port = htons(peer->port), .sin6_addr = IN6ADDR_ANY_INIT};
	const bool is_v4 = peer->family == AF_INET;
	const int listener = zsock_socket(peer->family, SOCK_STREAM, peer->tag != 0 ? IPPROTO_TLS_1_2 : IPPROTO_TCP);

	zassert_true(listener >= 0, "socket: %d", errno);
	if (peer->tag != 0) {
		const sec_tag_t tags[] = {peer->tag, peer->client_tag};
		const size_t len = peer->client_tag != 0 ? sizeof(tags) : sizeof(tags[0]);
		const int verify = peer->client_tag != 0 ? TLS_PEER_VERIFY_REQUIRED : TLS_PEER_VERIFY_NONE;

		zassert_ok(zsock_setsockopt(listener, SOL_TLS, TLS_SEC_TAG_LIST, tags, len));
		zassert_ok(zsock_setsockopt(listener, SOL_TLS, TLS_PEER_VERIFY, &verify, sizeof(verify)));
	}
	zassert_ok(zsock_bind(listener, is_v4 ? (struct sockaddr *)&any_v4 : (struct sockaddr *)&any_v6,
			      is_v4 ? sizeof(any_v4) : sizeof(any_v6)),
		   "bind: %d", errno);
	zassert_ok(zsock_listen(listener, 2));
	return listener;
}

static void take_all(struct peer *peer, int socket)
{
	uint8_t bytes[256];

	while (peer_read(peer, socket, bytes, sizeof(bytes)) > 0) {
	}
}

static void run(void *a, void *b, void *c)
{
	struct peer *peer = a;
	const int listener = listen_on(peer);
	struct zsock_pollfd polled = {.fd = listener, .events = ZSOCK_POLLIN};

	ARG_UNUSED(b);
	ARG_UNUSED(c);
	k_sem_give(&peer->ready);
	while (!peer->stopped) {
		if (zsock_poll(&polled, 1, SLICE_MS) <= 0) {
			continue;
		}
		peer->connections++;
		/* With TLS it returns when the handshake is done, or has failed. */
		const int socket = zsock_accept(listener, NULL, NULL);

		if (socket >= 0) {
			(peer->serve != NULL ? peer->serve : take_all)(peer, socket);
			zsock_close(socket);
		}
	}
	zsock_close(listener);
}

static void start(struct peer *peer)
{
	static uint16_t ports = 4000;

	peer->port = ports++;
	k_sem_init(&peer->go, 0, 1);
	k_sem_init(&peer->ready, 0, 1);
	/* Of the test's own priority and cooperative: mbedTLS is built for one thread at a time. */
	k_thread_create(&peer->thread, peer->stack, PEER_STACK_SIZE, run, peer, NULL, NULL,
			k_thread_priority_get(k_current_get()), 0, K_NO_WAIT);
	zassert_ok(k_sem_take(&peer->ready, K_SECONDS(PATIENCE_S)));
}

void peer_start(struct peer *peer, int family, int tag, void (*serve)(struct peer *peer, int socket))
{
	*peer = (struct peer){.stack = peer->stack, .family = family, .tag = tag, .serve = serve};
	start(peer);
}

void peer_start_mutual(struct peer *peer, int tag, int client_tag)
{
	*peer = (struct peer){.stack = peer->stack, .family = AF_INET, .tag = tag, .client_tag = client_tag};
	start(peer);
}

void peer_stop(struct peer *peer)
{
	if (peer->port != 0) {
		peer->stopped = true;
		k_sem_give(&peer->go);
		zassert_ok(k_thread_join(&peer->thread, K_SECONDS(PATIENCE_S)));
		peer->port = 0;
	}
}
