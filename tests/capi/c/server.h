/* SPDX-License-Identifier: Apache-2.0 */
/* A Mender server and an artifact store in memory, with one deployment at most. */
#ifndef SERVER_H_
#define SERVER_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERVER_CHANNELS 3

struct server {
	/* Requests by kind. */
	int authentications;
	int checks;
	int inventories;
	int logs;
	int downloads;
	/* Words of the status reports, in order, separated by spaces. */
	char statuses[512];
	/* Bodies of the last authentication, inventory and log. */
	char authentication[2048];
	char inventory[2048];
	char log[4096];
	/* Number of the HTTP status that authentications and checks are answered with; 0 is the usual one. */
	int authentication_status;
	/* Replies have no length: they end with the connection. */
	bool until_close;
	/* The artifact on offer, until a final status is reported. NULL: none. */
	const uint8_t *artifact;
	size_t artifact_len;
};

extern struct server server;

/* A new connection on a channel. */
void server_open(int32_t channel);
/* Bytes from the device. */
void server_take(int32_t channel, const uint8_t *data, size_t len);
/* Bytes for the device; 0: none now. `*ended`: nor ever again on this connection. */
size_t server_give(int32_t channel, uint8_t *buf, size_t size, bool *ended);

#endif
