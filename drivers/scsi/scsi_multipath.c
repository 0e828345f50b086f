// SPDX-License-Identifier: GPL-2.0
/*
 * SCSI multipath: which SCSI devices are one logical unit, and how each of
 * them stands as a path to it.
 *
 * What has a usable identification in VPD page 0x83 and qualifies otherwise
 * gets a struct scsi_mpath_device when it is scanned, and those with the same
 * identification share a struct scsi_mpath_head. The upper level driver makes
 * one disk of them with libmultipath; here is what that asks of a path.
 *
 * Lock order. What is further to the right is taken under what is to the left, if
 * both are taken:
 *
 *	Scsi_Host.scan_mutex, device_lock() of a scsi_device
 *		scsi_mpath_heads_lock: nothing of ours is taken under it
 *		scsi_mpath_head.lock
 *			mpath_head.mutex
 *			scsi_mpath_device.lock
 *	scsi_device.state_mutex, Scsi_Host.host_lock, the lock of a port group
 *		scsi_mpath_device.lock
 *			mpath_head.lock
 *
 * libmultipath takes mpath_head.lock under mpath_head.mutex, and never one of the
 * others. The last two are taken in any context, with interrupts off.
 */

#include <linux/ctype.h>
#include <linux/hashtable.h>
#include <linux/idr.h>
#include <linux/jhash.h>
#include <linux/module.h>
#include <linux/pm_runtime.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <scsi/scsi_cmnd.h>
#include <scsi/scsi_device.h>
#include <scsi/scsi_dh.h>
#include <scsi/scsi_host.h>
#include <scsi/scsi_multipath.h>
#include <scsi/scsi_proto.h>

#include "scsi_priv.h"

enum scsi_mpath_mode {
	SCSI_MPATH_OFF,
	SCSI_MPATH_ON,
	SCSI_MPATH_ALWAYS,
};

static const char * const scsi_mpath_modes[] = {
	[SCSI_MPATH_OFF]	= "off",
	[SCSI_MPATH_ON]		= "on",
	[SCSI_MPATH_ALWAYS]	= "always",
};

static int scsi_mpath_mode = SCSI_MPATH_OFF;
static int scsi_mpath_default_iopolicy = MPATH_IOPOLICY_NUMA;

/*
 * Protects the table and the users of each head. No head that was in the table
 * is put or deleted under it, and no release function takes it.
 */
static DEFINE_MUTEX(scsi_mpath_heads_lock);
static DEFINE_HASHTABLE(scsi_mpath_heads, 10);
static DEFINE_IDA(scsi_mpath_ida);

/* Questions to targets. If no path is usable, writeback waits for the answers. */
static struct workqueue_struct *scsi_mpath_wq;

static int scsi_mpath_mode_set(const char *val, const struct kernel_param *kp)
{
	int mode = sysfs_match_string(scsi_mpath_modes, val);

	if (mode < 0) {
		pr_err("scsi_mod.multipath takes off, on or always, not '%s'\n",
		       val);
		return mode;
	}
	scsi_mpath_mode = mode;
	return 0;
}

static int scsi_mpath_mode_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", scsi_mpath_modes[scsi_mpath_mode]);
}

static const struct kernel_param_ops scsi_mpath_mode_ops = {
	.set	= scsi_mpath_mode_set,
	.get	= scsi_mpath_mode_get,
};
module_param_cb(multipath, &scsi_mpath_mode_ops, NULL, 0444);
MODULE_PARM_DESC(multipath,
		 "One disk for all paths to a LUN: off (default), on (of LUNs with ALUA), always");

static int scsi_mpath_iopolicy_set(const char *val,
				   const struct kernel_param *kp)
{
	int iopolicy = mpath_parse_iopolicy(val);

	if (iopolicy < 0)
		return iopolicy;
	WRITE_ONCE(scsi_mpath_default_iopolicy, iopolicy);
	return 0;
}

static int scsi_mpath_iopolicy_get(char *buf, const struct kernel_param *kp)
{
	int iopolicy = READ_ONCE(scsi_mpath_default_iopolicy);

	return sysfs_emit(buf, "%s\n", mpath_iopolicy_name(iopolicy));
}

static const struct kernel_param_ops scsi_mpath_iopolicy_ops = {
	.set	= scsi_mpath_iopolicy_set,
	.get	= scsi_mpath_iopolicy_get,
};
module_param_cb(multipath_iopolicy, &scsi_mpath_iopolicy_ops, NULL, 0644);
MODULE_PARM_DESC(multipath_iopolicy,
		 "How LUNs found from now on choose a path: numa (default), round-robin, queue-depth");

#define SCSI_MPATH_PROBE_SECS		10
#define SCSI_MPATH_PROBE_SECS_MAX	3600
/*
 * A target that changes states is asked this soon, and for a while this often, of
 * so many LUNs in a second at most.
 */
#define SCSI_MPATH_PROBE_MIN		(HZ / 5)
#define SCSI_MPATH_PROBE_HURRY		(3UL * HZ / 10)
#define SCSI_MPATH_HURRY_TIME		(30 * HZ)
#define SCSI_MPATH_HURRY_RATE		250
/* Then this often as long as a path may serve again; else less and less often. */
#define SCSI_MPATH_PROBE_WAIT		(2UL * HZ / 5)
#define SCSI_MPATH_WAIT_RATE		25

/* Between two scans of a path without a size; the last one, then it is left. */
#define SCSI_MPATH_CHECK_MIN		(HZ / 2)
#define SCSI_MPATH_CHECK_MAX		(8 * HZ)

static unsigned int scsi_mpath_probe_secs = SCSI_MPATH_PROBE_SECS;

/* How many heads are at each pace; all begin at the first, which is not counted. */
static atomic_t scsi_mpath_paces[SCSI_MPATH_NR_PACES];

static int scsi_mpath_probe_secs_set(const char *val,
				     const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 0, SCSI_MPATH_PROBE_SECS_MAX);
}

static const struct kernel_param_ops scsi_mpath_probe_secs_ops = {
	.set	= scsi_mpath_probe_secs_set,
	.get	= param_get_uint,
};
module_param_cb(multipath_probe_secs, &scsi_mpath_probe_secs_ops,
		&scsi_mpath_probe_secs, 0644);
MODULE_PARM_DESC(multipath_probe_secs,
		 "How often idle target port groups are asked for their ALUA state (seconds, default 10, 0: never)");

/* ALUA states come from a device handler, which may be a module. */
MODULE_SOFTDEP("post: scsi_dh_alua");

/*
 * The state of a path
 */

/* SPC-5, 5.18.2.4: target port asymmetric access states */
static enum mpath_state scsi_mpath_alua_state(unsigned char access_state)
{
	switch (access_state & SCSI_ACCESS_STATE_MASK) {
	case SCSI_ACCESS_STATE_OPTIMAL:
		return MPATH_OPTIMIZED;
	case SCSI_ACCESS_STATE_ACTIVE:
	/* some blocks are optimized here, others elsewhere */
	case SCSI_ACCESS_STATE_LBA:
		return MPATH_NONOPTIMIZED;
	case SCSI_ACCESS_STATE_STANDBY:
		return MPATH_STANDBY;
	case SCSI_ACCESS_STATE_TRANSITIONING:
		return MPATH_TRANSITIONING;
	case SCSI_ACCESS_STATE_OFFLINE:
		return MPATH_OFFLINE;
	case SCSI_ACCESS_STATE_UNAVAILABLE:
	default:
		return MPATH_UNAVAILABLE;
	}
}

static enum mpath_state scsi_mpath_sdev_state(enum scsi_device_state state)
{
	switch (state) {
	case SDEV_RUNNING:
		return MPATH_OPTIMIZED;
	case SDEV_CREATED:
	case SDEV_CREATED_BLOCK:
	case SDEV_BLOCK:
	case SDEV_QUIESCE:
		return MPATH_BLOCKED;
	default:
		return MPATH_OFFLINE;
	}
}

