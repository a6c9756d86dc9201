# Installs the build tree BUILD and builds and runs the consumer against nothing but what was installed, in SCRATCH.
file(REMOVE_RECURSE ${SCRATCH})
set(prefix ${SCRATCH}/prefix)

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${SCRATCH}/build -G ${GENERATOR} -D CMAKE_PREFIX_PATH=${prefix}
    -D CMAKE_CXX_COMPILER=${COMPILER} -D CMAKE_BUILD_TYPE=Release)
run(${CMAKE_COMMAND} --build ${SCRATCH}/build)
execute_process(COMMAND ${SCRATCH}/build/consumer OUTPUT_VARIABLE number COMMAND_ERROR_IS_FATAL ANY)
message("The consumer printed ${number}")
if(NOT number MATCHES "^0\\.[0-9]+\n$")
  message(FATAL_ERROR "which is not a uniform random number")
endif()

# Headers name only what is installed beside them.
file(GLOB_RECURSE headers ${prefix}/include/*.hpp)
foreach(header IN LISTS headers)
  file(STRINGS ${header} includes REGEX "^#include \"")
  foreach(include IN LISTS includes)
    string(REGEX REPLACE "^#include \"([^\"]*)\".*" "\\1" file "${include}")
    if(NOT EXISTS ${prefix}/include/diffphase/${file})
      message(FATAL_ERROR "${header} includes ${file}, which is not installed")
    endif()
  endforeach()
endforeach()
