/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_port.h>
#include <zephyr/logging/log.h>

LOG_MODULE_REGISTER(mender_mcu, CONFIG_MENDER_MCU_LOG_LEVEL);

void mender_port_log(int32_t level, int32_t event, int64_t a, int64_t b, const char *text, size_t text_len)
{
#ifdef CONFIG_LOG
	char line[160];

	if (CONFIG_MENDER_MCU_LOG_LEVEL < level ||
	    mender_event_format(line, sizeof(line), event, a, b, text, text_len) < 0) {
		return;
	}
	switch (level) {
	case MENDER_LEVEL_ERROR:
		LOG_ERR("%s", line);
		break;
	case MENDER_LEVEL_WARNING:
		LOG_WRN("%s", line);
		break;
	case MENDER_LEVEL_INFO:
		LOG_INF("%s", line);
		break;
	default:
		LOG_DBG("%s", line);
		break;
	}
#endif
}