/* Who else would know a target's access states? */
static bool scsi_mpath_knows_alua(struct scsi_device *sdev)
{
	const struct scsi_device_handler *handler = READ_ONCE(sdev->handler);

	return scsi_device_tpgs(sdev) && handler &&
	       !strcmp(handler->name, "alua");
}

/* Is it certain that it is what it was when it was found? */
static bool scsi_mpath_is_verified(const struct scsi_mpath_device *smdev)
{
	return !READ_ONCE(smdev->away) && !READ_ONCE(smdev->checking);
}

/**
 * scsi_mpath_path_state - mpath_head_ops.get_state of SCSI
 * @path: the path
 * @preferred: set to what the target says of its port group
 *
 * The identity comes first: on a path to something else nothing is to be
 * waited for.
 *
 * Context: any.
 * Return: the state.
 */
enum mpath_state scsi_mpath_path_state(struct mpath_device *path,
				       bool *preferred)
{
	struct scsi_mpath_device *smdev = to_scsi_mpath_device(path);
	struct scsi_device *sdev = smdev->sdev;
	unsigned char access_state;
	enum mpath_state state;

	*preferred = false;
	if (READ_ONCE(smdev->other_id))
		return MPATH_MISMATCH;
	state = scsi_mpath_sdev_state(READ_ONCE(sdev->sdev_state));
	if (state != MPATH_OPTIMIZED)
		return state;
	/* It may be another one; see scsi_mpath_check_device(). */
	if (!scsi_mpath_is_verified(smdev))
		return MPATH_UNKNOWN;
	/* It takes no commands until its error handler is done. */
	if (scsi_host_in_recovery(sdev->host))
		return MPATH_BLOCKED;

	if (!scsi_device_tpgs(sdev))
		return MPATH_OPTIMIZED;
	/* Better than nothing, but there may be paths that are known to be good. */
	if (!scsi_mpath_knows_alua(sdev))
		return MPATH_NONOPTIMIZED;
	if (!READ_ONCE(smdev->state_known))
		return READ_ONCE(smdev->state_over) ? MPATH_NONOPTIMIZED :
						      MPATH_UNKNOWN;
	access_state = READ_ONCE(sdev->access_state);
	*preferred = access_state & SCSI_ACCESS_STATE_PREFERRED;
	return scsi_mpath_alua_state(access_state);
}
EXPORT_SYMBOL_GPL(scsi_mpath_path_state);

/**
 * scsi_mpath_path_verified - is it certain that a path leads to its head's LU?
 * @path: the scsi_device's part of libmultipath
 *
 * Context: any.
 * Return: false if the device has been away, and its identity has not been
 * compared since.
 */
bool scsi_mpath_path_verified(struct mpath_device *path)
{
	return scsi_mpath_is_verified(to_scsi_mpath_device(path));
}
EXPORT_SYMBOL_GPL(scsi_mpath_path_verified);

/* The last reference is not put here, which may be in atomic context. */
static void scsi_mpath_queue_check(struct scsi_mpath_device *smdev,
				   unsigned long delay)
{
	unsigned long flags;

	spin_lock_irqsave(&smdev->lock, flags);
	if (test_bit(SCSI_MPATH_CHECK_QUEUED, &smdev->flags)) {
		/* If that is for later: it hands on its reference. */
		if (!delay && cancel_delayed_work(&smdev->check_work))
			queue_delayed_work(scsi_mpath_wq, &smdev->check_work, 0);
	} else if (!scsi_device_get(smdev->sdev)) {
		set_bit(SCSI_MPATH_CHECK_QUEUED, &smdev->flags);
		queue_delayed_work(scsi_mpath_wq, &smdev->check_work, delay);
	}
	spin_unlock_irqrestore(&smdev->lock, flags);
}

/* From now on it is asked as soon, and as often, as a new one. */
static void scsi_mpath_ask_anew(struct scsi_mpath_device *smdev)
{
	WRITE_ONCE(smdev->check_delay, SCSI_MPATH_CHECK_MIN);
}

/*
 * One whose identity, or size, could not be read is asked several times, and
 * again when it comes back from wherever it is now. Returns false if that has
 * been done often enough.
 */
static bool scsi_mpath_check_later(struct scsi_mpath_device *smdev)
{
	unsigned long delay = READ_ONCE(smdev->check_delay);

	if (test_bit(SCSI_MPATH_CHECK_QUEUED, &smdev->flags))
		return true;
	if (delay > SCSI_MPATH_CHECK_MAX)
		return false;
	/* Unless it is to be asked anew. */
	cmpxchg(&smdev->check_delay, delay, 2 * delay);
	scsi_mpath_queue_check(smdev, delay);
	return true;
}

/**
 * scsi_mpath_size_asked - the size of a path has been asked for
 * @smdev: the scsi_device's multipath part
 * @sized: it was told
 *
 * One that does not tell is asked again; if it cannot be used anyway, when that
 * changes.
 *
 * Context: process.
 */
void scsi_mpath_size_asked(struct scsi_mpath_device *smdev, bool sized)
{
	if (sized) {
		scsi_mpath_ask_anew(smdev);
		return;
	}
	if (!mpath_state_is_usable(READ_ONCE(smdev->path.transport)) ||
	    READ_ONCE(smdev->path.sizeless) || scsi_mpath_check_later(smdev))
		return;
	sdev_printk(KERN_WARNING, smdev->sdev,
		    "multipath: does not tell its size: not used until it is scanned again and does\n");
	spin_lock_irq(&smdev->lock);
	if (smdev->joined)
		mpath_give_up_size(&smdev->path);
	spin_unlock_irq(&smdev->lock);
}
EXPORT_SYMBOL_GPL(scsi_mpath_size_asked);

/*
 * A SCSI name string has zeroes after its end. Were they anywhere else, two names
 * that are not the same could be taken for one; and a name is shown as a line.
 */
static bool scsi_mpath_is_text(const char *id, int len)
{
	int i, end = strnlen(id, len);

	for (i = 0; i < end; i++)
		if (iscntrl(id[i]))
			return false;
	return !memchr_inv(id + end, 0, len - end);
}

/*
 * Get the identification of a device's logical unit. One that does not fit is
 * refused rather than cut, as two logical units may differ in what is cut off.
 * The buffer therefore takes all that scsi_vpd_lun_id() can make of one
 * designator, with each byte escaped.
 */
