// SPDX-License-Identifier: GPL-2.0
/*
 * Write and read a disk, and know of each block what may be there.
 *
 *	torture-io run FILE STATE SEED BLOCKS OFFSET [PAUSE]
 *	torture-io check FILE STATE SEED BLOCKS OFFSET
 *	torture-io look STATE
 *
 * Of each block, STATE has the last generation that was acknowledged and the
 * last one that was begun. If these differ, a write has failed, and each of its
 * sectors may be of any generation between them. STATE outlives the disk, and is
 * used again when the disk is back.
 *
 * run goes on until SIGTERM (exit status 0), an error (3), or until it reads
 * what should not be there (2). Each of its tasks pauses for PAUSE ms (200) after
 * each I/O. check reads all that was ever written.
 *
 * look prints how many blocks have been written, the longest time (ms) of an I/O
 * that has ended since the last look, and the age of the oldest one that has not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TASKS		6
#define SECTOR		512
#define BLOCK		4096
#define EXTENT		16	/* blocks; each belongs to one task */
#define WORDS		(SECTOR / 8)

struct block {
	unsigned int acked;
	unsigned int begun;
};

/* Of one task: when the I/O that it waits for was begun, and see look(). */
struct times {
	unsigned long long start_us;
	unsigned long long longest_us;
};

struct state {
	struct times times[TASKS];
	unsigned long long writes;
	unsigned long long reads;
	unsigned long long flushes;
	unsigned long long errors;
	unsigned long long longest_us;
	unsigned long long random;
	struct block block[];
};

static struct state *st;
static unsigned long long seed, offset;
static unsigned int blocks;
static unsigned int pause_ms = 200;
static int fd;
static int stop;

static void on_term(int sig)
{
	(void)sig;
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
}

static unsigned long long mix(unsigned long long x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* What sector @s of block @b is in generation @gen. */
static void fill(unsigned long long *p, unsigned int b, unsigned int s, unsigned int gen)
{
	unsigned long long x = mix(seed ^ ((unsigned long long)b << 32 | s << 28) ^ mix(gen));
	int i;

	p[0] = seed;
	p[1] = (unsigned long long)b << 32 | s;
	p[2] = gen;
	for (i = 3; i < WORDS; i++) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		p[i] = x;
	}
}

/* Is this a sector that may be there? */
static int check_sector(const unsigned long long *p, unsigned int b, unsigned int s)
{
	const struct block *bl = &st->block[b];
	unsigned long long want[WORDS];

	if (!bl->acked)
		return 0;
	if (p[2] >= bl->acked && p[2] <= bl->begun) {
		fill(want, b, s, p[2]);
		if (!memcmp(p, want, SECTOR))
			return 0;
	}
	printf("block %u sector %u: %s %llu, should be of %u to %u\n", b, s,
	       p[0] == seed && p[1] == ((unsigned long long)b << 32 | s) ?
	       "of generation" : "something else, in place of the generation",
	       p[2], bl->acked, bl->begun);
	fflush(stdout);
	return 2;
}

static int check_blocks(const char *buf, unsigned int b, unsigned int n)
{
	unsigned int i, s;

	for (i = 0; i < n; i++)
		for (s = 0; s < BLOCK / SECTOR; s++)
			if (check_sector((const unsigned long long *)(buf + i * BLOCK + s * SECTOR),
					 b + i, s))
				return 2;
	return 0;
}

static unsigned long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ULL + t.tv_nsec / 1000;
}

static int failed(const char *what, unsigned int b, unsigned int n, ssize_t got)
{
	printf("%s of %u blocks at %u: %s\n", what, n, b,
	       got < 0 ? strerror(errno) : "cut short");
	fflush(stdout);
	__atomic_add_fetch(&st->errors, 1, __ATOMIC_RELAXED);
	return 3;
}

static int read_blocks(char *buf, unsigned int b, unsigned int n)
{
	ssize_t got = pread(fd, buf, n * BLOCK, offset + (unsigned long long)b * BLOCK);

	if (got != (ssize_t)n * BLOCK)
		return failed("read", b, n, got);
	__atomic_add_fetch(&st->reads, n, __ATOMIC_RELAXED);
	return check_blocks(buf, b, n);
}

static int write_blocks(char *buf, unsigned int b, unsigned int n)
{
	unsigned int i, s;
	ssize_t got;

	for (i = 0; i < n; i++) {
		unsigned int gen = ++st->block[b + i].begun;

		for (s = 0; s < BLOCK / SECTOR; s++)
			fill((unsigned long long *)(buf + i * BLOCK + s * SECTOR), b + i, s, gen);
	}
	got = pwrite(fd, buf, n * BLOCK, offset + (unsigned long long)b * BLOCK);
	/* Of one that was cut short, what is there counts. */
	for (i = 0; i < n && got >= (ssize_t)(i + 1) * BLOCK; i++)
		st->block[b + i].acked = st->block[b + i].begun;
	if (got != (ssize_t)n * BLOCK)
		return failed("write", b, n, got);
	__atomic_add_fetch(&st->writes, n, __ATOMIC_RELAXED);
	return 0;
}

static int flush(void)
{
	if (fdatasync(fd))
		return failed("flush", 0, 0, -1);
	__atomic_add_fetch(&st->flushes, 1, __ATOMIC_RELAXED);
	return 0;
}

/*
 * Each I/O is seen by one look at least, as one that has ended or as one that has
 * not: hence the order here and in look().
 */
