#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What disks are like in a kernel without native multipath: the same cases as in
# off.sh.
#
# guest-kernel: plain
# guest-timeout: 300

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"
mode=none
# shellcheck source=unchanged.sh
. "$(dirname "$0")/unchanged.sh"

run_tests "$@"
