#!/bin/bash
# A short random campaign, from a seed that it prints; `make fault` runs a long one.
export FAULT_S=${FAULT_S:-20}
exec bash "$(dirname "$0")/campaign"
