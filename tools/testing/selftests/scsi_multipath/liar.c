// SPDX-License-Identifier: GPL-2.0
/*
 * A disk that says what it is told to say.
 *
 * usage: liar NAME MIB DIR
 *
 * The process behind a device of TCM_USER2 whose UIO device is called NAME: a
 * disk of MIB MiB in memory that is in one target port group and implements
 * ALUA. What it says of itself is true unless DIR has a file that says
 * otherwise:
 *
 *   inquiry, vpd00, vpd80, vpd83, vpdb0, vpdb1, vpdb2, rtpg
 *	The answer to INQUIRY, for one of those pages, or to REPORT TARGET PORT
 *	GROUPS. As many bytes are transferred as the file has, or fewer if fewer
 *	are asked for: what the answer says of its length does not matter.
 *   inquiry.sense, ..., and io.sense
 *	Sense data. The command, or each one that is about data or about whether
 *	the device is ready, ends with CHECK CONDITION.
 *   inquiry.once, ..., and io.once
 *	The same, for one command: the file is removed as that is answered.
 *   fuzz
 *	A number and some of the names above, or "sense": these answers are
 *	changed at random, as the number determines. "io" and "sense" are about
 *	sense data, of commands for data and of those for answers.
 *
 * Files are looked for with each command. An empty one is not there. In DIR/told
 * there is a line for each answer that was made up, with its name.
 *
 * The process ends when the device is removed.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/target_core_user.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define BLOCK		512
#define ANSWER_MAX	(80 << 10)

#define GOOD		0x00
#define CHECK_CONDITION	0x02

static int dir;
static unsigned char *disk;
static __u64 disk_size;

struct answer {
	unsigned char status;
	unsigned char sense[TCMU_SENSE_BUFFERSIZE];
	/* what a command that asks for something gets */
	unsigned char *data;
	size_t len;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void put16(unsigned char *p, __u16 v)
{
	v = htobe16(v);
	memcpy(p, &v, sizeof(v));
}

