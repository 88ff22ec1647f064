/* SPDX-License-Identifier: Apache-2.0 */
#ifndef APP_H_
#define APP_H_

/** Shows on the LEDs what the client is at. 0, or -errno. */
int leds_start(void);

/** 0: the button can be used; else -errno. */
int button_check(void);

#endif
