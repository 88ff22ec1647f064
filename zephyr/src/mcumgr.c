/* SPDX-License-Identifier: Apache-2.0 */
/* MCUmgr writes the same slot. Whoever began first has it, the other is told so. */
#include <mender_port.h>
#include <zephyr/init.h>
#include <zephyr/kernel.h>
#include <zephyr/mgmt/mcumgr/mgmt/callbacks.h>
#include <zephyr/mgmt/mcumgr/mgmt/mgmt_defines.h>

#include "port_slot.h"

/* An upload that pauses for longer has been given up: nobody says so. */
#define PAUSE_MAX_MS (5 * 60 * MSEC_PER_SEC)

static struct {
	bool uploading;
	/* A whole image lies there and waits for a restart. */
	bool waiting;
	int64_t heard_ms;
} upload;

bool mender_slot_is_taken(void)
{
	if (upload.waiting) {
		/* MCUmgr may have erased it, and does not say so. */
		return mender_port_boot_swap_state() == MENDER_SWAP_WHOLE;
	}
	return upload.uploading && k_uptime_get() - upload.heard_ms < PAUSE_MAX_MS;
}

/* A deployment has the slot, or the image to fall back to lies there. One that waits for its last report does not. */
static bool deployment_in_progress(void)
{
	static struct mender_status status;

	/* Only MCUmgr's thread comes here. */
	return mender_client_status(&status) == 0 && status.phase != MENDER_PHASE_IDLE &&
	       status.phase != MENDER_PHASE_SUCCESS_PENDING && status.phase != MENDER_PHASE_FAILURE_PENDING;
}

static enum mgmt_cb_return heard(uint32_t event, enum mgmt_cb_return before, int32_t *rc, uint16_t *group,
				 bool *abort_more, void *data, size_t data_size)
{
	ARG_UNUSED(before);
	ARG_UNUSED(group);
	ARG_UNUSED(abort_more);
	ARG_UNUSED(data);
	ARG_UNUSED(data_size);
	switch (event) {
	case MGMT_EVT_OP_IMG_MGMT_DFU_CHUNK:
		if (deployment_in_progress()) {
			*rc = MGMT_ERR_EBUSY;
			return MGMT_CB_ERROR_RC;
		}
		upload.uploading = true;
		/* What lay there is gone over. */
		upload.waiting = false;
		break;
	case MGMT_EVT_OP_IMG_MGMT_DFU_STOPPED:
		upload.uploading = false;
		break;
	case MGMT_EVT_OP_IMG_MGMT_DFU_PENDING:
		upload.uploading = false;
		upload.waiting = true;
		break;
	default:
		break;
	}
	upload.heard_ms = k_uptime_get();
	return MGMT_CB_OK;
}

static struct mgmt_callback callback = {
	.callback = heard,
	.event_id = MGMT_EVT_OP_IMG_MGMT_DFU_CHUNK | MGMT_EVT_OP_IMG_MGMT_DFU_STOPPED |
		    MGMT_EVT_OP_IMG_MGMT_DFU_PENDING,
};

static int listen(void)
{
	mgmt_callback_register(&callback);
	return 0;
}

SYS_INIT(listen, APPLICATION, CONFIG_APPLICATION_INIT_PRIORITY);
