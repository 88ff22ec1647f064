# SPDX-License-Identifier: Apache-2.0
#
# Turns the files that Kconfig names into C arrays: trust anchors and the client certificate with its key (PEM or
# DER), artifact verification keys (PEM).

include_guard(GLOBAL)
set(MENDER_MCU_SCRIPTS_DIR ${CMAKE_CURRENT_LIST_DIR}/../scripts)

# The files that CONFIG_MENDER_MCU_`symbol` names; `what` they are, for who has none yet.
function(_mender_mcu_files out symbol what)
  set(files "")
  separate_arguments(names UNIX_COMMAND "${CONFIG_MENDER_MCU_${symbol}}")
  foreach(name ${names})
    get_filename_component(path ${name} ABSOLUTE BASE_DIR ${APPLICATION_CONFIG_DIR})
    if(NOT EXISTS ${path})
      message(FATAL_ERROR "mender-mcu: CONFIG_MENDER_MCU_${symbol} names ${name}, which does not exist (looked for ${path}): "
        "it is ${what}")
    endif()
    list(APPEND files ${path})
  endforeach()
  set(${out} ${files} PARENT_SCOPE)
endfunction()

function(mender_mcu_embed_credentials)
  _mender_mcu_files(api CA_FILES "the root certificate that the server's chain ends in, PEM or DER")
  _mender_mcu_files(storage STORAGE_CA_FILES "the root certificate that the chain of the artifact storage ends in, PEM or DER")
  _mender_mcu_files(keys VERIFY_KEY_FILES "the public key that artifacts are verified with, PEM")
  _mender_mcu_files(certificate TLS_CLIENT_CERT_FILE "the certificate that the device shows to the server, PEM or DER")
  _mender_mcu_files(key TLS_CLIENT_KEY_FILE "the private key of that certificate, PEM or DER")
  if(NOT api AND CONFIG_NET_SOCKETS_SOCKOPT_TLS AND CONFIG_MENDER_MCU_TLS_CA_TAG LESS 0)
    message(FATAL_ERROR "mender-mcu: CONFIG_MENDER_MCU_CA_FILES is empty: name the certificate that your server's chain ends in "
      "(PEM or DER)")
  endif()
  if((certificate AND NOT key) OR (key AND NOT certificate))
    message(FATAL_ERROR "mender-mcu: CONFIG_MENDER_MCU_TLS_CLIENT_CERT_FILE and CONFIG_MENDER_MCU_TLS_CLIENT_KEY_FILE belong together: "
      "set both or none")
  endif()
  set(flags "")
  if(CONFIG_MENDER_MCU_TLS_OWN_SERVER)
    set(flags --only-p256)
  endif()
  set(header ${CMAKE_CURRENT_BINARY_DIR}/generated/mender_credentials.h)
  set(script ${MENDER_MCU_SCRIPTS_DIR}/embed_credentials.py)
  add_custom_command(OUTPUT ${header}
    COMMAND ${PYTHON_EXECUTABLE} ${script} --out ${header} ${flags} --api ${api} --storage ${storage} --keys ${keys}
      --certificate ${certificate} --key ${key}
    DEPENDS ${script} ${api} ${storage} ${keys} ${certificate} ${key}
    COMMENT "mender-mcu: embed certificates and keys" VERBATIM)
  add_custom_target(mender_mcu_credentials DEPENDS ${header})
  zephyr_library_include_directories(${CMAKE_CURRENT_BINARY_DIR}/generated)
  add_dependencies(${ZEPHYR_CURRENT_LIBRARY} mender_mcu_credentials)
endfunction()
