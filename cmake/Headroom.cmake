# One room (src/WING/ROOM) = one static library headroom::WING_ROOM. A library links only what its room may
# depend on, so a wrong #include fails here or in .ci/layers.
#
#   headroom_library(NAME SOURCES a.cc… LINKS headroom::base… [SEPARATE b.cc…] [TESTS a_test.cc…] [TEST_LINKS …])
#   headroom_program(NAME SOURCES main.cc… LINKS …)
#
# With HEADROOM_UNITY a library's sources are compiled together, which takes far less time. Two sources
# with one name in their anonymous namespaces then clash: rename one, or list one under SEPARATE.
option(HEADROOM_UNITY "Compile the sources of a library together: for builds from nothing" OFF)

set(HEADROOM_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 sees uninitialised members in every std::optional of a class that is moved.
  # With -O3 it also sees strings overlap themselves in operator+ (GCC bug 105651).
  # A warning is an error in the builds of those who change the code; another compiler or -O3 warns of more.
  list(APPEND HEADROOM_WARNINGS $<$<CONFIG:Debug>:-Werror> -Wno-maybe-uninitialized $<$<CONFIG:Release>:-Wno-restrict>)
else()
  # libstdc++ 12's stable_sort uses a function that it itself deprecates, and clang says so.
  list(APPEND HEADROOM_WARNINGS -Wno-deprecated-declarations -Wthread-safety -Werror=thread-safety)
endif()

# Rooms whose speed no one notices; compiling them takes longest, since they are full of templates.
set(HEADROOM_GLUE "^(headroom|headroom-daemon|headroom_(app|net)_.*|headroom_(asr_planner|models_store|observe_report))$")

function(_headroom_compile target)
  target_compile_features(${target} PUBLIC cxx_std_23)
  if(target MATCHES "${HEADROOM_GLUE}")
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
  target_compile_options(${target} PRIVATE ${HEADROOM_WARNINGS})
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/src)
endfunction()

function(headroom_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS;SEPARATE;TESTS;TEST_LINKS" ${ARGN})
  if(NOT ARG_SOURCES) # headers alone
    add_library(headroom_${name} INTERFACE)
    target_link_libraries(headroom_${name} INTERFACE ${ARG_LINKS})
  else()
    add_library(headroom_${name} STATIC ${ARG_SOURCES})
    _headroom_compile(headroom_${name})
    set_target_properties(headroom_${name} PROPERTIES UNITY_BUILD ${HEADROOM_UNITY} UNITY_BUILD_BATCH_SIZE 16)
    if(HEADROOM_UNITY) # about names of another source in the same unit; builds without unity check them
      target_compile_options(headroom_${name} PRIVATE -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
    endif()
    if(ARG_SEPARATE)
      set_source_files_properties(${ARG_SEPARATE} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    endif()
    target_link_libraries(headroom_${name} PUBLIC ${ARG_LINKS})
    if(name MATCHES "_testing$")
      set_target_properties(headroom_${name} PROPERTIES EXCLUDE_FROM_ALL ON)
    endif()
  endif()
  add_library(headroom::${name} ALIAS headroom_${name})
  if(HEADROOM_TESTS AND ARG_TESTS)
    add_executable(${name}_test ${ARG_TESTS})
    _headroom_compile(${name}_test)
    target_link_libraries(${name}_test PRIVATE
      headroom_${name} ${ARG_TEST_LINKS} GTest::gmock GTest::gtest_main)
    set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    gtest_discover_tests(${name}_test TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 60
      PROPERTIES TIMEOUT 120 LABELS unit ENVIRONMENT "HEADROOM_LIBEXEC=${CMAKE_BINARY_DIR}/bin")
    if(NOT TARGET unit_tests)
      add_custom_target(unit_tests)
    endif()
    add_dependencies(unit_tests ${name}_test)
  endif()
endfunction()

function(headroom_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  _headroom_compile(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# headroom_fuzz(NAME SOURCES x_fuzz.cc LINKS …): a libFuzzer program fuzz/NAME with -DHEADROOM_FUZZ=ON.
function(headroom_fuzz name)
  if(NOT HEADROOM_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  _headroom_compile(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} -fsanitize=fuzzer)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  if(NOT TARGET fuzz_targets)
    add_custom_target(fuzz_targets)
  endif()
  add_dependencies(fuzz_targets ${name})
endfunction()
