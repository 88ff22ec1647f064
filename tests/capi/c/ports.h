/* SPDX-License-Identifier: Apache-2.0 */
/* A device in memory: everything `mender_port.h` asks for. */
#ifndef PORTS_H_
#define PORTS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mender_mcu.h>
#include <mender_port.h>

#define SLOT_SIZE (128 * 1024)
#define RECORDS 3
#define RECORD_SIZE 2048

struct platform {
	/* Time: `mender_port_clock_wait` makes it pass. */
	uint64_t now_ms;
	/* How often a wait ended early. */
	int woken;
	/* Connecting takes some real milliseconds. */
	bool open_blocks;
	/* A port's answer in place of doing the work; 0: does the work. */
	int32_t open_fails;
	int32_t storage_open_fails;
	int32_t identity_fails;
	int32_t record_write_fails;
	int32_t sign_fails;
	/* The port of that name says that it took, or gave, more than there is room for. */
	const char *lies;
	/* How often a connection to the storage was asked for. */
	int storage_opens;
	/* Called by the port that closes a stream. */
	void (*on_close)(void);
	/* Artifact verification keys, and what checking a signature under one says. */
	int keys;
	int32_t verified;
	/* Sends and receives do this many bytes at most, and every third of them nothing. */
	size_t bytes_max;
	/* Where the identity comes from: pairs that `mender_pairs_add` refuses. */
	bool identity_bad;
	/* What the defaults are; the buffers are on the heap, exactly of that size. */
	struct mender_config defaults;
	/* MCUboot. */
	bool reboot_asked;
	int32_t reset_cause;
	bool swap_asked;
	bool confirmed;
	uint8_t running_hash[32];
	uint8_t other_hash[32];
	uint8_t slot[SLOT_SIZE];
	uint32_t slot_len;
	/* Log lines with a warning or an error since the start, and the last line. */
	int troubles;
	char line[160];
	bool print_log;
	/* Records and the key survive a restart. */
	uint8_t records[RECORDS][RECORD_SIZE];
	int32_t record_len[RECORDS];
	bool key;
	bool open[RECORDS];
};

extern struct platform platform;

/* A factory-new device. */
void platform_new(void);
/* Gives the defaults' buffers back: who still uses them is found out by the sanitizer. */
void platform_free_buffers(void);
/* Buffers for the defaults. */
void platform_lend_buffers(void);
/* What a reset does: MCUboot swaps or reverts. The client must have been ended. */
void platform_reset(void);
/* Polls until the client wants to wait for longer than `ms`, or the restart is asked for. */
void platform_run(uint32_t ms);
/* Runs until nothing is left to do, through every restart; after each, `begin` starts the client. */
void platform_run_through(void (*begin)(void));

#endif
