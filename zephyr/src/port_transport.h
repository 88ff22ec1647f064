/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MENDER_PORT_TRANSPORT_H_
#define MENDER_PORT_TRANSPORT_H_

#include <stdbool.h>
#include <stdint.h>
#include <zephyr/net/net_ip.h>

/** Some open stream was read empty, and its next bytes are waited for. */
bool mender_transport_expects_data(void);

/** Waits for such bytes, at most `ms`. Returns whether there are any; may return early without. */
bool mender_transport_wait(uint32_t ms);

#ifdef CONFIG_MENDER_MCU_WAIT_FOR_NETWORK
/** Some interface is up and has an address of that family (`AF_INET`, `AF_INET6`) that reaches beyond its link. */
bool mender_network_reaches(int family);

/** False: Zephyr's resolver said `error` of a name because there is no server that it could ask. */
bool mender_network_has_dns_server(int error);
#else
static inline bool mender_network_reaches(int family)
{
	return family == AF_INET ? IS_ENABLED(CONFIG_NET_IPV4) : IS_ENABLED(CONFIG_NET_IPV6);
}

static inline bool mender_network_has_dns_server(int error)
{
	ARG_UNUSED(error);
	return true;
}
#endif

/** Makes a TLS socket check chain and host name against the channel's trust anchors. 0 or -errno. */
int mender_tls_configure(int socket, int32_t channel, const char *host);

#endif
