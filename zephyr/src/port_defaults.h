/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MENDER_PORT_DEFAULTS_H_
#define MENDER_PORT_DEFAULTS_H_

#include <mender_port.h>

/** Fills in what Kconfig says. */
void mender_kconfig_defaults(struct mender_config *config);

/** Puts the settings on flash over those of `config`. The texts stay until the next call. */
void mender_settings_apply(struct mender_config *config);

/** Gives the identity that is set to `mender_pairs_add`. @retval -ENOENT none is. */
int mender_settings_identity(struct mender_pairs *pairs);

#endif
