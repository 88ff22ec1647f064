/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_port.h>
#include <mender_settings.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/settings/settings.h>

#include "port_defaults.h"

LOG_MODULE_DECLARE(mender_mcu, CONFIG_MENDER_MCU_LOG_LEVEL);

#define SUBTREE "mender"

/* As Kconfig has them. */
#define INTERVAL_MIN_S 5
#define INTERVAL_MAX_S 2592000

#define INTERVAL_LEN_MAX (sizeof("2592000") - 1)

/* In bytes: the name as it is copied here, and the two together as the client's limits have it. */
#define IDENTITY_NAME_MAX 32
#define IDENTITY_MAX      254

struct values {
	struct mender_config config;
	/* `name=value`, or NULL. */
	const char *identity;
};

/* An interval passes through behind the texts, which stay. */
static char texts[CONFIG_MENDER_MCU_SETTINGS_BUFFER_SIZE + INTERVAL_LEN_MAX + 1];
static size_t texts_len;
static const char *identity;

static bool parse_interval(const char *text, uint32_t *ms)
{
	char *end;
	const unsigned long seconds = strtoul(text, &end, 10);

	*ms = seconds * MSEC_PER_SEC;
	return *end == '\0' && strlen(text) <= INTERVAL_LEN_MAX && seconds >= INTERVAL_MIN_S && seconds <= INTERVAL_MAX_S;
}

static bool is_interval(const char *name)
{
	return strcmp(name, "poll_interval") == 0 || strcmp(name, "inventory_interval") == 0;
}

/* Room that a setting takes for as long as there is a client. */
static size_t room_for(const char *name, size_t len)
{
	return is_interval(name) ? 0 : len + 1;
}

static bool is_identity(const char *text)
{
	/* Any text of a configuration has to be UTF-8. */
	struct mender_config config = {0};
	const char *equals = strchr(text, '=');

	mender_kconfig_defaults(&config);
	config.tenant_token = text;
	return equals != NULL && equals != text && equals[1] != '\0' && equals - text <= IDENTITY_NAME_MAX &&
	       strlen(text) <= IDENTITY_MAX && mender_config_check(&config) == 0;
}

/* Takes one setting over, if it is good. */
static int set(struct values *values, const char *name, const char *text)
{
	struct values next = *values;
	bool good = text[0] != '\0';

	if (strcmp(name, "server") == 0) {
		next.config.server_url = text;
	} else if (strcmp(name, "tenant_token") == 0) {
		next.config.tenant_token = text;
	} else if (strcmp(name, "device_type") == 0) {
		next.config.device_type = text;
	} else if (strcmp(name, "identity") == 0) {
		next.identity = text;
		good = is_identity(text);
	} else if (strcmp(name, "poll_interval") == 0) {
		good = parse_interval(text, &next.config.poll_interval_ms);
	} else if (strcmp(name, "inventory_interval") == 0) {
		good = parse_interval(text, &next.config.inventory_interval_ms);
	} else {
		return -ENOENT;
	}
	if (!good || mender_config_check(&next.config) != 0) {
		return -EINVAL;
	}
	*values = next;
	return 0;
}

static int load(const char *name, size_t len, settings_read_cb read, void *arg, void *values)
{
	char *text = texts + texts_len;
	int rc = -ENOSPC;

	if (name == NULL) {
		/* A value of the subtree itself, which has no name. */
		return 0;
	}
	if (is_interval(name) ? len <= INTERVAL_LEN_MAX : texts_len + len < CONFIG_MENDER_MCU_SETTINGS_BUFFER_SIZE) {
		const ssize_t count = read(arg, text, len);

		rc = count < 0 ? count : 0;
		text[MAX(count, 0)] = '\0';
	}
	if (rc == 0) {
		rc = set(values, name, text);
	}
	if (rc == 0) {
		texts_len += room_for(name, strlen(text));
	} else if (rc == -ENOSPC) {
		LOG_WRN("setting mender/%s does not fit: raise CONFIG_MENDER_MCU_SETTINGS_BUFFER_SIZE", name);
	} else {
		/* Not its value, which may be a secret. */
		LOG_WRN("setting mender/%s is left out: %d", name, rc);
	}
	return 0;
}

void mender_settings_apply(struct mender_config *config)
{
	struct values values = {.config = *config};
	int rc = settings_subsys_init();

	texts_len = 0;
	if (rc == 0) {
		rc = settings_load_subtree_direct(SUBTREE, load, &values);
	}
	if (rc != 0) {
		LOG_ERR("settings cannot be read: %d", rc);
	}
	*config = values.config;
	identity = values.identity;
}

int mender_settings_identity(struct mender_pairs *pairs)
{
	char name[IDENTITY_NAME_MAX + 1];
	size_t len;

	if (identity == NULL) {
		return -ENOENT;
	}
	len = strcspn(identity, "=");
	memcpy(name, identity, len);
	name[len] = '\0';
	return mender_pairs_add(pairs, name, identity + len + 1);
}

struct room {
	/* All but this one. */
	const char *name;
	size_t taken;
};

static int add_room(const char *name, size_t len, settings_read_cb read, void *arg, void *param)
{
	struct room *room = param;

	ARG_UNUSED(read);
	ARG_UNUSED(arg);
	if (name != NULL && strcmp(name, room->name) != 0) {
		room->taken += room_for(name, len);
	}
	return 0;
}

/* Whether all texts find room together at the next start: one that does not is left out then, whichever it is. */
static int find_room(const char *name, size_t len)
{
	struct room room = {.name = name};
	const int rc = settings_load_subtree_direct(SUBTREE, add_room, &room);

	return rc == 0 && room.taken + room_for(name, len) > CONFIG_MENDER_MCU_SETTINGS_BUFFER_SIZE ? -ENOSPC : rc;
}

int32_t mender_settings_set(const char *name, const char *value)
{
	struct values values = {0};
	char path[sizeof(SUBTREE "/inventory_interval")];
	int rc;

	if (name == NULL) {
		return -ENOENT;
	}
	mender_kconfig_defaults(&values.config);
	value = value != NULL ? value : "";
	rc = set(&values, name, value);
	if (value[0] == '\0' && rc == -EINVAL) {
		/* Removed. */
		rc = 0;
	}
	if (rc == 0) {
		rc = settings_subsys_init();
	}
	if (rc == 0 && value[0] != '\0') {
		rc = find_room(name, strlen(value));
	}
	if (rc != 0) {
		return rc;
	}
	snprintf(path, sizeof(path), SUBTREE "/%s", name);
	return value[0] == '\0' ? settings_delete(path) : settings_save_one(path, value, strlen(value));
}
