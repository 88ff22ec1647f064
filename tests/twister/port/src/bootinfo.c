/* SPDX-License-Identifier: Apache-2.0 */
/* What MCUboot tells of itself; the test answers for it. */
#define CONFIG_RETENTION_BOOTLOADER_INFO_TYPE_MCUBOOT     1
#define CONFIG_RETENTION_BOOTLOADER_INFO_OUTPUT_FUNCTION  1
#define CONFIG_MCUBOOT_BOOTLOADER_MODE_SWAP_USING_OFFSET  1
#include "../../../../zephyr/src/bootinfo.c"

#include <string.h>
#include <zephyr/ztest.h>

/* -1: it does not say. */
static int told_mode;
static int64_t told_max;

int blinfo_lookup(uint16_t key, char *val, int val_len_max)
{
	const uint8_t as_mode = told_mode;
	const uint32_t as_max = told_max;

	if (key == BLINFO_MODE && told_mode >= 0) {
		zassert_true(val_len_max >= (int)sizeof(as_mode));
		memcpy(val, &as_mode, sizeof(as_mode));
		return sizeof(as_mode);
	}
	if (key == BLINFO_MAX_APPLICATION_SIZE && told_max >= 0) {
		zassert_true(val_len_max >= (int)sizeof(as_max));
		memcpy(val, &as_max, sizeof(as_max));
		return sizeof(as_max);
	}
	return -EIO;
}

static void before(void *fixture)
{
	ARG_UNUSED(fixture);
	told_mode = MCUBOOT_MODE_SWAP_USING_OFFSET;
	told_max = 100000;
}

ZTEST(bootinfo, test_an_image_of_the_size_that_mcuboot_takes_is_taken)
{
	zassert_ok(mender_bootinfo_check(100000));
	zassert_equal(mender_bootinfo_check(100001), -ENOSPC);
	zassert_false(mender_bootinfo_overwrites());
}

ZTEST(bootinfo, test_another_mode_than_the_application_is_built_for_is_refused)
{
	told_mode = MCUBOOT_MODE_SWAP_USING_MOVE;
	zassert_equal(mender_bootinfo_check(1), -ENOTSUP);
	told_mode = MCUBOOT_MODE_UPGRADE_ONLY;
	zassert_equal(mender_bootinfo_check(1), -ENOTSUP);
	zassert_true(mender_bootinfo_overwrites());
}

ZTEST(bootinfo, test_an_mcuboot_that_says_nothing_is_believed_to_be_the_one)
{
	told_mode = -1;
	told_max = -1;
	zassert_ok(mender_bootinfo_check(UINT32_MAX));
	zassert_false(mender_bootinfo_overwrites());
}

ZTEST_SUITE(bootinfo, NULL, NULL, before, NULL, NULL);
