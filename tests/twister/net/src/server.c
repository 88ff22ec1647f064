/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zephyr/ztest.h>

#include "fixtures.h"
#include "peer.h"

#define ID          "0a1b2c3d-0001-4000-8000-000000000001"
#define DEPLOYMENTS "/api/devices/v1/deployments/device/deployments/" ID

struct server server;
PEER_DEFINE(api);
PEER_DEFINE(store);

struct request {
	char head[2048];
	char body[2048];
};

/* False: the connection is over. */
static bool read_request(struct peer *peer, int socket, struct request *request)
{
	uint32_t len = 0;
	const char *length;

	do {
		if (len + 1 >= sizeof(request->head) || !peer_read_all(peer, socket, request->head + len, 1)) {
			return false;
		}
		request->head[++len] = '\0';
	} while (len < 4 || strcmp(request->head + len - 4, "\r\n\r\n") != 0);
	length = strstr(request->head, "Content-Length: ");
	len = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
	zassert_true(len < sizeof(request->body), "%u", len);
	request->body[len] = '\0';
	return peer_read_all(peer, socket, request->body, len);
}

static bool reply(int socket, const char *status, const char *body)
{
	char head[256];
	const int len = snprintf(head, sizeof(head),
				 "HTTP/1.1 %s\r\nDate: Tue, 01 Jun 2027 12:00:00 GMT\r\nContent-Length: %u\r\n\r\n", status,
				 (uint32_t)strlen(body));

	return peer_send(socket, head, len) && peer_send(socket, body, strlen(body));
}

static void keep(char *to, uint32_t size, const char *text)
{
	snprintf(to, size, "%s", text);
}

static bool offer(int socket)
{
	char url[96];
	char text[512];

	server.checks++;
	if (!server.offers) {
		return reply(socket, "204 No Content", "");
	}
	snprintf(url, sizeof(url), "https://localhost:%u/artifact", store.port);
	snprintf(text, sizeof(text),
		 "{\"id\":\"" ID "\",\"artifact\":{\"artifact_name\":\"release-2\",\"source\":{\"uri\":\"%s\"},"
		 "\"device_types_compatible\":[\"test-device\"]}}",
		 server.artifact_url[0] != '\0' ? server.artifact_url : url);
	return reply(socket, "200 OK", text);
}

static bool take_status(int socket, const char *body)
{
	const uint32_t len = strlen(server.statuses);
	const char *word = strstr(body, "\"status\":\"");

	zassert_not_null(word, "%s", body);
	word += 10;
	snprintf(server.statuses + len, sizeof(server.statuses) - len, "%s%.*s", len > 0 ? " " : "",
		 (int)strcspn(word, "\""), word);
	if (strncmp(word, "success", 7) == 0 || strncmp(word, "failure", 7) == 0) {
		server.offers = false;
	}
	return reply(socket, "204 No Content", "");
}

static bool answer(int socket, const struct request *request)
{
	static const char token[] = "eyJhbGciOiJSUzI1NiJ9.eyJqdGkiOiIxIn0.c2lnbmF0dXJl";
	const char *head = request->head;

	if (strstr(head, "/authentication/auth_requests ") != NULL) {
		server.authentications++;
		keep(server.authentication, sizeof(server.authentication), request->body);
		return reply(socket, "200 OK", token);
	}
	zassert_not_null(strstr(head, token), "%s", head);
	if (strstr(head, "/deployments/next") != NULL) {
		keep(server.question, sizeof(server.question), request->body);
		return offer(socket);
	}
	if (strstr(head, "PUT " DEPLOYMENTS "/status ") != NULL) {
		return take_status(socket, request->body);
	}
	if (strstr(head, "PUT " DEPLOYMENTS "/log ") != NULL) {
		keep(server.log, sizeof(server.log), request->body);
		return reply(socket, "204 No Content", "");
	}
	if (strstr(head, "/inventory/device/attributes ") != NULL) {
		keep(server.inventory, sizeof(server.inventory), request->body);
		return reply(socket, "200 OK", "");
	}
	return reply(socket, "404 Not Found", "");
}

static void serve_api(struct peer *peer, int socket)
{
	static struct request request;

	while (read_request(peer, socket, &request) && answer(socket, &request)) {
	}
}

static bool send_artifact(int socket, uint32_t from)
{
	char head[256];
	uint32_t end = artifact_len;
	int len;

	len = snprintf(head, sizeof(head),
		       "HTTP/1.1 %s\r\nETag: \"1\"\r\nContent-Length: %u\r\nContent-Range: bytes %u-%u/%u\r\n\r\n",
		       from == 0 ? "200 OK" : "206 Partial Content", artifact_len - from, from, artifact_len - 1,
		       artifact_len);
	if (server.cut_at != 0 && server.downloads == 1) {
		end = server.cut_at;
	}
	if (!peer_send(socket, head, len)) {
		return false;
	}
	for (uint32_t offset = from; offset < end;) {
		uint8_t bytes[1000];
		const uint32_t some = MIN(sizeof(bytes), end - offset);

		memcpy(bytes, artifact + offset, some);
		if (server.damaged_at >= offset && server.damaged_at - offset < some && server.damaged_at != 0) {
			bytes[server.damaged_at - offset] ^= 1;
		}
		if (!peer_send(socket, bytes, some)) {
			return false;
		}
		offset += some;
	}
	return end == artifact_len;
}

static void serve_store(struct peer *peer, int socket)
{
	static struct request request;
	char head[256];

	while (read_request(peer, socket, &request)) {
		const char *range = strstr(request.head, "Range: bytes=");

		zassert_is_null(strstr(request.head, "Authorization"), "the store gets no token");
		server.downloads++;
		server.range[0] = '\0';
		if (range != NULL) {
			snprintf(server.range, sizeof(server.range), "%.*s", (int)strcspn(range + 13, "\r"), range + 13);
		}
		if (server.redirect[0] != '\0') {
			const int len = snprintf(head, sizeof(head),
						 "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
						 server.redirect);

			(void)peer_send(socket, head, len);
		} else if (!send_artifact(socket, range != NULL ? strtoul(range + 13, NULL, 10) : 0)) {
			return;
		}
	}
}

void server_start(char *url, uint32_t size)
{
	memset(&server, 0, sizeof(server));
	peer_start(&api, AF_INET, TAG_API, serve_api);
	peer_start(&store, AF_INET, TAG_STORAGE, serve_store);
	snprintf(url, size, "https://localhost:%u", api.port);
}

void server_stop(void)
{
	peer_stop(&api);
	peer_stop(&store);
}
