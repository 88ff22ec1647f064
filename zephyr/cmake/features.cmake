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

# The C clients have this symbol, and functions of the same names, of which the linker takes whichever comes first.
function(mender_mcu_check_clients)
  if(CONFIG_MENDER_MCU_CLIENT)
    message(FATAL_ERROR "mender-mcu: two Mender clients are in one image: set CONFIG_MENDER_MCU_CLIENT=n, which is the other one's, or "
      "CONFIG_MENDER_MCU=n")
  endif()
endfunction()

# Zephyr's choice where HWINFO has no driver. Emulators have none, and say that their keys are not secure anyway.
function(mender_mcu_check_key_at_rest)
  if(CONFIG_SECURE_STORAGE_ITS_TRANSFORM_AEAD_KEY_PROVIDER_ENTRY_UID_HASH AND NOT CONFIG_MENDER_MCU_KEYS_NOT_SECURE
     AND NOT CONFIG_MENDER_MCU_KEY_FROM_APPLICATION)
    message(WARNING "mender-mcu: the device key is encrypted on flash with a number that everybody knows "
      "(CONFIG_SECURE_STORAGE_ITS_TRANSFORM_AEAD_KEY_PROVIDER_ENTRY_UID_HASH): set CONFIG_HWINFO=y where Zephyr has a driver of it for "
      "the chip, or have a key provider of your own (docs/building.md, \"What later firmware must keep\")")
  endif()
endfunction()

# A snippet comes after the application's own files, and Kconfig says nothing of what it overrides there.
function(mender_mcu_check_snippet)
  set(snippet ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../snippets/mender-mcu/mender-mcu.conf)
  foreach(file IN LISTS CONF_FILE_AS_LIST)
    get_filename_component(file ${file} ABSOLUTE BASE_DIR ${APPLICATION_CONFIG_DIR})
    file(STRINGS ${snippet} lines REGEX "^CONFIG_")
    foreach(line IN LISTS lines)
      string(REGEX MATCH "^(CONFIG_[A-Z0-9_]+)=(.+)" line ${line})
      set(name ${CMAKE_MATCH_1})
      set(ours ${CMAKE_MATCH_2})
      set(theirs "")
      file(STRINGS ${file} said REGEX "^${name}=")
      if(said MATCHES "=([0-9]+|y)$")
        set(theirs ${CMAKE_MATCH_1})
      endif()
      # A size that it asks for, or an algorithm that it uses.
      if((ours GREATER 0 AND NOT "${theirs}" STREQUAL "" AND NOT theirs EQUAL ours AND "${${name}}" EQUAL ours)
         OR ("${theirs}" STREQUAL "y" AND "${ours}" STREQUAL "n" AND NOT ${name}))
        get_filename_component(named ${file} NAME)
        message(WARNING "mender-mcu: the snippet mender-mcu has set ${name}=${ours}, where ${named} says ${theirs}: build without "
          "the snippet, with its other lines in ${named} (docs/building.md)")
      endif()
    endforeach()
  endforeach()
endfunction()

# Zephyr's TLS sockets turn it on, and neither this module nor its snippet may turn it off: with P256-M alone it must stay (checks.c).
function(mender_mcu_check_tls)
  if(CONFIG_MENDER_MCU_TLS_PUBLIC_CA AND CONFIG_MBEDTLS_KEY_EXCHANGE_RSA_ENABLED)
    message(WARNING "mender-mcu: TLS offers key exchange by RSA, which has no forward secrecy and which public servers do not need: set "
      "CONFIG_MBEDTLS_KEY_EXCHANGE_RSA_ENABLED=n")
  endif()
endfunction()

