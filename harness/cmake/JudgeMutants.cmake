# Mutants of the judge. Each edits one source; the program of tests that must notice is linked with
# the edited source in the place of the original, and the test that the file names must fail in it.
# That many links are more than a build should wait for: the first of these tests makes them.
if(PADPROOF_SANITIZE OR PADPROOF_RACE OR PADPROOF_FUZZ)
  return()
endif()

set(judge_folder ${PROJECT_BINARY_DIR}/judge)
file(MAKE_DIRECTORY ${judge_folder})
foreach(neighbour padproof mutants tests)  # what tests look for beside their program
  file(CREATE_LINK ../${neighbour} ${judge_folder}/${neighbour} SYMBOLIC)
endforeach()
add_custom_target(judge_mutants DEPENDS padproof misbehaving misbehaving_device cuda_without_device)
add_test(NAME judge.build
  COMMAND ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target judge_mutants)
set_tests_properties(judge.build PROPERTIES FIXTURES_SETUP judge TIMEOUT 900)

# Objects and libraries of each program. Archives come last: a linker takes from them only what the
# edited source does not define. Of OBJECT libraries the original is left out.
set(harness_test_objects $<TARGET_OBJECTS:harness_test>)
set(harness_test_libraries padproof_drivers GTest::gtest_main)
set(laws_test_objects $<TARGET_OBJECTS:laws_test> $<TARGET_OBJECTS:padproof_kernels>
  $<TARGET_OBJECTS:padproof_properties>)
set(laws_test_libraries padproof_drivers padproof_reference padproof_simt GTest::gtest)
set(reference_test_objects $<TARGET_OBJECTS:reference_test>)
set(reference_test_libraries padproof_reference GTest::gtest_main)

# padproof_judge(name program original sources...)
function(padproof_judge name program original)
  string(REGEX REPLACE "^[^/]*/(.*)$" "\\1" object "${original}")
  string(REPLACE "." "[.]" object "${object}")
  add_executable(judge_${name} EXCLUDE_FROM_ALL ${ARGN}
    "$<FILTER:${${program}_objects},EXCLUDE,[.]dir/([.]/)?${object}[.]o$>")
  target_link_libraries(judge_${name} PRIVATE ${${program}_libraries}
    fmt::fmt nlohmann_json::nlohmann_json rapidcheck ${CMAKE_DL_LIBS})
  target_compile_definitions(judge_${name} PRIVATE PADPROOF_SOURCE_DIRECTORY="${PROJECT_SOURCE_DIR}")
  target_compile_options(judge_${name} PRIVATE -O0 -g0 -w)
  target_link_options(judge_${name} PRIVATE -Wl,--strip-debug)
  set_target_properties(judge_${name} PROPERTIES LINKER_LANGUAGE CXX OUTPUT_NAME ${name}
    RUNTIME_OUTPUT_DIRECTORY ${judge_folder})
  add_dependencies(judge_mutants judge_${name})
endfunction()

file(GLOB judge_files CONFIGURE_DEPENDS harness/mutants/judge/*.mutant)
foreach(mutant_file IN LISTS judge_files)
  get_filename_component(mutant ${mutant_file} NAME_WE)
  file(STRINGS ${mutant_file} lines REGEX "^(source|killed_by):")
  string(REGEX REPLACE "^.*source:[ \t]*([^ ;]+).*$" "\\1" source "${lines}")
  if(NOT lines MATCHES "killed_by: (harness_test|laws_test|reference_test) ([A-Za-z0-9_]+\\.[A-Za-z0-9_]+)")
    message(FATAL_ERROR "${mutant_file}: 'killed_by:' names no program of tests and test of it")
  endif()
  set(program ${CMAKE_MATCH_1})
  set(test ${CMAKE_MATCH_2})
  set(edited ${judge_folder}/${mutant}.cc)
  add_custom_command(OUTPUT ${edited}
    COMMAND padproof_apply_mutant ${PROJECT_SOURCE_DIR}/${source} ${mutant_file} ${edited}
    DEPENDS padproof_apply_mutant ${source} ${mutant_file}
    COMMENT "Editing ${source}: ${mutant}" VERBATIM)
  padproof_judge(${mutant} ${program} ${source} ${edited})
  add_test(NAME judge.${mutant} COMMAND judge_${mutant} --gtest_filter=${test})
  set_tests_properties(judge.${mutant} PROPERTIES FIXTURES_REQUIRED judge TIMEOUT 300
    PASS_REGULAR_EXPRESSION "\\[  FAILED  \\] ${test}")
  list(APPEND ${program}_tests ${test})
endforeach()

# The same tests in a program that is put together in the same way and not edited: they pass there.
foreach(program harness_test laws_test reference_test)
  padproof_judge(unedited_${program} ${program} none)
  list(REMOVE_DUPLICATES ${program}_tests)
  list(JOIN ${program}_tests ":" filter)
  add_test(NAME judge.unedited_${program} COMMAND judge_unedited_${program} --gtest_filter=${filter})
  set_tests_properties(judge.unedited_${program} PROPERTIES FIXTURES_REQUIRED judge TIMEOUT 300
    FAIL_REGULAR_EXPRESSION "Running 0 tests from")
endforeach()
