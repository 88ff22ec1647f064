/* SPDX-License-Identifier: Apache-2.0 */
#include "flash.h"

#include <string.h>
#include <zephyr/stats/stats.h>
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

void flash_power_on(void)
{
	flash_cut_write(0, 0);
	flash_cut_erase(0);
}

void flash_fill(uint8_t partition, uint8_t byte)
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

void flash_begin_trial(void)
{
	/* MCUboot's trailer: swap info, copy done, image ok, in units of 8 bytes, and a magic number of 16. */
	static const uint8_t trailer[40] = {
		2,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,    0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x77, 0xc2, 0x95, 0xf3,
		0x60, 0xd2, 0xef, 0x7f, 0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80,
	};

	flash_put(SLOT0, FIXED_PARTITION_SIZE(slot0_partition) - sizeof(trailer), trailer, sizeof(trailer));
}
