/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MENDER_BOOTINFO_H_
#define MENDER_BOOTINFO_H_

#include <stdbool.h>
#include <stdint.h>
#include <zephyr/sys/util.h>

/*
 * What MCUboot tells about itself in memory that both share (CONFIG_BOOT_SHARE_DATA_BOOTINFO of MCUboot,
 * CONFIG_RETENTION_BOOTLOADER_INFO_TYPE_MCUBOOT here). Without that, what the application was built for counts.
 */
#if defined(CONFIG_RETENTION_BOOTLOADER_INFO_TYPE_MCUBOOT) && defined(CONFIG_RETENTION_BOOTLOADER_INFO_OUTPUT_FUNCTION)
/**
 * Whether MCUboot would take an image of `size` bytes from where this application would write it. 0; -ENOTSUP: MCUboot swaps in
 * another mode, and would not find it; -ENOSPC: it is too large.
 */
int mender_bootinfo_check(uint32_t size);

/** MCUboot overwrites, so nothing can be reverted. */
bool mender_bootinfo_overwrites(void);
#else
static inline int mender_bootinfo_check(uint32_t size)
{
	ARG_UNUSED(size);
	return 0;
}

static inline bool mender_bootinfo_overwrites(void)
{
	return IS_ENABLED(CONFIG_MCUBOOT_BOOTLOADER_MODE_OVERWRITE_ONLY);
}
#endif

#endif
