/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_port.h>
#include <stdio.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/net/socket.h>

#include "port_transport.h"
#include "tls_in_use.h"

LOG_MODULE_DECLARE(mender_mcu, CONFIG_MENDER_MCU_LOG_LEVEL);

struct stream {
	int socket;
	bool open;
	/* It was read empty, and nobody has said since that there is more. */
	bool expects_data;
	/* Bytes that mbedTLS took, but could not send: the next call must be told the same number. */
	uint32_t pending;
};

static struct stream streams[MENDER_CHANNEL_CONNECT + 1];

K_MUTEX_DEFINE(mender_tls_in_use);

static struct stream *stream_of(int32_t channel)
{
	return channel >= 0 && channel < (int32_t)ARRAY_SIZE(streams) ? &streams[channel] : NULL;
}

void mender_port_transport_close(int32_t channel)
{
	struct stream *stream = stream_of(channel);

	k_mutex_lock(&mender_tls_in_use, K_FOREVER);
	if (stream != NULL && stream->open) {
		zsock_close(stream->socket);
		*stream = (struct stream){0};
	}
	k_mutex_unlock(&mender_tls_in_use);
}

static int connect_to(const struct zsock_addrinfo *address, int32_t channel, const char *host, bool tls)
{
	int rc = 0;
	int socket = zsock_socket(address->ai_family, SOCK_STREAM, tls ? IPPROTO_TLS_1_2 : IPPROTO_TCP);

	if (socket < 0) {
		return -errno;
	}
	if (tls) {
		rc = mender_tls_configure(socket, channel, host);
	}
	if (rc == 0 && zsock_connect(socket, address->ai_addr, address->ai_addrlen) != 0) {
		rc = -errno;
	}
	if (rc == -ECONNABORTED && tls) {
		/* Zephyr's error line before it has the number by which Mbed TLS calls the reason: 0x2700 is the certificate. */
		LOG_WRN("TLS handshake with %s failed: is its authority in CONFIG_MENDER_MCU_CA_FILES, its name in the certificate?", host);
	}
	/* Only now: a TLS socket clears the flag while it connects. */
	if (rc == 0 && zsock_fcntl(socket, ZVFS_F_SETFL, ZVFS_O_NONBLOCK) != 0) {
		rc = -errno;
	}
	if (rc != 0) {
		zsock_close(socket);
		/* That would say that nothing was tried. */
		return rc == -EAGAIN ? -ETIMEDOUT : rc;
	}
	return socket;
}

/* Said once, until something else is the matter. NULL: nothing is waited for any more. */
static int32_t wait_for(const char *what)
{
	static const char *said;

	if (what != NULL && what != said) {
		LOG_INF("waiting for %s", what);
	}
	said = what;
	return MENDER_AGAIN;
}

/* A socket that is connected to one of the host's addresses of a family, or -errno. MENDER_AGAIN: nobody can be asked for them. */
static int connect_by(sa_family_t family, int32_t channel, const char *host, uint16_t port, bool tls)
{
	const struct zsock_addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
	struct zsock_addrinfo *addresses = NULL;
	char service[sizeof("65535")];
	int rc;

	snprintf(service, sizeof(service), "%u", port);
	rc = zsock_getaddrinfo(host, service, &hints, &addresses);
	if (rc == DNS_EAI_SYSTEM && !mender_network_has_dns_server(errno)) {
		return wait_for("a DNS server");
	}
	wait_for(NULL);
	if (rc != 0) {
		/* Its numbers are its own. */
		LOG_WRN("no address of %s: getaddrinfo says %d", host, rc);
		return -EHOSTUNREACH;
	}
	rc = -EHOSTUNREACH;
	for (const struct zsock_addrinfo *each = addresses; each != NULL && rc < 0; each = each->ai_next) {
		rc = connect_to(each, channel, host, tls);
	}
	zsock_freeaddrinfo(addresses);
	return rc;
}

/* The one family that a literal address belongs to; for a name AF_UNSPEC. */
static sa_family_t family_of(const char *host)
{
	struct in6_addr bytes;

	if (zsock_inet_pton(AF_INET, host, &bytes) == 1) {
		return AF_INET;
	}
	return zsock_inet_pton(AF_INET6, host, &bytes) == 1 ? AF_INET6 : AF_UNSPEC;
}

