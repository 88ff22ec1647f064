/* SPDX-License-Identifier: Apache-2.0 */
/* The port once more, as it is built for another mode of MCUboot. Its functions have names that begin with MODE. */
#include <zephyr/sys/util_macro.h>

#define mender_port_slot_begin      UTIL_CAT(MODE, _begin)
#define mender_port_slot_finish     UTIL_CAT(MODE, _finish)
#define mender_port_slot_invalidate UTIL_CAT(MODE, _invalidate)
#define mender_port_slot_read       UTIL_CAT(MODE, _read)
#define mender_port_slot_write      UTIL_CAT(MODE, _write)
#define mender_slot_clear_page      UTIL_CAT(MODE, _clear_page)
#define mender_slot_flags_offset    UTIL_CAT(MODE, _flags_offset)
#include "../../../../zephyr/src/port_slot.c"
