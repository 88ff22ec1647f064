# SPDX-License-Identifier: Apache-2.0

include_guard(GLOBAL)

# Kconfig -> cargo features of mender-staticlib
function(mender_mcu_features out)
  set(features zephyr)
  if(CONFIG_MENDER_MCU_UPDATE_MODULES)
    list(APPEND features modules)
  endif()
  if(CONFIG_MENDER_MCU_SIGNATURES)
    list(APPEND features signatures)
  endif()
  if(CONFIG_MENDER_MCU_DEPLOYMENT_LOG)
    list(APPEND features deployment-log)
  endif()
  if(CONFIG_MENDER_MCU_ERROR_TEXTS)
    list(APPEND features error-texts)
  endif()
  if(CONFIG_MENDER_MCU_SHA256_PSA)
    list(APPEND features port-sha256)
  endif()
  set(${out} ${features} PARENT_SCOPE)
endfunction()

# What devicetree must have, and what is to be known about the boot loader.
function(mender_mcu_check_board)
  dt_nodelabel(slot1 NODELABEL slot1_partition)
  if(NOT slot1)
    message(FATAL_ERROR "mender-mcu: ${BOARD} has no partition slot1_partition to receive updates: add slots to its devicetree, "
      "dts/overlays of the module has examples")
  endif()
  dt_nodelabel(storage NODELABEL storage_partition)
  dt_chosen(settings PROPERTY "zephyr,settings-partition")
  if(NOT storage AND NOT settings)
    message(FATAL_ERROR "mender-mcu: ${BOARD} has no storage_partition for keys and records: add one to its devicetree, "
      "dts/overlays of the module has examples")
  endif()
  if(CONFIG_MCUBOOT_BOOTLOADER_MODE_OVERWRITE_ONLY)
    message(WARNING "mender-mcu: MCUboot only overwrites (CONFIG_MCUBOOT_BOOTLOADER_MODE_OVERWRITE_ONLY), so an update that does "
      "not work cannot be reverted")
  elseif(NOT CONFIG_BOOTLOADER_MCUBOOT AND NOT CONFIG_ARCH_POSIX AND NOT CONFIG_QEMU_TARGET)
    message(WARNING "mender-mcu: the image is not built for MCUboot, and cannot be updated: set CONFIG_BOOTLOADER_MCUBOOT=y, or "
      "SB_CONFIG_BOOTLOADER_MCUBOOT=y with sysbuild")
  endif()
endfunction()