static int connect_to_host(int32_t channel, const char *host, uint16_t port, bool tls)
{
	const sa_family_t only = family_of(host);
	int rc = MENDER_AGAIN;
	int last;

	if (only != AF_UNSPEC || IS_ENABLED(CONFIG_NET_SOCKETS_OFFLOAD)) {
		/* An offloading driver has a resolver of its own; that of native_sim takes no family but this. */
		return connect_by(IS_ENABLED(CONFIG_NET_SOCKETS_OFFLOAD) ? AF_UNSPEC : only, channel, host, port, tls);
	}
	/* One family after the other: asked for both, Zephyr's resolver fails when the answer for one of them is lost. */
	if (mender_network_reaches(AF_INET)) {
		rc = connect_by(AF_INET, channel, host, port, tls);
	}
	if (rc < 0 && mender_network_reaches(AF_INET6)) {
		last = connect_by(AF_INET6, channel, host, port, tls);
		/* What was tried and failed is not to be tried again at once. */
		rc = last == MENDER_AGAIN ? rc : last;
	}
	return rc;
}

int32_t mender_port_transport_open(int32_t channel, const char *host, uint16_t port, bool tls)
{
	struct stream *stream = stream_of(channel);
	int rc;

	if (stream == NULL) {
		return -EINVAL;
	}
	mender_port_transport_close(channel);
	if (tls && !IS_ENABLED(CONFIG_NET_SOCKETS_SOCKOPT_TLS)) {
		return -EPROTONOSUPPORT;
	}
	if (!mender_network_reaches(AF_INET) && !mender_network_reaches(AF_INET6)) {
		return wait_for("a network");
	}
	if (tls && IS_ENABLED(CONFIG_MENDER_MCU_TRUSTED_CLOCK) && mender_port_clock_unix_ms() == 0) {
		return wait_for("the clock to be set");
	}
	rc = connect_to_host(channel, host, port, tls);
	if (rc >= 0) {
		*stream = (struct stream){.socket = rc, .open = true};
		rc = 0;
	}
	return rc;
}

int32_t mender_port_transport_send(int32_t channel, const uint8_t *data, uint32_t len)
{
	struct stream *stream = stream_of(channel);
	ssize_t sent;

	if (stream == NULL || !stream->open) {
		return -ENOTCONN;
	}
	if (stream->pending != 0) {
		if (len < stream->pending) {
			return -EINVAL;
		}
		len = stream->pending;
	}
	sent = zsock_send(stream->socket, data, len, 0);
	if (sent < 0 && errno == EAGAIN) {
		stream->pending = len;
		return MENDER_AGAIN;
	}
	if (sent < 0) {
		return -errno;
	}
	stream->pending = 0;
	return sent;
}

int32_t mender_port_transport_receive(int32_t channel, uint8_t *buf, uint32_t size)
{
	struct stream *stream = stream_of(channel);
	ssize_t received;

	if (stream == NULL || !stream->open) {
		return -ENOTCONN;
	}
	received = zsock_recv(stream->socket, buf, size, 0);
	stream->expects_data = received < 0 && errno == EAGAIN;
	if (stream->expects_data) {
		return MENDER_AGAIN;
	}
	return received < 0 ? -errno : received;
}

bool mender_transport_expects_data(void)
{
	ARRAY_FOR_EACH(streams, i) {
		if (streams[i].open && streams[i].expects_data) {
			return true;
		}
	}
	return false;
}

static bool look(uint32_t ms)
{
	struct zsock_pollfd polled[ARRAY_SIZE(streams)];
	struct stream *whose[ARRAY_SIZE(streams)];
	int count = 0;
	bool ready = false;

	ARRAY_FOR_EACH(streams, i) {
		if (streams[i].open && streams[i].expects_data) {
			polled[count] = (struct zsock_pollfd){.fd = streams[i].socket, .events = ZSOCK_POLLIN};
			whose[count++] = &streams[i];
		}
	}
	if (zsock_poll(polled, count, ms) <= 0) {
		return false;
	}
	for (int i = 0; i < count; i++) {
		if (polled[i].revents != 0) {
			/* Said once: whoever does not come for the bytes is not woken for them again. */
			whose[i]->expects_data = false;
			ready = true;
		}
	}
	return ready;
}

bool mender_transport_wait(uint32_t ms)
{
	k_mutex_lock(&mender_tls_in_use, K_FOREVER);
	bool ready = look(ms);

	k_mutex_unlock(&mender_tls_in_use);
	return ready;
}

#ifndef CONFIG_NET_SOCKETS_SOCKOPT_TLS
int mender_tls_configure(int socket, int32_t channel, const char *host)
{
	ARG_UNUSED(socket);
	ARG_UNUSED(channel);
	ARG_UNUSED(host);
	return -EPROTONOSUPPORT;
}
#endif
