/* SPDX-License-Identifier: Apache-2.0 */
/* Why the device has started, and how it restarts. The chip and its reset are the test's. */
#include <mender_port.h>
#include <zephyr/drivers/hwinfo.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/logging/log_backend.h>
#include <zephyr/logging/log_ctrl.h>
#include <zephyr/sys/reboot.h>
#include <zephyr/ztest.h>

LOG_MODULE_REGISTER(last_words, LOG_LEVEL_INF);

#define LINES 7

/* The port once more, as it is built where there is no hwinfo. */
int32_t reset_cause_without_hwinfo(void);
#undef CONFIG_HWINFO
#define mender_port_system_reset_cause reset_cause_without_hwinfo
#include "../../../../zephyr/src/reset_cause.c"
#undef mender_port_system_reset_cause

static struct {
	uint32_t causes;
	int get_rc;
	int clear_rc;
} chip;

int __wrap_z_impl_hwinfo_get_reset_cause(uint32_t *causes)
{
	*causes = chip.causes;
	return chip.get_rc;
}

int __wrap_z_impl_hwinfo_clear_reset_cause(void)
{
	if (chip.clear_rc == 0) {
		chip.causes = 0;
	}
	return chip.clear_rc;
}

static struct {
	uint32_t calls;
	int type;
	/* Of the log: what waited before, what had come out when the chip was reset, and what waited still. */
	uint32_t buffered;
	uint32_t lines;
	uint32_t left;
	bool returned;
} restart;

static uint32_t lines;

static void process(const struct log_backend *const backend, union log_msg_generic *msg)
{
	const int16_t source = log_msg_get_source_id(&msg->log);

	ARG_UNUSED(backend);
	lines += source >= 0 && strcmp(log_source_name_get(0, source), "last_words") == 0;
}

static void panicked(const struct log_backend *const backend)
{
	ARG_UNUSED(backend);
}

static const struct log_backend_api api = {.process = process, .panic = panicked};
LOG_BACKEND_DEFINE(counter, api, true);

/* As little as the real one it returns: that is declared so, and stops for ever where a chip cannot be reset. */
FUNC_NORETURN void __wrap_sys_reboot(int type)
{
	restart.calls++;
	restart.type = type;
	restart.lines = lines;
	restart.left = log_buffered_cnt();
	k_thread_abort(k_current_get());
	CODE_UNREACHABLE;
}

static void before(void *fixture)
{
	ARG_UNUSED(fixture);
	memset(&chip, 0, sizeof(chip));
	memset(&restart, 0, sizeof(restart));
	log_flush();
	lines = 0;
}

ZTEST(system, test_each_cause_of_a_reset_has_its_meaning)
{
	static const int32_t meanings[][2] = {
		{RESET_WATCHDOG, MENDER_RESET_WATCHDOG},
		{RESET_CPU_LOCKUP, MENDER_RESET_FAULT},
		{RESET_PARITY, MENDER_RESET_FAULT},
		{RESET_PLL, MENDER_RESET_FAULT},
		{RESET_CLOCK, MENDER_RESET_FAULT},
		{RESET_HARDWARE, MENDER_RESET_FAULT},
		{RESET_TEMPERATURE, MENDER_RESET_FAULT},
		{RESET_FLASH, MENDER_RESET_FAULT},
		{RESET_POR, MENDER_RESET_POWER},
		{RESET_BROWNOUT, MENDER_RESET_POWER},
		{RESET_SOFTWARE, MENDER_RESET_SOFTWARE},
		{RESET_PIN, MENDER_RESET_PIN},
		{RESET_DEBUG, MENDER_RESET_PIN},
		{RESET_SECURITY, MENDER_RESET_UNKNOWN},
		{RESET_LOW_POWER_WAKE, MENDER_RESET_UNKNOWN},
		{RESET_USER, MENDER_RESET_UNKNOWN},
		{RESET_BOOTLOADER, MENDER_RESET_UNKNOWN},
		{0, MENDER_RESET_UNKNOWN},
	};

	ARRAY_FOR_EACH(meanings, i) {
		chip.causes = meanings[i][0];
		zassert_equal(mender_port_system_reset_cause(), meanings[i][1], "cause %#x", meanings[i][0]);
	}
}

