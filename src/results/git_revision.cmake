# Run at every build: writes HEADER, which tells the revision of the source tree SOURCE, where it has changed.
cmake_minimum_required(VERSION 3.23)
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty
                OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT revision)
  set(revision unknown)
endif()
file(CONFIGURE OUTPUT ${HEADER} CONTENT "#define DIFFPHASE_GIT_REVISION \"@revision@\"\n" @ONLY)
