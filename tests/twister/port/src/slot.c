/* SPDX-License-Identifier: Apache-2.0 */
#include "flash.h"

#include <mender_port.h>
#include <string.h>
#include <zephyr/dfu/mcuboot.h>
#include <zephyr/ztest.h>

#define SIZE 20001

static uint8_t pattern(uint32_t offset)
{
	return (offset * 2654435761U) >> 13;
}

static void before(void *fixture)
{
	ARG_UNUSED(fixture);
	flash_power_on();
	flash_set_all(SLOT0, 0xff);
	flash_set_all(SLOT1, 0x55);
}

static int32_t write_some(uint32_t offset, uint32_t most)
{
	uint8_t chunk[4096];
	const uint32_t len = MIN(MIN(sizeof(chunk), most), SIZE - offset);

	for (uint32_t i = 0; i < len; i++) {
		chunk[i] = pattern(offset + i);
	}
	return mender_port_slot_write(chunk, len);
}

static void assert_reads_back(uint32_t from, uint32_t to)
{
	for (uint32_t offset = from; offset < to; offset++) {
		uint8_t byte;

		zassert_ok(mender_port_slot_read(offset, &byte, 1));
		zassert_equal(byte, pattern(offset), "at %u", offset);
	}
}

ZTEST(slot, test_a_call_erases_one_page_and_programs_one_block_at_most)
{
	static const uint32_t chunks[] = {7, 512, 1024, 1460, 4096};

	ARRAY_FOR_EACH(chunks, i) {
		uint32_t offset = 0;

		flash_set_all(SLOT1, 0x55);
		zassert_ok(mender_port_slot_begin(SIZE));
		while (offset < SIZE) {
			const uint32_t erases = flash_erases();
			const uint32_t writes = flash_writes();
			const int32_t taken = write_some(offset, chunks[i]);

			zassert_true(taken > 0);
			zassert_true(flash_erases() - erases <= 1);
			zassert_true(flash_writes() - writes <= 1);
			offset += taken;
		}
		zassert_ok(mender_port_slot_finish());
		assert_reads_back(0, SIZE);
	}
}

ZTEST(slot, test_what_is_not_yet_programmed_is_read_back_too)
{
	uint8_t bytes[600];

	zassert_ok(mender_port_slot_begin(SIZE));
	zassert_equal(write_some(0, 512), 512);
	zassert_equal(write_some(512, 100), 100);
	assert_reads_back(0, 612);
	zassert_ok(mender_port_slot_read(12, bytes, 600));
	zassert_equal(bytes[599], pattern(611));
	zassert_true(mender_port_slot_read(13, bytes, 600) < 0, "beyond the end");
}

ZTEST(slot, test_an_image_that_could_not_be_swapped_is_refused_and_nothing_is_erased)
{
	const uint32_t erases = flash_erases();

	zassert_equal(mender_port_slot_begin(FIXED_PARTITION_SIZE(slot1_partition) - PAGE), -ENOSPC);
	zassert_equal(flash_erases(), erases);
	zassert_true(mender_port_slot_write(&(uint8_t){0}, 1) < 0);
}

ZTEST(slot, test_a_failed_write_is_final_until_the_next_begin)
{
	uint32_t offset = 0;
	int32_t taken;

	zassert_ok(mender_port_slot_begin(SIZE));
	/* The second page is not erased, so that the simulator refuses to program it. */
	flash_cut_erase(2);
	do {
		taken = write_some(offset, 512);
		offset += MAX(taken, 0);
	} while (taken > 0 && offset < SIZE);
	flash_power_on();
	zassert_equal(taken, -EIO);
	zassert_equal(write_some(offset, 512), -EIO);
	zassert_equal(mender_port_slot_finish(), -EIO);
	zassert_ok(mender_port_slot_begin(SIZE));
	zassert_true(write_some(0, 512) > 0);
}

ZTEST(slot, test_a_slot_whose_flags_cannot_be_erased_takes_no_image)
{
	const uint8_t byte = 0;

	zassert_ok(mender_port_slot_begin(SIZE));
	zassert_ok(mender_port_boot_request_swap());
	flash_fail_erase(1);
	zassert_equal(mender_port_slot_begin(SIZE), -ETIMEDOUT);
	zassert_equal(mcuboot_swap_type(), BOOT_SWAP_TYPE_TEST, "nothing was erased");
	zassert_equal(mender_port_slot_write(&byte, 1), -ETIMEDOUT);
	zassert_equal(mender_port_slot_finish(), -ETIMEDOUT);
	zassert_ok(mender_port_slot_begin(SIZE));
	zassert_equal(mcuboot_swap_type(), BOOT_SWAP_TYPE_NONE);
	zassert_true(write_some(0, 512) > 0);
}

ZTEST(slot, test_an_erase_that_erases_nothing_is_an_error_though_the_driver_says_otherwise)
{
	const uint8_t byte = 0;

	flash_cut_erase(1);
	zassert_equal(mender_port_slot_begin(SIZE), -EIO);
	zassert_equal(mender_port_slot_write(&byte, 1), -EIO);
	/* And not MENDER_AGAIN, which would be without end. */
	zassert_equal(mender_port_slot_invalidate(), -EIO);
	zassert_equal(mender_port_slot_invalidate(), -EIO);
	flash_power_on();
	zassert_equal(mender_port_slot_invalidate(), MENDER_AGAIN);
	zassert_ok(mender_port_slot_begin(SIZE));
}

