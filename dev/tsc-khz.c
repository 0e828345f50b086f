// SPDX-License-Identifier: GPL-2.0
/*
 * Print how fast this machine's time stamp counter counts, in kHz.
 *
 * That is what a guest without KVM sees of it. It would find out by itself, by
 * timers of QEMU, and be wrong by any factor where others use the processor, and
 * so would all of its clocks.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

/* Both clocks at one moment: the pair that was read with the least between. */
static void read_both(uint64_t *tsc, uint64_t *ns)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 1000; i++) {
		uint64_t before = __rdtsc(), time = now(), after = __rdtsc();

		if (after - before >= best)
			continue;
		best = after - before;
		*tsc = before + best / 2;
		*ns = time;
	}
}

int main(void)
{
	uint64_t tsc[2], ns[2];

	read_both(&tsc[0], &ns[0]);
	nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
	read_both(&tsc[1], &ns[1]);
	printf("%.0f\n", (tsc[1] - tsc[0]) * 1e6 / (ns[1] - ns[0]));
	return 0;
}