static int scsi_mpath_read_id(struct scsi_device *sdev, char *vpd_id)
{
	const size_t max_len = sizeof("t10.") + 4 * U8_MAX;
	char *buf;
	int ret;

	buf = kzalloc(max_len, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	ret = scsi_vpd_lun_id(sdev, buf, max_len);
	if (ret >= 0 && !scsi_mpath_is_text(buf, ret))
		ret = -EILSEQ;
	if (ret >= 0)
		ret = strscpy(vpd_id, buf, SCSI_MPATH_ID_LEN);
	if (!ret)
		ret = -ENXIO;
	kfree(buf);
	return ret;
}

/* @vpd_id is NULL if the device does not tell. */
static void scsi_mpath_set_other_id(struct scsi_mpath_device *smdev,
				    bool other, const char *vpd_id)
{
	if (other == READ_ONCE(smdev->other_id))
		return;
	if (other && vpd_id)
		sdev_printk(KERN_ERR, smdev->sdev,
			    "multipath: was a path to %s, is now %s: not used, delete it and scan again\n",
			    smdev->head->vpd_id, vpd_id);
	else if (other)
		sdev_printk(KERN_ERR, smdev->sdev,
			    "multipath: was a path to %s, does not tell its id: not used until it does\n",
			    smdev->head->vpd_id);
	else
		sdev_printk(KERN_INFO, smdev->sdev,
			    "multipath: is a path to %s again\n", vpd_id);
	WRITE_ONCE(smdev->other_id, other);
	__scsi_mpath_state_changed(smdev);
}

/*
 * Returns 0, 1 if the device is another one or in another target port group than
 * before, or an errno if it does not tell.
 */
static int scsi_mpath_compare_id(struct scsi_device *sdev)
{
	struct scsi_mpath_device *smdev = sdev->scsi_mpath_dev;
	char vpd_id[SCSI_MPATH_ID_LEN];
	bool other, moved;
	int ret, group;

	ret = scsi_mpath_read_id(sdev, vpd_id);
	if (ret < 0)
		return ret;
	other = strcmp(vpd_id, smdev->head->vpd_id);
	/* The groups of another logical unit are none of the head's. */
	group = other ? -1 : scsi_vpd_tpg_id(sdev, NULL);
	mutex_lock(&smdev->head->lock);
	moved = other || group != smdev->group;
	smdev->group = group;
	mutex_unlock(&smdev->head->lock);
	scsi_mpath_set_other_id(smdev, other, vpd_id);
	return moved;
}

/* Returns 0, -ENODEV if the device is away, or -EIO if it does not answer. */
static int scsi_mpath_read_id_again(struct scsi_device *sdev)
{
	/* Under the lock it cannot wake up while the system does. */
	bool awake = !scsi_autopm_get_device(sdev);
	const struct scsi_vpd *old;
	int ret = -ENODEV;

	device_lock(&sdev->sdev_gendev);
	if (READ_ONCE(sdev->sdev_state) == SDEV_RUNNING &&
	    blk_queue_pm_only(sdev->request_queue)) {
		/* It would not wake up, see scsi_rescan_device(). */
		ret = -EIO;
	} else if (READ_ONCE(sdev->sdev_state) == SDEV_RUNNING) {
		/* Others may replace the page; all that counts is if it is new. */
		old = rcu_access_pointer(sdev->vpd_pg83);
		scsi_attach_vpd(sdev);
		ret = -EIO;
		if (rcu_access_pointer(sdev->vpd_pg83) != old)
			ret = scsi_mpath_compare_id(sdev);
		/* It must not ask one logical unit for the states of another. */
		if (ret > 0 && sdev->handler && sdev->handler->rescan)
			sdev->handler->rescan(sdev);
		ret = ret < 0 ? -EIO : 0;
	}
	device_unlock(&sdev->sdev_gendev);
	if (awake)
		scsi_autopm_put_device(sdev);
	return ret;
}

/* With no device there is nobody to be asked. */
static bool scsi_mpath_queue_probe(struct scsi_mpath_head *head)
{
	bool asks;

	mutex_lock(&head->lock);
	asks = !list_empty(&head->devices);
	if (asks)
		queue_delayed_work(scsi_mpath_wq, &head->probe_work,
				   READ_ONCE(head->probe_delay));
	mutex_unlock(&head->lock);
	return asks;
}

/* A device that sleeps, or that sd has no memory for, is not scanned. */
static void scsi_mpath_scan_again(struct scsi_mpath_device *smdev)
{
	bool awake = !scsi_autopm_get_device(smdev->sdev);

	if (scsi_rescan_device(smdev->sdev))
		set_bit(SCSI_MPATH_SCAN_DUE, &smdev->flags);
	if (awake)
		scsi_autopm_put_device(smdev->sdev);
	scsi_mpath_size_asked(smdev, READ_ONCE(smdev->path.sized));
}

/*
 * A device that has been away may be another one, and gets no I/O before its
 * identity has been compared. One whose size could not be read, because it or
 * the path to it was not there at that moment, is a disk without a size until
 * it is scanned again. So is one that users wanted to have scanned meanwhile.
 */
static void scsi_mpath_check_device(struct scsi_mpath_device *smdev)
{
	unsigned int turn;
	bool checking;
	int ret = 0;

	spin_lock_irq(&smdev->lock);
	turn = smdev->check_turn;
	checking = smdev->checking;
	spin_unlock_irq(&smdev->lock);

	if (checking)
		ret = scsi_mpath_read_id_again(smdev->sdev);
	if (ret == -EIO && scsi_mpath_check_later(smdev))
		return;
	if (ret == -EIO)
		scsi_mpath_set_other_id(smdev, true, NULL);
	else if (checking && !ret)
		scsi_mpath_ask_anew(smdev);

	/* If it has been away meanwhile, that is for the next time. */
	spin_lock_irq(&smdev->lock);
	if (smdev->check_turn == turn) {
		if (ret)
			WRITE_ONCE(smdev->away, true);
		WRITE_ONCE(smdev->checking, false);
	}
	spin_unlock_irq(&smdev->lock);

	/* This keeps its driver from being unloaded: see scsi_mpath_ask_ids(). */
	if (ret == -EIO) {
		scsi_mpath_queue_probe(smdev->head);
		return;
	}
	__scsi_mpath_state_changed(smdev);

	if ((!ret && test_and_clear_bit(SCSI_MPATH_SCAN_DUE, &smdev->flags)) ||
	    (!READ_ONCE(smdev->path.sized) &&
	     mpath_state_is_usable(READ_ONCE(smdev->path.transport))))
		scsi_mpath_scan_again(smdev);
}

static void scsi_mpath_check_work(struct work_struct *work)
{
	struct scsi_mpath_device *smdev =
		container_of(to_delayed_work(work), struct scsi_mpath_device,
			     check_work);
	unsigned int noio = memalloc_noio_save();

	/* Who comes from now on finds something that is not looked at yet. */
	clear_bit(SCSI_MPATH_CHECK_QUEUED, &smdev->flags);
	smp_mb__after_atomic();	/* before it is looked at */
	scsi_mpath_check_device(smdev);
	scsi_device_put(smdev->sdev);
	memalloc_noio_restore(noio);
}

/**
 * __scsi_mpath_state_changed - see scsi_mpath_state_changed()
 * @smdev: the scsi_device's multipath part
 *
 * Context: any.
 */
void __scsi_mpath_state_changed(struct scsi_mpath_device *smdev)
{
	enum scsi_device_state state = READ_ONCE(smdev->sdev->sdev_state);
	bool check = false, returned = false;
	unsigned long flags;

	spin_lock_irqsave(&smdev->lock, flags);
	if (scsi_mpath_sdev_state(state) != MPATH_OPTIMIZED) {
		WRITE_ONCE(smdev->away, true);
	} else if (smdev->away && smdev->joined) {
		WRITE_ONCE(smdev->away, false);
		WRITE_ONCE(smdev->checking, true);
		smdev->check_turn++;
		check = true;
	}
	if (smdev->joined)
		returned = mpath_path_changed(&smdev->path);
	spin_unlock_irqrestore(&smdev->lock, flags);

	if (check) {
		scsi_mpath_ask_anew(smdev);
		/* One that is not used anyway is asked once. */
		if (READ_ONCE(smdev->other_id))
			WRITE_ONCE(smdev->check_delay,
				   SCSI_MPATH_CHECK_MAX + 1);
		scsi_mpath_queue_check(smdev, 0);
	} else if (returned && !READ_ONCE(smdev->path.sized)) {
		scsi_mpath_ask_anew(smdev);
		scsi_mpath_queue_check(smdev, 0);
	}
}
EXPORT_SYMBOL_GPL(__scsi_mpath_state_changed);

/**
 * scsi_mpath_doubt - take note that a scsi_device may be another one
 * @sdev: a scsi_device that says that its INQUIRY data has changed, or what is at
 *	the LUNs of its target (SPC-5, unit attentions 3F/03 and 3F/0E)
 *
 * It gets no I/O of the disk until its identity has been compared, not even what
 * it has told this instead of doing.
 *
 * Context: any.
 */
void scsi_mpath_doubt(struct scsi_device *sdev)
{
	struct scsi_mpath_device *smdev = READ_ONCE(sdev->scsi_mpath_dev);
	unsigned long flags;

	if (!smdev)
		return;
	spin_lock_irqsave(&smdev->lock, flags);
	WRITE_ONCE(smdev->away, true);
	spin_unlock_irqrestore(&smdev->lock, flags);
	__scsi_mpath_state_changed(smdev);
}

/**
 * __scsi_mpath_alua_over - see scsi_mpath_alua_over()
 * @smdev: the scsi_device's multipath part
 *
 * Context: any.
 */
void __scsi_mpath_alua_over(struct scsi_mpath_device *smdev)
{
	bool silent = !xchg(&smdev->answered, false);

	WRITE_ONCE(smdev->state_over, true);
	/* The log is told each time that there is no answer: not too often. */
	WRITE_ONCE(smdev->silent, silent);
	if (silent)
		WRITE_ONCE(smdev->head->hurry_until, get_jiffies_64());
	__scsi_mpath_state_changed(smdev);
}
EXPORT_SYMBOL_GPL(__scsi_mpath_alua_over);

/**
 * __scsi_mpath_alua_changed - see scsi_mpath_alua_changed()
 * @smdev: the scsi_device's multipath part
 *
 * Context: any.
 */
void __scsi_mpath_alua_changed(struct scsi_mpath_device *smdev)
{
	unsigned char access_state = READ_ONCE(smdev->sdev->access_state);
	unsigned long flags;

	WRITE_ONCE(smdev->state_known, true);
	WRITE_ONCE(smdev->answered, true);
	__scsi_mpath_state_changed(smdev);

	/* Where one state has changed, others may be about to. */
	if (access_state == READ_ONCE(smdev->access_state))
		return;
	WRITE_ONCE(smdev->access_state, access_state);
	spin_lock_irqsave(&smdev->lock, flags);
	if (smdev->joined)
		scsi_mpath_probe_soon(smdev->head);
	spin_unlock_irqrestore(&smdev->lock, flags);
}
EXPORT_SYMBOL_GPL(__scsi_mpath_alua_changed);

/*
 * Commands
 */

static bool scsi_mpath_is_path(struct scsi_device *sdev)
{
	struct scsi_mpath_device *smdev = READ_ONCE(sdev->scsi_mpath_dev);

	return smdev && READ_ONCE(smdev->member);
}

/*
 * A request that is to fail rather than to wait. Those that wake a device up, or
 * put it to sleep, are the only ones that it takes then.
 */
static bool scsi_mpath_fails_fast(const struct request *req)
{
	return (req->cmd_flags & REQ_FAILFAST_TRANSPORT) &&
	       !(req->rq_flags & RQF_PM);
}

/* From the disk over the paths, which sends it to another path if it fails. */
static bool scsi_mpath_is_clone(struct request *req)
{
	return !blk_rq_is_passthrough(req) &&
	       (req->cmd_flags & REQ_FAILFAST_MASK) == REQ_FAILFAST_TRANSPORT;
}

/* Commands have to wait, and nobody knows for how long. */
static bool scsi_mpath_is_stuck(struct scsi_device *sdev)
{
	enum scsi_device_state state = READ_ONCE(sdev->sdev_state);

	return state == SDEV_BLOCK || state == SDEV_CREATED_BLOCK ||
	       scsi_host_in_recovery(sdev->host);
}

/*
 * There is no use in waiting here for whoever can go elsewhere. Of a host that is
 * being reset by a user nobody tells the path: what is turned down does.
 */
static bool scsi_mpath_is_left(struct scsi_device *sdev)
{
	struct mpath_device *path = &sdev->scsi_mpath_dev->path;

	return !mpath_state_is_usable(READ_ONCE(path->state)) ||
	       scsi_mpath_is_stuck(sdev);
}

/**
 * __scsi_mpath_may_queue - turn down what need not wait for its path
 * @sdev: a scsi_device with a scsi_mpath_dev
 * @scmd: a command that comes out of its queue, not prepared yet
 *
 * A request of the disk over the paths leaves a path that is not used any more.
 * If the device takes no commands for a while, so do the test of the path and
 * the device handler's commands, which would hold up the others.
 *
 * Context: any.
 * Return: BLK_STS_OK; BLK_STS_OFFLINE, with which the request is to end;
 * BLK_STS_RESOURCE if it has to wait, see __scsi_mpath_budget().
 */
blk_status_t __scsi_mpath_may_queue(struct scsi_device *sdev,
				    struct scsi_cmnd *scmd)
{
	struct request *req = scsi_cmd_to_rq(scmd);

	if (unlikely(scsi_mpath_is_left(sdev)) && scsi_mpath_is_path(sdev) &&
	    scsi_mpath_fails_fast(req) &&
	    (scsi_mpath_is_clone(req) || scsi_mpath_is_stuck(sdev))) {
		/* Nothing has been tried that the log should tell of. */
		req->rq_flags |= RQF_QUIET;
		return BLK_STS_OFFLINE;
	}
	if (unlikely(scsi_mpath_is_no_budget(scmd->budget_token)))
		return BLK_STS_RESOURCE;
	return BLK_STS_OK;
}

/**
 * scsi_mpath_path_left - mpath_head_ops.left of SCSI
 * @path: a path that is not usable any more
 *
 * What waits in its queue comes out of it, see __scsi_mpath_may_queue().
 *
 * Context: any.
 */
void scsi_mpath_path_left(struct mpath_device *path)
{
	blk_mq_run_hw_queues(to_scsi_mpath_device(path)->sdev->request_queue,
			     true);
}
EXPORT_SYMBOL_GPL(scsi_mpath_path_left);

/**
 * __scsi_mpath_budget - let requests come out that are beyond a queue's depth
 * @sdev: a scsi_device with a scsi_mpath_dev that can take no more commands
 *
 * When a path is left, __scsi_mpath_may_queue() has to see them: those that the
 * driver has may take long to end, if one of them is the reason.
 *
 * Context: any.
 * Return: SCSI_MPATH_NO_BUDGET for a path that is not used any more, a token
 * with which no command is given to the driver; -1 otherwise.
 */
int __scsi_mpath_budget(struct scsi_device *sdev)
{
	if (scsi_mpath_is_path(sdev) && scsi_mpath_is_left(sdev))
		return SCSI_MPATH_NO_BUDGET;
	return -1;
}

/**
 * scsi_mpath_recovery_begins - leave the paths through a host with an error
 * @shost: a host that takes no commands until its error handler is done
 *
 * Context: any, with the host's lock held.
 */
void scsi_mpath_recovery_begins(struct Scsi_Host *shost)
{
	struct scsi_device *sdev;

	lockdep_assert_held(shost->host_lock);

	__shost_for_each_device(sdev, shost)
		scsi_mpath_state_changed(sdev);
}

/**
 * scsi_mpath_keep_running - is the queue of a blocked device not to be stopped?
 * @sdev: a scsi_device that has just been blocked
 *
 * What the driver has not been given yet is to go to other paths, and comes out
 * of the queue for that. A command of another origin is put back, and may hold
 * up what follows it for as long as the device is blocked; see also
 * scsi_mpath_queue_runs().
 *
 * Context: any.
 * Return: true for a path.
 */
bool scsi_mpath_keep_running(struct scsi_device *sdev)
{
	return scsi_mpath_is_path(sdev);
}

/**
 * scsi_mpath_noretry - is a command better sent to another path?
 * @scmd: a command that has failed
 *
 * Failfast does not keep the midlayer from trying these again on the path that
 * has just been disrupted, or has let the command time out.
 *
 * Context: any.
 * Return: true if it must not be retried here.
 */
bool scsi_mpath_noretry(struct scsi_cmnd *scmd)
{
	switch (host_byte(scmd->result)) {
	case DID_OK:
		/* From the error handler, which has no result for it. */
		if (scmd->result || scmd->flags & SCMD_FORCE_EH_SUCCESS)
			return false;
		fallthrough;
	case DID_TIME_OUT:
	case DID_TRANSPORT_DISRUPTED:
		return scsi_mpath_is_path(scmd->device) &&
		       scsi_mpath_fails_fast(scsi_cmd_to_rq(scmd));
	default:
		return false;
	}
}

/* Commands that mean the I_T nexus that they come on, and no other path. */
static bool scsi_mpath_is_reservation(const struct scsi_cmnd *scmd)
{
	switch (scmd->cmnd[0]) {
	case RESERVE:
	case RELEASE:
	case RESERVE_10:
	case RELEASE_10:
	case PERSISTENT_RESERVE_IN:
	case PERSISTENT_RESERVE_OUT:
		return true;
	default:
		return false;
	}
}

/**
 * __scsi_mpath_refuses - keep reservations from a single path
 * @scmd: a passthrough command that is about to be given to the driver
 *
 * A reservation or a registration belongs to the I_T nexus that asked for it
 * (SPC-5, 5.14). Made on one path it would turn the others, which are the same
 * disk, into strangers. Such a command ends the way it does on a device that
 * does not know it.
 *
 * Context: any.
 * Return: true if @scmd has its result.
 */
bool __scsi_mpath_refuses(struct scsi_cmnd *scmd)
{
	struct scsi_device *sdev = scmd->device;

	/* It is for all users of the LU, so sd need not be bound just now. */
	if (!scsi_mpath_is_reservation(scmd) ||
	    READ_ONCE(sdev->scsi_mpath_dev->plain))
		return false;

	dev_warn_ratelimited(&sdev->sdev_gendev,
			     "multipath: reservation refused (command %#02x), it would hold on one path only\n",
			     scmd->cmnd[0]);
	/* invalid command operation code */
	scsi_build_sense(scmd, 0, ILLEGAL_REQUEST, 0x20, 0);
	return true;
}

/**
 * scsi_mpath_join - make a scsi_device a path of a disk
 * @smdev: the scsi_device's multipath part
 * @mpath: the disk
 *
 * Context: process, may sleep.
 * Return: what mpath_join() returns.
 */
int scsi_mpath_join(struct scsi_mpath_device *smdev, struct mpath_head *mpath)
{
	int ret = mpath_join(mpath, &smdev->path);

	if (ret)
		return ret;
	scsi_mpath_ask_anew(smdev);
	spin_lock_irq(&smdev->lock);
	smdev->joined = true;
	WRITE_ONCE(smdev->member, true);
	spin_unlock_irq(&smdev->lock);
	/* It may have been away while sd had nothing to do with it. */
	__scsi_mpath_state_changed(smdev);
	return 0;
}
EXPORT_SYMBOL_GPL(scsi_mpath_join);

/**
 * scsi_mpath_leave - undo scsi_mpath_join()
 * @smdev: the scsi_device's multipath part
 *
 * Context: process, may sleep for long, see mpath_leave().
 */
void scsi_mpath_leave(struct scsi_mpath_device *smdev)
{
	spin_lock_irq(&smdev->lock);
	smdev->joined = false;
	spin_unlock_irq(&smdev->lock);
	mpath_leave(&smdev->path);
	WRITE_ONCE(smdev->member, false);
}
EXPORT_SYMBOL_GPL(scsi_mpath_leave);

/*
 * Asking for ALUA states. A target tells of a change when it is sent a command,
 * and a path that is not usable is sent none. So someone has to ask, by any one
 * device of each target port group that has nothing to do.
 */

/* How much a device is given by a probe alone. */
#define SCSI_MPATH_IDLE_REQUESTS	2

/*
 * A group is not activated for less: other hosts may be using another one, and a
 * path that is better may just be coming up.
 */
#define SCSI_MPATH_ACTIVATE_MS		1500
/* and not again before the target has had the time for it; later, less often */
#define SCSI_MPATH_ACTIVATE_AGAIN	(3 * HZ)
#define SCSI_MPATH_ACTIVATE_CALM	(10 * HZ)

/* in the TPGS field of INQUIRY data, SPC-5, 6.7.2 */
#define SCSI_MPATH_TPGS_EXPLICIT	2

/* What sleeps is left alone while there is something else that serves. */
static bool scsi_mpath_may_sleep(const struct scsi_mpath_device *smdev)
{
	struct scsi_mpath_head *head = smdev->head;

	lockdep_assert_held(&head->lock);

	return pm_runtime_suspended(&smdev->sdev->sdev_gendev) &&
	       (!head->mpath || mpath_is_serving(head->mpath));
}

static bool scsi_mpath_can_ask(const struct scsi_mpath_device *smdev)
{
	struct scsi_device *sdev = smdev->sdev;

	return scsi_mpath_knows_alua(sdev) &&
	       READ_ONCE(sdev->sdev_state) == SDEV_RUNNING &&
	       !READ_ONCE(smdev->other_id) &&
	       scsi_mpath_is_verified(smdev) &&
	       !scsi_mpath_may_sleep(smdev);
}

/* What has been given something since the last time has heard of changes. */
static void scsi_mpath_find_busy(struct scsi_mpath_head *head)
{
	struct scsi_mpath_device *smdev;
	int requests;

	mutex_lock(&head->lock);
	list_for_each_entry(smdev, &head->devices, entry) {
		requests = atomic_read(&smdev->sdev->iorequest_cnt);
		smdev->busy = requests - smdev->requests >
			      SCSI_MPATH_IDLE_REQUESTS;
		smdev->requests = requests;
	}
	mutex_unlock(&head->lock);
}

/* Is there something to be learnt of a group, and has it not been asked yet? */
static bool scsi_mpath_group_wants_probe(struct scsi_mpath_head *head,
					 int group, bool slow)
{
	struct scsi_mpath_device *smdev;
	bool busy = false, unusable = false;

	list_for_each_entry(smdev, &head->devices, entry) {
		if (smdev->group != group)
			continue;
		if (smdev->probed == head->probe_turn)
			return false;
		busy |= smdev->busy;
		unusable |= !mpath_state_is_usable(READ_ONCE(smdev->path.state));
	}
	return unusable || (slow && !busy);
}

/*
 * If there are only paths in standby left, a target with explicit ALUA expects
 * to be told which group is to serve (SPC-5, 5.18.2.7).
 */
static bool scsi_mpath_can_activate(struct scsi_mpath_device *smdev)
{
	enum mpath_state state = READ_ONCE(smdev->path.state);

	return scsi_device_tpgs(smdev->sdev) & SCSI_MPATH_TPGS_EXPLICIT &&
	       (state == MPATH_STANDBY || state == MPATH_UNAVAILABLE);
}

/* Is the target about to serve by this path, or to say whether it does? */
static bool scsi_mpath_is_under_way(struct scsi_mpath_device *smdev)
{
	switch (READ_ONCE(smdev->path.state)) {
	case MPATH_TRANSITIONING:
		return true;
	case MPATH_UNKNOWN:
		/* and not one whose id or size is being read */
		return READ_ONCE(smdev->path.transport) == MPATH_UNKNOWN &&
		       !READ_ONCE(smdev->checking);
	default:
		return false;
	}
}

static struct scsi_mpath_device *
scsi_mpath_find_standby(struct scsi_mpath_head *head)
{
	struct scsi_mpath_device *smdev, *found = NULL;

	lockdep_assert_held(&head->lock);

	if (!head->mpath ||
	    mpath_outage_ms(head->mpath) < SCSI_MPATH_ACTIVATE_MS ||
	    time_before64(get_jiffies_64(), head->activate_at))
		return NULL;
	list_for_each_entry(smdev, &head->devices, entry) {
		/* The latter has been told, or asked, in this turn. */
		if (scsi_mpath_is_under_way(smdev) ||
		    smdev->probed == head->probe_turn)
			return NULL;
		if (!scsi_mpath_can_ask(smdev) || !scsi_mpath_can_activate(smdev))
			continue;
		if (!found || READ_ONCE(smdev->path.preferred))
			found = smdev;
	}
	return found;
}

static struct scsi_mpath_device *
scsi_mpath_find_unasked(struct scsi_mpath_head *head, bool slow)
{
	struct scsi_mpath_device *smdev;

	lockdep_assert_held(&head->lock);

	list_for_each_entry(smdev, &head->devices, entry)
		if (scsi_mpath_can_ask(smdev) &&
		    scsi_mpath_group_wants_probe(head, smdev->group, slow))
			return smdev;
	return NULL;
}

/*
 * The next device to be asked in this turn, with a reference, or NULL. Should it
 * not answer, it is another one's turn the next time.
 */
static struct scsi_device *scsi_mpath_next_to_ask(struct scsi_mpath_head *head,
						  bool slow, bool *activate)
{
	struct scsi_mpath_device *smdev;
	struct scsi_device *sdev = NULL;

	mutex_lock(&head->lock);
	do {
		smdev = scsi_mpath_find_standby(head);
		*activate = smdev;
		if (smdev)
			head->activate_at = get_jiffies_64() +
				(head->pace == SCSI_MPATH_HURRIED ?
				 SCSI_MPATH_ACTIVATE_AGAIN :
				 SCSI_MPATH_ACTIVATE_CALM);
		else
			smdev = scsi_mpath_find_unasked(head, slow);
		if (!smdev)
			break;
		smdev->probed = head->probe_turn;
		list_move_tail(&smdev->entry, &head->devices);
		if (!scsi_device_get(smdev->sdev))
			sdev = smdev->sdev;
	} while (!sdev);
	mutex_unlock(&head->lock);
	return sdev;
}

/* May take as long as the target takes to answer an earlier question. */
static void scsi_mpath_ask(struct scsi_device *sdev, bool activate)
{
	struct scsi_device_handler *handler = READ_ONCE(sdev->handler);

	if (!handler)
		return;
	if (activate)
		handler->activate(sdev, NULL, NULL);
	else if (handler->ask_state)
		handler->ask_state(sdev);
}

static void scsi_mpath_probe(struct scsi_mpath_head *head, bool slow)
{
	struct scsi_device *sdev;
	bool activate;

	scsi_mpath_find_busy(head);
	head->probe_turn++;
	while ((sdev = scsi_mpath_next_to_ask(head, slow, &activate))) {
		scsi_mpath_ask(sdev, activate);
		scsi_device_put(sdev);
	}
}

/* A device that is there and has not told its id, or its size, may do so now. */
static void scsi_mpath_ask_ids(struct scsi_mpath_head *head)
{
	struct scsi_mpath_device *smdev;

	mutex_lock(&head->lock);
	list_for_each_entry(smdev, &head->devices, entry) {
		if (READ_ONCE(smdev->away) || !READ_ONCE(smdev->path.sized))
			__scsi_mpath_state_changed(smdev);
	}
	mutex_unlock(&head->lock);
}

/* Would the target say, if it is asked, that a path serves again? */
static bool scsi_mpath_path_waits(const struct scsi_mpath_device *smdev)
{
	return READ_ONCE(smdev->member) && !READ_ONCE(smdev->silent) &&
	       scsi_mpath_can_ask(smdev) &&
	       mpath_state_is_alua_wait(READ_ONCE(smdev->path.transport));
}

static bool scsi_mpath_waits(struct scsi_mpath_head *head)
{
	struct scsi_mpath_device *smdev;
	bool waits = false;

	mutex_lock(&head->lock);
	list_for_each_entry(smdev, &head->devices, entry)
		waits |= scsi_mpath_path_waits(smdev);
	mutex_unlock(&head->lock);
	return waits;
}

static enum scsi_mpath_pace scsi_mpath_next_pace(struct scsi_mpath_head *head)
{
	if (!READ_ONCE(scsi_mpath_probe_secs))
		return SCSI_MPATH_CALM;
	if (time_before64(get_jiffies_64(), READ_ONCE(head->hurry_until)))
		return SCSI_MPATH_HURRIED;
	return scsi_mpath_waits(head) ? SCSI_MPATH_WAITING : SCSI_MPATH_CALM;
}

/* Returns how many heads are at that pace. */
static unsigned int scsi_mpath_set_pace(struct scsi_mpath_head *head,
					enum scsi_mpath_pace pace)
{
	if (pace != head->pace) {
		if (head->pace != SCSI_MPATH_CALM)
			atomic_dec(&scsi_mpath_paces[head->pace]);
		if (pace != SCSI_MPATH_CALM)
			atomic_inc(&scsi_mpath_paces[pace]);
		head->pace = pace;
	}
	return atomic_read(&scsi_mpath_paces[pace]);
}

static unsigned long scsi_mpath_next_delay(unsigned long delay,
					   unsigned long interval,
					   enum scsi_mpath_pace pace,
					   unsigned int heads)
{
	switch (pace) {
	case SCSI_MPATH_HURRIED:
		return clamp((unsigned long)heads * HZ / SCSI_MPATH_HURRY_RATE,
			     SCSI_MPATH_PROBE_HURRY, interval);
	case SCSI_MPATH_WAITING:
		return clamp((unsigned long)heads * HZ / SCSI_MPATH_WAIT_RATE,
			     SCSI_MPATH_PROBE_WAIT, interval);
	default:
		return min(2 * delay, interval);
	}
}

/* Is it time to ask groups of which all seems to be known? */
static bool scsi_mpath_is_slow_turn(struct scsi_mpath_head *head,
				    unsigned long interval)
{
	if (time_before64(get_jiffies_64(), head->slow_turn + interval))
		return false;
	head->slow_turn = get_jiffies_64();
	return true;
}

static void scsi_mpath_probe_work(struct work_struct *work)
{
	struct scsi_mpath_head *head =
		container_of(to_delayed_work(work), struct scsi_mpath_head,
			     probe_work);
	unsigned int secs = READ_ONCE(scsi_mpath_probe_secs);
	unsigned long interval = (secs ?: SCSI_MPATH_PROBE_SECS) * HZ;
	unsigned long delay = READ_ONCE(head->probe_delay);
	bool slow = scsi_mpath_is_slow_turn(head, interval);
	enum scsi_mpath_pace pace;
	unsigned int noio, heads;

	noio = memalloc_noio_save();
	if (secs)
		scsi_mpath_probe(head, slow);
	if (slow || head->pace == SCSI_MPATH_CALM)
		scsi_mpath_ask_ids(head);
	memalloc_noio_restore(noio);

	pace = scsi_mpath_next_pace(head);
	heads = scsi_mpath_set_pace(head, pace);
	/* Unless somebody wants it sooner, and has queued this already. */
	cmpxchg(&head->probe_delay, delay,
		scsi_mpath_next_delay(delay, interval, pace, heads));
	if (!scsi_mpath_queue_probe(head))
		scsi_mpath_set_pace(head, SCSI_MPATH_CALM);
}

/**
 * scsi_mpath_probe_soon - ask the target for its ALUA states before long
 * @head: a head that has users
 *
 * Context: any.
 */
void scsi_mpath_probe_soon(struct scsi_mpath_head *head)
{
	WRITE_ONCE(head->hurry_until, get_jiffies_64() + SCSI_MPATH_HURRY_TIME);
	WRITE_ONCE(head->probe_delay, SCSI_MPATH_PROBE_MIN);
	mod_delayed_work(scsi_mpath_wq, &head->probe_work,
			 SCSI_MPATH_PROBE_MIN);
}
EXPORT_SYMBOL_GPL(scsi_mpath_probe_soon);

static void scsi_mpath_list_device(struct scsi_mpath_device *smdev)
{
	struct scsi_mpath_head *head = smdev->head;

	smdev->group = scsi_vpd_tpg_id(smdev->sdev, NULL);
	mutex_lock(&head->lock);
	list_add(&smdev->entry, &head->devices);
	mutex_unlock(&head->lock);
	if (scsi_device_tpgs(smdev->sdev))
		scsi_mpath_queue_probe(head);
}

static void scsi_mpath_unlist_device(struct scsi_mpath_device *smdev)
{
	struct scsi_mpath_head *head = smdev->head;

	mutex_lock(&head->lock);
	list_del(&smdev->entry);
	mutex_unlock(&head->lock);
}

/*
 * Heads
 */

static struct scsi_mpath_head *to_scsi_mpath_head(struct device *dev)
{
	return container_of(dev, struct scsi_mpath_head, dev);
}

static ssize_t vpd_id_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%s\n", to_scsi_mpath_head(dev)->vpd_id);
}
static DEVICE_ATTR_RO(vpd_id);

