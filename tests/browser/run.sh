#!/usr/bin/env bash
# Makes a page of every kind from what `brickwork demo` made, and opens all of them in a browser; then goes through the studio.
#
#   tests/browser/run.sh target/release/brickwork DEMO SCRATCH
#
# Pictures of all pages are in SCRATCH/pictures. Needs node, npm and chromium.
set -euo pipefail
bin=$(realpath "$1")
demo=$(realpath "$2")
mkdir -p "$3"
scratch=$(realpath "$3")
here=$(realpath "$(dirname "$0")")

pages=$scratch/pages
mkdir -p "$pages" "$scratch/browser"
joined=(--data "low=$demo/data/digits" --data "shoes=$demo/data/garments" --data "clothes=$demo/data/garments")
garments=("$demo/garments.onnx" --data "$demo/data/garments")

brickwork() {
    "$bin" --quiet "$@" >/dev/null
}

cp "$demo/index.html" "$pages/demo.html"
brickwork report "$demo/ready.onnx" "${joined[@]}" -o "$pages/assembly.html"
brickwork report "$demo/shoes.onnx" -o "$pages/component.html"
brickwork inspect "$demo/garments.onnx" --report "$pages/inspect.html"
brickwork profile "${garments[@]}" --samples 5 -o "$scratch/own.profile" --report "$pages/profile.html"
brickwork disassemble "${garments[@]}" --classes shirt,coat --macs 30% --frontier "$pages/frontier.html" \
    -o "$scratch/warm.onnx" --report "$pages/disassemble.html"
brickwork compress "$demo/digits.onnx" --data "$demo/data/digits" --macs 50% -o "$scratch/half.onnx" \
    --report "$pages/compress.html"
brickwork assemble "$demo/low.onnx" "$demo/shoes.onnx" -o "$scratch/both.onnx" --report "$pages/assemble.html"
brickwork calibrate "$demo/joined.onnx" "${joined[@]}" -o "$scratch/ready.onnx" --report "$pages/calibrate.html"
brickwork eval "$demo/shoes.onnx" --data "$demo/data/garments" --source "$demo/garments.onnx" --report "$pages/eval.html"
brickwork predict "$demo/ready.onnx" "$demo/data/digits" --report "$pages/predict.html"
brickwork doctor "${garments[@]}" --report "$pages/doctor.html"
brickwork finetune "$demo/shoes.onnx" --data "$demo/data/garments" --epochs 3 -o "$scratch/tuned.onnx" \
    --report "$pages/finetune.html"
brickwork verify "$demo/garments.onnx" "$demo/shoes.onnx" --report "$pages/verify.html"
brickwork diff "$demo/garments.onnx" "$demo/shoes.onnx" --report "$pages/diff.html"
brickwork route "$demo/garments.profile.safetensors" --model "$demo/garments.onnx" --classes sandal,bag,coat \
    -o "$scratch/route.svg" --report "$pages/route.html"
brickwork bench "$demo/digits.onnx" --runs 2 --report "$pages/bench.html"

cp "$here"/package.json "$here"/*.mjs "$scratch/browser/"
cd "$scratch/browser"
npm install --no-package-lock --no-audit --no-fund --silent
node pages.mjs "$scratch/pictures" "$pages"/*.html
node studio.mjs "$bin" "$scratch/pictures"
