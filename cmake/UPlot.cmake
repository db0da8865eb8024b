# The charts of the web page are drawn by uPlot (MIT), a pinned package of the npm registry. It is
# fetched once per machine, checked, and kept in $XDG_CACHE_HOME/headroom/npm; then no network is
# needed. HEADROOM_UPLOT is the folder with its dist/ and LICENSE.
set(_uplot_version 1.6.32)
set(_uplot_sha256 4b8a8191e425658e3ea8c8c1314b0fc679c861ee3a1af2b20c7b16ba50b5133d)
if(DEFINED ENV{XDG_CACHE_HOME})
  set(_uplot_cache $ENV{XDG_CACHE_HOME}/headroom/npm)
else()
  set(_uplot_cache $ENV{HOME}/.cache/headroom/npm)
endif()
set(_uplot_archive ${_uplot_cache}/uplot-${_uplot_version}.tgz)

function(_uplot_check into)
  set(${into} FALSE PARENT_SCOPE)
  if(EXISTS ${_uplot_archive})
    file(SHA256 ${_uplot_archive} found)
    if(found STREQUAL _uplot_sha256)
      set(${into} TRUE PARENT_SCOPE)
    endif()
  endif()
endfunction()

file(MAKE_DIRECTORY ${_uplot_cache})
file(LOCK ${_uplot_cache}/lock GUARD FILE TIMEOUT 120)
_uplot_check(_uplot_here)
if(NOT _uplot_here)
  message(STATUS "Fetching uPlot ${_uplot_version} (0.1 MB) from the npm registry")
  file(REMOVE ${_uplot_archive})
  find_program(NPM npm)
  if(NPM)
    execute_process(COMMAND ${NPM} pack --silent uplot@${_uplot_version}
      WORKING_DIRECTORY ${_uplot_cache} OUTPUT_QUIET ERROR_QUIET)
  else() # its own client is a large thing to ask for, for one file
    file(DOWNLOAD https://registry.npmjs.org/uplot/-/uplot-${_uplot_version}.tgz ${_uplot_archive}
      TLS_VERIFY ON INACTIVITY_TIMEOUT 60)
  endif()
  _uplot_check(_uplot_here)
  if(NOT _uplot_here)
    file(REMOVE ${_uplot_archive})
    message(FATAL_ERROR "uPlot ${_uplot_version} could not be fetched, or was another file than the one "
      "pinned here; check the network, then run this again, or put it at ${_uplot_archive}")
  endif()
endif()
file(LOCK ${_uplot_cache}/lock RELEASE)
set(HEADROOM_UPLOT ${CMAKE_BINARY_DIR}/uplot-${_uplot_version}/package)
if(NOT EXISTS ${HEADROOM_UPLOT}/LICENSE)
  file(ARCHIVE_EXTRACT INPUT ${_uplot_archive} DESTINATION ${CMAKE_BINARY_DIR}/uplot-${_uplot_version})
endif()
