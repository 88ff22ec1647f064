/* SPDX-License-Identifier: Apache-2.0 */
#ifndef APP_H_
#define APP_H_

/** Starts the watchdog. From now on a main loop that hangs for 30 s ends in a reset. 0, or -errno. */
int watchdog_start(void);
/** The main loop goes on. */
void watchdog_feed(void);

/** Shows on the LEDs what the client is at. 0, or -errno. */
int leds_start(void);

/** 0: the button can be used; else -errno. */
int button_check(void);

#endif
