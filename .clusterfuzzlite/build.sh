#!/usr/bin/env bash
# One build for both: this is OSS-Fuzz's.
exec "$SRC/padproof/fuzz/oss-fuzz/build.sh"
