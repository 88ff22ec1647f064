/* SPDX-License-Identifier: Apache-2.0 */
/* Shell commands. They run in the shell's thread and use the C API alone, as any other thread may. */
/* gmtime_r() */
#undef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#include <mender_mcu.h>
#include <string.h>
#include <time.h>
#include <zephyr/kernel.h>
#include <zephyr/shell/shell.h>

#ifdef CONFIG_MENDER_MCU_SETTINGS
#include <mender_settings.h>
#endif

/* A poll that connects may take long. */
#define BUSY_TRIES   200
#define BUSY_WAIT_MS 50

/* Below, a time is since boot: `mender_client_deployment_log`. */
#define SINCE_1970_MS ((uint64_t)1 << 40)

static const char *phase_name(int32_t phase)
{
	static const char *const names[] = {
		[MENDER_PHASE_IDLE] = "none",
		[MENDER_PHASE_DOWNLOAD] = "downloading",
		[MENDER_PHASE_INSTALL] = "installing",
		[MENDER_PHASE_VERIFY_REBOOT] = "restarting, or on trial",
		[MENDER_PHASE_COMMIT] = "committing",
		[MENDER_PHASE_SUCCESS_PENDING] = "succeeded, not yet reported",
		[MENDER_PHASE_ROLLBACK] = "rolling back",
		[MENDER_PHASE_ROLLBACK_REBOOT] = "restarting into the old software",
		[MENDER_PHASE_FAILURE_PENDING] = "failed, not yet reported",
	};

	return phase >= 0 && phase < (int32_t)ARRAY_SIZE(names) ? names[phase] : "unknown";
}

/* Says what became of a command. */
static int answer(const struct shell *sh, int32_t code, const char *done)
{
	if (code != 0) {
		shell_error(sh, "%s (%d)", mender_error_text(code), -code);
		return -EIO;
	}
	shell_print(sh, "%s", done);
	return 0;
}

static void print_progress(const struct shell *sh, const struct mender_status *status)
{
	if (status->total == 0) {
		shell_print(sh, "received:       %u KiB", status->received / 1024);
		return;
	}
	shell_print(sh, "received:       %u of %u KiB, %u %%", status->received / 1024, status->total / 1024,
		    (uint32_t)(100ull * status->received / status->total));
}

static void print_deployment(const struct shell *sh, const struct mender_status *status)
{
	shell_print(sh, "deployment:     %s", phase_name(status->phase));
	if (status->phase != MENDER_PHASE_IDLE) {
		shell_print(sh, "deployment id:  %s", status->deployment_id);
	}
	if (status->phase == MENDER_PHASE_DOWNLOAD) {
		print_progress(sh, status);
	}
	if (status->deployment_error != 0) {
		shell_print(sh, "last one:       failed: %s (%d)", mender_error_text(status->deployment_error),
			    -status->deployment_error);
	}
}

static void print_next_check(const struct shell *sh, uint64_t at_ms)
{
	const uint64_t now_ms = k_uptime_get();
	const uint32_t seconds = at_ms > now_ms ? (at_ms - now_ms) / MSEC_PER_SEC : 0;

	shell_print(sh, "next check:     in %u min %u s", seconds / 60, seconds % 60);
}

static int cmd_status(const struct shell *sh, size_t argc, char **argv)
{
	struct mender_status status;
	const int32_t code = mender_client_status(&status);

	ARG_UNUSED(argc);
	ARG_UNUSED(argv);
	if (code != 0) {
		return answer(sh, code, NULL);
	}
	shell_print(sh, "artifact:       %s", status.artifact_name);
	shell_print(sh, "authenticated:  %s", status.authenticated ? "yes" : "no");
	print_deployment(sh, &status);
	if (status.phase == MENDER_PHASE_IDLE) {
		print_next_check(sh, status.check_at_ms);
	}
	if (status.last_error != 0) {
		shell_print(sh, "last error:     %s (%d, errno %d)", mender_error_text(status.last_error), -status.last_error,
			    status.last_errno);
	}
	return 0;
}

static int cmd_check(const struct shell *sh, size_t argc, char **argv)
{
	ARG_UNUSED(argc);
	ARG_UNUSED(argv);
	return answer(sh, mender_client_check_now(), "checking for updates");
}

static int cmd_inventory(const struct shell *sh, size_t argc, char **argv)
{
	ARG_UNUSED(argc);
	ARG_UNUSED(argv);
	return answer(sh, mender_client_inventory_now(), "sending the inventory");
}

static int cmd_auth(const struct shell *sh, size_t argc, char **argv)
{
	ARG_UNUSED(argc);
	ARG_UNUSED(argv);
	return answer(sh, mender_client_authenticate_now(), "authenticating");
}

static int cmd_abort(const struct shell *sh, size_t argc, char **argv)
{
	ARG_UNUSED(argc);
	ARG_UNUSED(argv);
	return answer(sh, mender_client_abort(), "aborting the deployment");
}

static int cmd_retry(const struct shell *sh, size_t argc, char **argv)
{
	ARG_UNUSED(argc);
	ARG_UNUSED(argv);
	return answer(sh, mender_client_retry(), "an image that was reverted may be tried again; checking for updates");
}

