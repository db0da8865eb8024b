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
set(HEADROOM_ENGINE_PREFIXES ${HEADROOM_ENGINE_PREFIX}) # of every backend

find_package(Threads REQUIRED)
# Every build of the engine has the same headers. A program links exactly one of the builds: the one
# that its property HEADROOM_ENGINE names, "vulkan" or "cuda", else the CPU's.
add_library(transcribe_cpp INTERFACE)
add_library(transcribe_cpp::transcribe_cpp ALIAS transcribe_cpp)
target_include_directories(transcribe_cpp SYSTEM INTERFACE ${HEADROOM_ENGINE_PREFIX}/include)
target_link_libraries(transcribe_cpp INTERFACE Threads::Threads ${CMAKE_DL_LIBS} m)

# _headroom_engine(BACKEND PREFIX [LIBRARY…]): that build, with what its backend needs.
function(_headroom_engine backend prefix)
  set(chosen "$<STREQUAL:$<TARGET_PROPERTY:HEADROOM_ENGINE>,${backend}>")
  if(backend)
    set(own ${prefix}/lib/libggml-${backend}.a)
  endif()
  foreach(library ${prefix}/lib/libtranscribe.a ${prefix}/lib/libggml.a ${own}
      ${prefix}/lib/libggml-cpu.a ${prefix}/lib/libggml-base.a ${ARGN})
    target_link_libraries(transcribe_cpp INTERFACE $<${chosen}:${library}>)
  endforeach()
endfunction()
_headroom_engine("" ${HEADROOM_ENGINE_PREFIX})

# _headroom_engine_for(BACKEND PREFIX_VARIABLE): builds the engine for it once more, or finds it.
function(_headroom_engine_for backend into)
  execute_process(COMMAND ${_engine_command} --backend ${backend}
    OUTPUT_VARIABLE prefix RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(failed)
    message(FATAL_ERROR "The engine could not be built for ${backend}; the lines above say why.")
  endif()
  string(REGEX REPLACE ".*\n" "" prefix "${prefix}")
  message(STATUS "Engine for ${backend}: ${prefix}")
  set(${into} ${prefix} PARENT_SCOPE)
  set(HEADROOM_ENGINE_PREFIXES ${HEADROOM_ENGINE_PREFIXES} ${prefix} PARENT_SCOPE)
endfunction()

if(HEADROOM_VULKAN)
  find_package(Vulkan REQUIRED)
  _headroom_engine_for(vulkan _vulkan_prefix)
  _headroom_engine(vulkan ${_vulkan_prefix} Vulkan::Vulkan)
endif()
if(HEADROOM_CUDA)
  # By hand: CMake 3.25's own FindCUDAToolkit stops at a library that CUDA 13 has no more.
  if(DEFINED ENV{CUDACXX})
    set(HEADROOM_NVCC $ENV{CUDACXX})
  else()
    find_program(HEADROOM_NVCC nvcc HINTS /usr/local/cuda/bin REQUIRED)
  endif()
  cmake_path(GET HEADROOM_NVCC PARENT_PATH _cuda_root)
  cmake_path(GET _cuda_root PARENT_PATH _cuda_root)
  set(_cuda_libraries)
  foreach(_library cudart cublas cublasLt cuda)
    find_library(HEADROOM_CUDA_${_library} ${_library} REQUIRED
      HINTS ${_cuda_root} PATH_SUFFIXES lib64 lib targets/x86_64-linux/lib lib64/stubs lib/stubs)
    list(APPEND _cuda_libraries ${HEADROOM_CUDA_${_library}})
  endforeach()
  _headroom_engine_for(cuda _cuda_prefix)
  _headroom_engine(cuda ${_cuda_prefix} ${_cuda_libraries})
endif()
