/* SPDX-License-Identifier: Apache-2.0 */
#include "flash.h"

#include <mender_port.h>
#include <string.h>
#include <zephyr/settings/settings.h>
#include <zephyr/ztest.h>

#ifdef CONFIG_SETTINGS_ZMS
#include <zephyr/fs/zms.h>

typedef struct zms_fs store_t;
#define MOUNT zms_mount
#else
#include <zephyr/fs/nvs.h>

typedef struct nvs_fs store_t;
#define MOUNT nvs_mount
#endif

#define LEN 600

static uint8_t record[LEN];
static uint8_t found[2048];

/* What a restart does to what the settings are in. */
static void restart(void)
{
	store_t *fs;

	flash_power_on();
	zassert_ok(settings_subsys_init());
	zassert_ok(settings_storage_get((void **)&fs));
	zassert_ok(MOUNT(fs));
}

static void before(void *fixture)
{
	store_t *fs;

	ARG_UNUSED(fixture);
	flash_power_on();
	zassert_ok(settings_subsys_init());
	zassert_ok(settings_storage_get((void **)&fs));
	flash_set_all(FIXED_PARTITION_ID(storage_partition), 0xff);
	restart();
}

static int32_t put(int32_t id, uint8_t byte)
{
	memset(record, byte, sizeof(record));
	return mender_port_store_write(id, record, sizeof(record));
}

/* The byte a record is full of. */
static int whole(int32_t id)
{
	zassert_equal(mender_port_store_read(id, found, sizeof(found)), LEN);
	for (int i = 1; i < LEN; i++) {
		zassert_equal(found[i], found[0], "mixed at %d", i);
	}
	return found[0];
}

ZTEST(store, test_a_record_that_was_never_written_is_absent)
{
	zassert_equal(mender_port_store_read(MENDER_RECORD_A, found, sizeof(found)), -ENOENT);
	zassert_ok(put(MENDER_RECORD_A, 1));
	zassert_equal(whole(MENDER_RECORD_A), 1);
	zassert_equal(mender_port_store_read(MENDER_RECORD_B, found, sizeof(found)), -ENOENT);
}

ZTEST(store, test_a_record_longer_than_the_buffer_is_an_error)
{
	zassert_ok(put(MENDER_RECORD_LOG, 1));
	zassert_equal(mender_port_store_read(MENDER_RECORD_LOG, found, LEN - 1), -EMSGSIZE);
	zassert_equal(mender_port_store_read(MENDER_RECORD_LOG, found, LEN), LEN);
}

ZTEST(store, test_a_record_that_does_not_fit_is_refused)
{
	zassert_ok(put(MENDER_RECORD_A, 1));
	zassert_true(mender_port_store_write(MENDER_RECORD_A, found, sizeof(found)) < 0);
	zassert_equal(whole(MENDER_RECORD_A), 1);
}

ZTEST(store, test_writing_the_same_again_succeeds_and_outlives_a_restart)
{
	zassert_ok(put(MENDER_RECORD_A, 3));
	zassert_ok(put(MENDER_RECORD_A, 3));
	restart();
	zassert_equal(whole(MENDER_RECORD_A), 3);
}

ZTEST(store, test_settings_and_records_do_not_touch_each_other)
{
	uint32_t value = 77;

	zassert_ok(put(MENDER_RECORD_A, 5));
	zassert_ok(settings_save_one("app/value", &value, sizeof(value)));
	restart();
	value = 0;
	zassert_equal(settings_load_one("app/value", &value, sizeof(value)), sizeof(value));
	zassert_equal(value, 77);
	zassert_equal(whole(MENDER_RECORD_A), 5);
}

/* Another thread is in the midst of the settings, which it would damage if the store changed meanwhile. */
static K_THREAD_STACK_DEFINE(other_stack, 2048);
static struct k_thread other;
static volatile bool other_loads;

static int loads_slowly(const char *key, size_t len, settings_read_cb read_cb, void *cb_arg, void *param)
{
	other_loads = true;
	k_msleep(50);
	other_loads = false;
	return 0;
}

static void load_slowly(void *a, void *b, void *c)
{
	settings_load_subtree_direct("app", loads_slowly, NULL);
}

static void begin_loading(void)
{
	other_loads = false;
	k_thread_create(&other, other_stack, K_THREAD_STACK_SIZEOF(other_stack), load_slowly, NULL, NULL, NULL, 5, 0, K_NO_WAIT);
	while (!other_loads) {
		k_msleep(1);
	}
}

/* It comes when the port has asked for the store: settings_subsys_init(), before that, waits by itself. */
static bool other_comes;

int __real_settings_storage_get(void **storage);

int __wrap_settings_storage_get(void **storage)
{
	if (other_comes) {
		other_comes = false;
		begin_loading();
	}
	return __real_settings_storage_get(storage);
}

ZTEST(store, test_records_wait_for_a_thread_that_is_in_the_settings)
{
	uint32_t value = 77;

	zassert_ok(settings_save_one("app/value", &value, sizeof(value)));
	other_comes = true;
	zassert_ok(put(MENDER_RECORD_A, 5));
	zassert_false(other_comes, "nobody came");
	zassert_false(other_loads, "written meanwhile");
	zassert_ok(k_thread_join(&other, K_SECONDS(1)));
	other_comes = true;
	zassert_equal(whole(MENDER_RECORD_A), 5);
	zassert_false(other_comes, "nobody came");
	zassert_false(other_loads, "read meanwhile");
	zassert_ok(k_thread_join(&other, K_SECONDS(1)));
}

/* Every write of an overwrite is cut, over a whole turn of the ring, so that garbage collection is among it. */
ZTEST(store, test_a_cut_leaves_the_old_or_the_new_record_and_never_touches_the_other)
{
	uint32_t cuts = 0;

	for (uint32_t round = 0; round < 24; round++) {
		for (uint32_t nth = 1;; nth++) {
			const uint8_t old = 0x10 + round;
			const uint8_t new = 0x80 + round;
			bool cut;

			zassert_ok(put(MENDER_RECORD_B, 0x7e));
			zassert_ok(put(MENDER_RECORD_A, old));
			const uint32_t writes = flash_writes();

			flash_cut_write(nth, nth % 2 == 0 ? 16 : 0);
			(void)put(MENDER_RECORD_A, new);
			cut = flash_writes() - writes >= nth;
			restart();
			const int now = whole(MENDER_RECORD_A);

			zassert_true(now == old || now == new, "round %u, cut %u: 0x%x", round, nth, now);
			zassert_true(cut || now == new);
			zassert_equal(whole(MENDER_RECORD_B), 0x7e);
			if (!cut) {
				break;
			}
			cuts++;
		}
	}
	zassert_true(cuts > 48, "only %u cuts", cuts);
}

ZTEST_SUITE(store, NULL, NULL, before, NULL, NULL);
