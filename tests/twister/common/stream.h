/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_STREAM_H_
#define TEST_STREAM_H_

#include <stdint.h>

#include "peer.h"

/** Length in bytes of what stream_send_pattern() sends and stream_read_late() checks: more than any window. */
#define STREAM_LEN 60000

/** What every test of the transport port receives into and sends from. */
extern uint8_t stream_buf[4096];

/** Bytes `offset` to `offset + len` of a text that does not repeat itself soon. */
void stream_fill(uint8_t *to, uint32_t offset, uint32_t len);

/** Receives up to `size` bytes into stream_buf as the client does, waiting between two looks. Returns what receive says in the end. */
int32_t stream_receive(int32_t channel, uint32_t size);

/** Receives the whole text, `size` bytes at a time, and then the end of the stream. */
void stream_receive_all(int32_t channel, uint32_t size);

/** Sends the whole text, `size` bytes at a time, to a peer that serves by stream_read_late(): it is held back, and nothing is lost. */
void stream_send_all(int32_t channel, uint32_t size, struct peer *peer);

/* What a peer may serve by. */
void stream_echo(struct peer *peer, int socket);
void stream_send_pattern(struct peer *peer, int socket);
/** Reads when the test says go, and finds the text. */
void stream_read_late(struct peer *peer, int socket);

#endif
