/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware that hangs, crashes or gives up is reset. While it is on trial, MCUboot then goes back to the old one. */
#ifndef WATCHDOG_H_
#define WATCHDOG_H_

#include <stdint.h>

/**
 * Longest time between two calls of watchdog_feed(), in ms: what mender_client_poll() takes at most to resolve, connect and shake
 * hands (24 s by prj.conf), the sleep of the main loop, and room for an oscillator that is off by 10 %.
 */
#define WATCHDOG_TIMEOUT_MS 30000

/** Longest sleep of the main loop, in ms. */
#define WATCHDOG_SLEEP_MAX_MS 2000

/**
 * Starts the watchdog `watchdog0` of devicetree, which nothing stops any more; without CONFIG_WATCHDOG nothing.
 *
 * @param timeout_ms longest time between two calls of watchdog_feed()
 * @return 0, or -errno
 */
int watchdog_start(uint32_t timeout_ms);

/** The main loop goes on. */
void watchdog_feed(void);

/** Resets the device after half a minute: there is nothing more to do for this firmware. */
void watchdog_give_up(void);

#endif
