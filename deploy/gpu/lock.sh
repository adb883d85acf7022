#!/bin/sh
# Writes the locks beside this file anew, with uv: deploy/gpu/lock.sh. They are the packages of the -gpu images.
# What voxfleet needs is newer than what vLLM or Fish Speech name, and works with them: overrides.txt.
set -eu
cd "$(dirname "$0")/../.."

lock() { # NAME EXTRA REQUIREMENT…
  name=$1 extra=$2
  shift 2
  {
    python3 deploy/requirements.py
    if [ -n "$extra" ]; then python3 deploy/requirements.py "$extra"; fi
    printf '%s\n' "$@"
  } | uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --no-header --no-annotate \
    --override deploy/gpu/overrides.txt --output-file "deploy/gpu/$name.txt" -
}

# CTranslate2 is built for CUDA 12, PyTorch for CUDA 13.
lock stt stt 'nvidia-cublas-cu12>=12.4,<13' 'nvidia-cudnn-cu12>=9.1,<10'
lock llm '' 'vllm==0.32.0'
lock tts tts 'fish-speech==0.1.0' 'torch==2.13.0'
