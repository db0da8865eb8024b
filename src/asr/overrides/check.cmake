# Compares overrides.tsv with a built engine, and stops with words where they differ.
#
#   cmake -DTABLE=overrides.tsv -DENGINE=PREFIX -DNM=nm -P check.cmake
#
# --wrap is silent when it has nothing to replace, and it only sees calls from one object file to another. So
# every replaced function must be defined in the engine's libraries (or in the C++ library, where the table says
# std::), and called from another object file than its own.

function(headroom_overrides table names)
  file(STRINGS ${table} rows REGEX "^wrap\t")
  set(found)
  foreach(row IN LISTS rows)
    string(REGEX MATCH "^wrap\t([^\t]+)\t([^\t]+)\t(.+)$" row "${row}")
    if(NOT row)
      message(FATAL_ERROR "${table}: a row does not have four columns")
    endif()
    list(APPEND found ${CMAKE_MATCH_1})
    set(_by_${CMAKE_MATCH_1} ${CMAKE_MATCH_2} PARENT_SCOPE)
    set(_why_${CMAKE_MATCH_1} ${CMAKE_MATCH_3} PARENT_SCOPE)
  endforeach()
  set(${names} ${found} PARENT_SCOPE)
endfunction()

function(headroom_check_overrides table engine nm)
  file(STRINGS ${table} expected REGEX "^engine\t")
  string(REGEX REPLACE "^engine\t([^\t]+)\t.*" "\\1" expected "${expected}")
  file(READ ${engine}/include/transcribe.h header)
  set(version)
  foreach(part MAJOR MINOR PATCH)
    string(REGEX MATCH "TRANSCRIBE_VERSION_${part} +([0-9]+)" part "${header}")
    list(APPEND version ${CMAKE_MATCH_1})
  endforeach()
  list(JOIN version "." version)
  set(wrong)
  if(NOT version STREQUAL expected)
    string(APPEND wrong "\n  it is version ${version}, and the table was checked against ${expected}")
  endif()

  file(GLOB libraries ${engine}/lib/*.a)
  execute_process(COMMAND ${nm} ${libraries}
    OUTPUT_VARIABLE symbols ERROR_VARIABLE error RESULT_VARIABLE failed)
  if(failed OR NOT symbols)
    message(FATAL_ERROR "${nm} cannot read the engine's libraries in ${engine}/lib: ${error}")
  endif()
  headroom_overrides(${table} names)
  foreach(name IN LISTS names)
    set(what "asr/overrides/${_by_${name}} replaces ${name} (${_why_${name}})")
    string(FIND "${symbols}" " T ${name}\n" defined)
    string(FIND "${symbols}" " U ${name}\n" called)
    if(defined EQUAL -1 AND NOT _why_${name} MATCHES "^std::")
      string(APPEND wrong "\n  ${what}, which it no longer has")
    elseif(called EQUAL -1)
      string(APPEND wrong "\n  ${what}, which it no longer calls from another object file, so that the linker cannot replace it")
    endif()
  endforeach()
  if(wrong)
    message(FATAL_ERROR "the engine changed (${engine}):${wrong}\n"
      "Read what it does now in these places, change our files, then ${table}.")
  endif()
endfunction()

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  headroom_check_overrides(${TABLE} ${ENGINE} ${NM})
endif()