static ssize_t wwid_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%s\n", to_scsi_mpath_head(dev)->vpd_id);
}
static DEVICE_ATTR_RO(wwid);

static ssize_t vendor_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%.8s\n", to_scsi_mpath_head(dev)->vendor);
}
static DEVICE_ATTR_RO(vendor);

static ssize_t model_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%.16s\n", to_scsi_mpath_head(dev)->model);
}
static DEVICE_ATTR_RO(model);

static ssize_t rev_show(struct device *dev, struct device_attribute *attr,
			char *buf)
{
	return sysfs_emit(buf, "%.4s\n", to_scsi_mpath_head(dev)->rev);
}
static DEVICE_ATTR_RO(rev);

static ssize_t iopolicy_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	struct scsi_mpath_head *head = to_scsi_mpath_head(dev);

	return sysfs_emit(buf, "%s\n",
			  mpath_iopolicy_name(READ_ONCE(head->iopolicy)));
}

static ssize_t iopolicy_store(struct device *dev, struct device_attribute *attr,
			      const char *buf, size_t count)
{
	struct scsi_mpath_head *head = to_scsi_mpath_head(dev);
	int iopolicy = mpath_parse_iopolicy(buf);

	if (iopolicy < 0)
		return iopolicy;

	mutex_lock(&head->lock);
	WRITE_ONCE(head->iopolicy, iopolicy);
	if (head->mpath)
		mpath_set_iopolicy(head->mpath, iopolicy);
	mutex_unlock(&head->lock);
	return count;
}
static DEVICE_ATTR_RW(iopolicy);

