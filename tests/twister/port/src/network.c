/* SPDX-License-Identifier: Apache-2.0 */
/* When there is a network, as the transport sees it: the loopback interface goes up and down, and gets addresses of all kinds. */
#include <mender_port.h>
#include <zephyr/net/net_if.h>
#include <zephyr/ztest.h>

#include "dns.h"
#include "peer.h"

#define API MENDER_CHANNEL_API

PEER_DEFINE(peer);
PEER_DEFINE(peer_v6);

/* Of the ranges for documentation (RFC 5737, RFC 3849), and link-local ones (RFC 3927, RFC 4291). */
static struct in_addr global_v4 = {.s4_addr = {192, 0, 2, 1}};
static struct in_addr local_v4 = {.s4_addr = {169, 254, 1, 1}};
static struct in6_addr global_v6 = {.s6_addr = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
static struct in6_addr local_v6 = {.s6_addr = {0xfe, 0x80, [15] = 1}};

static struct net_if *iface;

static struct net_if_addr *add_v4(struct in_addr *address)
{
	struct net_if_addr *added = net_if_ipv4_addr_add(iface, address, NET_ADDR_MANUAL, 0);

	zassert_not_null(added);
	return added;
}

static struct net_if_addr *add_v6(struct in6_addr *address)
{
	struct net_if_addr *added = net_if_ipv6_addr_add(iface, address, NET_ADDR_MANUAL, 0);

	zassert_not_null(added);
	return added;
}

/* Nothing is left but what a loopback interface has by itself. */
static void forget_addresses(void)
{
	peer_network_down();
	(void)net_if_ipv4_addr_rm(iface, &local_v4);
	(void)net_if_ipv6_addr_rm(iface, &local_v6);
}

static void before(void *fixture)
{
	ARG_UNUSED(fixture);
	iface = net_if_get_default();
	forget_addresses();
	peer_start(&peer, AF_INET, 0, NULL);
}

static void after(void *fixture)
{
	ARG_UNUSED(fixture);
	mender_port_transport_close(API);
	(void)net_if_up(iface);
	peer_stop(&peer);
	peer_stop(&peer_v6);
	dns_stop();
	forget_addresses();
	peer_network_up();
}

static int32_t open(const char *host)
{
	return mender_port_transport_open(API, host, peer.port, false);
}

/* Said at once, and nothing was tried. */
static void assert_waits(const char *host)
{
	const int64_t begun = k_uptime_get();
	const uint32_t connections = peer.connections;

	zassert_equal(open(host), MENDER_AGAIN);
	zassert_true(k_uptime_get() - begun < 100, "it blocked");
	zassert_equal(mender_port_transport_send(API, (const uint8_t *)"x", 1), -ENOTCONN);
	zassert_equal(peer.connections, connections);
}

ZTEST(network, test_an_interface_that_goes_down_is_waited_for)
{
	add_v4(&global_v4);
	zassert_ok(open("127.0.0.1"));
	mender_port_transport_close(API);
	/* It closes what listens there, for good. */
	peer_stop(&peer);
	zassert_ok(net_if_down(iface));
	assert_waits("127.0.0.1");
	assert_waits("localhost");
	zassert_ok(net_if_up(iface));
	peer_start(&peer, AF_INET, 0, NULL);
	zassert_ok(open("127.0.0.1"));
}

ZTEST(network, test_loopback_and_link_local_addresses_are_not_enough)
{
	assert_waits("127.0.0.1");
	add_v4(&local_v4);
	/* As after duplicate address detection. */
	add_v6(&local_v6)->addr_state = NET_ADDR_PREFERRED;
	assert_waits("127.0.0.1");
	assert_waits("localhost");
}

ZTEST(network, test_an_address_that_comes_late_is_noticed_behind_those_that_do_not_count)
{
	add_v4(&local_v4);
	assert_waits("127.0.0.1");
	add_v4(&global_v4);
	zassert_ok(open("127.0.0.1"));
	zassert_true(net_if_ipv4_addr_rm(iface, &global_v4));
	assert_waits("127.0.0.1");
}

ZTEST(network, test_an_address_that_is_still_probed_for_does_not_count)
{
	struct net_if_addr *address = add_v4(&global_v4);

	address->addr_state = NET_ADDR_TENTATIVE;
	assert_waits("127.0.0.1");
	address->addr_state = NET_ADDR_PREFERRED;
	zassert_ok(open("127.0.0.1"));
}

ZTEST(network, test_with_ipv6_alone_only_ipv6_is_tried)
{
	add_v6(&global_v6)->addr_state = NET_ADDR_PREFERRED;
	peer_start(&peer_v6, AF_INET6, 0, NULL);
	zassert_ok(mender_port_transport_open(API, "localhost", peer_v6.port, false));
	mender_port_transport_close(API);
	zassert_true(open("localhost") < 0, "somebody listens there by IPv4, which is not up");
	zassert_equal(peer.connections, 0);
}

ZTEST(network, test_a_name_waits_for_a_dns_server_and_an_address_does_not)
{
	add_v4(&global_v4);
	dns_close();
	assert_waits("server.example");
	zassert_ok(open("127.0.0.1"));
	dns_start("server.example", AF_INET, &(struct in_addr)INADDR_LOOPBACK_INIT);
	zassert_ok(open("server.example"));
	dns_stop();
	assert_waits("server.example");
}

ZTEST(network, test_a_name_that_has_an_ipv6_address_alone_is_talked_to)
{
	add_v4(&global_v4);
	add_v6(&global_v6)->addr_state = NET_ADDR_PREFERRED;
	peer_start(&peer_v6, AF_INET6, 0, NULL);
	dns_start("server.example", AF_INET6, &(struct in6_addr)IN6ADDR_LOOPBACK_INIT);
	zassert_ok(mender_port_transport_open(API, "server.example", peer_v6.port, false));
}

ZTEST(network, test_a_name_that_the_dns_server_does_not_know_is_an_error)
{
	add_v4(&global_v4);
	dns_start("server.example", AF_INET, &(struct in_addr)INADDR_LOOPBACK_INIT);
	const int32_t rc = open("another.example");

	zassert_true(rc < 0 && rc != MENDER_AGAIN, "%d", rc);
}

ZTEST(network, test_a_dns_server_that_does_not_answer_is_waited_for_once_with_each_family)
{
	add_v4(&global_v4);
	add_v6(&global_v6)->addr_state = NET_ADDR_PREFERRED;
	dns_start_mute();
	const int64_t begun = k_uptime_get();
	const int32_t rc = open("server.example");
	const int64_t ms = k_uptime_get() - begun;

	zassert_true(rc < 0 && rc != MENDER_AGAIN, "%d", rc);
	/* Zephyr gives each try a tenth of a second more. */
	zassert_true(ms >= 2 * CONFIG_NET_SOCKETS_DNS_TIMEOUT && ms < 2 * CONFIG_NET_SOCKETS_DNS_TIMEOUT + 2000, "%u ms",
		     (uint32_t)ms);
}

ZTEST_SUITE(network, NULL, NULL, before, after, NULL);
