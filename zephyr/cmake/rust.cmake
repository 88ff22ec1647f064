# SPDX-License-Identifier: Apache-2.0
#
# Builds rust/staticlib with cargo for the CPU that Zephyr builds for.
#
# Set on the command line, that of sysbuild too, or in the environment where the defaults do not fit:
#   MENDER_MCU_RUST_TARGET       target triple
#   MENDER_MCU_RUSTC             compiler; cargo is taken from beside it
#   MENDER_MCU_RUST_BUILD_STD    AUTO, ON or OFF: build `core` from source (AUTO: where no installed target fits)
#   MENDER_MCU_CARGO_TARGET_DIR  cargo's folder; one that several builds share saves time, at the price of cargo's lock

include_guard(GLOBAL)
include(${CMAKE_CURRENT_LIST_DIR}/libclang.cmake)
set(MENDER_MCU_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR})
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/../../Cargo.toml _mender_mcu_minimum REGEX "^rust-version = ")
string(REGEX REPLACE "[^0-9.]" "" MENDER_MCU_RUST_MIN "${_mender_mcu_minimum}")

# Kconfig -> target triple
function(mender_mcu_rust_target out)
  set(triple "")
  set(hf "")
  if(CONFIG_FPU AND CONFIG_FP_HARDABI)
    set(hf hf)
  endif()
  if(DEFINED MENDER_MCU_RUST_TARGET)
    set(triple ${MENDER_MCU_RUST_TARGET})
  elseif(CONFIG_CPU_CORTEX_M)
    if(CONFIG_ARMV8_M_BASELINE)
      set(triple thumbv8m.base-none-eabi)
    elseif(CONFIG_ARMV6_M_ARMV8_M_BASELINE)
      set(triple thumbv6m-none-eabi)
    elseif(CONFIG_ARMV8_M_MAINLINE)
      set(triple thumbv8m.main-none-eabi${hf})
    elseif(CONFIG_CPU_CORTEX_M3)
      set(triple thumbv7m-none-eabi)
    else()
      set(triple thumbv7em-none-eabi${hf})
    endif()
  elseif(CONFIG_RISCV AND NOT CONFIG_64BIT)
    if(CONFIG_RISCV_ISA_RV32E)
      message(FATAL_ERROR "mender-mcu: RV32E (${BOARD}) has no Rust target that the client is proven on; "
        "name one to try by -DMENDER_MCU_RUST_TARGET=<triple>")
    elseif(CONFIG_FPU AND CONFIG_FLOAT_HARD)
      # The one target whose calls pass floats in registers as the C compiler's do (ilp32f).
      if(CONFIG_CPU_HAS_FPU_DOUBLE_PRECISION OR NOT CONFIG_RISCV_ISA_EXT_A OR NOT CONFIG_RISCV_ISA_EXT_M
         OR NOT CONFIG_RISCV_ISA_EXT_C)
        message(FATAL_ERROR "mender-mcu: Rust has no target for the hard-float calls of ${BOARD}, only for single precision with the "
          "extensions M, A and C: set CONFIG_FLOAT_HARD=n")
      endif()
      set(triple riscv32imafc-unknown-none-elf)
    elseif(CONFIG_RISCV_ISA_EXT_A AND CONFIG_RISCV_ISA_EXT_M AND CONFIG_RISCV_ISA_EXT_C)
      set(triple riscv32imac-unknown-none-elf)
    elseif(CONFIG_RISCV_ISA_EXT_M AND CONFIG_RISCV_ISA_EXT_C)
      set(triple riscv32imc-unknown-none-elf)
    else()
      set(triple riscv32i-unknown-none-elf)
    endif()
  elseif(CONFIG_ARCH_POSIX AND CONFIG_64BIT)
    if(CMAKE_HOST_SYSTEM_PROCESSOR STREQUAL "aarch64")
      set(triple aarch64-unknown-linux-gnu)
    else()
      set(triple x86_64-unknown-linux-gnu)
    endif()
  elseif(CONFIG_X86 AND NOT CONFIG_X86_64)
    # Without SSE, which Zephyr leaves off; i686 would use it.
    set(triple i586-unknown-linux-gnu)
  endif()
  if(NOT triple)
    message(FATAL_ERROR "mender-mcu: no Rust target is known for ARCH=${ARCH}, board ${BOARD}; "
      "name one by -DMENDER_MCU_RUST_TARGET=<triple>")
  endif()
  set(${out} ${triple} PARENT_SCOPE)
endfunction()

