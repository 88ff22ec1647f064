/* SPDX-License-Identifier: Apache-2.0 */
/* Prints how much of each thread's stack was ever used, whenever it has become more. */
#include <string.h>

#include <mender_mcu.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/printk.h>

#define THREADS_MAX 16
#define LOOK_EVERY_MS 100

static struct {
	const struct k_thread *thread;
	size_t used;
} seen[THREADS_MAX];

static void look(const struct k_thread *thread, void *arg)
{
	struct k_thread *each = (struct k_thread *)thread;
	size_t unused;
	size_t used;

	ARG_UNUSED(arg);
	if (k_thread_stack_space_get(each, &unused) != 0) {
		return;
	}
	used = each->stack_info.size - unused;
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
		if (seen[i].thread == NULL) {
			seen[i].thread = thread;
		}
		if (seen[i].thread == thread) {
			if (used > seen[i].used) {
				seen[i].used = used;
				printk("stack %s %zu of %zu\n", k_thread_name_get(each), used, each->stack_info.size);
			}
			return;
		}
	}
}

int main(void)
{
	int32_t rc = mender_client_init(NULL);

	if (rc != 0) {
		printk("mender_client_init: %s\n", mender_error_text(rc));
		return 0;
	}
	mender_client_activate();
	for (;;) {
		k_thread_foreach_unlocked(look, NULL);
		k_msleep(LOOK_EVERY_MS);
	}
}
