/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_port.h>
#include <psa/crypto.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>

LOG_MODULE_DECLARE(mender_mcu, CONFIG_MENDER_MCU_LOG_LEVEL);

/* What `struct mender_hash` holds; all zero: nothing was added yet, and PSA knows nothing of it. */
struct running {
	bool begun;
	psa_status_t status;
	psa_hash_operation_t operation;
};

BUILD_ASSERT(sizeof(struct running) <= sizeof(struct mender_hash) && _Alignof(struct running) <= _Alignof(struct mender_hash),
	     "PSA keeps more of a running hash than the client has room for: set CONFIG_MENDER_MCU_SHA256_PSA=n");

static struct running *of(struct mender_hash *hash)
{
	return (struct running *)hash;
}

static void begin(struct running *running)
{
	if (!running->begun) {
		*running = (struct running){.begun = true, .operation = psa_hash_operation_init()};
		running->status = psa_hash_setup(&running->operation, PSA_ALG_SHA_256);
	}
}

void mender_port_hash_restart(struct mender_hash *hash)
{
	struct running *running = of(hash);

	if (running->begun) {
		(void)psa_hash_abort(&running->operation);
	}
	*running = (struct running){0};
}

void mender_port_hash_update(struct mender_hash *hash, const uint8_t *data, uint32_t len)
{
	struct running *running = of(hash);

	begin(running);
	if (running->status == PSA_SUCCESS) {
		running->status = psa_hash_update(&running->operation, data, len);
	}
}

int32_t mender_port_hash_finish(struct mender_hash *hash, uint8_t *digest)
{
	struct running *running = of(hash);
	psa_status_t status;
	size_t len;

	begin(running);
	status = running->status;
	if (status == PSA_SUCCESS) {
		status = psa_hash_finish(&running->operation, digest, 32, &len);
	}
	if (status != PSA_SUCCESS) {
		LOG_ERR("PSA cannot hash: %d", status);
	}
	mender_port_hash_restart(hash);
	return status;
}
