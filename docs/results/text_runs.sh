#!/bin/sh
# The runs of text.md, one after another.
#
# Usage: docs/results/text_runs.sh DATA OUT
#   DATA  folder with yahoo.valid.txt.gz and yahoo.test.txt.gz
#   OUT   folder for runs and figures
#
# What is trained already is not trained again: to go on after a stop, give the same command.
set -eu
data=$1 out=$2
export OMP_NUM_THREADS=1
train="mrtc train yahoo --data $data --train-file yahoo.valid.txt.gz --resume"

mrtc figure fig5-yahoo --data "$data" --steps 1600 --seeds 1 --out "$out/fig5"
for run in multirate 0.01 0.1 1; do
    test $run = multirate && beta= betas=0.01,0.1,1,10 || beta="--beta $run" betas=$run
    $train --seed 1 --steps 1600 $beta --out "$out/$run-seed1.pt"
    mrtc eval "$out/$run-seed1.pt" --betas $betas --data "$data" --metrics rates \
        --out "$out/$run-seed1.h5"
done
$train --steps 6400 --out "$out/long.pt"
mrtc eval "$out/long.pt" --betas 0.01:10:10 --data "$data" --metrics rates --out "$out/long.h5"
mrtc eval "$out/long.pt" --betas 0.01,0.1,1,10 --data "$data" --metrics rates \
    --examples 200 --importance-samples 500 --out "$out/long-iw.h5"
$train --steps 1600 --betas 0.01:0.1 --out "$out/narrow.pt"
mrtc eval "$out/narrow.pt" --betas 0.01:0.1:3 --data "$data" --metrics rates --out "$out/narrow.h5"
mrtc reconstruct "$out/long.pt" --betas 0.01,0.1,1,10 --out "$out/reconstructions.md" \
    --text "what is the best way to learn a language ?" \
    --text "my computer is very slow and i do not know why"
