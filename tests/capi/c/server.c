/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mender_port.h>

#define ID "0a1b2c3d-0001-4000-8000-000000000001"

struct connection {
	char request[8192];
	size_t request_len;
	char head[1024];
	size_t head_len;
	const uint8_t *body;
	size_t body_len;
	/* The connection ends with the reply. */
	bool last;
};

struct server server;
static struct connection connections[SERVER_CHANNELS];

void server_open(int32_t channel)
{
	memset(&connections[channel], 0, sizeof(connections[channel]));
}

static void reply(struct connection *c, const char *status, const void *body, size_t len)
{
	char length[40];
	int written;

	c->last = server.until_close && len > 0;
	snprintf(length, sizeof(length), "Content-Length: %zu\r\n", len);
	written = snprintf(c->head, sizeof(c->head), "HTTP/1.1 %s\r\n%s\r\n", status,
			   c->last ? "" : length);
	CHECK(written > 0 && (size_t)written < sizeof(c->head));
	c->head_len = (size_t)written;
	c->body = body;
	c->body_len = len;
}

static void keep(char *to, size_t size, const char *body)
{
	CHECK(strlen(body) < size);
	strcpy(to, body);
}

static void offer(struct connection *c)
{
	static const char text[] =
		"{\"id\":\"" ID "\",\"artifact\":{\"artifact_name\":\"release-2\","
		"\"source\":{\"uri\":\"https://store.example.com/artifact?sig=1\"},"
		"\"device_types_compatible\":[\"test-device\"]}}";

	server.checks++;
	if (server.artifact == NULL) {
		reply(c, "204 No Content", NULL, 0);
	} else {
		reply(c, "200 OK", text, sizeof(text) - 1);
	}
}

static void take_status(struct connection *c, const char *body)
{
	char word[40];
	size_t len = strlen(server.statuses);

	CHECK(sscanf(body, "{\"status\":\"%39[a-z_]\"", word) == 1);
	snprintf(server.statuses + len, sizeof(server.statuses) - len, "%s%s", len > 0 ? " " : "", word);
	if (strcmp(word, "success") == 0 || strcmp(word, "failure") == 0) {
		server.artifact = NULL;
	}
	reply(c, "204 No Content", NULL, 0);
}

static void answer(struct connection *c, const char *body)
{
	static const char token[] = "eyJhbGciOiJSUzI1NiJ9.eyJqdGkiOiIxIn0.c2lnbmF0dXJl";
	const char *line = c->request;

	if (strncmp(line, "POST /api/devices/v1/authentication/auth_requests ", 50) == 0) {
		server.authentications++;
		keep(server.authentication, sizeof(server.authentication), body);
		if (server.authentication_status == 401) {
			reply(c, "401 Unauthorized", NULL, 0);
		} else {
			reply(c, "200 OK", token, sizeof(token) - 1);
		}
		return;
	}
	CHECK(strstr(line, "Authorization: Bearer ") != NULL || c == &connections[MENDER_CHANNEL_STORAGE]);
	if (strstr(line, "/deployments/device/deployments/next") != NULL) {
		offer(c);
	} else if (strncmp(line, "PUT /api/devices/v1/deployments/device/deployments/" ID "/status ", 95) == 0) {
		take_status(c, body);
	} else if (strncmp(line, "PUT /api/devices/v1/deployments/device/deployments/" ID "/log ", 92) == 0) {
		server.logs++;
		keep(server.log, sizeof(server.log), body);
		reply(c, "204 No Content", NULL, 0);
	} else if (strstr(line, "/api/devices/v1/inventory/device/attributes") != NULL) {
		server.inventories++;
		keep(server.inventory, sizeof(server.inventory), body);
		reply(c, "200 OK", NULL, 0);
	} else if (strncmp(line, "GET /artifact?sig=1 ", 20) == 0 && server.artifact != NULL) {
		server.downloads++;
		reply(c, "200 OK", server.artifact, server.artifact_len);
	} else {
		fprintf(stderr, "no answer to %s\n", line);
		exit(1);
	}
}

void server_take(int32_t channel, const uint8_t *data, size_t len)
{
	struct connection *c = &connections[channel];
	char *end;
	const char *length;
	size_t body_len = 0;

	CHECK(len < sizeof(c->request) - c->request_len);
	memcpy(c->request + c->request_len, data, len);
	c->request_len += len;
	c->request[c->request_len] = '\0';
	end = strstr(c->request, "\r\n\r\n");
	if (end == NULL) {
		return;
	}
	end += 4;
	length = strstr(c->request, "Content-Length: ");
	if (length != NULL && length < end) {
		body_len = strtoul(length + 16, NULL, 10);
	}
	if (c->request_len < (size_t)(end - c->request) + body_len) {
		return;
	}
	CHECK_INT(c->request_len, (size_t)(end - c->request) + body_len);
	answer(c, end);
	c->request_len = 0;
}

size_t server_give(int32_t channel, uint8_t *buf, size_t size, bool *ended)
{
	struct connection *c = &connections[channel];
	size_t len;

	*ended = c->last && c->head_len == 0 && c->body_len == 0;
	if (c->head_len > 0) {
		len = c->head_len < size ? c->head_len : size;
		memcpy(buf, c->head, len);
		c->head_len -= len;
		memmove(c->head, c->head + len, c->head_len);
		return len;
	}
	len = c->body_len < size ? c->body_len : size;
	if (len > 0) {
		memcpy(buf, c->body, len);
		c->body += len;
		c->body_len -= len;
	}
	return len;
}
