/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SCSI multipath: which SCSI devices are one logical unit.
 */
#ifndef _SCSI_SCSI_MULTIPATH_H
#define _SCSI_SCSI_MULTIPATH_H

#include <linux/device.h>
#include <linux/list.h>
#include <linux/multipath.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <scsi/scsi_device.h>

/* Space for the id of a logical unit, with the end of the string. */
#define SCSI_MPATH_ID_LEN	256

/**
 * enum scsi_mpath_pace - how often a target is asked for its ALUA states
 * @SCSI_MPATH_CALM: less and less often, as nothing happens
 * @SCSI_MPATH_WAITING: a path may be used again when the target says so
 * @SCSI_MPATH_HURRIED: states are changing
 * @SCSI_MPATH_NR_PACES: the number of them
 */
enum scsi_mpath_pace {
	SCSI_MPATH_CALM,
	SCSI_MPATH_WAITING,
	SCSI_MPATH_HURRIED,
	SCSI_MPATH_NR_PACES,
};

/**
 * struct scsi_mpath_head - one logical unit
 *
 * Registered and found by its id as long as it has users: the scsi_devices
 * that lead to it, and the disk over them until that is dead. Counting them and
 * the lookup go under one lock, so that a head that is found stays. The memory
 * lives until the last reference to @dev is gone.
 *
 * @dev: scsi_mpath_deviceN of class scsi_mpath_device
 * @node: in the table of heads
 * @users: see above; under the table's lock
 * @instance: the N
 * @lock: protects @mpath, @iopolicy and @devices; taken before a mpath_head's
 *	mutex
 * @mpath: the disk that new paths join, owned by the upper level driver. It may
 *	have died already. Its ->release() clears this before the memory goes.
 * @iopolicy: for @mpath and those that follow it
 * @devices: the scsi_devices that lead here, those asked longest ago first
 * @probe_work: asks the target for its ALUA states
 * @probe_delay: time until it does (jiffies)
 * @hurry_until: until then it does so often (jiffies, in 64 bits as it may be
 *	looked at much later; and so the others)
 * @pace: how it does, and is counted; changed by @probe_work, as are the following,
 *	and when there is no such work any more
 * @slow_turn: when it has asked all idle groups
 * @activate_at: from when on it may activate a group
 * @probe_turn: counts the times that it has asked
 * @cache_turn: counts the times that a device told of a volatile write cache
 * @vendor: vendor of the logical unit, from INQUIRY
 * @model: model, likewise
 * @rev: revision, likewise
 * @vpd_id: designator of the logical unit from VPD page 0x83 (SPC-5, 7.7.6), as
 *	scsi_vpd_lun_id() formats it
 */
struct scsi_mpath_head {
	struct device		dev;
	struct hlist_node	node;
	unsigned int		users;
	int			instance;
	struct mutex		lock; /* which disk, and its policy */
	struct mpath_head	*mpath;
	enum mpath_iopolicy	iopolicy;
	struct list_head	devices;
	struct delayed_work	probe_work;
	unsigned long		probe_delay;
	u64			hurry_until;
	enum scsi_mpath_pace	pace;
	u64			slow_turn;
	u64			activate_at;
	unsigned int		probe_turn;
	atomic_t		cache_turn;
	char			vendor[8];
	char			model[16];
	char			rev[4];
	char			vpd_id[SCSI_MPATH_ID_LEN];
};

/* scsi_mpath_device.flags: @check_work is queued, and holds a reference */
#define SCSI_MPATH_CHECK_QUEUED	0
/* a scan has been put off until @checking is over */
#define SCSI_MPATH_SCAN_DUE	1

