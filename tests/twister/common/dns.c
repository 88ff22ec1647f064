/* SPDX-License-Identifier: Apache-2.0 */
#include "dns.h"

#include <string.h>
#include <zephyr/kernel.h>
#include <zephyr/net/dns_resolve.h>
#include <zephyr/net/net_if.h>
#include <zephyr/net/socket.h>
#include <zephyr/sys/byteorder.h>
#include <zephyr/ztest.h>

#define PORT       5353
#define SLICE_MS   10
#define STACK_SIZE 4096
#define HEADER_LEN 12
#define TYPE_A     1
#define TYPE_AAAA  28

static K_THREAD_STACK_DEFINE(stack, STACK_SIZE);
static struct k_thread thread;
static K_SEM_DEFINE(ready, 0, 1);

static struct {
	bool runs;
	bool is_mute;
	/** In the form of RFC 1035, 3.1: each label after its length. */
	uint8_t name[64];
	uint8_t type;
	uint8_t address_len;
	uint8_t address[sizeof(struct in6_addr)];
} dns;

static const struct sockaddr_in here = {
	.sin_family = AF_INET,
	.sin_port = htons(PORT),
	.sin_addr = INADDR_LOOPBACK_INIT,
};
static const struct sockaddr *servers[] = {(const struct sockaddr *)&here, NULL};

static void keep_name(const char *name)
{
	uint8_t *to = dns.name;

	while (*name != '\0') {
		const size_t len = strcspn(name, ".");

		*to++ = len;
		memcpy(to, name, len);
		to += len;
		name += len + (name[len] == '.');
	}
	*to = 0;
}

/* Makes an answer (RFC 1035, 4.1) of a question. Returns its length. */
static size_t answer(uint8_t *message, size_t len)
{
	const size_t name_len = strlen((const char *)dns.name) + 1;
	const uint8_t *question = message + HEADER_LEN;
	const size_t end = HEADER_LEN + name_len + 4;
	const bool known = len >= end && memcmp(question, dns.name, name_len) == 0;
	const bool has_it = known && sys_get_be16(question + name_len) == dns.type;

	/* An answer; recursion is available; no error, or no such name. */
	sys_put_be16(0x8180 | (known ? 0 : 3), message + 2);
	sys_put_be16(has_it ? 1 : 0, message + 6);
	if (!has_it) {
		return len;
	}
	/* The name of the question, the type, class IN, for a minute. */
	const uint8_t record[] = {0xc0, HEADER_LEN, 0, dns.type, 0, 1, 0, 0, 0, 60, 0, dns.address_len};

	memcpy(message + end, record, sizeof(record));
	memcpy(message + end + sizeof(record), dns.address, dns.address_len);
	return end + sizeof(record) + dns.address_len;
}

static void run(void *a, void *b, void *c)
{
	const int socket = zsock_socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
	struct zsock_pollfd polled = {.fd = socket, .events = ZSOCK_POLLIN};
	struct sockaddr_in from;
	socklen_t from_len;
	uint8_t message[256];

	ARG_UNUSED(a);
	ARG_UNUSED(b);
	ARG_UNUSED(c);
	zassert_true(socket >= 0, "socket: %d", errno);
	zassert_ok(zsock_bind(socket, servers[0], sizeof(here)), "bind: %d", errno);
	k_sem_give(&ready);
	while (dns.runs) {
		if (zsock_poll(&polled, 1, SLICE_MS) <= 0) {
			continue;
		}
		from_len = sizeof(from);
		const ssize_t len = zsock_recvfrom(socket, message, 128, 0, (struct sockaddr *)&from, &from_len);

		if (len >= HEADER_LEN && !dns.is_mute) {
			(void)zsock_sendto(socket, message, answer(message, len), 0, (struct sockaddr *)&from, from_len);
		}
	}
	zsock_close(socket);
}

static void start(void)
{
	int iface = net_if_get_by_iface(net_if_get_default());

	dns.runs = true;
	k_thread_create(&thread, stack, STACK_SIZE, run, NULL, NULL, NULL, k_thread_priority_get(k_current_get()), 0,
			K_NO_WAIT);
	zassert_ok(k_sem_take(&ready, K_SECONDS(10)));
	zassert_ok(dns_resolve_reconfigure_with_interfaces(dns_resolve_get_default(), NULL, servers, &iface, DNS_SOURCE_DHCPV4));
}

void dns_start(const char *name, int family, const void *address)
{
	dns.is_mute = false;
	dns.type = family == AF_INET6 ? TYPE_AAAA : TYPE_A;
	dns.address_len = family == AF_INET6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);
	memcpy(dns.address, address, dns.address_len);
	keep_name(name);
	start();
}

void dns_start_mute(void)
{
	dns.is_mute = true;
	start();
}

void dns_stop(void)
{
	if (dns.runs) {
		dns.runs = false;
		zassert_ok(k_thread_join(&thread, K_SECONDS(10)));
		zassert_ok(dns_resolve_remove(dns_resolve_get_default(), net_if_get_by_iface(net_if_get_default())));
	}
}

void dns_close(void)
{
	(void)dns_resolve_close(dns_resolve_get_default());
}
