# The check of overrides.tsv refuses tables that the engine does not agree with.
#   cmake -DTABLE=… -DENGINE=… -DNM=… -DCHECK=check.cmake -DWORK=FOLDER -P check_test.cmake

# Runs the check with the table in which FROM is TO; it must say every one of the words, or pass where there are none.
function(expect from to)
  file(READ ${TABLE} text)
  string(REPLACE "${from}" "${to}" changed "${text}")
  if(NOT from STREQUAL to AND changed STREQUAL text)
    message(FATAL_ERROR "the table has no '${from}'")
  endif()
  file(WRITE ${WORK}/overrides.tsv "${changed}")
  execute_process(COMMAND ${CMAKE_COMMAND} -DTABLE=${WORK}/overrides.tsv -DENGINE=${ENGINE} -DNM=${NM} -P ${CHECK}
    RESULT_VARIABLE failed ERROR_VARIABLE said)
  string(REGEX REPLACE "[ \n]+" " " said "${said}")
  if(ARGN AND NOT failed)
    message(FATAL_ERROR "'${to}' passed")
  elseif(failed AND NOT ARGN)
    message(FATAL_ERROR "the table as it is was refused: ${said}")
  endif()
  foreach(words IN LISTS ARGN)
    string(FIND "${said}" "${words}" at)
    if(at EQUAL -1)
      message(FATAL_ERROR "'${to}' was not refused with '${words}' but with: ${said}")
    endif()
  endforeach()
endfunction()

expect("" "")
expect("\tllamafile_sgemm\t" "\tllamafile_sgemm_of_another_version\t"
  "the engine changed" "matmul_override.cc replaces llamafile_sgemm_of_another_version"
  "faster products" "which it no longer has")
# The engine calls this function only from the file that defines it.
expect("\tggml_view_2d\t" "\tggml_abs\t" "no longer calls from another object file")
expect("engine\t0.4.1" "engine\t0.4.0" "it is version 0.4.1" "checked against 0.4.0")
