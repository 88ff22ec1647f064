/* SPDX-License-Identifier: Apache-2.0 */
#include "flash.h"

#include <mender_port.h>
#include <string.h>
#include <zephyr/dfu/mcuboot.h>
#include <zephyr/sys/byteorder.h>
#include <zephyr/ztest.h>

#define MAGIC_AT(slot) (FIXED_PARTITION_SIZE(slot) - 16)

static void before(void *fixture)
{
	ARG_UNUSED(fixture);
	flash_power_on();
	flash_set_all(SLOT0, 0xff);
	flash_set_all(SLOT1, 0xff);
}

/* Header and hash TLV of an image of 64 bytes, with protected TLVs of `prot` bytes before. */
static void put_image(uint8_t partition, uint16_t prot, uint16_t tlv_len, uint8_t first)
{
	uint8_t image[256];
	uint8_t *tlv = image + 32 + 64;

	memset(image, 0xff, sizeof(image));
	sys_put_le32(0x96f3b83d, image);
	sys_put_le16(32, image + 8);
	sys_put_le16(prot, image + 10);
	sys_put_le32(64, image + 12);
	if (prot != 0) {
		sys_put_le16(0x6908, tlv);
		sys_put_le16(prot, tlv + 2);
		tlv += prot;
	}
	sys_put_le16(0x6907, tlv);
	sys_put_le16(tlv_len, tlv + 2);
	/* Another entry first: it is walked over. */
	sys_put_le16(0x01, tlv + 4);
	sys_put_le16(4, tlv + 6);
	sys_put_le16(0x10, tlv + 12);
	sys_put_le16(32, tlv + 14);
	for (int i = 0; i < 32; i++) {
		tlv[16 + i] = first + i;
	}
	flash_put(partition, 0, image, sizeof(image));
}

ZTEST(boot, test_the_running_hash_is_that_of_the_hash_tlv)
{
	uint8_t hash[32] = {0};

	zassert_equal(mender_port_boot_running_hash(hash), -ENOEXEC);
	put_image(SLOT0, 0, 48, 7);
	zassert_ok(mender_port_boot_running_hash(hash));
	zassert_equal(hash[0], 7);
	zassert_equal(hash[31], 38);
}

ZTEST(boot, test_protected_tlvs_are_walked_over)
{
	uint8_t hash[32] = {0};

	put_image(SLOT0, 16, 48, 9);
	zassert_ok(mender_port_boot_running_hash(hash));
	zassert_equal(hash[0], 9);
}

ZTEST(boot, test_a_tlv_area_that_ends_too_soon_has_no_hash)
{
	uint8_t hash[32];

	put_image(SLOT0, 0, 40, 7);
	zassert_equal(mender_port_boot_running_hash(hash), -EBADMSG);
	flash_set_all(SLOT0, 0xff);
	put_image(SLOT0, 0, 12, 7);
	zassert_equal(mender_port_boot_running_hash(hash), -ENODATA);
}

ZTEST(boot, test_a_trial_is_unconfirmed_until_it_is_confirmed)
{
	zassert_equal(mender_port_boot_is_confirmed(), 1, "factory flash");
	zassert_ok(mender_port_boot_confirm());
	flash_begin_trial();
	zassert_equal(mender_port_boot_is_confirmed(), 0);
	zassert_ok(mender_port_boot_confirm());
	zassert_equal(mender_port_boot_is_confirmed(), 1);
	zassert_ok(mender_port_boot_confirm());
}

ZTEST(boot, test_bytes_of_an_earlier_partition_map_in_place_of_the_trailer_do_not_stop_updates)
{
	static const uint8_t strange[16] = {1, 2, 3, 4};

	flash_put(SLOT0, MAGIC_AT(slot0_partition), strange, sizeof(strange));
	zassert_false(boot_is_img_confirmed(), "MCUboot's library has become more lenient");
	zassert_equal(mender_port_boot_is_confirmed(), 1);
	/* What was armed can be disarmed. */
	zassert_ok(mender_port_boot_request_swap());
	zassert_equal(mender_port_boot_is_confirmed(), 1);
	while (mender_port_slot_invalidate() == MENDER_AGAIN) {
	}
	zassert_equal(mcuboot_swap_type(), BOOT_SWAP_TYPE_NONE);
	/* A trial stays one, also where another image is to follow it. */
	flash_set_all(SLOT0, 0xff);
	flash_set_all(SLOT1, 0xff);
	flash_begin_trial();
	zassert_ok(boot_request_upgrade(BOOT_UPGRADE_TEST));
	zassert_equal(mender_port_boot_is_confirmed(), 0);
}

ZTEST(boot, test_a_torn_magic_number_does_not_keep_a_swap_from_being_requested)
{
	static const uint8_t torn[8] = {0x77, 0xc2, 0x95, 0xf3};

	flash_put(SLOT1, MAGIC_AT(slot1_partition), torn, sizeof(torn));
	zassert_true(boot_request_upgrade(BOOT_UPGRADE_TEST) != 0, "MCUboot's library has become more lenient");
	zassert_ok(mender_port_boot_request_swap());
	zassert_equal(mcuboot_swap_type(), BOOT_SWAP_TYPE_TEST);
	zassert_ok(mender_port_boot_request_swap());
}

ZTEST(boot, test_a_torn_magic_number_that_cannot_be_erased_is_an_error)
{
	static const uint8_t torn[8] = {0x77, 0xc2, 0x95, 0xf3};

	flash_put(SLOT1, MAGIC_AT(slot1_partition), torn, sizeof(torn));
	flash_fail_erase(1);
	zassert_equal(mender_port_boot_request_swap(), -ETIMEDOUT);
	zassert_equal(mcuboot_swap_type(), BOOT_SWAP_TYPE_NONE);
	flash_cut_erase(1);
	zassert_equal(mender_port_boot_request_swap(), -EIO);
	flash_power_on();
	zassert_ok(mender_port_boot_request_swap());
}

ZTEST(boot, test_success_is_said_only_of_an_armed_swap)
{
	for (uint32_t nth = 1; nth <= 4; nth++) {
		flash_set_all(SLOT1, 0xff);
		flash_cut_write(nth, 8);
		const int32_t rc = mender_port_boot_request_swap();

		flash_power_on();
		zassert_equal(rc == 0, mcuboot_swap_type() == BOOT_SWAP_TYPE_TEST, "cut at %u: %d", nth, rc);
	}
}

ZTEST(boot, test_refused_is_told_from_reverted_by_the_header)
{
	put_image(SLOT1, 0, 48, 7);
	zassert_equal(mender_port_boot_swap_state(), MENDER_SWAP_WHOLE);
	flash_set_all(SLOT1, 0xff);
	zassert_equal(mender_port_boot_swap_state(), MENDER_SWAP_REFUSED);
	zassert_equal(mender_port_boot_can_revert(), 1);
}

ZTEST_SUITE(boot, NULL, NULL, before, NULL, NULL);
