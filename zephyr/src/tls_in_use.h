/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MENDER_TLS_IN_USE_H_
#define MENDER_TLS_IN_USE_H_

#include <zephyr/kernel.h>

/**
 * Held while a wait looks into TLS sockets, and by what threads other than the one that polls and waits may call meanwhile: Mbed TLS has
 * no locks. Between polls nobody else is in it.
 */
extern struct k_mutex mender_tls_in_use;

#endif
