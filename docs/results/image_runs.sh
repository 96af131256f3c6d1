#!/bin/sh
# The runs of mnist-resnet.md, omniglot-resnet.md and celeba-resnet.md, one after another.
#
# Usage: docs/results/image_runs.sh DATA OUT
#   DATA  folder with binarized_mnist/, omniglot/ and celeba/, each with its official files
#   OUT   folder for runs and figures
#
# What is trained already is not trained again: to go on after a stop, give the same command.
set -eu
data=$1 out=$2
export OMP_NUM_THREADS=1

mrtc figure fig5-mnist --seeds 1 --data "$data/binarized_mnist" --out "$out/mnist"
mrtc train binarized-mnist --arch resnet --steps 12500 --data "$data/binarized_mnist" \
    --out "$out/mnist-12500.pt" --resume
mrtc eval "$out/mnist-12500.pt" --betas 0.01:10:10 --data "$data/binarized_mnist" \
    --metrics rates --out "$out/mnist-12500.h5"

mrtc figure fig5-omniglot-28 --seeds 1 --steps 2000 --data "$data/omniglot" --out "$out/omniglot"

faces=$out/celeba/resnet/runs
mrtc figure fig5-celeba --seeds 1 --steps 1200 --data "$data/celeba" --out "$out/celeba"
scores=frechet_efficientnet_lite0,kernel_efficientnet_lite0
for run in multirate beta0.01 beta0.1 beta1 beta10; do
    betas=${run#beta}
    test "$run" != multirate || betas=0.01,0.1,1,10
    mrtc eval "$faces/$run-seed0.pt" --data "$data/celeba" --betas "$betas" --metrics "$scores" \
        --fid-samples 1000 --fid-reference-examples 1000 --out "$out/celeba/$run-realism.h5"
done
mrtc sample "$faces/multirate-seed0.pt" "$faces/beta1-seed0.pt" --betas 0.01,0.1,1,10 \
    --out "$out/celeba/samples.png"
mrtc reconstruct "$faces/multirate-seed0.pt" --data "$data/celeba" --betas 0.01,0.1,1,10 \
    --out "$out/celeba/reconstructions.png"
mrtc rescore "$out/celeba/multirate-realism.h5" \
    --metrics mig_chen,sap_continuous,dci_fast_disentanglement,explicitness
