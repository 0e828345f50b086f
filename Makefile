# SPDX-License-Identifier: GPL-2.0

T ?=
export KSRC PATCH V K LIMIT N SEED MINUTES MAX_PATHS SLACK_MS LIES KERNEL HOOK EVENTS DISKS LUNS CONFIG DEBS

help:
	@echo 'make run           build the kernel, boot it, and show a multipath disk that loses its paths'
	@echo 'make test          everything that must pass; T=PATTERN: check, kunit, or tests by name;'
	@echo '                   K=debug: on the debug kernel whatever can be, for hours;'
	@echo '                   K=kcsan: what looks for data races, on a kernel that finds them'
	@echo 'make shell         a shell in that guest; K=debug: on the debug kernel'
	@echo 'make bench         the figures, beside those of dm-multipath and NVMe; T=PART: cost,'
	@echo '                   profile, cpus, memory, scale, failover or balance; N=COUNT: rounds of'
	@echo '                   failover; EVENTS=..., DISKS=mpath|dm, LUNS=...: these only'
	@echo 'make debian        a test that make test leaves out: a Debian system on a multipath disk;'
	@echo '                   K=modular: with SCSI in modules; DEBS=FOLDER: with the kernel packaged there'
	@echo 'make torture       everything at once, at random; SEED=N, MINUTES=N (10): see the test;'
	@echo '                   KERNEL=kcsan: for data races'
	@echo 'make faults        the tests of memory that runs out, with each allocation of ours in turn;'
	@echo '                   for half an hour'
	@echo 'make fuzz          a target whose answers are changed at random; SEED=N, LIES=N (2000);'
	@echo '                   KERNEL=debug: in QEMU, more checks and a tenth of the speed'
	@echo 'make mutants       is each test able to fail? T=PATTERN: these defects only'
	@echo 'make deb           Debian packages of the patched kernel, of Debian'"'"'s configuration;'
	@echo '                   CONFIG=FILE: of that one'
	@echo 'make series        the patches to mail, in build/series'
	@echo 'make check-series  build each patch by itself, with the option on, as a module and off'
	@echo
	@echo 'make tree          put the series, as it is here, in build/linux (every verb above does it)'
	@echo 'make refresh       carry edits and commits made in build/linux back; PATCH=NNNN: into that patch'
	@echo 'make build         build the lean kernel; K=debug, K=plain: another one'
	@echo 'make clean         remove what was built, not build/linux'
	@echo
	@echo 'KSRC=PATH  take this 6.12 tree or tarball as the base, KSRC=apt the one of Debian'
	@echo 'V=1        show all that a build says'

run: build
	@dev/run

test:
	@dev/test $(if $(T),'$(T)')

shell: build
	@dev/guest shell --kernel $(or $(K),lean)

bench:
	@dev/bench $(T)

debian:
	@dev/test debian

torture: tree
	@dev/torture

faults: tree
	@dev/build debug
	@dev/guest run --kernel debug --memory 2G --name faults --timeout 7200 'cd /tests && FAULTS=all ./faults.sh'; \
	rc=$$?; dev/guest scan-log build/logs/faults.serial.log && exit $$rc

fuzz: tree
	@dev/fuzz

mutants: tree
	@dev/mutants/run $(T)

deb: tree
	@dev/deb

series:
	@dev/tree series

check-series: tree
	@dev/check commits

tree:
	@dev/tree apply

refresh:
	@dev/tree refresh

build: tree
	@dev/build $(or $(K),lean)

clean:
	rm -rf build/lean build/debug build/modular build/plain* build/fast* build/kcsan build/uml build/mutants build/check build/clang build/commits build/kunit build/guest build/bench build/series* build/accel build/tsc-khz build/deb build/debian
	@[ ! -e build/linux ] || git -C build/linux worktree prune

.PHONY: help run test shell bench debian torture faults fuzz mutants deb series check-series tree refresh build clean
