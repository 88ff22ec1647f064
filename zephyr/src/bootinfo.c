/* SPDX-License-Identifier: Apache-2.0 */
#include "bootinfo.h"
#include "port_slot.h"

#include <bootutil/boot_status.h>
#include <errno.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/retention/blinfo.h>

LOG_MODULE_DECLARE(mender_mcu, CONFIG_MENDER_MCU_LOG_LEVEL);

#define BUILT_FOR                                                                                                      \
	(IS_ENABLED(CONFIG_MCUBOOT_BOOTLOADER_MODE_OVERWRITE_ONLY)      ? MCUBOOT_MODE_UPGRADE_ONLY                    \
	 : SLOT_SWAPS_USING_MOVE                                        ? MCUBOOT_MODE_SWAP_USING_MOVE                 \
	 : IS_ENABLED(CONFIG_MCUBOOT_BOOTLOADER_MODE_SWAP_USING_OFFSET) ? MCUBOOT_MODE_SWAP_USING_OFFSET               \
									: MCUBOOT_MODE_SWAP_USING_SCRATCH)

/* MCUboot's mode; what this was built for, where MCUboot does not say. */
static uint8_t mode(void)
{
	uint8_t found;

	return blinfo_lookup(BLINFO_MODE, (char *)&found, sizeof(found)) == sizeof(found) ? found : BUILT_FOR;
}

int mender_bootinfo_check(uint32_t size)
{
	uint32_t max;

	if (mode() != BUILT_FOR) {
		LOG_ERR("MCUboot updates in mode %u, the application is built for mode %u: build both with sysbuild", mode(),
			BUILT_FOR);
		return -ENOTSUP;
	}
	if (blinfo_lookup(BLINFO_MAX_APPLICATION_SIZE, (char *)&max, sizeof(max)) == sizeof(max) && size > max) {
		return -ENOSPC;
	}
	return 0;
}

bool mender_bootinfo_overwrites(void)
{
	return mode() == MCUBOOT_MODE_UPGRADE_ONLY;
}
