// SPDX-License-Identifier: GPL-2.0
/*
 * usage: reread FILE N
 *
 * Have the partitions of the disk FILE read again, with the Nth allocation of
 * that failing. Print what is left of N: 0 if there were as many.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/fs.h>

int main(int argc, char **argv)
{
	int disk, nth;
	char left[16] = "";

	if (argc != 3)
		return 2;
	disk = open(argv[1], O_RDWR);
	nth = open("/proc/self/fail-nth", O_RDWR);
	if (disk < 0 || nth < 0) {
		perror(argv[0]);
		return 1;
	}
	if (write(nth, argv[2], strlen(argv[2])) < 0) {
		perror(argv[0]);
		return 1;
	}
	/* It may fail, that is what this is for. */
	ioctl(disk, BLKRRPART);
	if (pread(nth, left, sizeof(left) - 1, 0) < 0 || pwrite(nth, "0", 1, 0) < 0) {
		perror(argv[0]);
		return 1;
	}
	printf("%d\n", atoi(left));
	return 0;
}
