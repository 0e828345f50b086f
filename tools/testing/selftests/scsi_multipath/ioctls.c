// SPDX-License-Identifier: GPL-2.0
/*
 * usage: ioctls open|open-ro|disk|reserve|abort|write-atomic DEVICE
 *	  ioctls hint DEVICE NUMBER
 *
 * Ask a disk what sd answers, and print what comes back: of each ioctl its name,
 * the name of the errno or "0", and the bytes that it has filled in. Or have what
 * is written to it from now on carry a hint, or write its first 4 KiB whole or not
 * at all.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/blkzoned.h>
#include <linux/cdrom.h>
#include <linux/fs.h>
#include <linux/hdreg.h>
#include <linux/pr.h>
#include <linux/sed-opal.h>
#include <scsi/scsi.h>
#include <scsi/sg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define SCSI_IOCTL_GET_PCI_SLOT	0x5387	/* SCSI_IOCTL_GET_PCI of the kernel */
#define IOCTL_OF_NOBODY		_IO('z', 99)

#ifndef RWF_ATOMIC
#define RWF_ATOMIC	0x40
#endif

static union {
	unsigned char bytes[512];
	int word;
	struct pr_reservation reservation;
	struct pr_registration registration;
	struct pr_preempt preempt;
	struct pr_clear clear;
} buf;

static int open_device(const char *name, int flags)
{
	int fd = open(name, flags);

	if (fd < 0) {
		printf("%s\n", strerrorname_np(errno));
		exit(1);
	}
	return fd;
}

static void ask(int fd, const char *name, unsigned long cmd, size_t size)
{
	int ret = ioctl(fd, cmd, &buf);
	size_t i;

	if (ret < 0)
		printf("%s %s", name, strerrorname_np(errno));
	else
		printf("%s %d", name, ret);
	for (i = 0; !ret && i < size; i++)
		printf("%s%02x", i ? "" : " ", buf.bytes[i]);
	printf("\n");
}

#define ASK(cmd, size)					\
	do {						\
		memset(&buf, 0, sizeof(buf));		\
		ask(fd, #cmd, cmd, size);		\
	} while (0)

#define ASK_WITH(cmd, member, ...)			\
	do {						\
		memset(&buf, 0, sizeof(buf));		\
		buf.member = __VA_ARGS__;		\
		ask(fd, #cmd, cmd, 0);			\
	} while (0)

static void ask_disk(int fd)
{
	ASK(BLKGETSIZE64, 8);
	ASK(BLKGETSIZE, sizeof(long));
	ASK(BLKSSZGET, 4);
	ASK(BLKPBSZGET, 4);
	ASK(BLKIOMIN, 4);
	ASK(BLKIOOPT, 4);
	ASK(BLKALIGNOFF, 4);
	ASK(BLKROTATIONAL, 2);
	ASK(BLKSECTGET, 2);
	ASK(BLKRAGET, sizeof(long));
	ASK(BLKGETNRZONES, 4);
	ASK(BLKROGET, 4);
	ASK_WITH(BLKROSET, word, 1);
	ASK(BLKROGET, 4);
	ASK_WITH(BLKROSET, word, 0);
	ASK(BLKROGET, 4);
	ASK(BLKFLSBUF, 0);
	ASK(HDIO_GETGEO, sizeof(struct hd_geometry));
	ASK(HDIO_GET_IDENTITY, 0);
	ASK(SCSI_IOCTL_GET_IDLUN, 8);
	ASK(SCSI_IOCTL_GET_BUS_NUMBER, 4);
	buf.word = 64;
	ask(fd, "SCSI_IOCTL_PROBE_HOST", SCSI_IOCTL_PROBE_HOST, 0);
	ASK(SCSI_IOCTL_GET_PCI_SLOT, 0);
	ASK(SG_GET_VERSION_NUM, 4);
	ASK(SG_GET_TIMEOUT, 0);
	ASK(SG_GET_RESERVED_SIZE, 4);
	ASK(SG_EMULATED_HOST, 4);
	ASK(SG_IO, 0);
	ASK(CDROMREADTOCHDR, 0);
	ASK(CDROM_GET_CAPABILITY, 0);
	ASK(IOC_OPAL_GET_STATUS, 4);
	ASK(IOCTL_OF_NOBODY, 0);
}

/* In an order in which each may succeed. */
static void ask_reserve(int fd)
{
	ASK_WITH(IOC_PR_REGISTER, registration,
		 (struct pr_registration){ .new_key = 0xabc });
	ASK_WITH(IOC_PR_RESERVE, reservation,
		 (struct pr_reservation){ .key = 0xabc, .type = PR_WRITE_EXCLUSIVE });
	ASK_WITH(IOC_PR_PREEMPT, preempt,
		 (struct pr_preempt){ .old_key = 0xabc, .new_key = 0xabc,
				      .type = PR_WRITE_EXCLUSIVE });
	ASK_WITH(IOC_PR_RELEASE, reservation,
		 (struct pr_reservation){ .key = 0xabc, .type = PR_WRITE_EXCLUSIVE });
	ASK_WITH(IOC_PR_CLEAR, clear, (struct pr_clear){ .key = 0xabc });
}

/* On its own, as LIO waits for itself when it is to abort commands. */
static void ask_abort(int fd)
{
	ASK_WITH(IOC_PR_PREEMPT_ABORT, preempt,
		 (struct pr_preempt){ .old_key = 0xabc, .new_key = 0xabc,
				      .type = PR_WRITE_EXCLUSIVE });
}

static int set_hint(int fd, const char *word)
{
	__u64 hint = atoi(word);

	if (!fcntl(fd, F_SET_RW_HINT, &hint))
		return 0;
	printf("F_SET_RW_HINT %s\n", strerrorname_np(errno));
	return 1;
}

static int write_atomic(int fd)
{
	const struct iovec iov = {
		.iov_base = aligned_alloc(4096, 4096),
		.iov_len = 4096,
	};

	if (!iov.iov_base)
		return 2;
	memset(iov.iov_base, 0xa5, iov.iov_len);
	if (pwritev2(fd, &iov, 1, 0, RWF_ATOMIC) == (ssize_t)iov.iov_len)
		return 0;
	printf("%s\n", strerrorname_np(errno));
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "hint"))
		return set_hint(open_device(argv[2], O_RDWR), argv[3]);
	if (argc != 3)
		return 2;
	if (!strcmp(argv[1], "write-atomic"))
		return write_atomic(open_device(argv[2], O_RDWR | O_DIRECT));
	if (!strcmp(argv[1], "open"))
		open_device(argv[2], O_RDWR);
	else if (!strcmp(argv[1], "open-ro"))
		open_device(argv[2], O_RDONLY);
	else if (!strcmp(argv[1], "disk"))
		ask_disk(open_device(argv[2], O_RDONLY));
	else if (!strcmp(argv[1], "reserve"))
		ask_reserve(open_device(argv[2], O_RDWR));
	else if (!strcmp(argv[1], "abort"))
		ask_abort(open_device(argv[2], O_RDWR));
	else
		return 2;
	return 0;
}
