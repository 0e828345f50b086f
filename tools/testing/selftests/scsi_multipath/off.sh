#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# With native multipath built, and off, all is as it is without: the same cases
# as in plain.sh.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=off
# guest-timeout: 300

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"
mode=off
# shellcheck source=unchanged.sh
. "$(dirname "$0")/unchanged.sh"

run_tests "$@"
