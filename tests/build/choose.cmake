# SPDX-License-Identifier: Apache-2.0
#
# cmake -DREPOSITORY= [-DTARGET=] [-DCONFIG_…=] -P: what the module's CMake files choose, without Zephyr.
include(${REPOSITORY}/zephyr/cmake/rust.cmake)

if(NOT DEFINED TARGET)
  mender_mcu_rust_target(TARGET)
endif()
message(NOTICE "target: ${TARGET}")
if(FIND_RUST)
  mender_mcu_find_rust(${TARGET})
  message(NOTICE "cargo: ${MENDER_MCU_CARGO}\nenvironment: ${MENDER_MCU_CARGO_ENV}\nflags: ${MENDER_MCU_CARGO_FLAGS}")
endif()
if(FIND_LIBCLANG)
  set(env "")
  mender_mcu_find_libclang(env)
  message(NOTICE "libclang: ${env}")
endif()
