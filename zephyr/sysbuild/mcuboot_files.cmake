# SPDX-License-Identifier: Apache-2.0
# MCUboot must have the partition map of the application. An application keeps it, and what else MCUboot needs on a board, in
# sysbuild/mcuboot_<board>.overlay and sysbuild/mcuboot_<board>.conf; <board> is as in `west build -b`, with _ for each /.

string(REPLACE "/" "_" qualifiers "${BOARD_QUALIFIERS}")
foreach(board ${BOARD} ${BOARD}${qualifiers})
  set(files ${APP_DIR}/sysbuild/mcuboot_${board})
  if(EXISTS ${files}.overlay)
    set(mcuboot_EXTRA_DTC_OVERLAY_FILE ${files}.overlay CACHE INTERNAL "partition map")
  endif()
  if(EXISTS ${files}.conf)
    set(mcuboot_EXTRA_CONF_FILE ${files}.conf CACHE INTERNAL "what MCUboot needs on this board")
  endif()
endforeach()
