/* SPDX-License-Identifier: Apache-2.0 */
#define CONFIG_MCUBOOT_BOOTLOADER_MODE_SWAP_USING_OFFSET 1
#define MODE                                             offset
#include "slot_mode.h"

#include "flash.h"

#include <zephyr/ztest.h>

static uint8_t byte_at(uint32_t offset)
{
	const struct flash_area *area;
	uint8_t byte;

	zassert_ok(flash_area_open(SLOT1, &area));
	zassert_ok(flash_area_read(area, offset, &byte, 1));
	flash_area_close(area);
	return byte;
}

/* An update begins there; in the first page is the image that was swapped out. */
ZTEST(slot, test_where_mcuboot_swaps_by_an_offset_the_second_page_is_invalidated_too)
{
	for (int pages = 0; pages < 3; pages++) {
		const uint32_t erases = flash_erases();

		zassert_equal(offset_invalidate(), MENDER_AGAIN);
		zassert_equal(flash_erases() - erases, 1);
	}
	zassert_ok(offset_invalidate());
	zassert_equal(byte_at(0), 0xff);
	zassert_equal(byte_at(PAGE), 0xff);
	zassert_equal(byte_at(2 * PAGE), 0x55, "more than that is erased");
}
