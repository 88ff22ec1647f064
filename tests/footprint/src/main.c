/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an application with a network and a bootloader does by itself. Every function that it calls here is in the image
 * with and without the client, and so is not counted as the client's.
 */
#include <string.h>
#include <zephyr/dfu/flash_img.h>
#include <zephyr/dfu/mcuboot.h>
#include <zephyr/fs/nvs.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/net/dhcpv4.h>
#include <zephyr/net/net_if.h>
#include <zephyr/net/net_mgmt.h>
#include <zephyr/net/socket.h>
#include <zephyr/net/tls_credentials.h>
#include <zephyr/storage/flash_map.h>
#include <zephyr/sys/reboot.h>
#if defined(CONFIG_MENDER_MCU)
#include <mender_mcu.h>
#endif

LOG_MODULE_REGISTER(footprint, LOG_LEVEL_INF);

#define CA_TAG 1
#define STARTS_ID 1

static const uint8_t ca[] = {
#include "ca.der.inc"
};
static uint8_t block[512];
static struct nvs_fs records;
static struct flash_img_context image;
static struct net_mgmt_event_callback address_added;
static K_SEM_DEFINE(address, 0, 1);

static void on_address(struct net_mgmt_event_callback *callback, uint64_t event, struct net_if *iface)
{
	ARG_UNUSED(callback);
	ARG_UNUSED(iface);
	if (event == NET_EVENT_IPV4_ADDR_ADD) {
		k_sem_give(&address);
	}
}

static void wait_for_address(void)
{
	net_mgmt_init_event_callback(&address_added, on_address, NET_EVENT_IPV4_ADDR_ADD);
	net_mgmt_add_event_callback(&address_added);
	net_dhcpv4_start(net_if_get_default());
	k_sem_take(&address, K_FOREVER);
}

/* Counts the starts in the second half of the storage partition; the client has the first. */
static uint32_t count_start(void)
{
	uint32_t starts = 0;
	struct flash_pages_info page;

	records.flash_device = FIXED_PARTITION_DEVICE(storage_partition);
	records.offset = FIXED_PARTITION_OFFSET(storage_partition) + FIXED_PARTITION_SIZE(storage_partition) / 2;
	if (flash_get_page_info_by_offs(records.flash_device, records.offset, &page) != 0) {
		return 0;
	}
	records.sector_size = page.size;
	records.sector_count = 2;
	if (nvs_mount(&records) != 0) {
		return 0;
	}
	if (nvs_read(&records, STARTS_ID, &starts, sizeof(starts)) < 0) {
		starts = 0;
	}
	starts++;
	if (nvs_write(&records, STARTS_ID, &starts, sizeof(starts)) < 0) {
		nvs_delete(&records, STARTS_ID);
	}
	return starts;
}

static int tls_connect(const struct zsock_addrinfo *peer, const char *host)
{
	static const sec_tag_t tags[] = {CA_TAG};
	int verify = TLS_PEER_VERIFY_REQUIRED;
	int sock = zsock_socket(peer->ai_family, SOCK_STREAM, IPPROTO_TLS_1_2);

	if (sock < 0) {
		return -1;
	}
	if (zsock_setsockopt(sock, SOL_TLS, TLS_SEC_TAG_LIST, tags, sizeof(tags)) != 0 ||
	    zsock_setsockopt(sock, SOL_TLS, TLS_HOSTNAME, host, strlen(host)) != 0 ||
	    zsock_setsockopt(sock, SOL_TLS, TLS_PEER_VERIFY, &verify, sizeof(verify)) != 0 ||
	    zsock_connect(sock, peer->ai_addr, peer->ai_addrlen) != 0) {
		zsock_close(sock);
		return -1;
	}
	return sock;
}

/* Returns how many bytes came, or -1. */
static int talk(const char *host, const char *port)
{
	static const char hello[] = "hello\n";
	struct zsock_addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	struct zsock_addrinfo *peer;
	int total = 0;
	int sock;
	int n;

	if (zsock_getaddrinfo(host, port, &hints, &peer) != 0) {
		return -1;
	}
	sock = tls_connect(peer, host);
	zsock_freeaddrinfo(peer);
	if (sock < 0) {
		return -1;
	}
	if (zsock_send(sock, hello, sizeof(hello) - 1, 0) > 0) {
		while ((n = zsock_recv(sock, block, sizeof(block), 0)) > 0) {
			total += n;
		}
	}
	zsock_close(sock);
	return total;
}

/* As an update over a cable would do it. */
static void take_image(void)
{
	bool last = block[1] == 1;

	if (flash_img_bytes_written(&image) == 0 && flash_img_init(&image) != 0) {
		return;
	}
	if (flash_img_buffered_write(&image, block, sizeof(block), last) != 0) {
		boot_erase_img_bank(FIXED_PARTITION_ID(slot1_partition));
	} else if (last && boot_request_upgrade(BOOT_UPGRADE_TEST) == 0) {
		sys_reboot(SYS_REBOOT_WARM);
	}
}

int main(void)
{
	wait_for_address();
	tls_credential_add(CA_TAG, TLS_CREDENTIAL_CA_CERTIFICATE, ca, sizeof(ca));
	LOG_INF("start %u, %d bytes", count_start(), talk("example.org", "443"));
	if (!boot_is_img_confirmed()) {
		boot_write_img_confirmed();
	}
	if (block[0] == 0x3d) {
		take_image();
	}
#if defined(CONFIG_MENDER_MCU)
	if (mender_client_init(NULL) == 0) {
		mender_client_activate();
	}
#if !defined(CONFIG_MENDER_MCU_THREAD)
	for (;;) {
		mender_client_wait(mender_client_poll());
	}
#endif
#endif
	k_sleep(K_FOREVER);
	return 0;
}
