/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FIXTURES_H_
#define TEST_FIXTURES_H_

#include <stdint.h>

/** Credential tags of the servers: signed by the API's authority, by the store's, for another host, by a stranger. */
enum {
	TAG_API = 1,
	TAG_STORAGE,
	TAG_ELSEWHERE,
	TAG_UNTRUSTED,
};

/** Registers them, and brings the network up; once. */
void fixtures_begin(void);

/** An artifact with an image for the slot, signed. */
extern const uint8_t artifact[];
extern const uint32_t artifact_len;

#endif
