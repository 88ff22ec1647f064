/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_DNS_H_
#define TEST_DNS_H_

#include <zephyr/net/net_ip.h>

/** A DNS server on 127.0.0.1 that knows one name, with one address of that family, in a thread of its own; Zephyr's resolver asks it. */
void dns_start(const char *name, int family, const void *address);

/** The same server, which answers nothing. */
void dns_start_mute(void);

/** Ends it, and takes it from the resolver, as when a DHCP lease ends. */
void dns_stop(void);

/** The resolver is as it starts where no server is configured. */
void dns_close(void);

#endif
