/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records lie beside the settings, in the same NVS or ZMS, under ids that settings does not use. Through settings itself a record
 * that could not be read would look as if it were absent, and settings on NVS would then delete it.
 *
 * The store is walked without a lock of its own. That of settings is taken, or a thread that is in the midst of its settings while a
 * record is written would take some for absent, and delete them; the device key is one of them.
 */
#include <mender_port.h>
#include <zephyr/drivers/flash.h>
#include <zephyr/kernel.h>
#include <zephyr/settings/settings.h>

/* Global in Zephyr's subsys/settings/src/settings.c, but declared nowhere. The lock is recursive. */
void settings_lock_take(void);
void settings_lock_release(void);

/* Settings uses 0x8000 and up on NVS, 0x80000000 and up on ZMS. */
#define FIRST_ID 0x4d00

#ifdef CONFIG_SETTINGS_ZMS
#include <zephyr/fs/zms.h>

typedef struct zms_fs store_t;

static ssize_t read_item(store_t *store, int32_t record, uint8_t *buf, uint32_t size)
{
	const ssize_t len = zms_get_data_length(store, FIRST_ID + record);

	return len < 0 || len > (ssize_t)size ? len : zms_read(store, FIRST_ID + record, buf, size);
}

static ssize_t write_item(store_t *store, int32_t record, const uint8_t *data, uint32_t len)
{
	return zms_write(store, FIRST_ID + record, data, len);
}
#else
#include <zephyr/fs/nvs.h>

typedef struct nvs_fs store_t;

static ssize_t read_item(store_t *store, int32_t record, uint8_t *buf, uint32_t size)
{
	/* NVS refuses a buffer that no item could fill: it keeps four table entries of each sector for itself. */
	const uint32_t entry = ROUND_UP(8, store->flash_parameters->write_block_size);

	return nvs_read(store, FIRST_ID + record, buf, MIN(size, store->sector_size - 4 * entry));
}

static ssize_t write_item(store_t *store, int32_t record, const uint8_t *data, uint32_t len)
{
	return nvs_write(store, FIRST_ID + record, data, len);
}
#endif

static int open_store(store_t **store)
{
	int rc = settings_subsys_init();

	return rc != 0 ? rc : settings_storage_get((void **)store);
}

int32_t mender_port_store_read(int32_t record, uint8_t *buf, uint32_t size)
{
	store_t *store;
	ssize_t len;
	int rc = open_store(&store);

	if (rc != 0) {
		/* -ENOENT would say that there is no record. */
		return rc == -ENOENT ? -ENODEV : rc;
	}
	settings_lock_take();
	len = read_item(store, record, buf, size);
	settings_lock_release();
	return len > (ssize_t)size ? -EMSGSIZE : len;
}

int32_t mender_port_store_write(int32_t record, const uint8_t *data, uint32_t len)
{
	store_t *store;
	ssize_t written;
	int rc = open_store(&store);

	if (rc != 0) {
		return rc;
	}
	settings_lock_take();
	written = write_item(store, record, data, len);
	settings_lock_release();
	/* 0: it holds these bytes already. */
	return written < 0 ? written : 0;
}
