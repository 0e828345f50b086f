// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin of QEMU's TCG: how many instructions does the guest spend where?
 *
 * -plugin bench-plugin.so,mark=ADDRESS,out=PREFIX
 *
 * Each time the guest comes to ADDRESS, a line for each block of code that ran
 * since the last time goes to file PREFIX.N: its address, and the instructions
 * executed in it, by whichever CPU. What user space did is one line of address 0.
 *
 * The guest's CPUs may run at once. Each counts for itself; what one of them does
 * while another writes down may count in either window.
 *
 * Debian does not package qemu-plugin.h: what is needed of it, of version 1 of
 * the interface, is declared here.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
		void (*cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
		void (*cb)(unsigned int cpu, void *data),
		enum qemu_plugin_cb_flags flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
		void (*cb)(unsigned int cpu, void *data),
		enum qemu_plugin_cb_flags flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
						 size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

int qemu_plugin_version = 1;

#define NR_CPUS 2

/* By the address; kernel text is no more than some 100,000 blocks. */
#define NR_COUNTERS (1 << 21)
static struct counter { uint64_t address, instructions[NR_CPUS]; } *counters;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Code that changes is translated again, perhaps to a block of another size. */
struct block { struct counter *counter; size_t size; };

static uint64_t mark;
static const char *out = "profile";

static struct counter *counter_of(uint64_t address)
{
	uint64_t i = (address * 0x9e3779b97f4a7c15) >> 43;

	/* The upper half is the kernel's. */
	if (!(address >> 63))
		return &counters[0];
	i += !i;
	while (counters[i].address && counters[i].address != address)
		i = i % (NR_COUNTERS - 1) + 1;
	counters[i].address = address;
	return &counters[i];
}

static void executed(unsigned int cpu, void *data)
{
	struct block *block = data;

	block->counter->instructions[cpu % NR_CPUS] += block->size;
}

static void write_down(unsigned int cpu, void *data)
{
	static unsigned int nr;
	char name[4096];
	FILE *file;

	snprintf(name, sizeof(name), "%s.%u", out, nr++);
	file = fopen(name, "w");
	if (!file) {
		perror(name);
		exit(1);
	}
	for (struct counter *c = counters; c < counters + NR_COUNTERS; c++) {
		uint64_t sum = 0;

		for (int i = 0; i < NR_CPUS; i++) {
			sum += c->instructions[i];
			c->instructions[i] = 0;
		}
		if (sum)
			fprintf(file, "%lx %lu\n", c->address, sum);
	}
	fclose(file);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct block *block = malloc(sizeof(*block));

	if (!block) {
		perror("plugin");
		exit(1);
	}
	block->size = qemu_plugin_tb_n_insns(tb);
	pthread_mutex_lock(&lock);
	block->counter = counter_of(qemu_plugin_tb_vaddr(tb));
	pthread_mutex_unlock(&lock);
	qemu_plugin_register_vcpu_tb_exec_cb(tb, executed,
					     QEMU_PLUGIN_CB_NO_REGS, block);
	for (size_t i = 0; i < block->size; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (qemu_plugin_insn_vaddr(insn) == mark)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, write_down,
					QEMU_PLUGIN_CB_NO_REGS, NULL);
	}
}

__attribute__((visibility("default")))
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info,
			int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "mark=", 5))
			mark = strtoull(argv[i] + 5, NULL, 16);
		else if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
		else
			return -1;
	}
	counters = calloc(NR_COUNTERS, sizeof(*counters));
	if (!mark || !counters)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
