# SPDX-License-Identifier: Apache-2.0
# In a workspace that lists this repository, SB_CONFIG_MENDER_MCU=y does the same.
include(${CMAKE_CURRENT_LIST_DIR}/../../zephyr/sysbuild/mcuboot_files.cmake)
