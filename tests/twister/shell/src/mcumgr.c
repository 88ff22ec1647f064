/* SPDX-License-Identifier: Apache-2.0 */
/* MCUmgr's image group and the client share a slot. What MCUmgr would say is said here in its place. */
#include <mender_port.h>
#include <zephyr/kernel.h>
#include <zephyr/mgmt/mcumgr/mgmt/callbacks.h>
#include <zephyr/mgmt/mcumgr/mgmt/mgmt_defines.h>
#include <zephyr/ztest.h>

#include "device.h"
#include "flash.h"
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
		k_sleep(K_SECONDS(290));
		zassert_equal(mender_port_slot_begin(4096), -EBUSY);
		k_sleep(K_SECONDS(20));
		zassert_ok(mender_port_slot_begin(4096));
		zassert_equal(happens(MGMT_EVT_OP_IMG_MGMT_DFU_CHUNK, &rc), MGMT_CB_OK);
		zassert_equal(mender_port_slot_begin(4096), -EBUSY);
	}
	zassert_equal(happens(MGMT_EVT_OP_IMG_MGMT_DFU_STOPPED, &rc), MGMT_CB_OK);
	zassert_ok(mender_port_slot_begin(4096));
	zassert_ok(mender_port_slot_finish());
}

ZTEST(mcumgr, test_an_image_that_waits_for_its_restart_is_left_alone)
{
	int32_t rc;

	flash_set_all(SLOT1, 0xff);
	zassert_equal(happens(MGMT_EVT_OP_IMG_MGMT_DFU_CHUNK, &rc), MGMT_CB_OK);
	flash_put_image(SLOT1, 1);
	zassert_equal(happens(MGMT_EVT_OP_IMG_MGMT_DFU_PENDING, &rc), MGMT_CB_OK);
	zassert_equal(mender_port_slot_begin(4096), -EBUSY);
	if (IS_ENABLED(CONFIG_ARCH_POSIX)) {
		/* However long that takes. */
		k_sleep(K_HOURS(24));
		zassert_equal(mender_port_slot_begin(4096), -EBUSY);
	}
	/* Another upload that MCUmgr itself has refused. */
	zassert_equal(happens(MGMT_EVT_OP_IMG_MGMT_DFU_STOPPED, &rc), MGMT_CB_OK);
	zassert_equal(mender_port_slot_begin(4096), -EBUSY);
	/* MCUmgr says nothing of an image that it has erased. */
	flash_set_all(SLOT1, 0xff);
	zassert_ok(mender_port_slot_begin(4096));
}

ZTEST(mcumgr, test_an_image_that_another_upload_has_gone_over_waits_no_more)
{
	int32_t rc;

	flash_set_all(SLOT1, 0xff);
	flash_put_image(SLOT1, 1);
	zassert_equal(happens(MGMT_EVT_OP_IMG_MGMT_DFU_PENDING, &rc), MGMT_CB_OK);
	zassert_equal(happens(MGMT_EVT_OP_IMG_MGMT_DFU_CHUNK, &rc), MGMT_CB_OK);
	zassert_equal(mender_port_slot_begin(4096), -EBUSY);
	zassert_equal(happens(MGMT_EVT_OP_IMG_MGMT_DFU_STOPPED, &rc), MGMT_CB_OK);
	zassert_ok(mender_port_slot_begin(4096));
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
	server.deaf = true;
	zassert_ok(mender_client_abort());
	/* A device whose server is gone for ever can still be helped. */
	UNTIL(happens(MGMT_EVT_OP_IMG_MGMT_DFU_CHUNK, &rc) == MGMT_CB_OK);
	zassert_false(server.failure_reported);
	zassert_equal(happens(MGMT_EVT_OP_IMG_MGMT_DFU_STOPPED, &rc), MGMT_CB_OK);
}

ZTEST_SUITE(mcumgr, NULL, NULL, NULL, device_end, NULL);
