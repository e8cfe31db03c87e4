#!/usr/bin/env bash
# Builds every target for OSS-Fuzz and ClusterFuzzLite. Compiler, flags, engine and folders come from the
# environment; nothing is downloaded, and LibTorch and CUDA stay out. The sources are $SRC/padproof.
set -euo pipefail

complain() { echo "build.sh: $1" >&2 && exit 2; }
for variable in SRC OUT WORK CC CXX LIB_FUZZING_ENGINE; do
  [[ -n ${!variable:-} ]] || complain "$variable is not set; OSS-Fuzz's 'compile' sets it"
done
source=$SRC/padproof build=$WORK/padproof
[[ -f $source/CMakeLists.txt ]] || complain "$source: no sources of padproof there"

sanitize=
case ${SANITIZER:-address} in
  address) sanitize=address ;; # also tells ASan of the stacks of CUDA threads
  undefined | none | coverage | introspector) ;;
  *) complain "SANITIZER=$SANITIZER: targets run under address and undefined" ;;
esac

# No build type: $CXXFLAGS are all the flags.
cmake -G Ninja -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=None \
  -DPADPROOF_FUZZ=ON -DPADPROOF_TORCH=OFF -DPADPROOF_CUDA=OFF -DPADPROOF_SANITIZE=$sanitize
cmake --build "$build" --target fuzz_targets ${PADPROOF_JOBS:+--parallel "$PADPROOF_JOBS"}
cmake --install "$build" --prefix "$OUT" --component fuzz

cd "$source/fuzz"
for target in "$OUT"/*_fuzzer "$OUT"/fuzz_*; do
  [[ -x $target ]] || continue
  name=$(basename "$target") && name=${name#fuzz_} && name=${name%_fuzzer}
  rm -f "${target}_seed_corpus.zip"
  zip -q -j "${target}_seed_corpus.zip" "seeds/$name"/*
  cp oss-fuzz/target.options "$target.options"
  if [[ -f dictionaries/$name.dict ]]; then cp "dictionaries/$name.dict" "$target.dict"; fi
done
