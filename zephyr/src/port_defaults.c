/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_port.h>
#include <zephyr/kernel.h>

#include "port_defaults.h"

static uint8_t io[CONFIG_MENDER_MCU_IO_BUFFER_SIZE];
static uint8_t token[CONFIG_MENDER_MCU_TOKEN_BUFFER_SIZE];
static uint8_t uri[CONFIG_MENDER_MCU_URI_BUFFER_SIZE];

void mender_kconfig_defaults(struct mender_config *config)
{
	*config = (struct mender_config){
		.server_url = CONFIG_MENDER_MCU_SERVER_URL,
		.tenant_token = sizeof(CONFIG_MENDER_MCU_TENANT_TOKEN) > 1 ? CONFIG_MENDER_MCU_TENANT_TOKEN : NULL,
		.device_type = CONFIG_MENDER_MCU_DEVICE_TYPE,
		.artifact_name = CONFIG_MENDER_MCU_ARTIFACT_NAME,
		.buffers = {
			.io = io,
			.token = token,
			.uri = uri,
			.io_len = sizeof(io),
			.token_len = sizeof(token),
			.uri_len = sizeof(uri),
		},
		.tier = IS_ENABLED(CONFIG_MENDER_MCU_TIER_STANDARD) ? MENDER_TIER_STANDARD
			: IS_ENABLED(CONFIG_MENDER_MCU_TIER_MICRO)  ? MENDER_TIER_MICRO
								    : MENDER_TIER_NONE,
		.allow_http = IS_ENABLED(CONFIG_MENDER_MCU_ALLOW_HTTP),
		.poll_interval_ms = CONFIG_MENDER_MCU_POLL_INTERVAL_S * MSEC_PER_SEC,
		.inventory_interval_ms = CONFIG_MENDER_MCU_INVENTORY_INTERVAL_S * MSEC_PER_SEC,
		.retry_interval_ms = CONFIG_MENDER_MCU_RETRY_INTERVAL_S * MSEC_PER_SEC,
		.retry_interval_max_ms = CONFIG_MENDER_MCU_RETRY_INTERVAL_MAX_S * MSEC_PER_SEC,
		.first_check_max_ms = CONFIG_MENDER_MCU_FIRST_CHECK_MAX_S * MSEC_PER_SEC,
		.defer_interval_ms = CONFIG_MENDER_MCU_DEFER_INTERVAL_S * MSEC_PER_SEC,
		.commit_deadline_ms = CONFIG_MENDER_MCU_COMMIT_DEADLINE_S * MSEC_PER_SEC,
		.abort_probe_interval_ms = CONFIG_MENDER_MCU_ABORT_PROBE_INTERVAL_S * MSEC_PER_SEC,
		.idle_timeout_ms = CONFIG_MENDER_MCU_IDLE_TIMEOUT_S * MSEC_PER_SEC,
		.request_timeout_ms = CONFIG_MENDER_MCU_REQUEST_TIMEOUT_S * MSEC_PER_SEC,
		.download_tries = CONFIG_MENDER_MCU_DOWNLOAD_TRIES,
		.probe_timeout_ms = CONFIG_MENDER_MCU_PROBE_TIMEOUT_S * MSEC_PER_SEC,
		.probe_tries = CONFIG_MENDER_MCU_PROBE_TRIES,
	};
}

void mender_port_defaults(struct mender_config *config)
{
	mender_kconfig_defaults(config);
#ifdef CONFIG_MENDER_MCU_SETTINGS
	mender_settings_apply(config);
#endif
}
