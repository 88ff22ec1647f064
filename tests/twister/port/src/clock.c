/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_port.h>
#include <zephyr/kernel.h>
#include <zephyr/ztest.h>

#include "port_transport.h"
#include "tls_in_use.h"

static void wake(struct k_timer *timer)
{
	ARG_UNUSED(timer);
	mender_port_clock_wake();
}

static K_TIMER_DEFINE(alarm, wake, NULL);
static atomic_t ticks;

static void count(struct k_timer *timer)
{
	ARG_UNUSED(timer);
	atomic_inc(&ticks);
}

static K_TIMER_DEFINE(ticker, count, NULL);

static void before(void *fixture)
{
	ARG_UNUSED(fixture);
	/* Nothing is left of a wake that nobody has waited for. */
	mender_port_clock_wait(2);
}

ZTEST(clock, test_a_wait_takes_its_time)
{
	const uint64_t begun = mender_port_clock_now_ms();

	mender_port_clock_wait(300);
	const uint64_t took = mender_port_clock_now_ms() - begun;

	zassert_true(took >= 300 && took < 600, "%u ms", (uint32_t)took);
}

ZTEST(clock, test_an_interrupt_ends_a_wait)
{
	const uint64_t begun = mender_port_clock_now_ms();

	k_timer_start(&alarm, K_MSEC(50), K_NO_WAIT);
	mender_port_clock_wait(10000);
	zassert_true(mender_port_clock_now_ms() - begun < 1000);
}

ZTEST(clock, test_a_wake_before_the_wait_is_not_lost_and_counts_once)
{
	const uint64_t begun = mender_port_clock_now_ms();

	/* The first one goes to the module's own thread, which waits, too. */
	for (int i = 0; i < 3; i++) {
		mender_port_clock_wake();
	}
	mender_port_clock_wait(10000);
	zassert_true(mender_port_clock_now_ms() - begun < 1000);
	mender_port_clock_wait(200);
	zassert_true(mender_port_clock_now_ms() - begun >= 200);
}

static void run_once(void *a, void *b, void *c)
{
	ARG_UNUSED(b);
	ARG_UNUSED(c);
	*(bool *)a = true;
}

ZTEST(clock, test_the_shortest_wait_lets_others_of_the_same_priority_run)
{
	static K_THREAD_STACK_DEFINE(stack, 2048);
	static struct k_thread thread;
	bool ran = false;

	k_thread_create(&thread, stack, K_THREAD_STACK_SIZEOF(stack), run_once, &ran, NULL, NULL,
			k_thread_priority_get(k_current_get()), 0, K_NO_WAIT);
	mender_port_clock_wait(1);
	zassert_true(ran);
	k_thread_join(&thread, K_FOREVER);
}

static struct k_thread other;
static K_THREAD_STACK_DEFINE(other_stack, 4096);

static void uses_tls(void *a, void *b, void *c)
{
	uint8_t point[65];

	ARG_UNUSED(b);
	ARG_UNUSED(c);
	switch ((uintptr_t)a) {
	case 0:
		(void)mender_port_crypto_device_key();
		break;
	case 1:
		(void)mender_port_crypto_make_device_key();
		break;
	case 2:
		(void)mender_port_crypto_public_key(point);
		break;
	case 3:
		mender_port_transport_close(MENDER_CHANNEL_API);
		break;
	default:
		(void)mender_transport_wait(1);
		break;
	}
}

ZTEST(clock, test_what_uses_tls_waits_while_another_thread_is_in_it)
{
	for (uintptr_t what = 0; what <= 4; what++) {
		k_mutex_lock(&mender_tls_in_use, K_FOREVER);
		k_thread_create(&other, other_stack, K_THREAD_STACK_SIZEOF(other_stack), uses_tls, (void *)what, NULL, NULL,
				k_thread_priority_get(k_current_get()), 0, K_NO_WAIT);
		const int early = k_thread_join(&other, K_MSEC(100));

		k_mutex_unlock(&mender_tls_in_use);
		zassert_equal(early, -EAGAIN, "%u", (uint32_t)what);
		zassert_ok(k_thread_join(&other, K_SECONDS(20)), "%u", (uint32_t)what);
	}
}

/* An emulator that has to wait for its host ticks late. */
static bool ticks_on(void)
{
	const atomic_val_t from = atomic_get(&ticks);

	for (int ms = 0; ms < 2000 && atomic_get(&ticks) == from; ms++) {
		k_busy_wait(USEC_PER_MSEC);
	}
	return atomic_get(&ticks) > from;
}

ZTEST(clock, test_no_interrupt_comes_between_lock_and_unlock)
{
	k_timer_start(&ticker, K_MSEC(1), K_MSEC(1));
	zassert_true(ticks_on(), "the timer does not tick");
	const uint32_t key = mender_port_lock();
	const atomic_val_t before_it = atomic_get(&ticks);

	k_busy_wait(20 * USEC_PER_MSEC);
	const atomic_val_t after_it = atomic_get(&ticks);

	mender_port_unlock(key);
	zassert_equal(before_it, after_it);
	zassert_true(ticks_on(), "interrupts stay off");
	k_timer_stop(&ticker);
}

ZTEST_SUITE(clock, NULL, NULL, before, NULL, NULL);
