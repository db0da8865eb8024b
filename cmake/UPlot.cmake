# HEADROOM_UPLOT: the folder with uPlot's dist/ and LICENSE; see uplot.sh.
execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/uplot.sh
  OUTPUT_VARIABLE _uplot_said OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE _uplot_failed)
if(_uplot_failed)
  message(FATAL_ERROR "uPlot, which the web page needs, is not here; the lines above say why")
endif()
string(REGEX MATCH "[^\n]+$" _uplot_archive "${_uplot_said}")
cmake_path(GET _uplot_archive STEM LAST_ONLY _uplot_name)
set(HEADROOM_UPLOT ${CMAKE_BINARY_DIR}/${_uplot_name}/package)
if(NOT EXISTS ${HEADROOM_UPLOT}/LICENSE)
  file(ARCHIVE_EXTRACT INPUT ${_uplot_archive} DESTINATION ${CMAKE_BINARY_DIR}/${_uplot_name})
endif()
