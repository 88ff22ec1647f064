/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Mender client for microcontrollers: what a platform defines.
 *
 * Every function must be defined, those of a running hash only where the library has the feature `port-sha256`. All but the lock,
 * `mender_port_defaults` and the clock's wait and wake are called one at a time: from `mender_client_poll`, `mender_client_confirm`
 * and `mender_client_public_key`, and at the end from `mender_client_exit`, or from the call that it came in upon. They return at
 * once, but for what their documentation says, and keep no pointer beyond the call. -errno is kept for the log, never interpreted, but for -EAGAIN, which is `MENDER_AGAIN`, and -ENOENT.
 *
 * Rust binds this header by bindgen (rust/zephyr-sys): integers of fixed width and pointers only, no enumerations.
 */

#ifndef MENDER_PORT_H_
#define MENDER_PORT_H_

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mender_mcu.h>

#if EAGAIN != -MENDER_AGAIN
#error "MENDER_AGAIN is not this platform's -EAGAIN"
#endif

/** Channel of a stream: the Mender server's device API. */
#define MENDER_CHANNEL_API 0

/** The artifact store. */
#define MENDER_CHANNEL_STORAGE 1

/** The Mender server's WebSocket. */
#define MENDER_CHANNEL_CONNECT 2

/** What the inactive slot says of the last swap: it holds a whole image, which ran and was reverted or was never tried. */
#define MENDER_SWAP_WHOLE 0

/** Its image header is gone: MCUboot refused the image. */
#define MENDER_SWAP_REFUSED 1

/** The platform cannot tell. */
#define MENDER_SWAP_UNKNOWN 2

/** Reset cause: the platform cannot tell. */
#define MENDER_RESET_UNKNOWN 0

/** The firmware asked for it. */
#define MENDER_RESET_SOFTWARE 1

/** The reset pin, or a debugger. */
#define MENDER_RESET_PIN 2

/** Power came, or came back. */
#define MENDER_RESET_POWER 3

/** The processor locked up, or memory, clock or temperature failed. */
#define MENDER_RESET_FAULT 4

/** A watchdog was not fed. */
#define MENDER_RESET_WATCHDOG 5

/** Artifact verification key: there is none of that index. */
#define MENDER_KEY_NONE 0

/** ECDSA on P-256; signatures are 64 bytes, r and s. */
#define MENDER_KEY_P256 1

/** RSA, PKCS#1 v1.5, 2048 to 4096 bits. */
#define MENDER_KEY_RSA 2

/** Bytes of `struct mender_hash`: what PSA keeps of a running hash with every algorithm that Mbed TLS has, and some. */
#define MENDER_HASH_SIZE 256

/** Record: one copy of the client's state. */
#define MENDER_RECORD_A 0

/** The other copy. */
#define MENDER_RECORD_B 1

/** The deployment log. */
#define MENDER_RECORD_LOG 2