static struct attribute *scsi_mpath_head_attrs[] = {
	&dev_attr_vpd_id.attr,
	&dev_attr_wwid.attr,
	&dev_attr_vendor.attr,
	&dev_attr_model.attr,
	&dev_attr_rev.attr,
	&dev_attr_iopolicy.attr,
	NULL
};

static const struct attribute_group scsi_mpath_head_attr_group = {
	.attrs	= scsi_mpath_head_attrs,
};

static struct attribute *scsi_mpath_head_links[] = {
	NULL
};

static const struct attribute_group scsi_mpath_head_link_group = {
	.name	= "multipath",
	.attrs	= scsi_mpath_head_links,
};

static const struct attribute_group *scsi_mpath_head_groups[] = {
	&scsi_mpath_head_attr_group,
	&scsi_mpath_head_link_group,
	NULL
};

/* The one place that frees a head, whatever has been made of it. */
static void scsi_mpath_head_release(struct device *dev)
{
	struct scsi_mpath_head *head = to_scsi_mpath_head(dev);

	if (head->instance >= 0)
		ida_free(&scsi_mpath_ida, head->instance);
	mutex_destroy(&head->lock);
	kfree(head);
}

static struct class scsi_mpath_class = {
	.name		= "scsi_mpath_device",
	.dev_groups	= scsi_mpath_head_groups,
	.dev_release	= scsi_mpath_head_release,
};

