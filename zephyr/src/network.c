/* SPDX-License-Identifier: Apache-2.0 */
#include <zephyr/kernel.h>
#include <zephyr/net/net_if.h>

#include "port_transport.h"

struct search {
	int family;
	bool found;
};

static bool reaches(struct net_if *iface, int family)
{
	const struct in_addr *v4;
	const struct in6_addr *v6;

	if (net_if_is_offloaded(iface)) {
		/* Its addresses are the modem's affair. */
		return true;
	}
	if (family == AF_INET) {
		v4 = net_if_ipv4_get_global_addr(iface, NET_ADDR_PREFERRED);
		return v4 != NULL && !net_ipv4_is_addr_loopback((struct in_addr *)v4);
	}
	v6 = net_if_ipv6_get_global_addr(NET_ADDR_PREFERRED, &iface);
	return v6 != NULL && !net_ipv6_is_addr_loopback((struct in6_addr *)v6);
}

static void look(struct net_if *iface, void *data)
{
	struct search *search = data;

	if (!search->found && net_if_is_up(iface)) {
		search->found = reaches(iface, search->family);
	}
}

bool network_reaches(int family)
{
	struct search search = {.family = family};

	net_if_foreach(look, &search);
	return search.found;
}
