# SPDX-License-Identifier: Apache-2.0

include_guard(GLOBAL)

# Appends to the list `variable` what bindgen needs to find libclang, or stops with what to install. Looks where bindgen looks, and for Python's
# package, which it does not know.
function(mender_mcu_find_libclang variable)
  # bindgen has more places on other systems, and says itself when all are empty.
  if(DEFINED ENV{LIBCLANG_PATH} OR NOT CMAKE_HOST_SYSTEM_NAME STREQUAL Linux)
    return()
  endif()
  if(NOT DEFINED MENDER_MCU_LIBCLANG_DIRS)
    set(MENDER_MCU_LIBCLANG_DIRS /usr/local/llvm*/lib* /usr/local/lib*/*/* /usr/local/lib*/* /usr/local/lib* /usr/lib*/*/*
      /usr/lib*/* /usr/lib*)
    find_program(llvm_config llvm-config NO_CACHE)
    if(llvm_config)
      execute_process(COMMAND ${llvm_config} --libdir OUTPUT_VARIABLE libdir ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
      list(PREPEND MENDER_MCU_LIBCLANG_DIRS ${libdir})
    endif()
    string(REPLACE ":" ";" more "$ENV{LD_LIBRARY_PATH}")
    list(PREPEND MENDER_MCU_LIBCLANG_DIRS ${more})
  endif()
  foreach(dir ${MENDER_MCU_LIBCLANG_DIRS})
    file(GLOB found ${dir}/libclang.so ${dir}/libclang.so.* ${dir}/libclang-*.so ${dir}/libclang-*.so.*)
    if(found)
      return()
    endif()
  endforeach()
  execute_process(COMMAND ${PYTHON_EXECUTABLE} -c
    "import clang, pathlib; print(next(pathlib.Path(clang.__path__[0]).glob('native/libclang.*')).parent)"
    RESULT_VARIABLE rc OUTPUT_VARIABLE dir ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT rc EQUAL 0)
    message(FATAL_ERROR "mender-mcu: no libclang was found, which bindgen reads C headers with: `apt install libclang-dev`, "
      "`pip install libclang`, or name its folder by the environment variable LIBCLANG_PATH")
  endif()
  set(${variable} ${${variable}} LIBCLANG_PATH=${dir} PARENT_SCOPE)
endfunction()
