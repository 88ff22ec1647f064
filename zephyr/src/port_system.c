/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_port.h>
#include <stdio.h>
#include <string.h>
#include <zephyr/drivers/hwinfo.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log_ctrl.h>
#include <zephyr/net/net_if.h>
#include <zephyr/sys/reboot.h>
#include <zephyr/sys/util.h>

static int32_t add_mac(struct mender_pairs *pairs, const struct net_linkaddr *address)
{
	char text[sizeof("00:00:00:00:00:00")];
	const uint8_t *mac = address->addr;

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
	return mender_pairs_add(pairs, "mac", text);
}

int32_t mender_port_system_identity(struct mender_pairs *pairs)
{
	struct net_if *iface = net_if_get_default();
	const struct net_linkaddr *address = iface != NULL ? net_if_get_link_addr(iface) : NULL;
	uint8_t id[16];
	char text[2 * sizeof(id) + 1];
	ssize_t len;

	if (address != NULL && address->len == 6) {
		return add_mac(pairs, address);
	}
	len = hwinfo_get_device_id(id, sizeof(id));
	if (len <= 0) {
		return len < 0 ? len : -ENODATA;
	}
	bin2hex(id, len, text, sizeof(text));
	return mender_pairs_add(pairs, "hwid", text);
}

void mender_port_system_reboot(void)
{
	/* Deferred log messages would be lost. */
	while (IS_ENABLED(CONFIG_LOG_MODE_DEFERRED) && log_process()) {
	}
	sys_reboot(SYS_REBOOT_COLD);
}