# Some SoCs have a default of their own, which counts before ours (docs/footprint.md has what is used).
function(mender_mcu_check_stack)
  if(CONFIG_MENDER_MCU_THREAD)
    set(need 2048)
    set(use 3072)
  elseif(CONFIG_MENDER_MCU_TLS_PUBLIC_CA)
    # RSA of 4096 bits.
    set(need 5120)
    set(use 8192)
  else()
    set(need 4096)
    set(use 8192)
  endif()
  if(CONFIG_MAIN_STACK_SIZE LESS need)
    message(WARNING "mender-mcu: the stack of main() is too small for the client (${CONFIG_MAIN_STACK_SIZE}): set "
      "CONFIG_MAIN_STACK_SIZE=${use}, unless another thread calls it")
  endif()
endfunction()

# Texts of Kconfig that only the device would find to be of no use.
function(mender_mcu_check_texts)
  set(url "${CONFIG_MENDER_MCU_SERVER_URL}")
  set(form "https://host[:port]")
  if("${url}" STREQUAL "")
    message(FATAL_ERROR "mender-mcu: there is no server: set CONFIG_MENDER_MCU_SERVER_HOSTED_US=y, "
      "CONFIG_MENDER_MCU_SERVER_HOSTED_EU=y, or CONFIG_MENDER_MCU_SERVER_URL to ${form}")
  endif()
  if(NOT url MATCHES "^https?://[^/?#@ ]+/?$")
    message(FATAL_ERROR "mender-mcu: CONFIG_MENDER_MCU_SERVER_URL must be ${form}, and is \"${url}\"")
  endif()
  if(url MATCHES "^http:" AND NOT CONFIG_MENDER_MCU_ALLOW_HTTP)
    message(FATAL_ERROR "mender-mcu: CONFIG_MENDER_MCU_SERVER_URL must be ${form}, and is \"${url}\"; in a laboratory set "
      "CONFIG_MENDER_MCU_ALLOW_HTTP=y")
  endif()
  if("${CONFIG_MENDER_MCU_ARTIFACT_NAME}" STREQUAL "")
    message(FATAL_ERROR "mender-mcu: the device needs an artifact name: give the application a VERSION file or set "
      "CONFIG_MENDER_MCU_ARTIFACT_NAME")
  endif()
  if("${CONFIG_MENDER_MCU_DEVICE_TYPE}" STREQUAL "")
    message(FATAL_ERROR "mender-mcu: the device needs a type, which artifacts name: set CONFIG_MENDER_MCU_DEVICE_TYPE")
  endif()
  # NAME_MAX of the client.
  foreach(name ARTIFACT_NAME DEVICE_TYPE)
    string(LENGTH "${CONFIG_MENDER_MCU_${name}}" length)
    if(length GREATER 256)
      message(FATAL_ERROR "mender-mcu: CONFIG_MENDER_MCU_${name} has ${length} bytes: give it 256 or less")
    endif()
  endforeach()
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
  if(CONFIG_MENDER_MCU_IDENTITY_MAC AND EXISTS "${ZEPHYR_DTS}")
    file(STRINGS ${ZEPHYR_DTS} random REGEX "zephyr,random-mac-address;")
    if(random)
      message(WARNING "mender-mcu: the network interface gets another address at each start (zephyr,random-mac-address), and the "
        "server takes the device for another one each time: set CONFIG_MENDER_MCU_IDENTITY_HWINFO=y")
    endif()
  endif()
  if(CONFIG_MCUBOOT_BOOTLOADER_MODE_OVERWRITE_ONLY)
    message(WARNING "mender-mcu: MCUboot only overwrites (CONFIG_MCUBOOT_BOOTLOADER_MODE_OVERWRITE_ONLY), so an update that does "
      "not work cannot be reverted")
  elseif(NOT CONFIG_BOOTLOADER_MCUBOOT AND NOT CONFIG_ARCH_POSIX AND NOT CONFIG_QEMU_TARGET)
    message(WARNING "mender-mcu: the image is not built for MCUboot, and cannot be updated: set CONFIG_BOOTLOADER_MCUBOOT=y, or "
      "SB_CONFIG_BOOTLOADER_MCUBOOT=y with sysbuild")
  endif()
endfunction()
