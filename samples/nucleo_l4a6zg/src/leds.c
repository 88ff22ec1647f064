/* SPDX-License-Identifier: Apache-2.0 */
/*
 * green blinks once in two seconds: nothing to do; blue blinks: downloading and installing; blue is on: the new firmware proves
 * itself; red is on: the last deployment failed.
 */
#include <mender_mcu.h>
#include <zephyr/drivers/gpio.h>
#include <zephyr/kernel.h>

#include "app.h"

#define TICK_MS        125
#define TICKS_PER_BEAT 16

static const struct gpio_dt_spec green = GPIO_DT_SPEC_GET(DT_ALIAS(led0), gpios);
static const struct gpio_dt_spec blue = GPIO_DT_SPEC_GET(DT_ALIAS(led1), gpios);
static const struct gpio_dt_spec red = GPIO_DT_SPEC_GET(DT_ALIAS(led2), gpios);

static void show(struct k_work *work);
static K_WORK_DELAYABLE_DEFINE(show_work, show);

static bool blue_shines(int32_t phase, uint32_t tick)
{
	switch (phase) {
	case MENDER_PHASE_DOWNLOAD:
	case MENDER_PHASE_INSTALL:
		return tick % 2 == 0;
	case MENDER_PHASE_VERIFY_REBOOT:
	case MENDER_PHASE_COMMIT:
		return true;
	default:
		return false;
	}
}

static void show(struct k_work *work)
{
	static struct mender_status status;
	static uint32_t tick;
	const bool known = mender_client_status(&status) == 0;

	ARG_UNUSED(work);
	gpio_pin_set_dt(&green, known && status.phase == MENDER_PHASE_IDLE && tick % TICKS_PER_BEAT == 0);
	gpio_pin_set_dt(&blue, known && blue_shines(status.phase, tick));
	gpio_pin_set_dt(&red, known && status.deployment_error != 0);
	tick++;
	k_work_schedule(&show_work, K_MSEC(TICK_MS));
}

int leds_start(void)
{
	const struct gpio_dt_spec *const leds[] = {&green, &blue, &red};

	for (size_t n = 0; n < ARRAY_SIZE(leds); n++) {
		int rc = gpio_pin_configure_dt(leds[n], GPIO_OUTPUT_INACTIVE);

		if (rc != 0) {
			return rc;
		}
	}
	k_work_schedule(&show_work, K_NO_WAIT);
	return 0;
}
