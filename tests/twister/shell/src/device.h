/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_DEVICE_H_
#define TEST_DEVICE_H_

#include <mender_mcu.h>
#include <zephyr/kernel.h>
#include <zephyr/ztest.h>

#define PATIENCE_MS 30000

/** Waits until it is so. */
#define UNTIL(is_so)                                                                                                   \
	do {                                                                                                           \
		const int64_t until_ms = k_uptime_get() + PATIENCE_MS;                                                 \
		while (!(is_so) && k_uptime_get() < until_ms) {                                                        \
			k_msleep(20);                                                                                  \
		}                                                                                                      \
		zassert_true(is_so, "never: " #is_so);                                                                 \
	} while (0)

/** A client and its server, after the first check. */
void device_begin(void);
/** Ends both, where they are. */
void device_end(void *fixture);

#endif
