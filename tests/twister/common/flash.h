/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FLASH_H_
#define TEST_FLASH_H_

#include <stdint.h>
#include <zephyr/storage/flash_map.h>

#define PAGE  2048
#define SLOT0 FIXED_PARTITION_ID(slot0_partition)
#define SLOT1 FIXED_PARTITION_ID(slot1_partition)

/** Calls to flash_write() and flash_erase() since the start. */
uint32_t flash_writes(void);
uint32_t flash_erases(void);

/** Power fails at the n-th write or erase from now, counted from 1; of that write `torn` bytes are programmed. 0: never. */
void flash_cut_write(uint32_t nth, uint32_t torn);
void flash_cut_erase(uint32_t nth);
void flash_power_on(void);

/** The n-th erase of the client's from now, counted from 1, erases nothing and fails with -ETIMEDOUT. 0: none. */
void flash_fail_erase(uint32_t nth);

/** Fills a partition with a byte; 0xff erases it. */
void flash_set_all(uint8_t partition, uint8_t byte);

/** Writes into a partition. */
void flash_put(uint8_t partition, uint32_t offset, const void *data, uint32_t len);

/** Writes an image that boot code takes for one; its hash is `first`, `first` + 1, … */
void flash_put_image(uint8_t partition, uint8_t first);

/** What MCUboot does at a reset when a test swap was asked for, and at the next one when the image was not confirmed. */
void flash_swap(void);
void flash_revert(void);

/** What an MCUboot that overwrites does at a reset. */
void flash_overwrite(void);

/** Makes it look as if MCUboot had just swapped the running image in for a test. */
void flash_begin_trial(void);

#endif
