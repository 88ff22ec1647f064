/* SPDX-License-Identifier: Apache-2.0 */
/* MCUmgr's image group and the client share a slot. What MCUmgr would say is said here in its place. */
#include <mender_port.h>
#include <zephyr/kernel.h>
#include <zephyr/mgmt/mcumgr/mgmt/callbacks.h>
#include <zephyr/mgmt/mcumgr/mgmt/mgmt_defines.h>
#include <zephyr/ztest.h>

#include "device.h"
#include "peer.h"
#include "server.h"

static enum mgmt_cb_return happens(uint32_t event, int32_t *rc)
{
	uint16_t group = 0;

	*rc = 0;
	return mgmt_callback_notify(event, NULL, 0, rc, &group);
}

ZTEST(mcumgr, test_the_slot_is_not_opened_while_mcumgr_uploads)
{
	int32_t rc;

	zassert_ok(mender_port_slot_begin(4096));
	zassert_equal(happens(MGMT_EVT_OP_IMG_MGMT_DFU_CHUNK, &rc), MGMT_CB_OK);
	zassert_equal(mender_port_slot_begin(4096), -EBUSY);
	if (IS_ENABLED(CONFIG_ARCH_POSIX)) {
		/* Nothing came for long: given up. Only here is time as fast as one likes. */
		k_sleep(K_MINUTES(6));
		zassert_ok(mender_port_slot_begin(4096));
		zassert_equal(happens(MGMT_EVT_OP_IMG_MGMT_DFU_CHUNK, &rc), MGMT_CB_OK);
		zassert_equal(mender_port_slot_begin(4096), -EBUSY);
	}
	zassert_equal(happens(MGMT_EVT_OP_IMG_MGMT_DFU_STOPPED, &rc), MGMT_CB_OK);
	zassert_ok(mender_port_slot_begin(4096));
	zassert_ok(mender_port_slot_finish());
}

ZTEST(mcumgr, test_mcumgr_is_refused_while_a_deployment_is_in_progress)
{
	int32_t rc;

	device_begin();
	zassert_equal(happens(MGMT_EVT_OP_IMG_MGMT_DFU_CHUNK, &rc), MGMT_CB_OK);
	zassert_equal(happens(MGMT_EVT_OP_IMG_MGMT_DFU_STOPPED, &rc), MGMT_CB_OK);
	server.offers = true;
	zassert_ok(mender_client_check_now());
	UNTIL(server.downloading);
	zassert_equal(happens(MGMT_EVT_OP_IMG_MGMT_DFU_CHUNK, &rc), MGMT_CB_ERROR_RC);
	zassert_equal(rc, MGMT_ERR_EBUSY);
	zassert_ok(mender_client_abort());
	UNTIL(server.failure_reported);
	UNTIL(happens(MGMT_EVT_OP_IMG_MGMT_DFU_CHUNK, &rc) == MGMT_CB_OK);
	zassert_equal(happens(MGMT_EVT_OP_IMG_MGMT_DFU_STOPPED, &rc), MGMT_CB_OK);
}

ZTEST_SUITE(mcumgr, NULL, NULL, NULL, device_end, NULL);
