/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

/* A Tuesday; the device has no other clock. */
#define SERVER_DATE "Date: Tue, 01 Jun 2027 12:00:00 GMT\r\n"

#define ID "0a1b2c3d-0001-4000-8000-000000000001"

PEER_DEFINE(peer);

struct server server;

static char url[40];
static char request[4096];

/* A request whole, with its body; the body, or NULL where the other end is through. */
static const char *take(struct peer *self, int socket)
{
	uint32_t len = 0;

	while (len < sizeof(request) - 1) {
		const uint32_t more = peer_read(self, socket, request + len, sizeof(request) - 1 - len);
		const char *length;
		const char *body;

		if (more == 0) {
			return NULL;
		}
		len += more;
		request[len] = '\0';
		body = strstr(request, "\r\n\r\n");
		length = strstr(request, "Content-Length: ");
		if (body == NULL) {
			continue;
		}
		body += 4;
		if (length == NULL || strlen(body) >= strtoul(length + 16, NULL, 10)) {
			return body;
		}
	}
	return NULL;
}

static void reply(int socket, const char *status, const char *body)
{
	static char text[1024];
	const int len = snprintf(text, sizeof(text), "HTTP/1.1 %s\r\n" SERVER_DATE "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
				 status, strlen(body), body);

	(void)peer_send(socket, text, len);
}

static void offer(int socket)
{
	static char body[512];

	server.checks++;
	if (!server.offers) {
		reply(socket, "204 No Content", "");
		return;
	}
	snprintf(body, sizeof(body),
		 "{\"id\":\"" ID "\",\"artifact\":{\"artifact_name\":\"release-2\",\"source\":{\"uri\":\"%s/artifact\"},"
		 "\"device_types_compatible\":[\"test-device\"]}}",
		 url);
	reply(socket, "200 OK", body);
}

static void download(struct peer *self, int socket)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n";
	uint8_t byte;

	(void)peer_send(socket, head, sizeof(head) - 1);
	server.downloading = true;
	/* Nothing more comes until the client gives up. */
	(void)peer_read(self, socket, &byte, 1);
}

static void serve(struct peer *self, int socket)
{
	const char *body = take(self, socket);

	if (body == NULL) {
		return;
	}
	if (strstr(request, "/auth_requests ") != NULL) {
		server.authentications++;
		strncpy(server.authentication, body, sizeof(server.authentication) - 1);
		reply(socket, "200 OK", "eyJhbGciOiJSUzI1NiJ9.eyJqdGkiOiIxIn0.c2lnbmF0dXJl");
	} else if (strstr(request, "/deployments/next ") != NULL) {
		offer(socket);
	} else if (strstr(request, "/attributes ") != NULL) {
		server.inventories++;
		reply(socket, "200 OK", "");
	} else if (strncmp(request, "GET /artifact ", 14) == 0) {
		download(self, socket);
	} else {
		if (strstr(request, "/log ") != NULL) {
			strncpy(server.log, body, sizeof(server.log) - 1);
		} else if (strstr(body, "failure") != NULL && server.deaf) {
			reply(socket, "503 Service Unavailable", "");
			return;
		} else if (strstr(body, "failure") != NULL) {
			server.failure_reported = true;
			server.offers = false;
		}
		reply(socket, "204 No Content", "");
	}
}

const char *server_start(void)
{
	memset(&server, 0, sizeof(server));
	peer_start(&peer, AF_INET, 0, serve);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", peer.port);
	return url;
}

void server_stop(void)
{
	peer_stop(&peer);
}