# Every rustc worth a look, the user's choice alone where there is one.
function(_mender_mcu_compilers out)
  if(MENDER_MCU_RUSTC)
    set(${out} ${MENDER_MCU_RUSTC} PARENT_SCOPE)
    return()
  endif()
  set(found $ENV{RUSTC})
  find_program(_mender_mcu_rustc rustc NO_CACHE)
  if(_mender_mcu_rustc)
    list(APPEND found ${_mender_mcu_rustc})
  endif()
  foreach(dir $ENV{HOME}/.cargo/bin /usr/local/bin /usr/bin)
    if(EXISTS ${dir}/rustc)
      list(APPEND found ${dir}/rustc)
    endif()
  endforeach()
  list(REMOVE_DUPLICATES found)
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# Options by which LLVM lays out blocks for size, and leaves loops as they are: 560 bytes of 49 500 on a Cortex-M4. A release of the
# compiler may not know one of them.
function(_mender_mcu_size_options out rustc)
  set(options "")
  foreach(option -apply-ext-tsp-for-size -disable-machine-licm)
    execute_process(COMMAND ${rustc} -Cllvm-args=${option} --print cfg WORKING_DIRECTORY ${MENDER_MCU_CMAKE_DIR}
      RESULT_VARIABLE rc OUTPUT_QUIET ERROR_QUIET)
    if(rc EQUAL 0)
      string(APPEND options " -C llvm-args=${option}")
    endif()
  endforeach()
  set(${out} "${options}" PARENT_SCOPE)
endfunction()

