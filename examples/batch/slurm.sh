#!/bin/bash
# A campaign as a job array: sbatch --wait slurm.sh; then schism merge part-1 part-2 part-3 --into whole
#SBATCH --job-name=schism-campaign
#SBATCH --array=1-3
#SBATCH --output=part-%a.log
set -euo pipefail
schism campaign "${PLAN:-campaign.toml}" \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --store "part-$SLURM_ARRAY_TASK_ID" \
    || [ $? -eq 1 ]   # a violation is an answer