static void begin(struct times *t)
{
	__atomic_store_n(&t->start_us, now_us(), __ATOMIC_SEQ_CST);
}

static void end(struct times *t)
{
	unsigned long long us = now_us() - t->start_us;

	if (us > __atomic_load_n(&t->longest_us, __ATOMIC_SEQ_CST))
		__atomic_store_n(&t->longest_us, us, __ATOMIC_SEQ_CST);
	__atomic_store_n(&t->start_us, 0, __ATOMIC_SEQ_CST);
	if (us > st->longest_us)
		st->longest_us = us;
}

static int look(void)
{
	unsigned long long longest = 0, oldest = 0, us;
	int i;

	for (i = 0; i < TASKS; i++) {
		us = __atomic_load_n(&st->times[i].start_us, __ATOMIC_SEQ_CST);
		if (us && now_us() - us > oldest)
			oldest = now_us() - us;
		us = __atomic_exchange_n(&st->times[i].longest_us, 0, __ATOMIC_SEQ_CST);
		if (us > longest)
			longest = us;
	}
	printf("%llu %llu %llu\n", st->writes, longest / 1000, oldest / 1000);
	return 0;
}

static int task(int me, char *buf)
{
	unsigned long long x = mix(seed + me + st->random);
	unsigned int extents = blocks / EXTENT;
	struct times *t = &st->times[me];

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		unsigned int b, n, op;
		int rc;

		x = mix(x);
		b = (x >> 8) % ((extents - me + TASKS - 1) / TASKS) * TASKS + me;
		b = b * EXTENT + (x >> 40) % EXTENT;
		n = (x >> 48) % 4 ? 1 : EXTENT - b % EXTENT;
		op = (x >> 56) % 32;
		begin(t);
		if (op == 0)
			rc = flush();
		else if (op & 1)
			rc = write_blocks(buf, b, n);
		else
			rc = read_blocks(buf, b, n);
		end(t);
		if (rc)
			return rc;
		/* Leave something of a slow machine to others. */
		usleep(pause_ms * 1000);
	}
	return 0;
}

static int run(char *buf)
{
	struct sigaction sa = { .sa_handler = on_term };
	int i, rc = 0, status, left = TASKS;
	pid_t pid[TASKS];

	sigaction(SIGTERM, &sa, NULL);
	st->random++;
	memset(st->times, 0, sizeof(st->times));
	for (i = 0; i < TASKS; i++) {
		pid[i] = fork();
		if (pid[i] < 0) {
			perror("fork");
			exit(1);
		}
		if (!pid[i])
			_exit(task(i, buf + i * EXTENT * BLOCK));
	}
	while (left) {
		pid_t p = wait(&status);

		if (p < 0 && errno != EINTR)
			break;
		if (p > 0) {
			int c = WIFEXITED(status) ? WEXITSTATUS(status) : 1;

			left--;
			for (i = 0; i < TASKS; i++)
				if (pid[i] == p)
					pid[i] = 0;
			/* Data that are wrong count for more than an error. */
			if (c && rc != 2)
				rc = c;
			if (c)
				stop = 1;
		}
		if (__atomic_load_n(&stop, __ATOMIC_RELAXED))
			for (i = 0; i < TASKS; i++)
				if (pid[i])
					kill(pid[i], SIGTERM);
	}
	printf("blocks written %llu read %llu flushes %llu errors %llu longest %llu ms\n",
	       st->writes, st->reads,
	       st->flushes, st->errors,
	       st->longest_us / 1000);
	return rc;
}

static int check(char *buf)
{
	unsigned int b, i, n = 0, between = 0;
	int rc;

	for (b = 0; b < blocks; b += EXTENT) {
		rc = read_blocks(buf, b, EXTENT);
		if (rc)
			return rc;
		for (i = b; i < b + EXTENT; i++) {
			n += !!st->block[i].acked;
			between += st->block[i].acked != st->block[i].begun;
		}
	}
	printf("%u blocks checked, %u of them in between\n", n, between);
	return n ? 0 : 4;
}

static int open_state(const char *name, int flags, size_t size)
{
	int sfd = open(name, flags, 0600);

	if (sfd < 0 || (flags & O_CREAT && ftruncate(sfd, size))) {
		perror(name);
		return -1;
	}
	st = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, sfd, 0);
	if (st == MAP_FAILED) {
		perror("memory");
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	char *buf;

	if (argc == 3 && !strcmp(argv[1], "look"))
		return open_state(argv[2], O_RDWR, sizeof(*st)) ? 1 : look();
	if (argc != 7 && argc != 8) {
		fputs("usage: torture-io run|check FILE STATE SEED BLOCKS OFFSET [PAUSE]\n"
		      "       torture-io look STATE\n", stderr);
		return 1;
	}
	seed = mix(strtoull(argv[4], NULL, 0));
	blocks = strtoul(argv[5], NULL, 0) / EXTENT * EXTENT;
	offset = strtoull(argv[6], NULL, 0);
	if (argc == 8)
		pause_ms = strtoul(argv[7], NULL, 0);
	if (open_state(argv[3], O_RDWR | O_CREAT, sizeof(*st) + blocks * sizeof(st->block[0])))
		return 1;
	if (posix_memalign((void **)&buf, BLOCK, TASKS * EXTENT * BLOCK)) {
		perror("memory");
		return 1;
	}
	fd = open(argv[2], O_RDWR | O_DIRECT);
	if (fd < 0) {
		perror(argv[2]);
		return 3;
	}
	return strcmp(argv[1], "check") ? run(buf) : check(buf);
}