#ifdef __cplusplus
extern "C" {
#endif

/** Fills in the platform's settings, buffers included; what it leaves alone is zero. Called by `mender_client_init`. */
void mender_port_defaults(struct mender_config *config);

/**
 * Keeps every other thread and interrupt that calls `mender_` functions out until `mender_port_unlock`: `irq_lock`, a spin lock,
 * or a mutex where no interrupt calls. Held for the copy of some 350 bytes at most, never nested, never over another port call.
 * @return what `mender_port_unlock` wants to have back.
 */
uint32_t mender_port_lock(void);

/** Ends `mender_port_lock`. */
void mender_port_unlock(uint32_t key);

/**
 * Sleeps for `ms`, until bytes come in on an open stream where the platform can wait for that, or until
 * `mender_port_clock_wake`, also if that came since the last wait.
 */
void mender_port_clock_wait(uint32_t ms);

/** Ends a wait, from any thread or interrupt that calls `mender_` functions. */
void mender_port_clock_wake(void);

/** @return milliseconds since boot; never goes back. */
uint64_t mender_port_clock_now_ms(void);

/** @return milliseconds since 1970 UTC by a clock that is trusted, or 0. */
uint64_t mender_port_clock_unix_ms(void);

/**
 * Connects a channel to `host`, a name or an address without brackets, which ends with NUL. With `tls` the handshake is done
 * and chain and host name are verified, or it fails. May block for a time the platform bounds. Closes what was open on the channel.
 * @retval 0 open. @retval MENDER_AGAIN there is no network yet, nothing was tried: it is called again after a second, or when
 * `mender_port_clock_wake` ends the wait, and no failure is counted. @retval <0 -errno: not open.
 */
int32_t mender_port_transport_open(int32_t channel, const char *host, uint16_t port, bool tls);

/**
 * Sends a prefix of the bytes without waiting. After 0 or `MENDER_AGAIN` the same bytes are offered again, as many, or the
 * stream is closed.
 * @return how many bytes were sent; 0 or `MENDER_AGAIN`: none now; else -errno: the stream is of no more use.
 */
int32_t mender_port_transport_send(int32_t channel, const uint8_t *data, uint32_t len);

/**
 * Receives what is there without waiting.
 * @return how many bytes lie at the start of `buf`; 0: the peer has ended the stream and all was delivered; `MENDER_AGAIN`:
 * nothing yet; else -errno: the stream is of no more use.
 */
int32_t mender_port_transport_receive(int32_t channel, uint8_t *buf, uint32_t size);

/** Closes the channel's stream, if one is open. */
void mender_port_transport_close(int32_t channel);

/**
 * Gets the inactive slot ready for an image; a swap that was asked for is off. May erase two pages.
 * @retval 0 ready. @retval <0 -errno: for instance -ENOSPC, MCUboot could not swap an image of that size.
 */
int32_t mender_port_slot_begin(uint32_t size);

/**
 * Appends a prefix of the bytes. At most one page erase per call.
 * @return how many bytes were taken; 0 or `MENDER_AGAIN`: none now, call again; else -errno: the slot is dead until the next begin.
 */
int32_t mender_port_slot_write(const uint8_t *data, uint32_t len);

/**
 * Writes what was kept back. From now on `mender_port_slot_read` sees every byte.
 * @retval 0 written. @retval <0 -errno.
 */
int32_t mender_port_slot_finish(void);

/**
 * Reads back exactly `len` bytes at `offset` of the image.
 * @retval 0 all read. @retval <0 -errno.
 */
int32_t mender_port_slot_read(uint32_t offset, uint8_t *buf, uint32_t len);

/**
 * Makes MCUboot ignore the slot. At most one page erase per call.
 * @retval 0 done. @retval MENDER_AGAIN call again. @retval <0 -errno.
 */
int32_t mender_port_slot_invalidate(void);

/**
 * The SHA-256 TLV of the running image.
 * @param hash 32 bytes. @retval 0 filled in. @retval <0 -errno.
 */
int32_t mender_port_boot_running_hash(uint8_t *hash);

/**
 * @retval 1 the running image will still run after a reset, also on an untouched factory flash and in overwrite-only mode.
 * @retval 0 it will not. @retval <0 -errno.
 */
int32_t mender_port_boot_is_confirmed(void);

/**
 * Makes the running image stay. Doing it again does no harm.
 * @retval 0 it stays. @retval <0 -errno.
 */
int32_t mender_port_boot_confirm(void);

/**
 * Asks for a test swap at the next reset.
 * @retval 0 it will be tried. @retval <0 -errno: it may or may not.
 */
int32_t mender_port_boot_request_swap(void);

/** @retval 1 MCUboot can go back to the old image. @retval 0 it cannot (overwrite-only mode). */
int32_t mender_port_boot_can_revert(void);

/** @return one of `MENDER_SWAP_…`. */
int32_t mender_port_boot_swap_state(void);

/**
 * Reads a record whole.
 * @return its length; -ENOENT: it was never written; else -errno, also when it is longer than `size`.
 */
int32_t mender_port_store_read(int32_t record, uint8_t *buf, uint32_t size);

/**
 * Writes a record. When it returns 0, the record outlives a power cut.
 * @retval 0 written. @retval <0 -errno: this record, and no other, may be old, new, torn or absent.
 */
int32_t mender_port_store_write(int32_t record, const uint8_t *data, uint32_t len);

/**
 * @retval 1 the device key can be used. @retval 0 the key store was read, and there is none.
 * @retval <0 -errno: a key may well be there.
 */
int32_t mender_port_crypto_device_key(void);

/**
 * Makes the device key, ECDSA on P-256, and keeps it.
 * @retval 0 made. @retval <0 -errno.
 */
int32_t mender_port_crypto_make_device_key(void);

/**
 * The public device key.
 * @param point 65 bytes: 4, x, y. @retval 0 filled in. @retval <0 -errno.
 */
int32_t mender_port_crypto_public_key(uint8_t *point);

/**
 * Signs a hash with the device key.
 * @param hash 32 bytes. @param signature 64 bytes: r, s. @retval 0 filled in. @retval <0 -errno.
 */
int32_t mender_port_crypto_sign(const uint8_t *hash, uint8_t *signature);

/**
 * Kind of an artifact verification key; they are numbered from 0 without gaps. With none, signatures are not asked for.
 * @return one of `MENDER_KEY_…`.
 */
int32_t mender_port_crypto_verification_key(uint32_t index);

/**
 * Checks a signature under a verification key.
 * @param hash 32 bytes. @retval 1 good. @retval 0 bad. @retval <0 -errno: counts as bad.
 */
int32_t mender_port_crypto_verify(uint32_t index, const uint8_t *hash, const uint8_t *signature, uint32_t len);

/** A running SHA-256, as the platform keeps it. All zero, nothing was added to it yet. */
struct mender_hash {
	uint64_t opaque[MENDER_HASH_SIZE / 8];
};

/** Empties a hash, and gives back what the platform holds for it. */
void mender_port_hash_restart(struct mender_hash *hash);

/** Adds bytes. What goes wrong is told by `mender_port_hash_finish`. */
void mender_port_hash_update(struct mender_hash *hash, const uint8_t *data, uint32_t len);

/**
 * The hash of all that was added; it is empty afterwards.
 * @param digest 32 bytes. @retval 0 filled in. @retval <0 -errno: what was hashed counts as wrong.
 */
int32_t mender_port_hash_finish(struct mender_hash *hash, uint8_t *digest);

/** @return a random number for jitter; it need not be fit for keys. */
uint32_t mender_port_crypto_random(void);

/**
 * One event for the device log; `mender_event_format` makes its text.
 * @param level one of `MENDER_LEVEL_…`. @param text `text_len` bytes without NUL, good for the call only.
 */
void mender_port_log(int32_t level, int32_t event, int64_t a, int64_t b, const char *text, size_t text_len);

/**
 * Gives the identity, for instance `mac`, to `mender_pairs_add`. Called where the application has no callback for it.
 * @retval 0 given. @retval <0 -errno: not known now.
 */
int32_t mender_port_system_identity(struct mender_pairs *pairs);

/**
 * Why the device started, and forgets it: the next start has a cause of its own. Of several causes the gravest: watchdog,
 * fault, power, software, pin. Called once after each `mender_client_activate`; goes into the log of a deployment whose image fell back.
 * @return one of `MENDER_RESET_…`.
 */
int32_t mender_port_system_reset_cause(void);

/** Restarts the device. Where it returns, the client waits 60 s for the restart; then the update fails and is undone. Called where the application has no callback for it. */
void mender_port_system_reboot(void);

#ifdef __cplusplus
}
#endif

#endif /* MENDER_PORT_H_ */