ZTEST(system, test_of_several_causes_the_gravest_is_told)
{
	/* From the gravest down. STM32 has the pin's flag at every reset, and both of power when it comes. */
	static const uint32_t causes[] = {
		RESET_WATCHDOG, RESET_CPU_LOCKUP, RESET_POR | RESET_BROWNOUT, RESET_SOFTWARE, RESET_PIN, RESET_LOW_POWER_WAKE,
	};
	static const int32_t meanings[] = {
		MENDER_RESET_WATCHDOG, MENDER_RESET_FAULT, MENDER_RESET_POWER,
		MENDER_RESET_SOFTWARE, MENDER_RESET_PIN,   MENDER_RESET_UNKNOWN,
	};
	uint32_t all = 0;

	for (size_t i = ARRAY_SIZE(causes); i-- > 0;) {
		for (size_t milder = i; milder < ARRAY_SIZE(causes); milder++) {
			chip.causes = causes[i] | causes[milder];
			zassert_equal(mender_port_system_reset_cause(), meanings[i], "causes %#x",
				      causes[i] | causes[milder]);
		}
		all |= causes[i];
		chip.causes = all;
		zassert_equal(mender_port_system_reset_cause(), meanings[i], "causes %#x", all);
	}
}

ZTEST(system, test_the_next_start_is_not_blamed_on_the_cause_of_this_one)
{
	chip.causes = RESET_WATCHDOG | RESET_PIN;
	zassert_equal(mender_port_system_reset_cause(), MENDER_RESET_WATCHDOG);
	zassert_equal(chip.causes, 0);
	zassert_equal(mender_port_system_reset_cause(), MENDER_RESET_UNKNOWN);
	/* Chips collect. */
	chip.causes |= RESET_SOFTWARE;
	zassert_equal(mender_port_system_reset_cause(), MENDER_RESET_SOFTWARE);
}

ZTEST(system, test_a_cause_that_cannot_be_cleared_is_told_all_the_same)
{
	chip.causes = RESET_BROWNOUT;
	chip.clear_rc = -ENOSYS;
	zassert_equal(mender_port_system_reset_cause(), MENDER_RESET_POWER);
}

ZTEST(system, test_a_chip_that_cannot_tell_its_causes_has_an_unknown_one)
{
	chip.causes = RESET_WATCHDOG;
	chip.get_rc = -ENOSYS;
	zassert_equal(mender_port_system_reset_cause(), MENDER_RESET_UNKNOWN);
	chip.get_rc = 0;
	zassert_equal(reset_cause_without_hwinfo(), MENDER_RESET_UNKNOWN, "without hwinfo");
	zassert_equal(mender_port_system_reset_cause(), MENDER_RESET_WATCHDOG);
}

static void speak_and_restart(void *a, void *b, void *c)
{
	ARG_UNUSED(a);
	ARG_UNUSED(b);
	ARG_UNUSED(c);
	for (int i = 0; i < LINES; i++) {
		LOG_INF("line %d", i);
	}
	restart.buffered = log_buffered_cnt();
	mender_port_system_reboot();
	restart.returned = true;
}

/* In a thread that ends where the chip would be reset; it goes before the one that writes the log. */
static void restarts(void)
{
	static K_THREAD_STACK_DEFINE(stack, 4096);
	static struct k_thread thread;

	k_thread_create(&thread, stack, K_THREAD_STACK_SIZEOF(stack), speak_and_restart, NULL, NULL, NULL,
			K_PRIO_PREEMPT(1), 0, K_NO_WAIT);
	zassert_ok(k_thread_join(&thread, K_SECONDS(20)), "it does not restart");
	zassert_equal(restart.calls, 1);
	zassert_equal(restart.type, SYS_REBOOT_COLD);
	zassert_false(restart.returned);
}

ZTEST(system, test_a_restart_comes_once_and_after_what_was_logged)
{
	restarts();
	zassert_true(restart.buffered >= LINES, "%u: nothing was deferred", restart.buffered);
	zassert_equal(restart.lines, LINES, "%u", restart.lines);
	zassert_equal(restart.left, 0, "%u", restart.left);
}

ZTEST(system, test_a_message_that_another_thread_has_only_begun_does_not_hold_up_a_restart)
{
	const struct log_msg_desc nothing = Z_LOG_MSG_DESC_INITIALIZER(0, LOG_LEVEL_INF, 0, 0);
	struct log_msg *begun = z_log_msg_alloc(Z_LOG_MSG_ALIGNED_WLEN(0, 0));

	zassert_not_null(begun);
	restarts();
	zassert_equal(restart.lines, 0, "what lies behind it cannot come out before it");
	z_log_msg_finalize(begun, NULL, nothing, NULL);
	log_flush();
	zassert_equal(lines, LINES, "%u", lines);
}

ZTEST_SUITE(system, NULL, NULL, before, NULL, NULL);
