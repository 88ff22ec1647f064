# SPDX-License-Identifier: Apache-2.0

# MCUboot needs the partition map of the application.
set(map ${CMAKE_CURRENT_LIST_DIR}/sysbuild/mcuboot_${BOARD}.overlay)
if(EXISTS ${map})
  set(mcuboot_EXTRA_DTC_OVERLAY_FILE ${map} CACHE INTERNAL "partition map")
endif()
