/* SPDX-License-Identifier: Apache-2.0 */
#include "flash.h"

#include <string.h>
#include <zephyr/stats/stats.h>
#include <zephyr/sys/byteorder.h>
#include <zephyr/ztest.h>

/* The flash simulator's counters and limits are found by name. */
struct search {
	const char *name;
	uint32_t *value;
};

static int visit(struct stats_hdr *hdr, void *arg, const char *name, uint16_t offset)
{
	struct search *search = arg;

	if (strcmp(name, search->name) == 0) {
		search->value = (uint32_t *)((uint8_t *)hdr + offset);
	}
	return 0;
}

static uint32_t *entry(const char *group, const char *name)
{
	struct search search = {.name = name};
	struct stats_hdr *hdr = stats_group_find(group);

	zassert_not_null(hdr, "no %s", group);
	stats_walk(hdr, visit, &search);
	zassert_not_null(search.value, "no %s", name);
	return search.value;
}

uint32_t flash_writes(void)
{
	return *entry("flash_sim_stats", "flash_write_calls");
}

uint32_t flash_erases(void)
{
	return *entry("flash_sim_stats", "flash_erase_calls");
}

void flash_cut_write(uint32_t nth, uint32_t torn)
{
	*entry("flash_sim_thresholds", "max_write_calls") = nth == 0 ? 0 : flash_writes() + nth;
	*entry("flash_sim_thresholds", "max_len") = torn;
}

void flash_cut_erase(uint32_t nth)
{
	*entry("flash_sim_thresholds", "max_erase_calls") = nth == 0 ? 0 : flash_erases() + nth;
}

static uint32_t failing_erase;

int __real_flash_area_flatten(const struct flash_area *area, off_t offset, size_t len);

int __wrap_flash_area_flatten(const struct flash_area *area, off_t offset, size_t len)
{
	if (failing_erase != 0 && --failing_erase == 0) {
		return -ETIMEDOUT;
	}
	return __real_flash_area_flatten(area, offset, len);
}

void flash_fail_erase(uint32_t nth)
{
	failing_erase = nth;
}

void flash_power_on(void)
{
	flash_cut_write(0, 0);
	flash_cut_erase(0);
	flash_fail_erase(0);
}

void flash_set_all(uint8_t partition, uint8_t byte)
{
	static uint8_t page[PAGE];
	const struct flash_area *area;

	zassert_ok(flash_area_open(partition, &area));
	zassert_ok(flash_area_erase(area, 0, area->fa_size));
	memset(page, byte, sizeof(page));
	for (uint32_t offset = 0; byte != 0xff && offset < area->fa_size; offset += sizeof(page)) {
		zassert_ok(flash_area_write(area, offset, page, sizeof(page)));
	}
	flash_area_close(area);
}

void flash_put(uint8_t partition, uint32_t offset, const void *data, uint32_t len)
{
	const struct flash_area *area;

	zassert_ok(flash_area_open(partition, &area));
	zassert_ok(flash_area_write(area, offset, data, len));
	flash_area_close(area);
}

void flash_put_image(uint8_t partition, uint8_t first)
{
	uint8_t image[168];
	uint8_t *tlv = image + 32 + 64;

	memset(image, 0xff, sizeof(image));
	sys_put_le32(0x96f3b83d, image);
	sys_put_le16(32, image + 8);
	sys_put_le16(0, image + 10);
	sys_put_le32(64, image + 12);
	sys_put_le16(0x6907, tlv);
	sys_put_le16(40, tlv + 2);
	sys_put_le16(0x10, tlv + 4);
	sys_put_le16(32, tlv + 6);
	for (int i = 0; i < 32; i++) {
		tlv[8 + i] = first + i;
	}
	flash_put(partition, 0, image, sizeof(image));
}

/* MCUboot's trailer: swap info, copy done, image ok, in units of 8 bytes, and a magic number of 16. */
static void put_trailer(uint8_t swap_info, uint8_t image_ok)
{
	static const uint8_t magic[16] = {0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f,
					  0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80};
	uint8_t trailer[40];

	memset(trailer, 0xff, sizeof(trailer));
	trailer[0] = swap_info;
	trailer[8] = 1;
	trailer[16] = image_ok;
	memcpy(trailer + 24, magic, sizeof(magic));
	flash_put(SLOT0, FIXED_PARTITION_SIZE(slot0_partition) - sizeof(trailer), trailer, sizeof(trailer));
}

void flash_begin_trial(void)
{
	put_trailer(2, 0xff);
}

static void exchange(void)
{
	static uint8_t pages[2][PAGE];
	const struct flash_area *slots[2];

	zassert_ok(flash_area_open(SLOT0, &slots[0]));
	zassert_ok(flash_area_open(SLOT1, &slots[1]));
	for (uint32_t offset = 0; offset < slots[0]->fa_size; offset += PAGE) {
		/* The trailers, below four pages, are MCUboot's own. */
		const bool images = offset + 4 * PAGE <= slots[0]->fa_size;

		for (int i = 0; i < 2; i++) {
			zassert_ok(flash_area_read(slots[i], offset, pages[i], PAGE));
		}
		for (int i = 0; i < 2; i++) {
			zassert_ok(flash_area_erase(slots[i], offset, PAGE));
			if (images) {
				zassert_ok(flash_area_write(slots[i], offset, pages[1 - i], PAGE));
			}
		}
	}
	flash_area_close(slots[0]);
	flash_area_close(slots[1]);
}

void flash_swap(void)
{
	exchange();
	put_trailer(2, 0xff);
}

void flash_revert(void)
{
	exchange();
	put_trailer(4, 1);
}

void flash_overwrite(void)
{
	exchange();
	flash_set_all(SLOT1, 0xff);
}
