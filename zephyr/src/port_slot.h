/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MENDER_PORT_SLOT_H_
#define MENDER_PORT_SLOT_H_

#include <stdbool.h>
#include <zephyr/kernel.h>
#include <zephyr/storage/flash_map.h>

#define INACTIVE_SLOT FIXED_PARTITION_ID(slot1_partition)

/** The older name of swap using move is "without scratch". */
#define SLOT_SWAPS_USING_MOVE                                                                                          \
	(IS_ENABLED(CONFIG_MCUBOOT_BOOTLOADER_MODE_SWAP_USING_MOVE) ||                                                 \
	 IS_ENABLED(CONFIG_MCUBOOT_BOOTLOADER_MODE_SWAP_WITHOUT_SCRATCH))

/** Erases the page of the inactive slot that an offset lies in, unless it is blank. 1: it was erased; 0: it was blank; else -errno. */
int mender_slot_clear_page(const struct flash_area *area, uint32_t offset);

/** MCUmgr uploads an image to the inactive slot, or has uploaded one that waits for a restart (`CONFIG_MENDER_MCU_MCUMGR`). */
bool mender_slot_is_taken(void);

/** Offset of MCUboot's flags in a slot; they lie in its last page. */
uint32_t mender_slot_flags_offset(const struct flash_area *area);

#endif
