# The recognition engine (transcribe.cpp with ggml inside) as the target transcribe_cpp::transcribe_cpp.
# Only src/worker and the voice activity detector in src/speech may link it.
set(HEADROOM_ENGINE_DIR "" CACHE PATH "A transcribe.cpp source tree to build instead of the published one")

set(_engine_command ${CMAKE_COMMAND} -E env CC=${CMAKE_C_COMPILER} CXX=${CMAKE_CXX_COMPILER}
    ${CMAKE_CURRENT_LIST_DIR}/engine.sh)
if(HEADROOM_FUZZ OR CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # One build of the engine serves every preset: it is plain C++ behind a C interface.
  set(_engine_command ${CMAKE_COMMAND} -E env CC=gcc CXX=g++ ${CMAKE_CURRENT_LIST_DIR}/engine.sh)
endif()
if(HEADROOM_ENGINE_DIR)
  list(APPEND _engine_command --source ${HEADROOM_ENGINE_DIR})
endif()
execute_process(COMMAND ${_engine_command}
  OUTPUT_VARIABLE _engine_output RESULT_VARIABLE _engine_failed OUTPUT_STRIP_TRAILING_WHITESPACE)
if(_engine_failed)
  message(FATAL_ERROR "The engine could not be built; the lines above say why.")
endif()
string(REGEX REPLACE ".*\n" "" _engine_output "${_engine_output}")
set(HEADROOM_ENGINE_PREFIX "${_engine_output}" CACHE INTERNAL "Where the built engine is")
message(STATUS "Engine: ${HEADROOM_ENGINE_PREFIX}")

find_package(Threads REQUIRED)
add_library(transcribe_cpp INTERFACE)
add_library(transcribe_cpp::transcribe_cpp ALIAS transcribe_cpp)
target_include_directories(transcribe_cpp SYSTEM INTERFACE ${HEADROOM_ENGINE_PREFIX}/include)
target_link_libraries(transcribe_cpp INTERFACE
  ${HEADROOM_ENGINE_PREFIX}/lib/libtranscribe.a
  ${HEADROOM_ENGINE_PREFIX}/lib/libggml.a
  ${HEADROOM_ENGINE_PREFIX}/lib/libggml-cpu.a
  ${HEADROOM_ENGINE_PREFIX}/lib/libggml-base.a
  Threads::Threads ${CMAKE_DL_LIBS} m)
