/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a test and the programs that run have in common: a page of memory that is in the same file as the flash.
 * tests/qemu/machine.py has the same places.
 */
#ifndef CUT_FLASH_H_
#define CUT_FLASH_H_

#include <stdint.h>

#define CUT_CONTROL_ADDRESS 0x21F00000
#define CUT_LOG_ADDRESS     0x21F10000
#define CUT_LOG_MAX         0xF000

/* How much of the operation is done at which the power fails. */
enum cut_tear {
	CUT_NOTHING,
	CUT_HALF,
	CUT_ALL,
	/* Of an erase, all but the last bytes of the page, which are the magic of a trailer. */
	CUT_BUT_MAGIC,
};

struct cut_control {
	/* Flash operations so far, of all programs. */
	uint32_t count;
	/* The power fails in the operation of this number. 0: in none. */
	uint32_t cut_at;
	/* One of enum cut_tear. */
	uint32_t tear;
	/* 1: the power failed. */
	uint32_t was_cut;
	/* Programs of what was programmed already, which are refused. */
	uint32_t refused;
	/* Each operation takes this long, in us. */
	uint32_t slow_us;
	/* The application's own: the server's port. */
	uint32_t port;
	/* One of enum trial in the application. */
	uint32_t trial;
	/* How long the watchdog waits, in ms. */
	uint32_t watchdog_ms;
	/* Until when a new image must be committed, in ms. */
	uint32_t commit_deadline_ms;
	/* How many records of no use the application writes at its start, before it clears this. */
	uint32_t fill;
	/* How often the application started, and the major version of the last one that did. */
	uint32_t starts;
	uint32_t version;
};

/* An operation that was done or begun. */
struct cut_entry {
	uint32_t offset;
	uint32_t len;
	/* 'W': program, 'E': erase. */
	uint8_t kind;
	/* 'B': MCUboot, 'A': the application. */
	uint8_t by;
	uint8_t reserved[6];
};

#define CUT_CONTROL ((volatile struct cut_control *)CUT_CONTROL_ADDRESS)
#define CUT_LOG     ((volatile struct cut_entry *)CUT_LOG_ADDRESS)

#endif
