/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records lie beside the settings, in the same NVS, under ids that settings does not use. Through settings itself a record that
 * could not be read would look as if it were absent, and settings on NVS would then delete it.
 */
#include <mender_port.h>
#include <zephyr/drivers/flash.h>
#include <zephyr/fs/nvs.h>
#include <zephyr/kernel.h>
#include <zephyr/settings/settings.h>

/* Settings uses 0x8000 and up. */
#define FIRST_ID 0x4d00

static int storage(struct nvs_fs **fs)
{
	int rc = settings_subsys_init();

	return rc != 0 ? rc : settings_storage_get((void **)fs);
}

int32_t mender_port_store_read(int32_t record, uint8_t *buf, uint32_t size)
{
	struct nvs_fs *fs;
	ssize_t len;
	int rc = storage(&fs);

	if (rc != 0) {
		/* -ENOENT would say that there is no record. */
		return rc == -ENOENT ? -ENODEV : rc;
	}
	/* NVS refuses a buffer that no item could fill: it keeps four table entries of each sector for itself. */
	const uint32_t entry = ROUND_UP(8, fs->flash_parameters->write_block_size);

	len = nvs_read(fs, FIRST_ID + record, buf, MIN(size, fs->sector_size - 4 * entry));
	return len > (ssize_t)size ? -EMSGSIZE : len;
}

int32_t mender_port_store_write(int32_t record, const uint8_t *data, uint32_t len)
{
	struct nvs_fs *fs;
	ssize_t written;
	int rc = storage(&fs);

	if (rc != 0) {
		return rc;
	}
	written = nvs_write(fs, FIRST_ID + record, data, len);
	/* 0: it holds these bytes already. */
	return written < 0 ? written : 0;
}