# Sets MENDER_MCU_CARGO, MENDER_MCU_CARGO_ENV, MENDER_MCU_CARGO_FLAGS and MENDER_MCU_RUSTFLAGS in the caller's scope: of the compilers that are new
# enough an installed target first, else the source of `core`, else one sentence.
function(mender_mcu_find_rust target)
  if(NOT DEFINED MENDER_MCU_RUST_BUILD_STD)
    set(MENDER_MCU_RUST_BUILD_STD AUTO)
  endif()
  _mender_mcu_compilers(compilers)
  set(seen "")
  set(update "")
  set(found "")
  set(with_source "")
  foreach(rustc ${compilers})
    # In our folder, so that a rustup toolchain file there has its say.
    execute_process(COMMAND ${rustc} -vV WORKING_DIRECTORY ${MENDER_MCU_CMAKE_DIR}
      RESULT_VARIABLE rc OUTPUT_VARIABLE version ERROR_QUIET)
    execute_process(COMMAND ${rustc} --print sysroot WORKING_DIRECTORY ${MENDER_MCU_CMAKE_DIR}
      OUTPUT_VARIABLE sysroot ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(NOT rc EQUAL 0 OR NOT version MATCHES "release: ([^\n]+)")
      string(APPEND seen "\n    ${rustc} (does not run)")
      continue()
    endif()
    set(release ${CMAKE_MATCH_1})
    if(release VERSION_LESS MENDER_MCU_RUST_MIN)
      string(APPEND seen "\n    ${rustc} (${release}, ${sysroot}) (too old)")
      set(update "    rustup update                         (first, where rustup's is the one that is too old)\n")
      continue()
    endif()
    string(APPEND seen "\n    ${rustc} (${release}, ${sysroot})")
    file(GLOB core ${sysroot}/lib/rustlib/${target}/lib/libcore-*.rlib)
    if(core AND NOT MENDER_MCU_RUST_BUILD_STD STREQUAL ON)
      set(found ${rustc})
      set(source FALSE)
      break()
    endif()
    if(NOT with_source AND EXISTS ${sysroot}/lib/rustlib/src/rust/library/core/src/lib.rs)
      set(with_source ${rustc})
      set(with_source_release ${release})
    endif()
  endforeach()
  if(NOT found AND with_source AND NOT MENDER_MCU_RUST_BUILD_STD STREQUAL OFF)
    set(found ${with_source})
    set(release ${with_source_release})
    set(source TRUE)
  endif()
  if(NOT found)
    if(NOT seen)
      set(seen " none, there is no rustc")
    endif()
    message(FATAL_ERROR "mender-mcu: no Rust toolchain here can build for ${target} (Rust ${MENDER_MCU_RUST_MIN} or later).\n"
      "  Looked at:${seen}\n"
      "  Do one of:\n${update}"
      "    rustup target add ${target}\n"
      "    rustup component add rust-src         (`core` is then built from source)\n"
      "    apt install rustc rust-src cargo      (likewise, where `apt show rustc` says ${MENDER_MCU_RUST_MIN} or later)\n"
      "    west build ... -- -DMENDER_MCU_RUSTC=/path/to/rustc")
  endif()

  # The cargo beside rustc, so that the two belong to one toolchain.
  get_filename_component(bin ${found} DIRECTORY)
  set(cargo ${bin}/cargo)
  if(NOT EXISTS ${cargo})
    find_program(cargo cargo REQUIRED NO_CACHE)
  endif()
  set(env RUSTC=${found})
  set(flags "")
  set(how "installed target")
  if(source)
    set(how "core from source")
    set(flags -Zbuild-std=core)
    if(NOT release MATCHES "nightly|dev")
      list(APPEND env RUSTC_BOOTSTRAP=1)
    endif()
  endif()
  _mender_mcu_size_options(options ${found})
  message(STATUS "mender-mcu: Rust ${release} (${found}), ${target}, ${how}")
  set(MENDER_MCU_CARGO ${cargo} PARENT_SCOPE)
  set(MENDER_MCU_CARGO_ENV "${env}" PARENT_SCOPE)
  set(MENDER_MCU_CARGO_FLAGS "${flags}" PARENT_SCOPE)
  set(MENDER_MCU_RUSTFLAGS "${options}" PARENT_SCOPE)
endfunction()

# The static library as the imported target `name`, with the features that follow. `source` is a C file of ours: the headers are
# bound with its flags.
function(mender_mcu_add_rust_library name target root source)
  list(JOIN ARGN "," features)
  set(dir ${CMAKE_CURRENT_BINARY_DIR}/rust)
  # What cargo delivers stays ours where what it builds on the way is shared.
  set(built ${dir}/target/${target}/release/libmender_mcu.a)
  set_ifndef(MENDER_MCU_CARGO_TARGET_DIR ${dir}/target)
  set(stripped ${dir}/libmender_mcu.a)
  mender_mcu_find_libclang(MENDER_MCU_CARGO_ENV)

  set(clang_args ${dir}/clang-args.txt)
  set(clang_args_script ${MENDER_MCU_CMAKE_DIR}/../scripts/clang_args.py)
  set(database ${CMAKE_BINARY_DIR}/compile_commands.json)
  add_custom_command(OUTPUT ${clang_args}
    COMMAND ${PYTHON_EXECUTABLE} ${clang_args_script} --database ${database} --source ${source} --target ${target}
      --out ${clang_args}
    DEPENDS ${clang_args_script} ${database}
    COMMENT "mender-mcu: flags of the C compiler, for bindgen" VERBATIM)

  # The small SHA-256; and IA-32 images have no global offset table.
  set(rustflags "--cfg sha2_backend=\"soft\" --cfg sha2_backend_soft=\"compact\"${MENDER_MCU_RUSTFLAGS}")
  if(CONFIG_X86 AND NOT CONFIG_X86_64)
    string(APPEND rustflags " -C relocation-model=static")
  endif()
  string(TOUPPER "CARGO_TARGET_${target}_RUSTFLAGS" variable)
  string(REGEX REPLACE "[-.]" "_" variable ${variable})

  # cargo's list of what it has read has sources alone.
  file(GLOB manifests CONFIGURE_DEPENDS ${root}/rust/*/Cargo.toml)

  add_custom_command(OUTPUT ${built}
    # RUSTFLAGS of the environment would replace ours.
    COMMAND ${CMAKE_COMMAND} -E env --unset=RUSTFLAGS --unset=CARGO_ENCODED_RUSTFLAGS ${MENDER_MCU_CARGO_ENV}
      "${variable}=${rustflags}" ZEPHYR_SYS_CLANG_ARGS=${clang_args} CARGO_BUILD_BUILD_DIR=${MENDER_MCU_CARGO_TARGET_DIR}
      ${MENDER_MCU_CARGO} build --quiet --release --locked --package mender-staticlib --no-default-features --features ${features}
      --target ${target} --target-dir ${dir}/target ${MENDER_MCU_CARGO_FLAGS}
    # A manifest may be newer and say the same to cargo, which then leaves the library as old as it is.
    COMMAND ${CMAKE_COMMAND} -E touch ${built}
    # errno.h includes headers that the build makes.
    DEPENDS ${root}/Cargo.toml ${root}/Cargo.lock ${manifests} ${clang_args} zephyr_generated_headers
    DEPFILE ${dir}/target/${target}/release/libmender_mcu.d
    WORKING_DIRECTORY ${root}
    COMMENT "mender-mcu: cargo build (${target})" USES_TERMINAL VERBATIM)

  # The compiler's own intrinsics and memcpy come from Zephyr's libc and libgcc, for us as for all others.
  add_custom_command(OUTPUT ${stripped}
    COMMAND ${CMAKE_COMMAND} -DAR=${CMAKE_AR} -DIN=${built} -DOUT=${stripped}
      -P ${MENDER_MCU_CMAKE_DIR}/strip-builtins.cmake
    DEPENDS ${built} ${MENDER_MCU_CMAKE_DIR}/strip-builtins.cmake
    COMMENT "mender-mcu: leave compiler_builtins out" VERBATIM)

  add_custom_target(${name}_build DEPENDS ${stripped})
  add_library(${name} STATIC IMPORTED GLOBAL)
  set_target_properties(${name} PROPERTIES IMPORTED_LOCATION ${stripped})
  add_dependencies(${name} ${name}_build)
endfunction()
