# SPDX-License-Identifier: Apache-2.0
#
# Makes zephyr/zephyr.mender of the image that imgtool signed, with the official mender-artifact. Set on the command line:
#   MENDER_ARTIFACT   the tool, where it is not on the search path

include_guard(GLOBAL)
# The first one whose artifacts say which software version they bring the way servers show it.
set(MENDER_MCU_ARTIFACT_TOOL_MIN 3.9.0)

# Why there is no artifact: an error if one was asked for, else a word, for the firmware itself is fine.
function(_mender_mcu_no_artifact)
  list(JOIN ARGN "" text)
  if(CONFIG_MENDER_MCU_ARTIFACT_REQUIRED)
    message(FATAL_ERROR "mender-mcu: no artifact can be made: ${text}")
  endif()
  message(WARNING "mender-mcu: the build makes no zephyr.mender: ${text}. CONFIG_MENDER_MCU_ARTIFACT=n silences this.")
  add_custom_target(mender_artifact
    COMMAND ${CMAKE_COMMAND} -E echo "mender-mcu: no artifact can be made: ${text}"
    COMMAND ${CMAKE_COMMAND} -E false VERBATIM)
endfunction()

# The tool in `out`, or why there is none in `out`_MISSING.
function(_mender_mcu_artifact_tool out)
  set(need "mender-artifact ${MENDER_MCU_ARTIFACT_TOOL_MIN} or later (https://docs.mender.io/downloads)")
  find_program(MENDER_ARTIFACT mender-artifact)
  if(NOT MENDER_ARTIFACT)
    set(${out}_MISSING "${need} is not installed" PARENT_SCOPE)
    return()
  endif()
  execute_process(COMMAND ${MENDER_ARTIFACT} --version OUTPUT_VARIABLE told ERROR_QUIET RESULT_VARIABLE rc)
  if(NOT rc EQUAL 0 OR NOT told MATCHES "version v?([0-9]+\\.[0-9]+\\.[0-9]+)")
    set(${out}_MISSING "${MENDER_ARTIFACT} does not say its version. It must be ${need}" PARENT_SCOPE)
  elseif(CMAKE_MATCH_1 VERSION_LESS MENDER_MCU_ARTIFACT_TOOL_MIN)
    set(${out}_MISSING "${MENDER_ARTIFACT} is version ${CMAKE_MATCH_1}. It must be ${need}" PARENT_SCOPE)
  endif()
  set(${out} ${MENDER_ARTIFACT} PARENT_SCOPE)
endfunction()

# `-flag word` for each word of a Kconfig string; blanks within quotes belong to the word.
function(_mender_mcu_each out flag text)
  separate_arguments(words UNIX_COMMAND "${text}")
  set(arguments ${${out}})
  foreach(word IN LISTS words)
    list(APPEND arguments ${flag} ${word})
  endforeach()
  set(${out} ${arguments} PARENT_SCOPE)
endfunction()

# The options that say what the artifact is. Sets `out`, and `out`_FILES to the files that it depends on.
function(_mender_mcu_artifact_options out)
  set(options --artifact-name ${CONFIG_MENDER_MCU_ARTIFACT_NAME} --compression none)
  if(CONFIG_MENDER_MCU_ARTIFACT_COMPRESSION_GZIP)
    set(options --artifact-name ${CONFIG_MENDER_MCU_ARTIFACT_NAME} --compression gzip)
  endif()
  set(types "${CONFIG_MENDER_MCU_ARTIFACT_DEVICE_TYPES}")
  if("${types}" STREQUAL "")
    list(APPEND options -t ${CONFIG_MENDER_MCU_DEVICE_TYPE})
  endif()
  _mender_mcu_each(options -t "${types}")
  _mender_mcu_each(options --provides "${CONFIG_MENDER_MCU_ARTIFACT_PROVIDES}")
  _mender_mcu_each(options --depends "${CONFIG_MENDER_MCU_ARTIFACT_DEPENDS}")
  set(key "${CONFIG_MENDER_MCU_ARTIFACT_SIGNING_KEY}")
  if(NOT "${key}" STREQUAL "")
    get_filename_component(key ${key} ABSOLUTE BASE_DIR ${APPLICATION_CONFIG_DIR})
    if(NOT EXISTS ${key})
      message(FATAL_ERROR "mender-mcu: CONFIG_MENDER_MCU_ARTIFACT_SIGNING_KEY does not exist (looked for ${key})")
    endif()
    list(APPEND options --key ${key})
    set(${out}_FILES ${key} PARENT_SCOPE)
  endif()
  separate_arguments(more UNIX_COMMAND "${CONFIG_MENDER_MCU_ARTIFACT_EXTRA_ARGS}")
  set(${out} ${options} ${more} PARENT_SCOPE)
