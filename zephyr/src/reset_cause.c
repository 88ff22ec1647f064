/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_port.h>
#include <zephyr/drivers/hwinfo.h>
#include <zephyr/kernel.h>

#define FAULTS (RESET_CPU_LOCKUP | RESET_PARITY | RESET_PLL | RESET_CLOCK | RESET_HARDWARE | RESET_TEMPERATURE | RESET_FLASH)

int32_t mender_port_system_reset_cause(void)
{
	uint32_t causes = 0;

	if (!IS_ENABLED(CONFIG_HWINFO) || hwinfo_get_reset_cause(&causes) != 0) {
		return MENDER_RESET_UNKNOWN;
	}
	/* Chips collect causes until they are told to forget them. */
	(void)hwinfo_clear_reset_cause();
	if (causes & RESET_WATCHDOG) {
		return MENDER_RESET_WATCHDOG;
	}
	if (causes & FAULTS) {
		return MENDER_RESET_FAULT;
	}
	if (causes & (RESET_POR | RESET_BROWNOUT)) {
		return MENDER_RESET_POWER;
	}
	if (causes & RESET_SOFTWARE) {
		/* STM32 sets the pin's flag at every reset. */
		return MENDER_RESET_SOFTWARE;
	}
	return causes & (RESET_PIN | RESET_DEBUG) ? MENDER_RESET_PIN : MENDER_RESET_UNKNOWN;
}
