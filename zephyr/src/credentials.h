/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MENDER_CREDENTIALS_TYPES_H_
#define MENDER_CREDENTIALS_TYPES_H_

#include <stddef.h>
#include <stdint.h>

/** A trust anchor. */
struct mender_certificate {
	const uint8_t *der;
	size_t len;
};

/** An artifact verification key, as PSA imports it. */
struct mender_verify_key {
	const uint8_t *key;
	size_t len;
	/** One of `MENDER_KEY_…`. */
	int32_t kind;
};

#endif
