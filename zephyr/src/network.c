/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <zephyr/kernel.h>
#include <zephyr/net/dns_resolve.h>
#include <zephyr/net/net_if.h>

#include "port_transport.h"

struct search {
	int family;
	bool found;
};

static bool is_beyond_the_link(const struct net_addr *address)
{
	if (address->family == AF_INET) {
		return !net_ipv4_is_addr_loopback((struct in_addr *)&address->in_addr) &&
		       !net_ipv4_is_ll_addr(&address->in_addr);
	}
	return !net_ipv6_is_addr_loopback((struct in6_addr *)&address->in6_addr) &&
	       !net_ipv6_is_ll_addr(&address->in6_addr);
}

/* Each address is looked at: the first one may be loopback's, or one that somebody else has (RFC 5227, RFC 4862). */
static void look_at_address(struct net_if *iface, struct net_if_addr *address, void *data)
{
	struct search *search = data;
	const bool usable = address->addr_state == NET_ADDR_PREFERRED || address->addr_state == NET_ADDR_DEPRECATED;

	ARG_UNUSED(iface);
	if (usable && address->address.family == search->family && is_beyond_the_link(&address->address)) {
		search->found = true;
	}
}

static void look(struct net_if *iface, void *data)
{
	struct search *search = data;

	if (!net_if_is_up(iface)) {
		return;
	}
	if (net_if_is_offloaded(iface)) {
		/* Its addresses are the modem's affair. */
		search->found = true;
	} else if (IS_ENABLED(CONFIG_NET_IPV4) && search->family == AF_INET) {
		net_if_ipv4_addr_foreach(iface, look_at_address, search);
	} else if (IS_ENABLED(CONFIG_NET_IPV6) && search->family == AF_INET6) {
		net_if_ipv6_addr_foreach(iface, look_at_address, search);
	}
}

bool mender_network_reaches(int family)
{
	struct search search = {.family = family};

	net_if_foreach(look, &search);
	return search.found;
}

bool mender_network_has_dns_server(int error)
{
#if defined(CONFIG_DNS_RESOLVER) && !defined(CONFIG_NET_SOCKETS_OFFLOAD)
	/* It is inactive until it gets its first server; of those it has, none could be sent a question. */
	return dns_resolve_get_default()->state == DNS_RESOLVE_CONTEXT_ACTIVE && error != ENOENT;
#else
	ARG_UNUSED(error);
	return true;
#endif
}
