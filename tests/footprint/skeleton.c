/* SPDX-License-Identifier: Apache-2.0 */
/* The client for an application that another client's figures were measured in (`cargo xtask size --skeleton`). */
#include <mender_mcu.h>

int skel_client_start(void)
{
	int32_t rc = mender_client_init(NULL);

	return rc != 0 ? rc : mender_client_activate();
}