static u32 scsi_mpath_hash(const char *vpd_id)
{
	return jhash(vpd_id, strlen(vpd_id), 0);
}

static struct scsi_mpath_head *scsi_mpath_find_head(const char *vpd_id)
{
	struct scsi_mpath_head *head;

	lockdep_assert_held(&scsi_mpath_heads_lock);

	hash_for_each_possible(scsi_mpath_heads, head, node,
			       scsi_mpath_hash(vpd_id))
		if (!strcmp(head->vpd_id, vpd_id))
			return head;
	return NULL;
}

static struct scsi_mpath_head *scsi_mpath_new_head(struct scsi_device *sdev,
						   const char *vpd_id)
{
	struct scsi_mpath_head *head;
	int ret;

	lockdep_assert_held(&scsi_mpath_heads_lock);

	head = kzalloc(sizeof(*head), GFP_KERNEL);
	if (!head)
		return ERR_PTR(-ENOMEM);

	mutex_init(&head->lock);
	INIT_LIST_HEAD(&head->devices);
	INIT_DELAYED_WORK(&head->probe_work, scsi_mpath_probe_work);
	head->probe_delay = SCSI_MPATH_PROBE_MIN;
	head->hurry_until = get_jiffies_64();
	head->slow_turn = head->hurry_until;
	head->activate_at = head->hurry_until;
	head->iopolicy = READ_ONCE(scsi_mpath_default_iopolicy);
	strscpy(head->vpd_id, vpd_id);
	memcpy(head->vendor, sdev->vendor, sizeof(head->vendor));
	memcpy(head->model, sdev->model, sizeof(head->model));
	memcpy(head->rev, sdev->rev, sizeof(head->rev));
	head->dev.class = &scsi_mpath_class;
	head->instance = ida_alloc(&scsi_mpath_ida, GFP_KERNEL);
	device_initialize(&head->dev);

	ret = head->instance;
	if (ret < 0)
		goto put_dev;
	ret = dev_set_name(&head->dev, "scsi_mpath_device%d", head->instance);
	if (ret)
		goto put_dev;
	ret = device_add(&head->dev);
	if (ret)
		goto put_dev;

	hash_add(scsi_mpath_heads, &head->node, scsi_mpath_hash(vpd_id));
	return head;

put_dev:
	put_device(&head->dev);
	return ERR_PTR(ret);
}

