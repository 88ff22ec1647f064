/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SERVER_H_
#define TEST_SERVER_H_

#include <stdbool.h>
#include <stdint.h>

/** A Mender server and its artifact store, both over TLS. What a test sets, and what it looks at afterwards. */
struct server {
	/** A deployment is offered until its end is reported. */
	bool offers;
	/** Where the artifact is; empty: in the store. */
	char artifact_url[96];
	/** The store redirects to here; empty: it has the artifact. */
	char redirect[96];
	/** The store hangs up after so many bytes of the first download; 0: it does not. */
	uint32_t cut_at;
	/** Offset of a byte of the artifact that is changed on the way; 0: none is. */
	uint32_t damaged_at;

	uint32_t authentications;
	uint32_t checks;
	uint32_t downloads;
	/** The last download asked for this range; empty: for all. */
	char range[48];
	/** What the device reported, in order. */
	char statuses[192];
	char authentication[1024];
	/** Body of the last question for a deployment. */
	char question[512];
	char inventory[1024];
	char log[1024];
};

extern struct server server;

/** Starts both; `url` becomes the Mender server's. */
void server_start(char *url, uint32_t size);
void server_stop(void);

#endif
