/* SPDX-License-Identifier: Apache-2.0 */
#include <bootutil/bootutil_public.h>
#include <mender_port.h>
#include <zephyr/dfu/mcuboot.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/byteorder.h>

#include "bootinfo.h"
#include "port_slot.h"

/* MCUboot's image format: docs/design.md of MCUboot, "Image format". */
#define HEADER_LEN      32
#define HEADER_MAGIC    0x96f3b83d
#define TLV_MAGIC       0x6907
#define TLV_PROT_MAGIC  0x6908
#define TLV_SHA256      0x10

struct tlv {
	uint16_t kind;
	uint16_t len;
};

static int tlv_at(const struct flash_area *area, uint32_t offset, struct tlv *tlv)
{
	uint8_t bytes[4];
	int rc;

	if (offset > area->fa_size - sizeof(bytes)) {
		return -EBADMSG;
	}
	rc = flash_area_read(area, offset, bytes, sizeof(bytes));
	tlv->kind = sys_get_le16(bytes);
	tlv->len = sys_get_le16(bytes + 2);
	return rc;
}

/* Offset and end of the entries of the unprotected TLV area. */
static int find_tlvs(const struct flash_area *area, uint32_t *offset, uint32_t *end)
{
	uint8_t header[HEADER_LEN];
	struct tlv info;
	int rc = flash_area_read(area, 0, header, sizeof(header));

	if (rc != 0) {
		return rc;
	}
	if (sys_get_le32(header) != HEADER_MAGIC) {
		return -ENOEXEC;
	}
	const uint32_t header_size = sys_get_le16(header + 8);
	const uint32_t prot_size = sys_get_le16(header + 10);
	const uint32_t image_size = sys_get_le32(header + 12);

	if (header_size < HEADER_LEN || image_size > area->fa_size) {
		return -EBADMSG;
	}
	*offset = header_size + image_size;
	rc = tlv_at(area, *offset, &info);
	if (rc == 0 && prot_size != 0) {
		if (info.kind != TLV_PROT_MAGIC || info.len != prot_size) {
			return -EBADMSG;
		}
		*offset += prot_size;
		rc = tlv_at(area, *offset, &info);
	}
	if (rc != 0) {
		return rc;
	}
	*end = *offset + info.len;
	*offset += sizeof(struct tlv);
	return info.kind == TLV_MAGIC && *end <= area->fa_size ? 0 : -EBADMSG;
}

static int find_hash(const struct flash_area *area, uint8_t *hash)
{
	uint32_t offset;
	uint32_t end;
	struct tlv tlv;
	int rc = find_tlvs(area, &offset, &end);

	while (rc == 0 && offset + sizeof(tlv) <= end) {
		rc = tlv_at(area, offset, &tlv);
		if (rc != 0) {
			return rc;
		}
		offset += sizeof(tlv);
		if (tlv.len > end - offset) {
			return -EBADMSG;
		}
		if (tlv.kind == TLV_SHA256 && tlv.len == 32) {
			return flash_area_read(area, offset, hash, 32);
		}
		offset += tlv.len;
	}
	return rc != 0 ? rc : -ENODATA;
}

int32_t mender_port_boot_running_hash(uint8_t *hash)
{
	const struct flash_area *area;
	int rc = flash_area_open(boot_fetch_active_slot(), &area);

	if (rc != 0) {
		return rc;
	}
	rc = find_hash(area, hash);
	flash_area_close(area);
	return rc;
}

static int read_state(uint8_t slot, struct boot_swap_state *state)
{
	const struct flash_area *area;
	int rc = flash_area_open(slot, &area);

	if (rc == 0) {
		rc = boot_read_swap_state(area, state) == 0 ? 0 : -EIO;
		flash_area_close(area);
	}
	return rc;
}

/*
 * Bytes of an earlier partition map lie where MCUboot has its trailer. It goes back from no image with such a trailer, nor can a
 * flag be written there, and the first update puts it right.
 */
static bool has_strange_trailer(void)
{
	struct boot_swap_state state;
	const int type = mcuboot_swap_type();

	return read_state(boot_fetch_active_slot(), &state) == 0 && state.magic == BOOT_MAGIC_BAD &&
	       type != BOOT_SWAP_TYPE_REVERT && type != BOOT_SWAP_TYPE_PANIC;
}

int32_t mender_port_boot_is_confirmed(void)
{
	if (mender_bootinfo_overwrites()) {
		/* MCUboot leaves what it has overwritten without the flag, and yet never goes back. */
		return 1;
	}
	return boot_is_img_confirmed() || has_strange_trailer();
}

int32_t mender_port_boot_confirm(void)
{
	/* Errors of MCUboot's own come as positive numbers. */
	return boot_write_img_confirmed() == 0 ? 0 : -EIO;
}

/* A number that was torn while it was written makes MCUboot's library refuse every further request. */
static int clear_bad_magic(void)
{
	const struct flash_area *area;
	struct boot_swap_state found;
	int rc = read_state(INACTIVE_SLOT, &found);

	if (rc != 0 || found.magic != BOOT_MAGIC_BAD) {
		return rc;
	}
	rc = flash_area_open(INACTIVE_SLOT, &area);
	if (rc == 0) {
		rc = mender_slot_clear_page(area, mender_slot_flags_offset(area));
		flash_area_close(area);
	}
	return MIN(rc, 0);
}

int32_t mender_port_boot_request_swap(void)
{
	int type;
	int rc = clear_bad_magic();

	if (rc == 0) {
		rc = boot_request_upgrade(BOOT_UPGRADE_TEST);
	}
	/* It may fail and yet have armed the swap. */
	type = mcuboot_swap_type();
	if (type == BOOT_SWAP_TYPE_TEST) {
		return 0;
	}
	return rc < 0 ? rc : -EIO;
}

int32_t mender_port_boot_can_revert(void)
{
	return !mender_bootinfo_overwrites();
}

int32_t mender_port_boot_swap_state(void)
{
	struct mcuboot_img_header header;

	return boot_read_bank_header(INACTIVE_SLOT, &header, sizeof(header)) == 0 ? MENDER_SWAP_WHOLE
										 : MENDER_SWAP_REFUSED;
}