/* Find or make the head and become its user. */
static struct scsi_mpath_head *scsi_mpath_use_head(struct scsi_device *sdev,
						   const char *vpd_id)
{
	struct scsi_mpath_head *head;

	mutex_lock(&scsi_mpath_heads_lock);
	head = scsi_mpath_find_head(vpd_id);
	if (!head)
		head = scsi_mpath_new_head(sdev, vpd_id);
	if (!IS_ERR(head))
		head->users++;
	mutex_unlock(&scsi_mpath_heads_lock);
	return head;
}

/**
 * scsi_mpath_get_head - become one more user of a head
 * @head: a head that has users
 *
 * Context: process, may sleep.
 */
void scsi_mpath_get_head(struct scsi_mpath_head *head)
{
	mutex_lock(&scsi_mpath_heads_lock);
	head->users++;
	mutex_unlock(&scsi_mpath_heads_lock);
}
EXPORT_SYMBOL_GPL(scsi_mpath_get_head);

/**
 * scsi_mpath_put_head - stop being a user of a head
 * @head: the head
 *
 * The last user takes the head out of the table and of sysfs. Those that hold a
 * reference to its device keep the memory.
 *
 * Context: process, may sleep.
 */
void scsi_mpath_put_head(struct scsi_mpath_head *head)
{
	bool last;

	mutex_lock(&scsi_mpath_heads_lock);
	last = !--head->users;
	if (last)
		hash_del(&head->node);
	mutex_unlock(&scsi_mpath_heads_lock);

	if (!last)
		return;
	cancel_delayed_work_sync(&head->probe_work);
	scsi_mpath_set_pace(head, SCSI_MPATH_CALM);
	/* A head made anew for the same id has another number. */
	device_unregister(&head->dev);
}
EXPORT_SYMBOL_GPL(scsi_mpath_put_head);

/*
 * Devices
 */

/* Return why a device cannot be a path, or NULL if it can. */
static const char *scsi_mpath_unfit(struct scsi_device *sdev, char *vpd_id)
{
	int ret;

	if (sdev->type != TYPE_DISK)
		return "not a disk";
	if (sdev->inq_periph_qual != SCSI_INQ_PQ_CON)
		return "no logical unit connected";
	if (sdev->removable)
		return "removable medium";
	if (scsi_mpath_mode == SCSI_MPATH_ON && !scsi_device_tpgs(sdev))
		return "no ALUA";

	ret = scsi_mpath_read_id(sdev, vpd_id);
	if (ret == -E2BIG)
		return "its id in VPD page 0x83 is too long";
	if (ret == -EILSEQ)
		return "its id in VPD page 0x83 is not text";
	if (ret == -ENOMEM) {
		sdev_printk(KERN_WARNING, sdev,
			    "multipath: not used, error %d\n", ret);
		return "out of memory";
	}
	if (ret < 0)
		return "no id in VPD page 0x83";
	return NULL;
}

