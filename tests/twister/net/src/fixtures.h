/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FIXTURES_H_
#define TEST_FIXTURES_H_

#include <stdint.h>

/** Credential tags of the servers: signed by the API's authorities, by the store's, for another host, by a stranger. */
enum {
	TAG_API = 1,
	TAG_STORAGE,
	TAG_ELSEWHERE,
	TAG_UNTRUSTED,
	TAG_API_2,
	/** The authority that servers know devices by. */
	TAG_CLIENT_CA,
};

/** A day of 2027, in seconds since 1970, when all certificates are good. */
#define GOOD_DAY 1800000000

/** Sets the wall clock, which certificates are looked at by. */
void fixtures_set_clock(int64_t unix_s);

/** Registers certificates, and brings the network up; once. */
void fixtures_begin(void);

/** Makes the device key, as an application with a secure element or a production line would have done. */
void fixtures_make_key(void);

/** Before each case, after ztest has put the clock back: it is the good day, and the device has a key of its own and no records. */
void fixtures_before(void *fixture);

/** An artifact with an image for the slot, signed. */
extern const uint8_t artifact[];
extern const uint32_t artifact_len;

#endif
