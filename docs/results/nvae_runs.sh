#!/bin/sh
# The runs of nvae.md, one after another.
#
# Usage: docs/results/nvae_runs.sh DATA OUT
#   DATA  folder with binarized_mnist/ and celeba/, with their official files
#   OUT   folder for runs and figures
#
# What is trained already is not trained again: to go on after a stop, give the same command.
set -eu
data=$1/binarized_mnist faces=$1/celeba out=$2
export OMP_NUM_THREADS=1

mrtc figure fig5-nvae-mnist --seeds 2 --steps 2000 --data "$data" --out "$out/mnist"
runs=$out/mnist/nvae/runs
for seed in 0 1; do
    # Gates as fast as other weights, which quick has ten times as fast.
    python - "$data" "$out/even-seed$seed.pt" "$seed" <<'PYTHON'
import sys
from dataclasses import replace

from mrtc import preset, run

data, out, seed = sys.argv[1:]
config = preset("binarized-mnist", "quick", "beta", "nvae")
training = replace(config.training.with_steps(2000), gate_speed=1.0)
run(replace(config, training=training, seed=int(seed)), out, data=data, resume=True)
PYTHON
    mrtc eval "$out/even-seed$seed.pt" --data "$data" --betas 0.01:10:10 --metrics rates \
        --out "$out/even-seed$seed.h5"
done
mrtc eval "$runs/multirate-seed0.pt" --data "$data" --betas 0.01:10:10 --metrics rates \
    --out "$out/groups.h5"
mrtc plot "$out/groups.h5" --kind groups --out "$out"
mrtc sample "$runs/multirate-seed0.pt" "$runs/beta1-seed0.pt" --betas 0.01,0.1,1,10 \
    --out "$out/samples.png"

# Faces.
faces() {
    mrtc train celeba --arch nvae --preset quick --steps 400 --data "$faces" --out "$1.pt" \
        --resume $2
    mrtc eval "$1.pt" --data "$faces" --metrics rates --out "$1.h5" $3
}
faces "$out/faces" "" "--betas 0.1:10:5"
for beta in 0.1 1; do
    faces "$out/faces-beta$beta" "--beta $beta" ""
done
