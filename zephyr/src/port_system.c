/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_port.h>
#include <stdio.h>
#include <string.h>
#include <zephyr/drivers/hwinfo.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/logging/log_ctrl.h>
#include <zephyr/net/net_if.h>
#include <zephyr/sys/reboot.h>
#include <zephyr/sys/util.h>

#include "port_defaults.h"

LOG_MODULE_DECLARE(mender_mcu, CONFIG_MENDER_MCU_LOG_LEVEL);

#ifdef CONFIG_MENDER_MCU_IDENTITY_HWINFO
static int own_identity(struct mender_pairs *pairs)
{
	uint8_t id[16];
	char text[2 * sizeof(id) + 1];
	ssize_t len = hwinfo_get_device_id(id, sizeof(id));

	if (len <= 0) {
		return len < 0 ? len : -ENODATA;
	}
	bin2hex(id, len, text, sizeof(text));
	return mender_pairs_add(pairs, "hwid", text);
}
#else
static int own_identity(struct mender_pairs *pairs)
{
	char text[sizeof("00:00:00:00:00:00")];
	struct net_if *iface = net_if_get_default();
	const struct net_linkaddr *address = iface != NULL ? net_if_get_link_addr(iface) : NULL;

	if (address == NULL || address->len != 6) {
		return -ENODEV;
	}
	if (memcmp(address->addr, (const uint8_t[6]){0}, 6) == 0) {
		/* All devices would be one. */
		LOG_ERR("the network interface has no address of its own: set CONFIG_MENDER_MCU_IDENTITY_HWINFO=y");
		return -EADDRNOTAVAIL;
	}
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", address->addr[0], address->addr[1],
		 address->addr[2], address->addr[3], address->addr[4], address->addr[5]);
	return mender_pairs_add(pairs, "mac", text);
}
#endif

int32_t mender_port_system_identity(struct mender_pairs *pairs)
{
	int rc = -ENOENT;

#ifdef CONFIG_MENDER_MCU_SETTINGS
	rc = mender_settings_identity(pairs);
#endif
	return rc == -ENOENT ? own_identity(pairs) : rc;
}

void mender_port_system_reboot(void)
{
	/*
	 * Deferred log messages would be lost. No more of them than there are: where a thread that this one has preempted has only
	 * begun one, log_process() says without end that there is more.
	 */
	uint32_t left = IS_ENABLED(CONFIG_LOG_MODE_DEFERRED) ? log_buffered_cnt() : 0;

	while (IS_ENABLED(CONFIG_LOG_MODE_DEFERRED) && left-- > 0 && log_process()) {
	}
	sys_reboot(SYS_REBOOT_COLD);
}
