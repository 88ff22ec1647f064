/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Settings of the Mender client that are kept on flash and take the place of Kconfig (`CONFIG_MENDER_MCU_SETTINGS`).
 *
 * They lie in Zephyr's settings as texts under `mender/`:
 * - `mender/server`: as `CONFIG_MENDER_MCU_SERVER_URL`,
 * - `mender/tenant_token`,
 * - `mender/device_type`,
 * - `mender/identity`: `name=value`, one pair in place of the MAC address or the chip's number; 32 bytes of name, 254 in all,
 * - `mender/poll_interval`, `mender/inventory_interval`: seconds, 5 to 2592000.
 *
 * `mender_client_init` reads them. One that is no good is logged and left out. What the application gives to `mender_client_init` has
 * the last word: leave out of it what is to be settable.
 */
#ifndef MENDER_SETTINGS_H_
#define MENDER_SETTINGS_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Checks a setting and keeps it, for the next `mender_client_init`. Writes flash; from threads only, also while a client is there.
 *
 * @param name what comes after `mender/`. @param value the text; NULL or empty: Kconfig counts again.
 * @retval 0 kept. @retval -ENOENT there is no setting of that name. @retval -EINVAL the value is no good. @retval -ENOSPC it does
 * not fit beside the others into `CONFIG_MENDER_MCU_SETTINGS_BUFFER_SIZE`. @retval <0 -errno of Zephyr's settings: not kept.
 */
int32_t mender_settings_set(const char *name, const char *value);

#ifdef __cplusplus
}
#endif

#endif
