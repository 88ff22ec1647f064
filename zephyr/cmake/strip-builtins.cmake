# SPDX-License-Identifier: Apache-2.0
#
# cmake -DAR= -DIN= -DOUT= -P: copies an archive without the members of the crate compiler_builtins. They are weak, and would
# replace the memcpy and the division of the whole image without a word.
file(COPY_FILE ${IN} ${OUT}.tmp)
execute_process(COMMAND ${AR} t ${OUT}.tmp OUTPUT_VARIABLE members COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]*compiler_builtins[^\n]*" unwanted "${members}")
if(unwanted)
  execute_process(COMMAND ${AR} d ${OUT}.tmp ${unwanted} COMMAND_ERROR_IS_FATAL ANY)
endif()
file(RENAME ${OUT}.tmp ${OUT})
