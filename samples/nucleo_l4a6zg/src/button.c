/* SPDX-License-Identifier: Apache-2.0 */
/* The blue button: check for updates now. */
#include <mender_mcu.h>
#include <zephyr/device.h>
#include <zephyr/input/input.h>

#include "app.h"

static const struct device *const button = DEVICE_DT_GET(DT_PARENT(DT_ALIAS(sw0)));

static void pressed(struct input_event *event, void *user)
{
	ARG_UNUSED(user);
	if (event->code == INPUT_KEY_0 && event->value != 0) {
		(void)mender_client_check_now();
	}
}

INPUT_CALLBACK_DEFINE(button, pressed, NULL);

int button_check(void)
{
	return device_is_ready(button) ? 0 : -ENODEV;
}
