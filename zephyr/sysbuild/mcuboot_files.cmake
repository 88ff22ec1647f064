# SPDX-License-Identifier: Apache-2.0
# MCUboot must have the partition map of the application. An application keeps it, and what else MCUboot needs on a board, in
# sysbuild/mcuboot_<board>.overlay and sysbuild/mcuboot_<board>.conf; <board> is as in `west build -b`, with _ for each /. They come
# after sysbuild/mcuboot.conf, which is for all boards, and before what the command line names.

# Puts those of the files that exist before what the variable has.
function(_mender_mcu_before variable)
  set(files "")
  foreach(file IN LISTS ARGN)
    if(EXISTS ${file})
      list(APPEND files ${file})
    endif()
  endforeach()
  list(REMOVE_ITEM ${variable} ${files})
  set(${variable} ${files} ${${variable}} CACHE INTERNAL "files for MCUboot on this board")
endfunction()

string(REPLACE "/" "_" qualifiers "${BOARD_QUALIFIERS}")
set(files ${APP_DIR}/sysbuild/mcuboot_${BOARD} ${APP_DIR}/sysbuild/mcuboot_${BOARD}${qualifiers})
list(REMOVE_DUPLICATES files)
list(TRANSFORM files APPEND .overlay OUTPUT_VARIABLE overlays)
list(TRANSFORM files APPEND .conf OUTPUT_VARIABLE settings)
# Sysbuild takes its own file only where nothing else is named.
if(NOT mcuboot_EXTRA_CONF_FILE OR ${APP_DIR}/sysbuild/mcuboot.conf IN_LIST mcuboot_EXTRA_CONF_FILE)
  list(PREPEND settings ${APP_DIR}/sysbuild/mcuboot.conf)
endif()
_mender_mcu_before(mcuboot_EXTRA_DTC_OVERLAY_FILE ${overlays})
_mender_mcu_before(mcuboot_EXTRA_CONF_FILE ${settings})
