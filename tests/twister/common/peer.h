/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_PEER_H_
#define TEST_PEER_H_

#include <stdbool.h>
#include <stdint.h>
#include <zephyr/kernel.h>
#include <zephyr/net/socket.h>

/** A server of the test on the loopback interface, in a thread of its own. One connection at a time. */
struct peer {
	/** AF_INET or AF_INET6. */
	int family;
	/** Where it listens: a new number at each start. */
	uint16_t port;
	/** Credential tag of its certificate and key; 0: plain TCP. */
	int tag;
	/** Credential tag of the authority that it wants a client's certificate of; 0: it does not ask for one. */
	int client_tag;
	/** Talks on a connection until it is over; the peer closes it. NULL: takes what comes until the other end is through. */
	void (*serve)(struct peer *peer, int socket);
	/** Given by the test when the peer may go on. */
	struct k_sem go;

	/** Connections so far; those whose handshake failed, too. */
	uint32_t connections;
	/** Bytes it has read so far, and the first of them. */
	uint32_t received;
	uint8_t first[512];

	struct k_thread thread;
	k_thread_stack_t *stack;
	struct k_sem ready;
	bool stopped;
};

#define PEER_STACK_SIZE 16384

#define PEER_DEFINE(name)                                                                                              \
	static K_THREAD_STACK_DEFINE(name##_stack, PEER_STACK_SIZE);                                                   \
	static struct peer name = {.stack = name##_stack}

/** Gives the loopback interface addresses that look as if they reached beyond it, as the transport wants to see. */
void peer_network_up(void);

/** Takes them away. What listens goes on to. */
void peer_network_down(void);

/** Listens; connections are served until peer_stop(). `tag` as in the structure. */
void peer_start(struct peer *peer, int family, int tag, void (*serve)(struct peer *peer, int socket));

/** As peer_start(), and the client must show a certificate of the authority under `client_tag`. */
void peer_start_mutual(struct peer *peer, int tag, int client_tag);

void peer_stop(struct peer *peer);

/** Reads up to `size` bytes as soon as there are some. 0: the other end is through, or the peer is stopped. */
uint32_t peer_read(struct peer *peer, int socket, void *buf, uint32_t size);

/** Reads exactly `len` bytes; false: there were fewer. */
bool peer_read_all(struct peer *peer, int socket, void *buf, uint32_t len);

/** Sends all; false: the connection is over. */
bool peer_send(int socket, const void *data, uint32_t len);

#endif