static int cmd_confirm(const struct shell *sh, size_t argc, char **argv)
{
	int32_t code = mender_client_confirm();

	ARG_UNUSED(argc);
	ARG_UNUSED(argv);
	for (int n = 0; n < BUSY_TRIES && code == MENDER_E_BUSY; n++) {
		k_msleep(BUSY_WAIT_MS);
		code = mender_client_confirm();
	}
	if (code == MENDER_E_IN_DEPLOYMENT) {
		shell_error(sh, "an update is proving itself and confirms its image when it has; `mender abort` gives it up");
		return -EBUSY;
	}
	return answer(sh, code, "the running image is confirmed");
}

static int cmd_key(const struct shell *sh, size_t argc, char **argv)
{
	char pem[MENDER_PUBLIC_KEY_MAX];
	int32_t code = mender_client_public_key(pem, sizeof(pem));

	ARG_UNUSED(argc);
	ARG_UNUSED(argv);
	for (int n = 0; n < BUSY_TRIES && code == MENDER_E_BUSY; n++) {
		k_msleep(BUSY_WAIT_MS);
		code = mender_client_public_key(pem, sizeof(pem));
	}
	return answer(sh, code, pem);
}

static void print_line(void *user, int32_t level, uint64_t time_ms, const char *text)
{
	const struct shell *sh = user;
	const char *const mark = level == MENDER_LEVEL_ERROR ? "error" : "warning";
	const uint32_t ms = time_ms % MSEC_PER_SEC;
	const time_t seconds = time_ms / MSEC_PER_SEC;
	struct tm date;

	if (time_ms < SINCE_1970_MS || gmtime_r(&seconds, &date) == NULL) {
		shell_print(sh, "%u.%03u s after boot %s: %s", (uint32_t)seconds, ms, mark, text);
		return;
	}
	shell_print(sh, "%04d-%02d-%02d %02d:%02d:%02d.%03u UTC %s: %s", date.tm_year + 1900, date.tm_mon + 1,
		    date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec, ms, mark, text);
}

static int cmd_log(const struct shell *sh, size_t argc, char **argv)
{
	int32_t code = mender_client_deployment_log(print_line, (void *)sh);

	ARG_UNUSED(argc);
	ARG_UNUSED(argv);
	for (int n = 0; n < BUSY_TRIES && code == MENDER_E_BUSY; n++) {
		k_msleep(BUSY_WAIT_MS);
		code = mender_client_deployment_log(print_line, (void *)sh);
	}
	return answer(sh, code, "end of the log");
}

#ifdef CONFIG_MENDER_MCU_SETTINGS
/* The shell drops without a word what its buffer has no room for. A value that ends where the buffer does may have lost its end. */
static bool may_be_cut(const struct shell *sh, const char *value)
{
	return value + strlen(value) == sh->ctx->cmd_buff + CONFIG_SHELL_CMD_BUFF_SIZE - 1;
}

static int cmd_set(const struct shell *sh, size_t argc, char **argv)
{
	const char *value = argc > 2 ? argv[2] : NULL;
	int32_t rc;

	if (value != NULL && may_be_cut(sh, value)) {
		shell_error(sh, "too long for the shell: see CONFIG_SHELL_CMD_BUFF_SIZE");
		return -ENOSPC;
	}
	rc = mender_settings_set(argv[1], value);
	switch (rc) {
	case 0:
		shell_print(sh, "%s; it counts from the next start", value != NULL ? "kept" : "removed");
		return 0;
	case -ENOENT:
		shell_error(sh, "there is no setting of that name");
		break;
	case -EINVAL:
		shell_error(sh, "the value is no good");
		break;
	case -ENOSPC:
		shell_error(sh, "no room for it beside the others: see CONFIG_MENDER_MCU_SETTINGS_BUFFER_SIZE");
		break;
	default:
		shell_error(sh, "not kept: errno %d", rc);
		break;
	}
	return rc;
}
#else
#define cmd_set NULL
#endif

SHELL_STATIC_SUBCMD_SET_CREATE(
	commands,
	SHELL_CMD_ARG(status, NULL, "What the client is at.", cmd_status, 1, 0),
	SHELL_CMD_ARG(check, NULL, "Check for updates now.", cmd_check, 1, 0),
	SHELL_CMD_ARG(inventory, NULL, "Send the inventory now.", cmd_inventory, 1, 0),
	SHELL_CMD_ARG(auth, NULL, "Authenticate afresh now.", cmd_auth, 1, 0),
	SHELL_CMD_ARG(abort, NULL, "Stop the deployment in progress, before its commit.", cmd_abort, 1, 0),
	SHELL_CMD_ARG(retry, NULL, "Let the image that was reverted be tried again.", cmd_retry, 1, 0),
	SHELL_CMD_ARG(confirm, NULL, "Make a running image stay that no deployment brought.", cmd_confirm, 1, 0),
	SHELL_CMD_ARG(key, NULL, "Print the public key, for preauthorisation at the server.", cmd_key, 1, 0),
	SHELL_CMD_ARG(log, NULL, "Print the log of the last deployment.", cmd_log, 1, 0),
	SHELL_COND_CMD_ARG(CONFIG_MENDER_MCU_SETTINGS, set, NULL,
			   "Keep a setting on flash: <server|tenant_token|device_type|identity|poll_interval|"
			   "inventory_interval> [<value>]; without a value, remove it.",
			   cmd_set, 2, 1),
	SHELL_SUBCMD_SET_END);

SHELL_CMD_REGISTER(mender, &commands, "Mender over-the-air updates", NULL);
