/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SERVER_H_
#define TEST_SERVER_H_

#include <stdbool.h>
#include <stdint.h>

/** What the Mender server of the test was asked, and what it answers. One request for each connection. */
struct server {
	uint32_t authentications;
	uint32_t checks;
	uint32_t inventories;
	/** There is a deployment whose artifact comes slowly and never ends. */
	bool offers;
	bool downloading;
	bool failure_reported;
	/** Reports of failure come to nothing. */
	bool deaf;
	/** Body of the last log and of the last authentication. */
	char log[1024];
	char authentication[1024];
};

extern struct server server;

/** Begins anew. Returns the URL. */
const char *server_start(void);
void server_stop(void);

#endif