ZTEST(slot, test_invalidating_goes_on_where_an_erase_has_failed)
{
	flash_set_all(SLOT1, 0xff);
	flash_put_image(SLOT1, 1);
	zassert_ok(mender_port_boot_request_swap());
	flash_fail_erase(1);
	zassert_equal(mender_port_slot_invalidate(), -ETIMEDOUT);
	zassert_equal(mcuboot_swap_type(), BOOT_SWAP_TYPE_TEST, "nothing was erased");
	zassert_equal(mender_port_boot_swap_state(), MENDER_SWAP_WHOLE, "the flags come first");
	zassert_equal(mender_port_slot_invalidate(), MENDER_AGAIN);
	zassert_equal(mcuboot_swap_type(), BOOT_SWAP_TYPE_NONE);
	flash_fail_erase(1);
	zassert_equal(mender_port_slot_invalidate(), -ETIMEDOUT);
	zassert_equal(mender_port_boot_swap_state(), MENDER_SWAP_WHOLE);
	zassert_equal(mender_port_slot_invalidate(), MENDER_AGAIN);
	zassert_ok(mender_port_slot_invalidate());
	zassert_equal(mender_port_boot_swap_state(), MENDER_SWAP_REFUSED);
}

ZTEST(slot, test_after_finish_every_byte_is_on_flash)
{
	const struct flash_area *area;
	uint32_t offset = 0;
	uint8_t byte;

	zassert_ok(mender_port_slot_begin(SIZE));
	while (offset < SIZE) {
		offset += write_some(offset, 512);
	}
	zassert_ok(mender_port_slot_finish());
	zassert_ok(flash_area_open(SLOT1, &area));
	for (offset = 0; offset < SIZE; offset++) {
		zassert_ok(flash_area_read(area, offset, &byte, 1));
		zassert_equal(byte, pattern(offset), "at %u", offset);
	}
	flash_area_close(area);
}

ZTEST(slot, test_reading_back_tells_what_is_on_flash)
{
	uint32_t offset = 0;
	uint8_t byte;

	zassert_ok(mender_port_slot_begin(SIZE));
	/* The second block is torn, and the driver does not know. */
	flash_cut_write(2, 256);
	while (offset < 1024) {
		offset += write_some(offset, 512);
	}
	flash_power_on();
	assert_reads_back(0, 512 + 256);
	zassert_ok(mender_port_slot_read(512 + 256, &byte, 1));
	zassert_equal(byte, 0xff);
}

ZTEST(slot, test_a_swap_that_was_asked_for_is_off_after_the_next_begin)
{
	zassert_ok(mender_port_slot_begin(SIZE));
	zassert_ok(mender_port_boot_request_swap());
	zassert_equal(mcuboot_swap_type(), BOOT_SWAP_TYPE_TEST);
	zassert_ok(mender_port_slot_begin(SIZE));
	zassert_equal(mcuboot_swap_type(), BOOT_SWAP_TYPE_NONE);
}

ZTEST(slot, test_the_largest_image_leaves_mcuboot_its_trailer)
{
	const uint32_t slot_size = FIXED_PARTITION_SIZE(slot1_partition);
	/* Three status entries for each page, four flags and a magic number. */
	const uint32_t trailer = (3 * slot_size / PAGE + 4) * 8 + 16;
	static uint8_t chunk[512];
	uint32_t size = slot_size;
	const struct flash_area *area;
	uint8_t byte;

	memset(chunk, 0, sizeof(chunk));
	while (size > slot_size / 2 && mender_port_slot_begin(size) == -ENOSPC) {
		size -= 512;
	}
	zassert_true(size > slot_size - 16 * PAGE, "only %u of %u", size, slot_size);
	zassert_true(size <= FIXED_PARTITION_SIZE(slot0_partition) - trailer, "slot 0 would not hold %u", size);
	for (uint32_t offset = 0; offset < size;) {
		const int32_t taken = mender_port_slot_write(chunk, MIN(sizeof(chunk), size - offset));

		zassert_true(taken > 0, "%d", taken);
		offset += taken;
	}
	zassert_ok(mender_port_slot_finish());
	zassert_ok(flash_area_open(SLOT1, &area));
	for (uint32_t offset = slot_size - trailer; offset < slot_size; offset++) {
		zassert_ok(flash_area_read(area, offset, &byte, 1));
		zassert_not_equal(byte, 0, "the image goes up to %u", offset);
	}
	flash_area_close(area);
	zassert_ok(mender_port_boot_request_swap());
	zassert_equal(mcuboot_swap_type(), BOOT_SWAP_TYPE_TEST);
}

ZTEST(slot, test_invalidating_takes_one_page_per_call_and_disarms_first)
{
	uint32_t calls = 0;
	int32_t rc;

	flash_set_all(SLOT1, 0xff);
	flash_put_image(SLOT1, 1);
	zassert_equal(mender_port_boot_swap_state(), MENDER_SWAP_WHOLE);
	zassert_ok(mender_port_boot_request_swap());
	zassert_equal(mcuboot_swap_type(), BOOT_SWAP_TYPE_TEST);
	do {
		const uint32_t erases = flash_erases();

		rc = mender_port_slot_invalidate();
		calls++;
		zassert_true(flash_erases() - erases <= 1);
		zassert_equal(mcuboot_swap_type(), BOOT_SWAP_TYPE_NONE);
	} while (rc == MENDER_AGAIN && calls < 10);
	zassert_ok(rc);
	zassert_equal(mender_port_boot_swap_state(), MENDER_SWAP_REFUSED);
}

ZTEST(slot, test_the_image_to_fall_back_to_is_left_alone)
{
	const uint32_t erases = flash_erases();

	flash_begin_trial();
	zassert_equal(mender_port_slot_begin(SIZE), -EBUSY);
	zassert_equal(mender_port_slot_invalidate(), -EBUSY);
	zassert_equal(flash_erases(), erases);
}

ZTEST_SUITE(slot, NULL, NULL, before, NULL, NULL);