/**
 * scsi_mpath_attach - make a new scsi_device a path, if it can be one
 * @sdev: a scsi_device with INQUIRY data and VPD pages, not yet added
 *
 * Whatever goes wrong, the device goes on without multipath.
 *
 * Context: process, may sleep.
 */
void scsi_mpath_attach(struct scsi_device *sdev)
{
	char vpd_id[SCSI_MPATH_ID_LEN];
	struct scsi_mpath_device *smdev;
	struct scsi_mpath_head *head;
	const char *why;

	if (scsi_mpath_mode == SCSI_MPATH_OFF)
		return;

	why = scsi_mpath_unfit(sdev, vpd_id);
	sdev->scsi_mpath_why = why;
	if (why) {
		sdev_dbg(sdev, "multipath: not used, %s\n", why);
		return;
	}

	head = ERR_PTR(-ENOMEM);
	smdev = kzalloc(sizeof(*smdev), GFP_KERNEL);
	if (smdev)
		head = scsi_mpath_use_head(sdev, vpd_id);
	if (IS_ERR(head)) {
		sdev->scsi_mpath_why = "an error";
		sdev_printk(KERN_WARNING, sdev,
			    "multipath: not used, error %ld\n", PTR_ERR(head));
		kfree(smdev);
		return;
	}

	get_device(&head->dev);
	smdev->head = head;
	smdev->sdev = sdev;
	smdev->attached = true;
	INIT_DELAYED_WORK(&smdev->check_work, scsi_mpath_check_work);
	scsi_mpath_ask_anew(smdev);
	spin_lock_init(&smdev->lock);
	scsi_mpath_list_device(smdev);
	/* Those who change the device's state may look at it from now on. */
	smp_store_release(&sdev->scsi_mpath_dev, smdev);
	sdev_printk(KERN_INFO, sdev, "multipath: path to %s, %s\n",
		    dev_name(&head->dev), head->vpd_id);
}

/**
 * scsi_mpath_check_id - see if a path still leads to the same logical unit
 * @sdev: a scsi_device whose VPD pages have been read again
 *
 * A target may put another logical unit in the place of the one that was
 * found. The path is not used any more then, unless it changes back. Its port
 * may also have moved to another group.
 *
 * Context: process, may sleep.
 * Return: 0; -EAGAIN if the device does not tell, or has been away, and what it
 * says of a size may be another one's: it is scanned when its identity is certain;
 * or -ENOMEM.
 */
int scsi_mpath_check_id(struct scsi_device *sdev)
{
	struct scsi_mpath_device *smdev = sdev->scsi_mpath_dev;
	bool untold, again;
	int ret;

	if (!smdev || READ_ONCE(smdev->plain))
		return 0;
	ret = scsi_mpath_compare_id(sdev);
	if (ret == -ENOMEM)
		return ret;
	untold = ret < 0;
	if (untold)
		scsi_mpath_set_other_id(smdev, true, NULL);
	spin_lock_irq(&smdev->lock);
	if (untold)
		WRITE_ONCE(smdev->away, true);
	again = untold || smdev->checking;
	if (again)
		set_bit(SCSI_MPATH_SCAN_DUE, &smdev->flags);
	spin_unlock_irq(&smdev->lock);
	/* It is asked again: see scsi_mpath_ask_ids(). */
	if (untold)
		scsi_mpath_queue_probe(smdev->head);
	return again ? -EAGAIN : 0;
}

/**
 * scsi_mpath_add_links - link a path from its head
 * @sdev: a scsi_device that has been added
 *
 * Context: process, may sleep.
 */
void scsi_mpath_add_links(struct scsi_device *sdev)
{
	struct scsi_mpath_device *smdev = sdev->scsi_mpath_dev;

	if (!smdev)
		return;
	smdev->linked = !sysfs_add_link_to_group(&smdev->head->dev.kobj,
						 scsi_mpath_head_link_group.name,
						 &sdev->sdev_gendev.kobj,
						 dev_name(&sdev->sdev_gendev));
	/* The one in the other direction goes with the device's directory. */
	if (!smdev->linked ||
	    sysfs_create_link(&sdev->sdev_gendev.kobj, &smdev->head->dev.kobj,
			      "scsi_mpath_device"))
		sdev_printk(KERN_WARNING, sdev,
			    "multipath: not linked with %s\n",
			    dev_name(&smdev->head->dev));
	if (scsi_device_tpgs(sdev) && !scsi_mpath_knows_alua(sdev))
		sdev_printk(KERN_WARNING, sdev,
			    "multipath: no scsi_dh_alua, its ALUA state is not looked at\n");
}

/**
 * scsi_mpath_del_links - undo scsi_mpath_add_links()
 * @sdev: a scsi_device that is about to leave sysfs
 *
 * Context: process, may sleep.
 */
void scsi_mpath_del_links(struct scsi_device *sdev)
{
	struct scsi_mpath_device *smdev = sdev->scsi_mpath_dev;

	if (!smdev || !smdev->linked)
		return;
	smdev->linked = false;
	sysfs_remove_link_from_group(&smdev->head->dev.kobj,
				     scsi_mpath_head_link_group.name,
				     dev_name(&sdev->sdev_gendev));
}

/* Which logical unit a scsi_device is a path to, or why it is none. */
static ssize_t multipath_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	struct scsi_device *sdev = to_scsi_device(dev);
	struct scsi_mpath_device *smdev = sdev->scsi_mpath_dev;

	if (!smdev)
		return sysfs_emit(buf, "no: %s\n", sdev->scsi_mpath_why);
	if (READ_ONCE(smdev->plain))
		return sysfs_emit(buf, "no: no disk could be made\n");
	return sysfs_emit(buf, "%s\n", dev_name(&smdev->head->dev));
}
static DEVICE_ATTR_RO(multipath);

static struct attribute *scsi_mpath_sdev_attrs[] = {
	&dev_attr_multipath.attr,
	NULL
};

static umode_t scsi_mpath_sdev_attr_is_visible(struct kobject *kobj,
					       struct attribute *attr, int i)
{
	return scsi_mpath_mode == SCSI_MPATH_OFF ? 0 : attr->mode;
}

const struct attribute_group scsi_mpath_sdev_attr_group = {
	.attrs		= scsi_mpath_sdev_attrs,
	.is_visible	= scsi_mpath_sdev_attr_is_visible,
};

/**
 * scsi_mpath_detach - stop being a path
 * @sdev: a scsi_device that is being removed, with no driver bound any more
 *
 * Context: process, may sleep.
 */
void scsi_mpath_detach(struct scsi_device *sdev)
{
	struct scsi_mpath_device *smdev = sdev->scsi_mpath_dev;

	if (!smdev || !smdev->attached)
		return;
	smdev->attached = false;
	scsi_mpath_unlist_device(smdev);
	scsi_mpath_put_head(smdev->head);
}

/**
 * scsi_mpath_free - free the multipath part of a scsi_device
 * @sdev: a scsi_device that is being released
 *
 * Context: process, may sleep.
 */
void scsi_mpath_free(struct scsi_device *sdev)
{
	struct scsi_mpath_device *smdev = sdev->scsi_mpath_dev;

	if (!smdev)
		return;
	/* A device that has never been added has not been removed either. */
	scsi_mpath_detach(sdev);
	put_device(&smdev->head->dev);
	kfree(smdev);
}

int __init scsi_mpath_init(void)
{
	int ret;

	scsi_mpath_wq = alloc_workqueue("scsi_mpath",
					WQ_MEM_RECLAIM | WQ_UNBOUND,
					WQ_MAX_ACTIVE);
	if (!scsi_mpath_wq)
		return -ENOMEM;
	ret = class_register(&scsi_mpath_class);
	if (ret)
		destroy_workqueue(scsi_mpath_wq);
	return ret;
}

void scsi_mpath_exit(void)
{
	class_unregister(&scsi_mpath_class);
	destroy_workqueue(scsi_mpath_wq);
	ida_destroy(&scsi_mpath_ida);
}

#ifdef CONFIG_SCSI_MULTIPATH_KUNIT_TEST
#include "scsi_multipath_test.c"
#endif
