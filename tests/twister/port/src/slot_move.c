/* SPDX-License-Identifier: Apache-2.0 */
#define CONFIG_MCUBOOT_BOOTLOADER_MODE_SWAP_USING_MOVE 1
#define MODE                                           move
#include "slot_mode.h"

#include "flash.h"

#include <zephyr/ztest.h>

ZTEST(slot, test_where_mcuboot_moves_the_largest_image_leaves_it_a_page_more)
{
	const uint32_t entries = 3 * FIXED_PARTITION_SIZE(slot1_partition) / PAGE;
	const uint32_t trailer = ROUND_UP((entries + 4) * 8 + 16, PAGE);
	/* Slot 0 is the smaller one. */
	const uint32_t most = FIXED_PARTITION_SIZE(slot0_partition) - PAGE - trailer;

	zassert_equal(move_begin(most + 1), -ENOSPC);
	zassert_ok(move_begin(most));
}