endfunction()

# The room that the client has for provides (PROVIDES_STORED): 3 bytes for each pair, its key and its value.
function(mender_mcu_check_provides)
  if(NOT "${CONFIG_MENDER_MCU_ARTIFACT_EXTRA_ARGS}" STREQUAL "")
    return()
  endif()
  string(LENGTH "artifact_namerootfs-image.zephyr-image.version" others)
  math(EXPR others "${others} + 2 * 3")
  separate_arguments(pairs UNIX_COMMAND "${CONFIG_MENDER_MCU_ARTIFACT_PROVIDES}")
  foreach(pair IN LISTS pairs)
    # Its colon is not kept.
    string(LENGTH "${pair}" length)
    math(EXPR others "${others} + 3 + ${length} - 1")
  endforeach()
  string(LENGTH "${CONFIG_MENDER_MCU_ARTIFACT_NAME}" length)
  math(EXPR all "${others} + 2 * ${length}")
  math(EXPR most "(243 - ${others}) / 2")
  if(all GREATER 243)
    message(WARNING "mender-mcu: devices will refuse zephyr.mender, for what it provides takes ${all} bytes of 243: give "
      "CONFIG_MENDER_MCU_ARTIFACT_NAME ${most} or less, or provide less")
  endif()
endfunction()

function(mender_mcu_add_artifact)
  if(NOT CONFIG_BUILD_OUTPUT_BIN)
    _mender_mcu_no_artifact("it is made of zephyr.signed.bin, which needs CONFIG_BUILD_OUTPUT_BIN")
    return()
  endif()
  if("${CONFIG_MCUBOOT_SIGNATURE_KEY_FILE}" STREQUAL "" AND NOT CONFIG_MCUBOOT_GENERATE_UNSIGNED_IMAGE)
    _mender_mcu_no_artifact("the build signs no image for MCUboot (CONFIG_MCUBOOT_SIGNATURE_KEY_FILE is empty; "
      "--sysbuild sets it)")
    return()
  endif()
  _mender_mcu_artifact_tool(tool)
  if(tool_MISSING)
    _mender_mcu_no_artifact("${tool_MISSING}")
    return()
  endif()
  _mender_mcu_artifact_options(options)

  set(name ${ZEPHYR_BINARY_DIR}/${KERNEL_NAME})
  set(image ${name}.signed.bin)
  # What MCUboot decrypts on its way to the first slot.
  if(NOT "${CONFIG_MCUBOOT_ENCRYPTION_KEY_FILE}" STREQUAL "")
    set(image ${name}.signed.encrypted.bin)
  endif()
  add_custom_command(OUTPUT ${name}.mender
    COMMAND ${tool} write module-image --type zephyr-image ${options} --file ${image} --output-path ${name}.mender
    DEPENDS ${image} ${options_FILES}
    COMMENT "mender-mcu: ${KERNEL_NAME}.mender, artifact ${CONFIG_MENDER_MCU_ARTIFACT_NAME}" VERBATIM)
  add_custom_target(mender_artifact ALL DEPENDS ${name}.mender)
  # Make knows the rules of one folder at a time: it would look for the image before it is made. Zephyr names what makes it later.
  cmake_language(DEFER DIRECTORY ${CMAKE_SOURCE_DIR} CALL _mender_mcu_artifact_comes_last)
endfunction()

function(_mender_mcu_artifact_comes_last)
  foreach(image zephyr_final zephyr_pre1 zephyr_pre0)
    if(TARGET ${image})
      add_dependencies(mender_artifact ${image})
      break()
    endif()
  endforeach()
endfunction()
