/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_port.h>
#include <time.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/clock.h>

#include "port_transport.h"

/* date -d 2024-01-01T00:00Z +%s */
#define START_OF_2024 1704067200

static K_SEM_DEFINE(woken, 0, 1);

uint32_t mender_port_lock(void)
{
	return irq_lock();
}

void mender_port_unlock(uint32_t key)
{
	irq_unlock(key);
}

uint64_t mender_port_clock_now_ms(void)
{
	return k_uptime_get();
}

uint64_t mender_port_clock_unix_ms(void)
{
#ifdef CONFIG_MENDER_MCU_TRUSTED_CLOCK
	struct timespec now;

	/* Before somebody sets it, it shows 1970. */
	if (sys_clock_gettime(SYS_CLOCK_REALTIME, &now) == 0 && now.tv_sec >= START_OF_2024) {
		return (uint64_t)now.tv_sec * MSEC_PER_SEC + now.tv_nsec / NSEC_PER_MSEC;
	}
#endif
	return 0;
}

void mender_port_clock_wait(uint32_t ms)
{
	/* Sockets and semaphores cannot be waited for together, so a wait for both goes by slices. */
	const uint32_t slice_ms = 50;

	if (ms <= 1) {
		/* There is more to do now; sleeping would take one or two ticks, which may be 10 ms each. */
		k_yield();
		return;
	}
	while (ms > 0 && mender_transport_expects_data()) {
		const uint32_t now = MIN(ms, slice_ms);
		const int64_t begun = k_uptime_get();

		if (k_sem_take(&woken, K_NO_WAIT) == 0 || mender_transport_wait(now)) {
			return;
		}
		/* zsock_poll() may return at once with nothing. */
		const int64_t slept = k_uptime_get() - begun;

		if (slept < now && k_sem_take(&woken, K_MSEC(now - slept)) == 0) {
			return;
		}
		ms -= now;
	}
	if (ms > 0) {
		k_sem_take(&woken, K_MSEC(ms));
	}
}

void mender_port_clock_wake(void)
{
	k_sem_give(&woken);
}