/**
 * struct scsi_mpath_device - a scsi_device as a path to a logical unit
 *
 * Made before the scsi_device is published, and freed with it:
 * scsi_device.scsi_mpath_dev does not change in between.
 *
 * @path: the library's part, while @joined
 * @sdev: the scsi_device
 * @head: the logical unit, kept by a reference to its @dev
 * @entry: in the head's list, under the head's lock
 * @group: target port group; under the head's lock, as are the following three
 * @requests: commands that the scsi_device had been given at the last probe
 * @busy: they had become more since the one before
 * @probed: the head's turn in which this device was asked
 * @access_state: the last that was heard of; under the device handler's lock
 * @check_work: looks at the device again; holds a reference to it while it is
 *	queued
 * @check_delay: how long to wait if it could not be read (jiffies)
 * @check_turn: counts the times that @checking was set; under @lock
 * @done_base: what @path had done when a user last set that to zero
 * @lock: protects @joined, @away and @checking; taken in any context
 * @joined: @path is a member of a head
 * @member: from then on, and until no bio of the head is on the path
 * @flags: SCSI_MPATH_CHECK_QUEUED, set under @lock, and SCSI_MPATH_SCAN_DUE
 * @away: the scsi_device has not been running since it was last looked at, or has
 *	said that it may be another one
 * @checking: it is about to be looked at; gets no I/O until then
 * @attached: counts as a user of @head
 * @linked: @head has a link to the scsi_device
 * @plain: failed as a path, gets a disk of its own
 * @state_known: the ALUA state has been reported
 * @state_over: the target has been asked for it, in vain
 * @answered: it has told it since it was last asked
 * @silent: it has not told it when it was last asked
 * @other_id: leads to another logical unit now; changed by rescans only
 */
struct scsi_mpath_device {
	struct mpath_device	path;
	struct scsi_device	*sdev;
	struct scsi_mpath_head	*head;
	struct list_head	entry;
	int			group;
	int			requests;
	bool			busy;
	unsigned int		probed;
	unsigned char		access_state;
	struct delayed_work	check_work;
	unsigned long		check_delay;
	unsigned int		check_turn;
	unsigned long		flags;
	struct mpath_done	done_base;
	spinlock_t		lock; /* whether it has joined */
	bool			joined;
	bool			member;
	bool			away;
	bool			checking;
	bool			attached;
	bool			linked;
	bool			plain;
	bool			state_known;
	bool			state_over;
	bool			answered;
	bool			silent;
	bool			other_id;
};

static inline struct scsi_mpath_device *
to_scsi_mpath_device(struct mpath_device *path)
{
	return container_of(path, struct scsi_mpath_device, path);
}

#ifdef CONFIG_SCSI_MULTIPATH
void __scsi_mpath_state_changed(struct scsi_mpath_device *smdev);
void __scsi_mpath_alua_changed(struct scsi_mpath_device *smdev);
void __scsi_mpath_alua_over(struct scsi_mpath_device *smdev);

/**
 * scsi_mpath_state_changed - take note of a new state of a scsi_device
 * @sdev: the scsi_device
 *
 * Context: any.
 */
static inline void scsi_mpath_state_changed(struct scsi_device *sdev)
{
	struct scsi_mpath_device *smdev = READ_ONCE(sdev->scsi_mpath_dev);

	if (smdev)
		__scsi_mpath_state_changed(smdev);
}

/**
 * scsi_mpath_alua_changed - take note that the device handler knows the state
 * @sdev: a scsi_device whose access_state is valid, changed or not
 *
 * Context: any.
 */
static inline void scsi_mpath_alua_changed(struct scsi_device *sdev)
{
	struct scsi_mpath_device *smdev = READ_ONCE(sdev->scsi_mpath_dev);

	if (smdev)
		__scsi_mpath_alua_changed(smdev);
}

/**
 * scsi_mpath_alua_over - take note that the device handler has asked the target
 * @sdev: a scsi_device whose access_state may be valid now; if not, it is not
 *	going to be
 *
 * Context: any.
 */
static inline void scsi_mpath_alua_over(struct scsi_device *sdev)
{
	struct scsi_mpath_device *smdev = READ_ONCE(sdev->scsi_mpath_dev);

	if (smdev)
		__scsi_mpath_alua_over(smdev);
}

bool scsi_mpath_path_verified(struct mpath_device *path);
enum mpath_state scsi_mpath_path_state(struct mpath_device *path,
				       bool *preferred);
void scsi_mpath_path_left(struct mpath_device *path);
int scsi_mpath_join(struct scsi_mpath_device *smdev, struct mpath_head *mpath);
void scsi_mpath_leave(struct scsi_mpath_device *smdev);
void scsi_mpath_size_asked(struct scsi_mpath_device *smdev, bool sized);
void scsi_mpath_probe_soon(struct scsi_mpath_head *head);
void scsi_mpath_get_head(struct scsi_mpath_head *head);
void scsi_mpath_put_head(struct scsi_mpath_head *head);
#else
static inline void scsi_mpath_state_changed(struct scsi_device *sdev) { }
static inline void scsi_mpath_alua_changed(struct scsi_device *sdev) { }
static inline void scsi_mpath_alua_over(struct scsi_device *sdev) { }
#endif

#endif /* _SCSI_SCSI_MULTIPATH_H */
