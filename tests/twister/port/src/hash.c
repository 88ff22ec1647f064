/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 by PSA. Whole artifacts: tests/twister/net. */
#include <mender_port.h>
#include <string.h>
#include <zephyr/ztest.h>

/* FIPS 180, and the hash of nothing. */
static const uint8_t of_abc[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
				   0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
				   0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
static const uint8_t of_nothing[32] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
				       0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
				       0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};

static void add(struct mender_hash *hash, const char *text)
{
	mender_port_hash_update(hash, (const uint8_t *)text, strlen(text));
}

static void assert_finishes(struct mender_hash *hash, const uint8_t *expected)
{
	uint8_t digest[32];

	zassert_ok(mender_port_hash_finish(hash, digest));
	zassert_mem_equal(digest, expected, sizeof(digest));
}

ZTEST(hash, test_known_hashes_come_out_in_one_piece_and_in_several)
{
	struct mender_hash hash = {0};

	add(&hash, "abc");
	assert_finishes(&hash, of_abc);
	add(&hash, "a");
	add(&hash, "");
	add(&hash, "bc");
	assert_finishes(&hash, of_abc);
}

ZTEST(hash, test_what_was_finished_or_restarted_is_empty)
{
	struct mender_hash hash = {0};

	assert_finishes(&hash, of_nothing);
	add(&hash, "abc");
	assert_finishes(&hash, of_abc);
	assert_finishes(&hash, of_nothing);
	add(&hash, "xyz");
	mender_port_hash_restart(&hash);
	add(&hash, "abc");
	assert_finishes(&hash, of_abc);
}

ZTEST(hash, test_two_hashes_do_not_mix)
{
	struct mender_hash one = {0};
	struct mender_hash other = {0};

	add(&one, "ab");
	add(&other, "xyz");
	add(&one, "c");
	assert_finishes(&one, of_abc);
	mender_port_hash_restart(&other);
	assert_finishes(&other, of_nothing);
}

ZTEST_SUITE(hash, NULL, NULL, NULL, NULL, NULL);
