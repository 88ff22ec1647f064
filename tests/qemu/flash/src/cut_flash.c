/* SPDX-License-Identifier: Apache-2.0 */
#define DT_DRV_COMPAT vnd_cut_flash

#include <cut_flash.h>
#include <errno.h>
#include <string.h>
#include <zephyr/device.h>
#include <zephyr/drivers/flash.h>
#include <zephyr/irq.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/util.h>

#define CHIP    DT_CHILD(DT_DRV_INST(0), flash_sim_0)
#define SIZE    DT_REG_SIZE(CHIP)
#define PAGE    DT_PROP(CHIP, erase_block_size)
#define GRANULE DT_PROP(CHIP, write_block_size)
#define ERASED  0xff
/* Of MCUboot's trailers (docs/design.md of MCUboot, Image trailer). */
#define MAGIC_LEN 16

static uint8_t *const bytes = (uint8_t *)DT_REG_ADDR(DT_INST_PHANDLE(0, memory_region));

/* Ends QEMU, by Arm's semihosting: SYS_EXIT. */
static void power_fails(void)
{
	register uint32_t operation __asm__("r0") = 0x18;
	register uint32_t reason __asm__("r1") = 0x20026;

	(void)irq_lock();
	CUT_CONTROL->was_cut = 1;
	__asm__ volatile("dsb\n\tbkpt 0xab" : : "r"(operation), "r"(reason) : "memory");
	for (;;) {
	}
}

/* Counts an operation. Returns how much of its `len` bytes is done; `fails` says whether the power fails then. */
static size_t begin(uint8_t kind, off_t offset, size_t len, bool *fails)
{
	const uint32_t number = CUT_CONTROL->count + 1;
	volatile struct cut_entry *entry = &CUT_LOG[number % CUT_LOG_MAX];

	CUT_CONTROL->count = number;
	entry->offset = offset;
	entry->len = len;
	entry->kind = kind;
	entry->by = IS_ENABLED(CONFIG_MCUBOOT) ? 'B' : 'A';
	if (CUT_CONTROL->slow_us != 0) {
		k_busy_wait(CUT_CONTROL->slow_us);
	}
	*fails = number == CUT_CONTROL->cut_at;
	if (!*fails) {
		return len;
	}
	switch (CUT_CONTROL->tear) {
	case CUT_ALL:
		return len;
	case CUT_HALF:
		return ROUND_DOWN(len / 2, GRANULE);
	case CUT_BUT_MAGIC:
		return len - MIN(len, MAGIC_LEN);
	default:
		return 0;
	}
}

static bool in_chip(off_t offset, size_t len)
{
	return offset >= 0 && offset <= SIZE && len <= SIZE - offset;
}

static int cut_read(const struct device *dev, off_t offset, void *data, size_t len)
{
	ARG_UNUSED(dev);
	if (!in_chip(offset, len)) {
		return -EINVAL;
	}
	memcpy(data, bytes + offset, len);
	return 0;
}

static int cut_write(const struct device *dev, off_t offset, const void *data, size_t len)
{
	bool fails;
	size_t done;

	ARG_UNUSED(dev);
	if (!in_chip(offset, len) || offset % GRANULE != 0 || len % GRANULE != 0) {
		return -EINVAL;
	}
	if (len == 0) {
		return 0;
	}
	for (size_t i = 0; i < len; i++) {
		if (bytes[offset + i] != ERASED) {
			CUT_CONTROL->refused = CUT_CONTROL->refused + 1;
			return -EIO;
		}
	}
	done = begin('W', offset, len, &fails);
	memcpy(bytes + offset, data, done);
	if (fails) {
		power_fails();
	}
	return 0;
}

static int cut_erase(const struct device *dev, off_t offset, size_t len)
{
	bool fails;

	ARG_UNUSED(dev);
	if (!in_chip(offset, len) || offset % PAGE != 0 || len % PAGE != 0) {
		return -EINVAL;
	}
	for (; len > 0; offset += PAGE, len -= PAGE) {
		memset(bytes + offset, ERASED, begin('E', offset, PAGE, &fails));
		if (fails) {
			power_fails();
		}
	}
	return 0;
}

static const struct flash_parameters *cut_parameters(const struct device *dev)
{
	static const struct flash_parameters parameters = {
		.write_block_size = GRANULE,
		.erase_value = ERASED,
	};

	ARG_UNUSED(dev);
	return &parameters;
}

static int cut_size(const struct device *dev, uint64_t *size)
{
	ARG_UNUSED(dev);
	*size = SIZE;
	return 0;
}

#ifdef CONFIG_FLASH_PAGE_LAYOUT
static void cut_layout(const struct device *dev, const struct flash_pages_layout **layout, size_t *count)
{
	static const struct flash_pages_layout pages = {.pages_count = SIZE / PAGE, .pages_size = PAGE};

	ARG_UNUSED(dev);
	*layout = &pages;
	*count = 1;
}
#endif

static DEVICE_API(flash, cut_api) = {
	.read = cut_read,
	.write = cut_write,
	.erase = cut_erase,
	.get_parameters = cut_parameters,
	.get_size = cut_size,
#ifdef CONFIG_FLASH_PAGE_LAYOUT
	.page_layout = cut_layout,
#endif
};

DEVICE_DT_INST_DEFINE(0, NULL, NULL, NULL, NULL, POST_KERNEL, CONFIG_FLASH_INIT_PRIORITY, &cut_api);
