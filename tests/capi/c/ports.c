/* SPDX-License-Identifier: Apache-2.0 */
#include "ports.h"
#include "check.h"
#include "server.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

struct platform platform;

static bool lies(const char *port)
{
	return platform.lies != NULL && strcmp(platform.lies, port) == 0;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t wake_lock = PTHREAD_MUTEX_INITIALIZER;
static bool wake;

void platform_lend_buffers(void)
{
	struct mender_buffers *b = &platform.defaults.buffers;

	b->io = malloc(MENDER_IO_BUFFER_MIN);
	b->io_len = MENDER_IO_BUFFER_MIN;
	b->token = malloc(MENDER_TOKEN_BUFFER);
	b->token_len = MENDER_TOKEN_BUFFER;
	b->uri = malloc(MENDER_URI_BUFFER);
	b->uri_len = MENDER_URI_BUFFER;
	CHECK(b->io != NULL && b->token != NULL && b->uri != NULL);
	memset(b->io, 0, b->io_len);
	memset(b->token, 0, b->token_len);
	memset(b->uri, 0, b->uri_len);
}

void platform_free_buffers(void)
{
	struct mender_buffers *b = &platform.defaults.buffers;

	free(b->io);
	free(b->token);
	free(b->uri);
	memset(b, 0, sizeof(*b));
}

void platform_new(void)
{
	bool print_log = platform.print_log;

	platform_free_buffers();
	memset(&platform, 0, sizeof(platform));
	memset(&server, 0, sizeof(server));
	platform.print_log = print_log;
	platform.bytes_max = 700;
	platform.confirmed = true;
	memset(platform.running_hash, 1, sizeof(platform.running_hash));
	for (int n = 0; n < RECORDS; n++) {
		platform.record_len[n] = -ENOENT;
	}
	platform.defaults.server_url = "https://mender.example.com";
	platform.defaults.device_type = "test-device";
	platform.defaults.artifact_name = "release-1";
	platform.defaults.first_check_max_ms = 1;
	platform_lend_buffers();
}

void platform_reset(void)
{
	uint8_t hash[32];

	if (platform.swap_asked || !platform.confirmed) {
		memcpy(hash, platform.running_hash, sizeof(hash));
		memcpy(platform.running_hash, platform.other_hash, sizeof(hash));
		memcpy(platform.other_hash, hash, sizeof(hash));
		platform.confirmed = !platform.swap_asked;
	}
	platform.swap_asked = false;
	platform.reboot_asked = false;
	platform.now_ms = 0;
	for (int n = 0; n < SERVER_CHANNELS; n++) {
		CHECK(!platform.open[n]);
	}
}

void platform_run(uint32_t ms)
{
	for (int n = 0; n < 20000; n++) {
		uint32_t wait_ms = mender_client_poll();

		CHECK(wait_ms >= 1 && wait_ms <= MENDER_POLL_MAX_MS);
		if (wait_ms > ms || platform.reboot_asked) {
			return;
		}
		mender_client_wait(wait_ms);
	}
	CHECK(!"quiet at last");
}

void platform_run_through(void (*begin)(void))
{
	for (int boots = 0; boots < 5; boots++) {
		platform_run(60000);
		if (!platform.reboot_asked) {
			return;
		}
		CHECK_INT(mender_client_exit(), 0);
		platform_reset();
		begin();
	}
	CHECK(!"an end of the restarts");
}

/* ---- system */

void mender_port_defaults(struct mender_config *config)
{
	*config = platform.defaults;
}

uint32_t mender_port_lock(void)
{
	CHECK(pthread_mutex_lock(&lock) == 0);
	return 77;
}

void mender_port_unlock(uint32_t key)
{
	CHECK_INT(key, 77);
	CHECK(pthread_mutex_unlock(&lock) == 0);
}

int32_t mender_port_system_identity(struct mender_pairs *pairs)
{
	if (platform.identity_bad) {
		CHECK_INT(mender_pairs_add(pairs, "serial", NULL), MENDER_E_NULL_POINTER);
		CHECK_INT(mender_pairs_add(pairs, NULL, "1"), MENDER_E_NULL_POINTER);
		CHECK_INT(mender_pairs_add(pairs, "serial", "\xff"), MENDER_E_ARGUMENT);
		CHECK_INT(mender_pairs_add(NULL, "serial", "1"), MENDER_E_NULL_POINTER);
	}
	CHECK_INT(mender_pairs_add(pairs, "mac", "02:00:00:00:00:01"), 0);
	return platform.identity_fails;
}

int32_t mender_port_system_reset_cause(void)
{
	const int32_t cause = platform.reset_cause;

	platform.reset_cause = MENDER_RESET_UNKNOWN;
	return cause;
}

void mender_port_system_reboot(void)
{
	platform.reboot_asked = true;
}

/* ---- clock */

void mender_port_clock_wait(uint32_t ms)
{
	struct timespec moment = {0, 1000000};

	CHECK(pthread_mutex_lock(&wake_lock) == 0);
	if (wake) {
		platform.woken++;
	} else {
		platform.now_ms += ms;
	}
	wake = false;
	CHECK(pthread_mutex_unlock(&wake_lock) == 0);
	if (ms > 1000) {
		nanosleep(&moment, NULL);
	}
}

void mender_port_clock_wake(void)
{
	CHECK(pthread_mutex_lock(&wake_lock) == 0);
	wake = true;
	CHECK(pthread_mutex_unlock(&wake_lock) == 0);
}

uint64_t mender_port_clock_now_ms(void)
{
	return platform.now_ms;
}

uint64_t mender_port_clock_unix_ms(void)
{
	return 0;
}

void mender_port_log(int32_t level, int32_t event, int64_t a, int64_t b, const char *text,
		     size_t text_len)
{
	int32_t len = mender_event_format(platform.line, sizeof(platform.line), event, a, b, text, text_len);

	CHECK(len > 0 && strlen(platform.line) <= (size_t)len);
	CHECK(level >= MENDER_LEVEL_ERROR && level <= MENDER_LEVEL_DEBUG);
	platform.troubles += level <= MENDER_LEVEL_WARNING;
	if (platform.print_log) {
		printf("%8llu %d %s\n", (unsigned long long)platform.now_ms, (int)level, platform.line);
	}
}

/* ---- transport */

int32_t mender_port_transport_open(int32_t channel, const char *host, uint16_t port, bool tls)
{
	bool api = strcmp(host, "mender.example.com") == 0;

	CHECK(api == (channel == MENDER_CHANNEL_API));
	CHECK(api || strcmp(host, "store.example.com") == 0);
	CHECK(tls && port == 443);
	platform.open[channel] = false;
	if (platform.open_blocks) {
		struct timespec moment = {0, 5000000};

		nanosleep(&moment, NULL);
	}
	if (platform.open_fails != 0) {
		return platform.open_fails;
	}
	if (!api) {
		platform.storage_opens++;
		if (platform.storage_open_fails != 0) {
			return platform.storage_open_fails;
		}
	}
	platform.open[channel] = true;
	server_open(channel);
	return 0;
}

/* Every third time there is nothing to be done. */
static bool busy(void)
{
	static unsigned int count;

	return ++count % 3 == 0;
}

int32_t mender_port_transport_send(int32_t channel, const uint8_t *data, uint32_t len)
{
	CHECK(platform.open[channel] && len > 0);
	if (busy()) {
		return -EAGAIN;
	}
	len = len < platform.bytes_max ? len : (uint32_t)platform.bytes_max;
	if (lies("send")) {
		return (int32_t)len + 2000;
	}
	server_take(channel, data, len);
	return (int32_t)len;
}

int32_t mender_port_transport_receive(int32_t channel, uint8_t *buf, uint32_t size)
{
	bool ended = false;
	size_t len = 0;

	CHECK(platform.open[channel] && size > 0);
	if (lies("receive")) {
		return (int32_t)size + 1;
	}
	if (!busy()) {
		size = size < platform.bytes_max ? size : (uint32_t)platform.bytes_max;
		len = server_give(channel, buf, size, &ended);
	}
	return len > 0 || ended ? (int32_t)len : -EAGAIN;
}

void mender_port_transport_close(int32_t channel)
{
	platform.open[channel] = false;
	if (platform.on_close != NULL) {
		platform.on_close();
	}
}

/* ---- slot */

int32_t mender_port_slot_begin(uint32_t size)
{
	CHECK(platform.confirmed);
	if (size > SLOT_SIZE) {
		return -ENOSPC;
	}
	platform.swap_asked = false;
	platform.slot_len = 0;
	memset(platform.slot, 0xff, sizeof(platform.slot));
	return 0;
}

int32_t mender_port_slot_write(const uint8_t *data, uint32_t len)
{
	if (busy()) {
		return 0;
	}
	if (lies("slot")) {
		return (int32_t)len + 1;
	}
	len = len < 512 ? len : 512;
	CHECK(len <= SLOT_SIZE - platform.slot_len);
	memcpy(platform.slot + platform.slot_len, data, len);
	platform.slot_len += len;
	return (int32_t)len;
}

int32_t mender_port_slot_finish(void)
{
	return 0;
}

int32_t mender_port_slot_read(uint32_t offset, uint8_t *buf, uint32_t len)
{
	if (offset > platform.slot_len || len > platform.slot_len - offset) {
		return -EINVAL;
	}
	memcpy(buf, platform.slot + offset, len);
	return 0;
}

int32_t mender_port_slot_invalidate(void)
{
	if (platform.slot_len > 0) {
		platform.slot_len = 0;
		return -EAGAIN;
	}
	platform.swap_asked = false;
	return 0;
}

/* ---- boot */

int32_t mender_port_boot_running_hash(uint8_t *hash)
{
	memcpy(hash, platform.running_hash, 32);
	return 0;
}

int32_t mender_port_boot_is_confirmed(void)
{
	return platform.confirmed;
}

int32_t mender_port_boot_confirm(void)
{
	platform.confirmed = true;
	return 0;
}

int32_t mender_port_boot_request_swap(void)
{
	platform.swap_asked = true;
	return 0;
}

int32_t mender_port_boot_can_revert(void)
{
	return 1;
}

int32_t mender_port_boot_swap_state(void)
{
	return MENDER_SWAP_WHOLE;
}

/* ---- store */

int32_t mender_port_store_read(int32_t record, uint8_t *buf, uint32_t size)
{
	int32_t len = platform.record_len[record];

	if (lies("store")) {
		return (int32_t)size + 1;
	}
	if (len > (int32_t)size) {
		return -EMSGSIZE;
	}
	if (len > 0) {
		memcpy(buf, platform.records[record], (size_t)len);
	}
	return len;
}

int32_t mender_port_store_write(int32_t record, const uint8_t *data, uint32_t len)
{
	if (platform.record_write_fails != 0) {
		return platform.record_write_fails;
	}
	CHECK(len <= RECORD_SIZE);
	memcpy(platform.records[record], data, len);
	platform.record_len[record] = (int32_t)len;
	return 0;
}

/* ---- crypto: the server does not check what is signed */

int32_t mender_port_crypto_device_key(void)
{
	return platform.key;
}

int32_t mender_port_crypto_make_device_key(void)
{
	CHECK(!platform.key);
	platform.key = true;
	return 0;
}

int32_t mender_port_crypto_public_key(uint8_t *point)
{
	point[0] = 4;
	memset(point + 1, 0x5a, 64);
	return platform.key ? 0 : -ENOENT;
}

int32_t mender_port_crypto_sign(const uint8_t *hash, uint8_t *signature)
{
	memcpy(signature, hash, 32);
	memcpy(signature + 32, hash, 32);
	return platform.sign_fails;
}

int32_t mender_port_crypto_verification_key(uint32_t index)
{
	return index < (uint32_t)platform.keys ? MENDER_KEY_P256 : MENDER_KEY_NONE;
}

int32_t mender_port_crypto_verify(uint32_t index, const uint8_t *hash, const uint8_t *signature, uint32_t len)
{
	(void)hash;
	(void)signature;
	CHECK(index < (uint32_t)platform.keys && len == 64);
	return platform.verified;
}

uint32_t mender_port_crypto_random(void)
{
	static uint32_t state = 1;

	state = state * 1664525U + 1013904223U;
	return state;
}