static void put32(unsigned char *p, __u32 v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

static void put64(unsigned char *p, __u64 v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

static __u64 get(const unsigned char *p, int bytes)
{
	__u64 v = 0;

	while (bytes--)
		v = v << 8 | *p++;
	return v;
}

static void fail(struct answer *a, int key, int asc, int ascq)
{
	a->status = CHECK_CONDITION;
	memset(a->sense, 0, sizeof(a->sense));
	a->sense[0] = 0x70;
	a->sense[2] = key;
	a->sense[7] = 10;
	a->sense[12] = asc;
	a->sense[13] = ascq;
	a->len = 0;
}

/*
 * Lies
 */

static ssize_t read_file(const char *name, const char *suffix, void *buf,
			 size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s%s", name, suffix);
	fd = openat(dir, path, O_RDONLY);
	if (fd < 0)
		return 0;
	n = read(fd, buf, size);
	close(fd);
	return n < 0 ? 0 : n;
}

static void told(const char *name)
{
	char line[64];
	int fd, n;

	n = snprintf(line, sizeof(line), "%s\n", name);
	fd = openat(dir, "told", O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (fd < 0 || write(fd, line, n) != n)
		die("told");
	close(fd);
}

static bool tell_sense(struct answer *a, const char *name)
{
	unsigned char sense[TCMU_SENSE_BUFFERSIZE] = {};
	char path[64];

	if (read_file(name, ".once", sense, sizeof(sense))) {
		snprintf(path, sizeof(path), "%s.once", name);
		unlinkat(dir, path, 0);
	} else if (!read_file(name, ".sense", sense, sizeof(sense))) {
		return false;
	}
	told(name);
	fail(a, 0, 0, 0);
	memcpy(a->sense, sense, sizeof(sense));
	return true;
}

/*
 * Mutation. All of it follows from the number in "fuzz": an odd one makes each
 * answer another one, also if the same is asked for twice, an even one does not.
 */

/* What is to be changed: names, each with a blank before and after it. */
static char fuzz[256];
static __u64 fuzz_seed, fuzz_asked;
static __u64 rng;

static __u32 rnd(__u32 below)
{
	/* splitmix64 */
	__u64 z = rng += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (__u32)((z ^ (z >> 31)) >> 32) % below;
}

/* Is an answer of this name to be changed? Then the next random numbers are its. */
static bool fuzzed(const char *name)
{
	static char last[sizeof(fuzz)];
	char text[sizeof(fuzz)] = "", word[64], *names = NULL;
	ssize_t n;

	n = read_file("fuzz", "", text, sizeof(text) - 2);
	if (n <= 0) {
		last[0] = '\0';
		return false;
	}
	if (strcmp(text, last)) {
		memcpy(last, text, sizeof(last));
		fuzz_seed = strtoull(text, &names, 0);
		fuzz_asked = 0;
		snprintf(fuzz, sizeof(fuzz), "%s", names);
		for (names = fuzz; *names; names++)
			if (*names == '\n')
				*names = ' ';
	}
	snprintf(word, sizeof(word), " %s ", name);
	if (!strstr(fuzz, word))
		return false;
	fuzz_asked++;
	rng = fuzz_seed << 20;
	while (*name)
		rng = rng * 31 + (unsigned char)*name++;
	/* Not all commands are to fail: some are tried again for minutes. */
	if (fuzz_seed & 1 || !strcmp(word, " sense ") || !strcmp(word, " io "))
		rng += fuzz_asked << 40;
	return true;
}

static __u32 odd_number(size_t len)
{
	static const __u32 odd[] = {
		0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 31, 32, 33, 35, 36, 37, 63, 64,
		124, 127, 128, 129, 251, 252, 254, 255, 256, 257, 4092, 4096,
		32767, 32768, 65528, 65531, 65532, 65535, 65536, 0x7fffffff,
		0x80000000, 0xfffffff8, 0xfffffffb, 0xfffffffc, 0xffffffff,
	};

	switch (rnd(4)) {
	case 0:
		return len - 4 + rnd(17) - 8;
	case 1:
		return rnd(256);
	default:
		return odd[rnd(ARRAY_SIZE(odd))];
	}
}

/* Where the answer says how long it is. */
static void wrong_length(const char *name, unsigned char *p, size_t len)
{
	if (!strcmp(name, "inquiry"))
		p[4] = odd_number(len);
	else if (!strcmp(name, "rtpg"))
		put32(p, odd_number(len));
	else
		put16(p + 2, odd_number(len));
}

/* Where a descriptor says how long that is. */
static void wrong_descriptor(const char *name, unsigned char *p, size_t len)
{
	bool rtpg = !strcmp(name, "rtpg");
	size_t at = 4, count_at = rtpg ? 7 : 3, step;
	__u32 n = rnd(4);

	if (rtpg && len > 4 && (p[4] & 0x70) == 0x10)
		at = 8;
	for (; at + count_at < len; at += step) {
		if (!n--) {
			p[at + count_at] = odd_number(len - at);
			return;
		}
		step = rtpg ? 8 + 4 * p[at + 7] : 4 + p[at + 3];
	}
}

static void mutate(const char *name, struct answer *a)
{
	unsigned char *p = a->data;
	__u32 n = 1 + rnd(4), at, i;
	size_t len = a->len;

	while (n--) {
		at = rnd(rnd(2) ? len : len < 16 ? len : 16);
		switch (rnd(10)) {
		case 0:
		case 1:
			p[at] ^= 1 << rnd(8);
			break;
		case 2:
			p[at] = odd_number(len);
			break;
		case 3:
		case 4:
			if (len >= 5)
				wrong_length(name, p, len);
			break;
		case 5:
		case 6:
			wrong_descriptor(name, p, len);
			break;
		case 7:
			len = 1 + rnd(len);
			break;
		case 8:
			/* from here on anything, and more than there was */
			len += rnd(8) ? rnd(64) : rnd(4096);
			if (len > ANSWER_MAX)
				len = ANSWER_MAX;
			for (i = at; i < len; i++)
				p[i] = rnd(256);
			break;
		case 9:
			/* once more the same */
			i = len - at;
			if (len + i > ANSWER_MAX)
				break;
			memmove(p + len, p + at, i);
			len += i;
			break;
		}
	}
	a->len = len;
}

static void fuzz_sense(struct answer *a)
{
	/* with some that a kernel makes something of */
	static const unsigned char known[][3] = {
		{ 2, 0x04, 0x0a }, { 2, 0x04, 0x0b }, { 2, 0x04, 0x0c },
		{ 2, 0x04, 0x01 }, { 2, 0x04, 0x02 }, { 2, 0x3a, 0x00 },
		{ 3, 0x11, 0x00 }, { 5, 0x20, 0x00 }, { 5, 0x24, 0x00 },
		{ 5, 0x25, 0x00 }, { 5, 0x00, 0x00 }, { 6, 0x29, 0x00 },
		{ 6, 0x2a, 0x06 }, { 6, 0x2a, 0x07 }, { 6, 0x2a, 0x09 },
		{ 6, 0x3f, 0x03 }, { 6, 0x3f, 0x0e }, { 6, 0x04, 0x0a },
		{ 6, 0x38, 0x07 }, { 11, 0x10, 0x01 }, { 11, 0x4b, 0x03 },
	};
	static const unsigned char status[] = { 0x08, 0x18, 0x28, 0x40, 0x04 };
	const unsigned char *k = known[rnd(ARRAY_SIZE(known))];
	size_t i;

	fail(a, k[0], k[1], k[2]);
	switch (rnd(4)) {
	case 0:
		break;
	case 1:
		/* descriptor format */
		a->sense[0] = 0x72;
		a->sense[1] = k[0];
		a->sense[2] = k[1];
		a->sense[3] = k[2];
		a->sense[7] = odd_number(TCMU_SENSE_BUFFERSIZE);
		for (i = 8; i < sizeof(a->sense); i++)
			a->sense[i] = rnd(16);
		break;
	case 2:
		for (i = rnd(2) ? 1 : 0; i < sizeof(a->sense); i++)
			a->sense[i] = rnd(256);
		break;
	case 3:
		a->status = status[rnd(ARRAY_SIZE(status))];
		break;
	}
}

/* What is sent instead of a true answer; known by its name in files. */
static void lie(struct answer *a, const char *name)
{
	ssize_t n;

	if (tell_sense(a, name))
		return;
	n = read_file(name, "", a->data, ANSWER_MAX);
	if (n > 0) {
		a->status = GOOD;
		a->len = n;
		told(name);
	}
	if (fuzzed(name)) {
		mutate(name, a);
		told(name);
	}
	if (fuzzed("sense") && !rnd(4)) {
		fuzz_sense(a);
		told("sense");
	}
}

/* Is a command for data to end with an error? */
static bool lie_io(struct answer *a)
{
	if (tell_sense(a, "io"))
		return true;
	/* Not many, or the device does not get on its feet for a long time. */
	if (!fuzzed("io") || rnd(8))
		return false;
	fuzz_sense(a);
	told("io");
	return true;
}

/*
 * The truth
 */

static void inquiry(struct answer *a)
{
	unsigned char *p = a->data;

	p[2] = 6;		/* SPC-4 */
	p[3] = 2;
	p[4] = 96 - 5;
	p[5] = 1 << 4;		/* implicit ALUA */
	p[6] = 1 << 4;		/* more than one port */
	p[7] = 2;		/* command queueing */
	memcpy(p + 8, "Linux   liar            0001", 28);
	put16(p + 58, 0x0460);	/* SPC-4 */
	put16(p + 60, 0x04c0);	/* SBC-3 */
	a->len = 96;
	lie(a, "inquiry");
}

static size_t designator(unsigned char *p, int set, int type, const void *id,
			 size_t len)
{
	p[0] = set;
	p[1] = type;
	p[3] = len;
	memcpy(p + 4, id, len);
	return 4 + len;
}

static void vital_data(struct answer *a, unsigned char page)
{
	static const unsigned char pages[] = {
		0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2
	};
	static const unsigned char naa[16] = {
		0x60, 0x01, 0x40, 0x5a, 0xbc, 0xde, 0xf0, 0x12,
		0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x01
	};
	unsigned char *p = a->data, *q = p + 4;
	char name[8];

	switch (page) {
	case 0x00:
		memcpy(q, pages, sizeof(pages));
		q += sizeof(pages);
		break;
	case 0x80:
		memcpy(q, "liar0001", 8);
		q += 8;
		break;
	case 0x83:
		q += designator(q, 2, 0x01, "Linux   liar0001", 16);
		q += designator(q, 1, 0x03, naa, sizeof(naa));
		q += designator(q, 1, 0x14, "\0\0\0\1", 4);
		q += designator(q, 1, 0x15, "\0\0\0\1", 4);
		break;
	case 0xb0:
		put32(p + 8, 2048);	/* maximum and optimal transfer */
		put32(p + 12, 256);
		put32(p + 20, 4096);	/* to unmap */
		put32(p + 24, 16);
		put64(p + 36, 4096);	/* to write the same to */
		q = p + 64;
		break;
	case 0xb1:
		put16(p + 4, 1);	/* not rotating */
		q = p + 64;
		break;
	case 0xb2:
		p[5] = 0xc4;		/* UNMAP, WRITE SAME, reads zeroes */
		q = p + 8;
		break;
	default:
		fail(a, 5, 0x24, 0);
	}
	a->len = q - p;
	p[1] = page;
	put16(p + 2, a->len - 4);
	snprintf(name, sizeof(name), "vpd%02x", page);
	/* Also pages that there are not can be lied about. */
	lie(a, name);
	if (a->status == CHECK_CONDITION)
		a->len = 0;
}

static void report_groups(struct answer *a, bool extended)
{
	unsigned char *p = a->data, *q = p + 4;

	if (extended) {
		q[0] = 1 << 4;
		q += 4;
	}
	q[1] = 0xdf;		/* may be in any state, and is optimized */
	put16(q + 2, 1);
	q[7] = 2;
	put16(q + 10, 1);
	put16(q + 14, 2);
	q += 16;
	a->len = q - p;
	put32(p, a->len - 4);
	lie(a, "rtpg");
}

static void mode_sense(struct answer *a, const unsigned char *cdb)
{
	unsigned char *p = a->data, *q;
	int page = cdb[2] & 0x3f;
	bool ten = cdb[0] == 0x5a;

	q = p + (ten ? 8 : 4);
	if (page == 0x08 || page == 0x3f) {
		q[0] = 0x08;
		q[1] = 18;
		q[2] = 1 << 2;	/* there is a write cache */
		q += 20;
	}
	if (page == 0x0a || page == 0x3f) {
		q[0] = 0x0a;
		q[1] = 10;
		q += 12;
	}
	if (q == p + (ten ? 8 : 4)) {
		fail(a, 5, 0x24, 0);
		return;
	}
	a->len = q - p;
	p[ten ? 3 : 2] = 1 << 4;	/* DPO and FUA */
	if (ten)
		put16(p, a->len - 2);
	else
		p[0] = a->len - 1;
}

static void read_capacity(struct answer *a, bool sixteen)
{
	__u64 last = disk_size / BLOCK - 1;

	if (sixteen) {
		put64(a->data, last);
		put32(a->data + 8, BLOCK);
		a->data[14] = 0xc0;	/* thin, reads zeroes */
		a->len = 32;
	} else {
		put32(a->data, last);
		put32(a->data + 4, BLOCK);
		a->len = 8;
	}
}

/*
 * Commands
 */

static unsigned char *ring_base;

/* Copy between a buffer and the memory that the kernel shares with us. */
static void copy(struct tcmu_cmd_entry *e, unsigned char *buf, size_t len,
		 bool to_kernel)
{
	unsigned int i;
	size_t n;

	for (i = 0; i < e->req.iov_cnt && len; i++) {
		void *at = ring_base + (size_t)e->req.iov[i].iov_base;

		n = e->req.iov[i].iov_len;
		if (n > len)
			n = len;
		if (to_kernel)
			memcpy(at, buf, n);
		else
			memcpy(buf, at, n);
		buf += n;
		len -= n;
	}
}

/* Address of a range of blocks, or NULL if they are not there. */
static unsigned char *range(struct answer *a, __u64 lba, __u64 count)
{
	__u64 blocks = disk_size / BLOCK;

	if (lba > blocks || count > blocks - lba) {
		fail(a, 5, 0x21, 0);
		return NULL;
	}
	return disk + lba * BLOCK;
}

static void unmap(struct answer *a, struct tcmu_cmd_entry *e, size_t len)
{
	unsigned char list[4096] = {}, *p;
	size_t n;

	if (len > sizeof(list))
		len = sizeof(list);
	copy(e, list, len, false);
	n = get(list + 2, 2);
	if (len < 8 || n > len - 8) {
		fail(a, 5, 0x26, 0);
		return;
	}
	for (p = list + 8; n >= 16; p += 16, n -= 16) {
		__u64 count = get(p + 8, 4);
		unsigned char *at = range(a, get(p, 8), count);

		if (!at)
			return;
		memset(at, 0, count * BLOCK);
	}
}

static void write_same(struct answer *a, struct tcmu_cmd_entry *e, __u64 lba,
		       __u64 count)
{
	unsigned char block[BLOCK] = {}, *at = range(a, lba, count);

	if (!at)
		return;
	copy(e, block, sizeof(block), false);
	while (count--) {
		memcpy(at, block, BLOCK);
		at += BLOCK;
	}
}

static void transfer(struct answer *a, struct tcmu_cmd_entry *e, __u64 lba,
		     __u64 count, bool is_write)
{
	unsigned char *at = range(a, lba, count);

	if (!at || lie_io(a))
		return;
	if (is_write) {
		copy(e, at, count * BLOCK, false);
	} else {
		a->data = at;
		a->len = count * BLOCK;
	}
}

static size_t buffer_size(struct tcmu_cmd_entry *e)
{
	unsigned int i;
	size_t n = 0;

	for (i = 0; i < e->req.iov_cnt; i++)
		n += e->req.iov[i].iov_len;
	return n;
}

/* How much a command wants at most. */
static size_t allocation_length(const unsigned char *c)
{
	switch (c[0]) {
	case 0x12:
		return get(c + 3, 2);
	case 0x1a:
		return c[4];
	case 0x5a:
		return get(c + 7, 2);
	case 0xa3:
		return get(c + 6, 4);
	default:
		return -1;
	}
}

/* A transfer of none is none, but for the commands that are the oldest. */
static __u32 blocks6(unsigned char n)
{
	return n ?: 256;
}

static void command(struct tcmu_cmd_entry *e)
{
	static unsigned char buf[2 * ANSWER_MAX];
	const unsigned char *c = ring_base + e->req.cdb_off;
	struct answer a = { .status = GOOD, .data = buf };
	size_t len = buffer_size(e), max = allocation_length(c);

	memset(buf, 0, sizeof(buf));
	switch (c[0]) {
	case 0x00:		/* TEST UNIT READY */
		lie_io(&a);
		break;
	case 0x03:		/* REQUEST SENSE */
		buf[0] = 0x70;
		buf[7] = 10;
		a.len = 18;
		break;
	case 0x08:
	case 0x0a:
		transfer(&a, e, get(c + 1, 3) & 0x1fffff, blocks6(c[4]),
			 c[0] == 0x0a);
		break;
	case 0x12:
		if (c[1] & 1)
			vital_data(&a, c[2]);
		else
			inquiry(&a);
		break;
	case 0x1a:
	case 0x5a:
		mode_sense(&a, c);
		break;
	case 0x1b:		/* START STOP UNIT */
	case 0x35:		/* SYNCHRONIZE CACHE */
	case 0x91:
		break;
	case 0x25:
		read_capacity(&a, false);
		break;
	case 0x28:
	case 0x2a:
		transfer(&a, e, get(c + 2, 4), get(c + 7, 2), c[0] == 0x2a);
		break;
	case 0x42:
		unmap(&a, e, len);
		break;
	case 0x88:
	case 0x8a:
		transfer(&a, e, get(c + 2, 8), get(c + 10, 4), c[0] == 0x8a);
		break;
	case 0x93:
		write_same(&a, e, get(c + 2, 8), get(c + 10, 4));
		break;
	case 0x9e:
		if ((c[1] & 0x1f) == 0x10)
			read_capacity(&a, true);
		else
			fail(&a, 5, 0x20, 0);
		break;
	case 0xa3:
		if ((c[1] & 0x1f) == 0x0a)
			report_groups(&a, c[1] >> 5 == 1);
		else
			fail(&a, 5, 0x20, 0);
		break;
	default:
		fail(&a, 5, 0x20, 0);
	}

	if (a.len > max)
		a.len = max;
	/* There is no way to say that nothing is transferred. */
	if (!a.len && a.status == GOOD && max != (size_t)-1)
		copy(e, buf + ANSWER_MAX, len < ANSWER_MAX ? len : ANSWER_MAX, true);
	if (len > a.len)
		len = a.len;
	copy(e, a.data, len, true);

	/* This overwrites the request. */
	if (a.status == GOOD && len) {
		e->hdr.uflags |= TCMU_UFLAG_READ_LEN;
		e->rsp.read_len = len;
	}
	e->rsp.scsi_status = a.status;
	memcpy(e->rsp.sense_buffer, a.sense, sizeof(a.sense));
}

static void serve(int fd)
{
	struct tcmu_mailbox *mb = (void *)ring_base;
	struct tcmu_cmd_entry *e;
	__u32 tail = mb->cmd_tail, n;

	/* A read fails when the device is removed. */
	do {
		while (tail != __atomic_load_n(&mb->cmd_head, __ATOMIC_ACQUIRE)) {
			e = (void *)(ring_base + mb->cmdr_off + tail);
			n = tcmu_hdr_get_len(e->hdr.len_op);
			if (tcmu_hdr_get_op(e->hdr.len_op) == TCMU_OP_CMD)
				command(e);
			tail = (tail + n) % mb->cmdr_size;
			__atomic_store_n(&mb->cmd_tail, tail, __ATOMIC_RELEASE);
			if (write(fd, &n, sizeof(n)) != sizeof(n))
				return;
		}
	} while (read(fd, &n, sizeof(n)) == sizeof(n));
}

/* Read what is in a file of sysfs. */
static bool read_sysfs(const char *dev, const char *file, char *buf,
		       size_t size)
{
	char path[512];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s", dev, file);
	f = fopen(path, "r");
	if (!f)
		return false;
	ok = fgets(buf, size, f);
	fclose(f);
	buf[strcspn(buf, "\n")] = '\0';
	return ok;
}

/* Open and map UIO device @dev, a directory of sysfs. */
static int open_uio(const char *dev)
{
	char text[64];
	size_t size;
	int fd;

	if (!read_sysfs(dev, "maps/map0/size", text, sizeof(text)))
		die(dev);
	size = strtoull(text, NULL, 0);
	snprintf(text, sizeof(text), "/dev%s", strrchr(dev, '/'));
	fd = open(text, O_RDWR);
	if (fd < 0)
		die(text);
	ring_base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring_base == MAP_FAILED)
		die("mmap");
	return fd;
}

/* The UIO device called @name. */
static int find_uio(const char *name)
{
	char text[256];
	glob_t devs;
	size_t i;

	if (!glob("/sys/class/uio/uio*", 0, NULL, &devs))
		for (i = 0; i < devs.gl_pathc; i++)
			if (read_sysfs(devs.gl_pathv[i], "name", text,
				       sizeof(text)) &&
			    !strcmp(text, name))
				return open_uio(devs.gl_pathv[i]);
	fprintf(stderr, "no UIO device is called %s\n", name);
	exit(1);
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: liar NAME MIB DIR\n");
		return 2;
	}
	disk_size = strtoull(argv[2], NULL, 0) << 20;
	disk = calloc(1, disk_size);
	if (!disk_size || !disk)
		die("no memory");
	dir = open(argv[3], O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		die(argv[3]);
	serve(find_uio(argv[1]));
	return 0;
}
