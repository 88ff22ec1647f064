/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flash_img gives geometry and buffer; the bytes go through its stream, for flash_img_buffered_write() erases the trailer's page
 * on every call until its first block is out.
 */
#include <bootutil/bootutil_public.h>
#include <mender_port.h>
#include <string.h>
#include <zephyr/dfu/flash_img.h>
#include <zephyr/dfu/mcuboot.h>
#include <zephyr/drivers/flash.h>
#include <zephyr/kernel.h>
#include <zephyr/storage/stream_flash.h>

#include "bootinfo.h"
#include "port_slot.h"

static struct flash_img_context image;
/* What writes answer: 0 between a begin and its end or first failure. */
static int32_t state = -EINVAL;

static int page_of(const struct flash_area *area, uint32_t offset, struct flash_pages_info *page)
{
	return flash_get_page_info_by_offs(flash_area_get_device(area), area->fa_off + offset, page);
}

/* 1: every byte of the page reads as erased; 0: not; else -errno. */
static int is_blank(const struct flash_area *area, uint32_t offset, uint32_t size)
{
	const uint8_t erased = flash_area_erased_val(area);
	uint8_t bytes[64];

	for (uint32_t done = 0; done < size; done += sizeof(bytes)) {
		const uint32_t len = MIN(size - done, sizeof(bytes));
		int rc = flash_area_read(area, offset + done, bytes, len);

		if (rc != 0) {
			return rc;
		}
		for (uint32_t i = 0; i < len; i++) {
			if (bytes[i] != erased) {
				return 0;
			}
		}
	}
	return 1;
}

int mender_slot_clear_page(const struct flash_area *area, uint32_t offset)
{
	struct flash_pages_info page;
	int rc = page_of(area, offset, &page);

	if (rc != 0) {
		return rc;
	}
	offset = page.start_offset - area->fa_off;
	rc = is_blank(area, offset, page.size);
	if (rc != 0) {
		return MIN(rc, 0);
	}
	rc = flash_area_flatten(area, offset, page.size);
	if (rc == 0) {
		rc = is_blank(area, offset, page.size);
		/* An erase that erased nothing would else be asked for without end. */
		rc = rc == 0 ? -EIO : rc;
	}
	return rc;
}

uint32_t mender_slot_flags_offset(const struct flash_area *area)
{
	return boot_get_trailer_status_offset(area->fa_size);
}

/* Bytes of the slot's end that MCUboot needs while it swaps: three status entries for each page, four flags and a magic number. */
static uint32_t trailer_size(const struct flash_area *area, uint32_t page_size)
{
	const uint32_t align = MAX(flash_area_align(area), 8);
	uint32_t size = 4 * align + 16;

	if (!IS_ENABLED(CONFIG_MCUBOOT_BOOTLOADER_MODE_OVERWRITE_ONLY)) {
		size += 3 * align * DIV_ROUND_UP(area->fa_size, page_size);
	}
	return ROUND_UP(size, page_size);
}

static int room(uint32_t *bytes)
{
	struct flash_pages_info page;
	const struct flash_area *active;
	uint32_t room;
	uint32_t kept;
	int rc = page_of(image.flash_area, mender_slot_flags_offset(image.flash_area), &page);

	if (rc == 0) {
		rc = flash_area_open(boot_fetch_active_slot(), &active);
	}
	if (rc != 0) {
		return rc;
	}
	/* The image must fit into both slots, which may differ. */
	room = active->fa_size;
	flash_area_close(active);
	if (SLOT_SWAPS_USING_MOVE) {
		/* Where the running image is first moved up by one page. */
		room -= page.size;
	}
	room = MIN(room, image.stream.available);
	kept = trailer_size(image.flash_area, page.size);
	*bytes = room > kept ? room - kept : 0;
	return 0;
}

int32_t mender_port_slot_begin(uint32_t size)
{
	uint32_t bytes = 0;
	int rc;

	state = -EINVAL;
	if (mender_port_boot_is_confirmed() != 1) {
		/* The slot holds the image to fall back to. */
		return -EBUSY;
	}
	if (IS_ENABLED(CONFIG_MENDER_MCU_MCUMGR) && mender_slot_is_taken()) {
		return -EBUSY;
	}
	/* Before anything is erased: in swap-using-offset mode opening the slot does that. */
	rc = mender_bootinfo_check(size);
	if (rc == 0) {
		rc = flash_img_init_id(&image, INACTIVE_SLOT);
	}
	if (rc != 0) {
		return rc;
	}
	rc = room(&bytes);
	if (rc == 0 && size > bytes) {
		rc = -ENOSPC;
	}
	if (rc == 0) {
		rc = mender_slot_clear_page(image.flash_area, mender_slot_flags_offset(image.flash_area));
	}
	state = MIN(rc, 0);
	return state;
}

int32_t mender_port_slot_write(const uint8_t *data, uint32_t len)
{
	/* No more than fills the block, so that one call makes one program and one erase. */
	const uint32_t taken = MIN(len, image.stream.buf_len - image.stream.buf_bytes);

	if (state != 0) {
		return state;
	}
	state = stream_flash_buffered_write(&image.stream, data, taken, false);
	return state != 0 ? state : (int32_t)taken;
}

int32_t mender_port_slot_finish(void)
{
	static const uint8_t nothing;

	if (state != 0) {
		return state;
	}
	state = stream_flash_buffered_write(&image.stream, &nothing, 0, true);
	return state;
}

int32_t mender_port_slot_read(uint32_t offset, uint8_t *buf, uint32_t len)
{
	const uint32_t flushed = image.flash_area != NULL ? stream_flash_bytes_written(&image.stream) : 0;
	const uint32_t written = flushed + image.stream.buf_bytes;
	uint32_t from_flash = 0;

	if (image.flash_area == NULL || len > written || offset > written - len) {
		return -EINVAL;
	}
	if (offset < flushed) {
		const uint32_t base = image.stream.offset - image.flash_area->fa_off;
		int rc;

		from_flash = MIN(len, flushed - offset);
		rc = flash_area_read(image.flash_area, base + offset, buf, from_flash);
		if (rc != 0) {
			return rc;
		}
	}
	/* The rest still waits for its block to be full. */
	if (from_flash < len) {
		memcpy(buf + from_flash, image.stream.buf + (offset + from_flash - flushed), len - from_flash);
	}
	return 0;
}

int32_t mender_port_slot_invalidate(void)
{
	const struct flash_area *area;
	struct flash_pages_info first;
	int rc;

	state = -EINVAL;
	if (mender_port_boot_is_confirmed() != 1) {
		return -EBUSY;
	}
	rc = flash_area_open(INACTIVE_SLOT, &area);
	if (rc != 0) {
		return rc;
	}
	/* First the flags, which disarms; then wherever a header may be. */
	rc = mender_slot_clear_page(area, mender_slot_flags_offset(area));
	if (rc == 0) {
		rc = mender_slot_clear_page(area, 0);
	}
	if (rc == 0 && IS_ENABLED(CONFIG_MCUBOOT_BOOTLOADER_MODE_SWAP_USING_OFFSET)) {
		rc = page_of(area, 0, &first);
		if (rc == 0) {
			rc = mender_slot_clear_page(area, first.size);
		}
	}
	flash_area_close(area);
	return rc > 0 ? MENDER_AGAIN : rc;
}
