// SPDX-License-Identifier: GPL-2.0
/*
 * sd over several paths: one ordinary disk, sdX, whose bios go to the hidden
 * disks of its paths, sdX:Y. Each of those is a complete scsi_disk; what is
 * here gives the disk over them its name and what users ask of an sd disk, and
 * libmultipath does the rest.
 */

#include <linux/blk-pm.h>
#include <linux/blkdev.h>
#include <linux/hdreg.h>
#include <linux/pm_runtime.h>
#include <linux/pr.h>
#include <linux/sched/mm.h>
#include <linux/sed-opal.h>
#include <linux/slab.h>
#include <scsi/scsi_cmnd.h>
#include <scsi/scsi_device.h>
#include <scsi/scsi_host.h>
#include <scsi/scsi_ioctl.h>
#include <scsi/scsi_multipath.h>
#include <scsi/scsicam.h>

#include "sd.h"

/**
 * struct sd_mpath_disk - a disk over the paths to one logical unit
 *
 * Made when the first path joins. @dev is registered from then on until the disk
 * is dead; its last reference, which @mpath holds until sd_mpath_release(), frees
 * this. A logical unit that gets a path again after its disk has died gets a new
 * one.
 *
 * @dev: scsi_mpath_diskN of class scsi_mpath_disk
 * @mpath: the library's part, which has the gendisk and the references
 * @scsi_head: the logical unit; its device is kept until this is freed, and it
 *	is used until the disk is dead
 * @index: of the disk's name and minors
 * @name: name of the disk
 */
struct sd_mpath_disk {
	struct device		dev;
	struct mpath_head	mpath;
	struct scsi_mpath_head	*scsi_head;
	int			index;
	char			name[DISK_NAME_LEN];
};

static struct sd_mpath_disk *to_sd_mpath_disk(struct mpath_head *mpath)
{
	return container_of(mpath, struct sd_mpath_disk, mpath);
}

/*
 * Get a usable path. Only the devices are kept, not the path, nor its gendisk:
 * what is asked of them may take hours, and the path must be able to leave
 * meanwhile.
 */
static struct scsi_disk *sd_mpath_get_path(struct gendisk *disk)
{
	struct mpath_device *path = mpath_get_path(disk->private_data);
	struct scsi_disk *sdkp;

	if (!path)
		return NULL;
	sdkp = scsi_disk(path->disk);
	if (scsi_device_get(sdkp->device))
		sdkp = NULL;
	else
		get_device(&sdkp->disk_dev);
	mpath_put_path(path);
	return sdkp;
}

static void sd_mpath_put_path(struct scsi_disk *sdkp)
{
	struct scsi_device *sdev = sdkp->device;

	put_device(&sdkp->disk_dev);
	scsi_device_put(sdev);
}

/*
 * As in sd_open(), but that nobody waits for the error handler of one path's
 * host: I/O goes to other paths.
 */
static int sd_mpath_open(struct gendisk *disk, blk_mode_t mode)
{
	if (mode & BLK_OPEN_WRITE && test_bit(GD_READ_ONLY, &disk->state))
		return -EROFS;
	mpath_open_disk(disk);
	return 0;
}

static int sd_mpath_path_ioctl(struct scsi_disk *sdkp, blk_mode_t mode,
			       unsigned int cmd, void __user *arg)
{
	int ret;

	ret = scsi_ioctl_block_when_processing_errors(sdkp->device, cmd,
						      mode & BLK_OPEN_NDELAY);
	if (ret)
		return ret;
	if (is_sed_ioctl(cmd))
		return sed_ioctl(sdkp->opal_dev, cmd, arg);
	return scsi_ioctl(sdkp->device, mode & BLK_OPEN_WRITE, cmd, arg);
}

static int sd_mpath_ioctl(struct block_device *bdev, blk_mode_t mode,
			  unsigned int cmd, unsigned long arg)
{
	struct scsi_disk *sdkp;
	int ret;

	/* as in sd_ioctl(), which would be asked of a path and its whole disk */
	if (bdev_is_partition(bdev) && !capable(CAP_SYS_RAWIO))
		return -ENOIOCTLCMD;

	sdkp = sd_mpath_get_path(bdev->bd_disk);
	if (!sdkp)
		return -EIO;
	ret = sd_mpath_path_ioctl(sdkp, mode, cmd, (void __user *)arg);
	sd_mpath_put_path(sdkp);
	return ret;
}

static int sd_mpath_getgeo(struct block_device *bdev, struct hd_geometry *geo)
{
	sector_t capacity = get_capacity(bdev->bd_disk);
	int info[3] = { 64, 32, capacity >> 11 };
	struct scsi_device *sdev;
	struct scsi_disk *sdkp;

	sdkp = sd_mpath_get_path(bdev->bd_disk);
	if (!sdkp)
		return -EIO;
	sdev = sdkp->device;
	/* The partition table is read through the head's disk. */
	if (sdev->host->hostt->bios_param)
		sdev->host->hostt->bios_param(sdev, bdev, capacity, info);
	else
		scsicam_bios_param(bdev, capacity, info);
	sd_mpath_put_path(sdkp);

	geo->heads = info[0];
	geo->sectors = info[1];
	geo->cylinders = info[2];
	return 0;
}

static int sd_mpath_get_unique_id(struct gendisk *disk, u8 id[16],
				  enum blk_unique_id type)
{
	struct mpath_device *path = mpath_get_path(disk->private_data);
	int ret;

	if (!path)
		return -EIO;
	ret = path->disk->fops->get_unique_id(path->disk, id, type);
	mpath_put_path(path);
	return ret;
}

/* See __scsi_mpath_refuses(). */
static int sd_mpath_pr_refuse(struct block_device *bdev)
{
	pr_warn_ratelimited("%s: multipath: persistent reservations are refused, they would hold on one path only\n",
			    bdev->bd_disk->disk_name);
	return -EOPNOTSUPP;
}

static int sd_mpath_pr_register(struct block_device *bdev, u64 old_key,
				u64 new_key, u32 flags)
{
	return sd_mpath_pr_refuse(bdev);
}

static int sd_mpath_pr_reserve(struct block_device *bdev, u64 key,
			       enum pr_type type, u32 flags)
{
	return sd_mpath_pr_refuse(bdev);
}

static int sd_mpath_pr_release(struct block_device *bdev, u64 key,
			       enum pr_type type)
{
	return sd_mpath_pr_refuse(bdev);
}

static int sd_mpath_pr_preempt(struct block_device *bdev, u64 old_key,
			       u64 new_key, enum pr_type type, bool abort)
{
	return sd_mpath_pr_refuse(bdev);
}

static int sd_mpath_pr_clear(struct block_device *bdev, u64 key)
{
	return sd_mpath_pr_refuse(bdev);
}

static const struct pr_ops sd_mpath_pr_ops = {
	.pr_register	= sd_mpath_pr_register,
	.pr_reserve	= sd_mpath_pr_reserve,
	.pr_release	= sd_mpath_pr_release,
	.pr_preempt	= sd_mpath_pr_preempt,
	.pr_clear	= sd_mpath_pr_clear,
};

static const struct block_device_operations sd_mpath_fops = {
	.owner		= THIS_MODULE,
	.open		= sd_mpath_open,
	.release	= mpath_release_disk,
	.submit_bio	= mpath_submit_bio,
	.free_disk	= mpath_free_disk,
	.ioctl		= sd_mpath_ioctl,
	.compat_ioctl	= blkdev_compat_ptr_ioctl,
	.getgeo		= sd_mpath_getgeo,
	.get_unique_id	= sd_mpath_get_unique_id,
	.pr_ops		= &sd_mpath_pr_ops,
};

static const struct attribute_group *sd_mpath_disk_groups[] = {
	&mpath_disk_attr_group,
	&mpath_disk_link_group,
	NULL
};

/*
 * On each path the cache is that of the logical unit, though not all of them
 * may be able, or be made, to tell of it. That there is none does not count if
 * another path was told later that there is one.
 */
static int sd_mpath_write_cache(struct mpath_device *path)
{
	struct scsi_mpath_device *smdev = to_scsi_mpath_device(path);
	struct scsi_disk *sdkp = scsi_disk(path->disk);
	bool late;

	/* A scan of the path may be about to change it: another call follows. */
	if (data_race(!!sdkp->WCE))
		return 1;
	late = READ_ONCE(sdkp->cache_turn) == atomic_read(&smdev->head->cache_turn);
	smp_rmb();	/* pairs with sd_mpath_ask_cache() */
	if (data_race(!!sdkp->cache_override) ||
	    (READ_ONCE(sdkp->cache_told) && late))
		return 0;
	return -ENODATA;
}

static void sd_mpath_init_disk(struct mpath_head *mpath, struct gendisk *disk)
{
	struct sd_mpath_disk *smdisk = to_sd_mpath_disk(mpath);

	strscpy(disk->disk_name, smdisk->name);
	sd_set_disk_numbers(disk, smdisk->index);
	disk->fops = &sd_mpath_fops;
}

static void sd_mpath_no_path(struct mpath_head *mpath)
{
	scsi_mpath_probe_soon(to_sd_mpath_disk(mpath)->scsi_head);
}

static void sd_mpath_dead(struct mpath_head *mpath)
{
	struct sd_mpath_disk *smdisk = to_sd_mpath_disk(mpath);

	device_del(&smdisk->dev);
	scsi_mpath_put_head(smdisk->scsi_head);
}

/* Frees a disk at any stage of its being made. */
static void sd_mpath_disk_release(struct device *dev)
{
	struct sd_mpath_disk *smdisk =
		container_of(dev, struct sd_mpath_disk, dev);

	if (smdisk->mpath.ops)
		mpath_head_exit(&smdisk->mpath);
	if (smdisk->index >= 0)
		sd_free_index(smdisk->index);
	put_device(&smdisk->scsi_head->dev);
	kfree(smdisk);
}

/* The name of the disk, once there is one. */
static ssize_t disk_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  container_of(dev, struct sd_mpath_disk, dev)->name);
}
static DEVICE_ATTR_RO(disk);

static struct attribute *sd_mpath_class_attrs[] = {
	&dev_attr_disk.attr,
	NULL
};
ATTRIBUTE_GROUPS(sd_mpath_class);

static const struct class sd_mpath_disk_class = {
	.name		= "scsi_mpath_disk",
	.dev_groups	= sd_mpath_class_groups,
	.dev_release	= sd_mpath_disk_release,
};

int __init sd_mpath_init(void)
{
	return class_register(&sd_mpath_disk_class);
}

void sd_mpath_exit(void)
{
	class_unregister(&sd_mpath_disk_class);
}

static void sd_mpath_release(struct mpath_head *mpath)
{
	struct sd_mpath_disk *smdisk = to_sd_mpath_disk(mpath);
	struct scsi_mpath_head *scsi_head = smdisk->scsi_head;

	/* Whoever found it there before has seen that it is dead. */
	mutex_lock(&scsi_head->lock);
	if (scsi_head->mpath == mpath)
		scsi_head->mpath = NULL;
	mutex_unlock(&scsi_head->lock);
	put_device(&smdisk->dev);
}

static const struct mpath_head_ops sd_mpath_ops = {
	.get_state	= scsi_mpath_path_state,
	.verified	= scsi_mpath_path_verified,
	.write_cache	= sd_mpath_write_cache,
	.init_disk	= sd_mpath_init_disk,
	.left		= scsi_mpath_path_left,
	.no_path	= sd_mpath_no_path,
	.dead		= sd_mpath_dead,
	.release	= sd_mpath_release,
};

static struct sd_mpath_disk *sd_mpath_alloc(struct scsi_mpath_head *scsi_head)
{
	struct sd_mpath_disk *smdisk;
	int ret;

	smdisk = kzalloc(sizeof(*smdisk), GFP_KERNEL);
	if (!smdisk)
		return ERR_PTR(-ENOMEM);
	get_device(&scsi_head->dev);
	smdisk->scsi_head = scsi_head;
	smdisk->dev.class = &sd_mpath_disk_class;
	smdisk->dev.parent = &scsi_head->dev;
	smdisk->index = sd_alloc_index(smdisk->name);
	device_initialize(&smdisk->dev);

	ret = smdisk->index;
	if (ret < 0)
		goto put_dev;
	ret = dev_set_name(&smdisk->dev, "scsi_mpath_disk%d", smdisk->index);
	if (ret)
		goto put_dev;
	ret = mpath_head_init(&smdisk->mpath, &sd_mpath_ops, THIS_MODULE);
	if (ret)
		goto put_dev;
	smdisk->mpath.parent = &scsi_head->dev;
	smdisk->mpath.event_dev = &smdisk->dev;
	smdisk->mpath.groups = sd_mpath_disk_groups;
	mpath_set_iopolicy(&smdisk->mpath, scsi_head->iopolicy);
	ret = device_add(&smdisk->dev);
	if (ret)
		goto put_dev;
	return smdisk;

put_dev:
	put_device(&smdisk->dev);
	return ERR_PTR(ret);
}

/* The new disk becomes a user of the head; the caller has seen to that. */
static int sd_mpath_join_new(struct scsi_mpath_device *smdev)
{
	struct scsi_mpath_head *scsi_head = smdev->head;
	struct sd_mpath_disk *smdisk;
	int ret;

	lockdep_assert_held(&scsi_head->lock);

	smdisk = sd_mpath_alloc(scsi_head);
	if (IS_ERR(smdisk))
		return PTR_ERR(smdisk);
	ret = scsi_mpath_join(smdev, &smdisk->mpath);
	if (ret) {
		device_unregister(&smdisk->dev);
		return ret;
	}
	scsi_head->mpath = &smdisk->mpath;
	return 0;
}

/* Join the logical unit's disk, or a new one if there is none or it has died. */
static int sd_mpath_join_any(struct scsi_mpath_device *smdev)
{
	struct scsi_mpath_head *scsi_head = smdev->head;
	unsigned int noio;
	bool new = false;
	int ret = -ENODEV;

	scsi_mpath_get_head(scsi_head);
	mutex_lock(&scsi_head->lock);
	/* Memory must not wait for I/O that waits for a path: probes take this. */
	noio = memalloc_noio_save();
	if (scsi_head->mpath)
		ret = scsi_mpath_join(smdev, scsi_head->mpath);
	if (ret == -ENODEV) {
		ret = sd_mpath_join_new(smdev);
		new = !ret;
	}
	memalloc_noio_restore(noio);
	mutex_unlock(&scsi_head->lock);
	if (!new)
		scsi_mpath_put_head(scsi_head);
	return ret;
}

/*
 * An I/O is accounted once, on the disk that users see; they can have it on its
 * paths as well (queue/iostats). The queue stays when sd lets go of the device.
 */
static void sd_mpath_account(struct request_queue *q, bool account)
{
	struct queue_limits lim = queue_limits_start_update(q);

	if (account)
		lim.features |= BLK_FEAT_IO_STAT;
	else
		lim.features &= ~BLK_FEAT_IO_STAT;
	/* Should it fail, nothing else is wrong than that. */
	queue_limits_commit_update(q, &lim);
}

/**
 * sd_mpath_join - make a new disk a path, if its device is one
 * @sdkp: the disk, without a name yet
 *
 * On success the disk has its name and is hidden, and sd_mpath_leave() and
 * sd_mpath_forget() have to be called in the end.
 *
 * Context: process, may sleep.
 * Return: false if the disk is to be one of its own.
 */
bool sd_mpath_join(struct scsi_disk *sdkp)
{
	struct scsi_mpath_device *smdev = sdkp->device->scsi_mpath_dev;
	struct gendisk *disk = sdkp->disk;
	int ret;

	if (!smdev || READ_ONCE(smdev->plain))
		return false;

	ret = sd_mpath_join_any(smdev);
	if (ret) {
		sdev_printk(KERN_WARNING, sdkp->device,
			    "multipath: error %d, gets a disk of its own\n",
			    ret);
		WRITE_ONCE(smdev->plain, true);
		return false;
	}
	snprintf(disk->disk_name, DISK_NAME_LEN, "%.16s:%u",
		 to_sd_mpath_disk(smdev->path.head)->name, smdev->path.index);
	disk->flags |= GENHD_FL_HIDDEN | GENHD_FL_NO_PART;
	smdev->done_base = (struct mpath_done){};
	sd_mpath_account(disk->queue, false);
	sdkp->mpath = true;
	return true;
}

/**
 * sd_mpath_add - let a path carry I/O
 * @sdkp: a disk that has been added, a path or not
 *
 * Context: process, may sleep.
 * Return: 0, or an errno. After an error, probing the device once more makes
 * it a disk of its own.
 */
int sd_mpath_add(struct scsi_disk *sdkp)
{
	struct scsi_mpath_device *smdev = sdkp->device->scsi_mpath_dev;
	int ret;

	if (!sdkp->mpath)
		return 0;

	ret = mpath_add_path(&smdev->path, sdkp->disk,
			     sdkp->device->host->hostt->module,
			     dev_to_node(sdkp->device->host->dma_dev),
			     &scsi_target(sdkp->device)->mpath_active);
	if (ret) {
		sdev_printk(KERN_WARNING, sdkp->device,
			    "multipath: error %d, gets a disk of its own\n",
			    ret);
		WRITE_ONCE(smdev->plain, true);
	} else {
		scsi_mpath_size_asked(smdev, get_capacity(sdkp->disk));
	}
	return ret;
}

/*
 * A bio that waits for the queue of its path to be awake is let in when the disk of
 * the path goes, and that is after it has ended. Nobody else may do it any more, if
 * the device is removed while the system is asleep or as it has failed to wake up.
 * It does not reach the device.
 */
static void sd_mpath_let_bios_in(struct scsi_device *sdev)
{
	if (READ_ONCE(sdev->sdev_state) != SDEV_CANCEL)
		return;
	scsi_device_resume(sdev);
#ifdef CONFIG_PM
	if (pm_runtime_suspended(&sdev->sdev_gendev))
		blk_post_runtime_resume(sdev->request_queue);
#endif
}

/**
 * sd_mpath_leave - stop being a path
 * @sdkp: a disk that is about to be removed, a path or not
 *
 * When this returns no bio is on the path, and none will come.
 *
 * Context: process, may sleep as long as the path's commands take.
 */
void sd_mpath_leave(struct scsi_disk *sdkp)
{
	if (!sdkp->mpath)
		return;
	sd_mpath_let_bios_in(sdkp->device);
	scsi_mpath_leave(sdkp->device->scsi_mpath_dev);
}

/**
 * sd_mpath_forget - let the name of a path be used again
 * @sdkp: a disk that has been removed, or never added, a path or not
 *
 * Context: process, may sleep.
 */
void sd_mpath_forget(struct scsi_disk *sdkp)
{
	if (!sdkp->mpath)
		return;
	sd_mpath_account(sdkp->disk->queue, true);
	mpath_forget(&sdkp->device->scsi_mpath_dev->path);
	sdkp->mpath = false;
}

/**
 * sd_mpath_revalidate - a disk may have a new size or new limits
 * @sdkp: the disk, a path or not
 *
 * Context: process, may sleep.
 */
void sd_mpath_revalidate(struct scsi_disk *sdkp)
{
	struct scsi_mpath_device *smdev = sdkp->device->scsi_mpath_dev;
	int ret;

	if (!sdkp->mpath)
		return;
	/* One that has been given up, and tells its size now, is as a new one. */
	if (READ_ONCE(smdev->path.sizeless))
		scsi_mpath_size_asked(smdev, get_capacity(sdkp->disk));
	ret = mpath_revalidate(smdev->path.head);
	scsi_mpath_size_asked(smdev, !ret && get_capacity(sdkp->disk));
}

/**
 * sd_mpath_ask_cache - the device is about to be asked for its write cache
 * @sdkp: the disk, a path or not
 *
 * Until it has told, what sd takes for granted is no reason not to flush.
 *
 * Context: process.
 */
void sd_mpath_ask_cache(struct scsi_disk *sdkp)
{
	struct scsi_mpath_device *smdev = sdkp->device->scsi_mpath_dev;

	WRITE_ONCE(sdkp->cache_told, false);
	smp_wmb();	/* before the others; pairs with sd_mpath_write_cache() */
	if (smdev)
		WRITE_ONCE(sdkp->cache_turn,
			   atomic_read(&smdev->head->cache_turn));
}

/**
 * sd_mpath_cache_told - the device has told whether it has a write cache
 * @sdkp: the disk, a path or not, with its WCE
 *
 * Context: process.
 */
void sd_mpath_cache_told(struct scsi_disk *sdkp)
{
	struct scsi_mpath_device *smdev = sdkp->device->scsi_mpath_dev;

	if (smdev && sdkp->WCE)
		atomic_inc(&smdev->head->cache_turn);
	smp_wmb();	/* WCE has been set; pairs with sd_mpath_write_cache() */
	WRITE_ONCE(sdkp->cache_told, true);
}

/**
 * sd_mpath_set_flush_flag - have the queue of a path pass on flushes
 * @sdkp: the disk, a path or not
 * @lim: limits of its queue, made from what the device says of its cache
 *
 * What a path's device says counts for the disk over the paths, see
 * sd_mpath_write_cache().
 *
 * Context: any.
 */
void sd_mpath_set_flush_flag(struct scsi_disk *sdkp, struct queue_limits *lim)
{
	if (sdkp->mpath)
		lim->features |= BLK_FEAT_WRITE_CACHE;
}

/*
 * Attributes of a path's disk. They outlive the membership by a little, so they
 * look at it under the lock that ends it.
 */

static struct scsi_mpath_device *sd_mpath_dev_to_smdev(struct device *dev)
{
	return scsi_disk(dev_to_disk(dev))->device->scsi_mpath_dev;
}

static ssize_t mpath_dev_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	struct scsi_mpath_device *smdev = sd_mpath_dev_to_smdev(dev);
	struct gendisk *disk = NULL;
	ssize_t ret = -ENODEV;
	dev_t devt;

	/* It goes only when all paths have left, but may just be coming. */
	spin_lock_irq(&smdev->lock);
	if (smdev->joined)
		disk = READ_ONCE(smdev->path.head->disk);
	if (disk) {
		devt = disk_devt(disk);
		ret = sysfs_emit(buf, "%u:%u\n", MAJOR(devt), MINOR(devt));
	}
	spin_unlock_irq(&smdev->lock);
	return ret;
}
static DEVICE_ATTR_RO(mpath_dev);

static ssize_t mpath_state_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	struct scsi_mpath_device *smdev = sd_mpath_dev_to_smdev(dev);
	enum mpath_state state = MPATH_REMOVED;

	spin_lock_irq(&smdev->lock);
	if (smdev->joined)
		state = READ_ONCE(smdev->path.state);
	spin_unlock_irq(&smdev->lock);
	return sysfs_emit(buf, "%s\n", mpath_state_name(state));
}
static DEVICE_ATTR_RO(mpath_state);

static ssize_t mpath_disabled_show(struct device *dev,
				   struct device_attribute *attr, char *buf)
{
	struct scsi_mpath_device *smdev = sd_mpath_dev_to_smdev(dev);

	return sysfs_emit(buf, "%d\n", READ_ONCE(smdev->path.disabled));
}

static ssize_t mpath_disabled_store(struct device *dev,
				    struct device_attribute *attr,
				    const char *buf, size_t count)
{
	struct scsi_mpath_device *smdev = sd_mpath_dev_to_smdev(dev);
	unsigned int disabled;
	int ret;

	/* kstrtobool() looks at one letter, or two. */
	ret = kstrtouint(buf, 0, &disabled);
	if (ret || disabled > 1)
		return ret ?: -EINVAL;
	spin_lock_irq(&smdev->lock);
	if (smdev->joined)
		mpath_set_disabled(&smdev->path, disabled);
	else
		ret = -ENODEV;
	spin_unlock_irq(&smdev->lock);
	return ret ?: count;
}
static DEVICE_ATTR_RW(mpath_disabled);

static ssize_t mpath_numa_nodes_show(struct device *dev,
				     struct device_attribute *attr, char *buf)
{
	struct scsi_mpath_device *smdev = sd_mpath_dev_to_smdev(dev);
	nodemask_t nodes = NODE_MASK_NONE;

	spin_lock_irq(&smdev->lock);
	if (smdev->joined)
		mpath_path_nodes(&smdev->path, &nodes);
	spin_unlock_irq(&smdev->lock);
	return sysfs_emit(buf, "%*pbl\n", nodemask_pr_args(&nodes));
}
static DEVICE_ATTR_RO(mpath_numa_nodes);

static ssize_t mpath_queue_depth_show(struct device *dev,
				      struct device_attribute *attr, char *buf)
{
	int busy = scsi_device_busy(sd_mpath_dev_to_smdev(dev)->sdev);

	/* What ends while it is counted may be taken off without having been in. */
	return sysfs_emit(buf, "%d\n", max(busy, 0));
}
static DEVICE_ATTR_RO(mpath_queue_depth);

static ssize_t mpath_port_depth_show(struct device *dev,
				     struct device_attribute *attr, char *buf)
{
	struct scsi_device *sdev = sd_mpath_dev_to_smdev(dev)->sdev;

	return sysfs_emit(buf, "%d\n",
			  atomic_read(&scsi_target(sdev)->mpath_active));
}
static DEVICE_ATTR_RO(mpath_port_depth);

/* The latest error of I/O, as a negative errno. */
static ssize_t mpath_last_error_show(struct device *dev,
				     struct device_attribute *attr, char *buf)
{
	struct scsi_mpath_device *smdev = sd_mpath_dev_to_smdev(dev);
	blk_status_t error = mpath_read_counter(smdev->path.last_error);

	return sysfs_emit(buf, "%d\n", blk_status_to_errno(error));
}

static ssize_t mpath_last_error_store(struct device *dev,
				      struct device_attribute *attr,
				      const char *buf, size_t count)
{
	int ret = mpath_parse_zero(buf);

	if (ret)
		return ret;
	mpath_forget_error(&sd_mpath_dev_to_smdev(dev)->path);
	return count;
}
static DEVICE_ATTR_RW(mpath_last_error);

static ssize_t mpath_last_error_time_show(struct device *dev,
					  struct device_attribute *attr,
					  char *buf)
{
	struct scsi_mpath_device *smdev = sd_mpath_dev_to_smdev(dev);

	return sysfs_emit(buf, "%lld\n",
			  mpath_read_counter(smdev->path.last_error_at));
}
static DEVICE_ATTR_RO(mpath_last_error_time);

/* What the path has done since these counters were set to zero. */
static void sd_mpath_done(struct device *dev, struct mpath_done *done)
{
	struct scsi_mpath_device *smdev = sd_mpath_dev_to_smdev(dev);
	/* Read first, as somebody may just be setting them to zero again. */
	unsigned long ios = READ_ONCE(smdev->done_base.ios);
	unsigned long sectors = READ_ONCE(smdev->done_base.sectors);

	mpath_path_done(&smdev->path, done);
	done->ios -= ios;
	done->sectors -= sectors;
}

static ssize_t mpath_ios_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	struct mpath_done done;

	sd_mpath_done(dev, &done);
	return sysfs_emit(buf, "%lu\n", done.ios);
}

static ssize_t mpath_ios_store(struct device *dev,
			       struct device_attribute *attr, const char *buf,
			       size_t count)
{
	struct mpath_done done;
	int ret = mpath_parse_zero(buf);

	if (ret)
		return ret;
	mpath_path_done(&sd_mpath_dev_to_smdev(dev)->path, &done);
	WRITE_ONCE(sd_mpath_dev_to_smdev(dev)->done_base.ios, done.ios);
	return count;
}
static DEVICE_ATTR_RW(mpath_ios);

static ssize_t mpath_bytes_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	struct mpath_done done;

	sd_mpath_done(dev, &done);
	return sysfs_emit(buf, "%llu\n", (u64)done.sectors << SECTOR_SHIFT);
}

static ssize_t mpath_bytes_store(struct device *dev,
				 struct device_attribute *attr,
				 const char *buf, size_t count)
{
	struct mpath_done done;
	int ret = mpath_parse_zero(buf);

	if (ret)
		return ret;
	mpath_path_done(&sd_mpath_dev_to_smdev(dev)->path, &done);
	WRITE_ONCE(sd_mpath_dev_to_smdev(dev)->done_base.sectors, done.sectors);
	return count;
}
static DEVICE_ATTR_RW(mpath_bytes);

static unsigned long *sd_mpath_dev_to_counter(struct device *dev,
					      struct device_attribute *attr)
{
	return mpath_attr_to_counter(&sd_mpath_dev_to_smdev(dev)->path, attr);
}

static ssize_t sd_mpath_counter_show(struct device *dev,
				     struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n",
			  mpath_read_counter(*sd_mpath_dev_to_counter(dev, attr)));
}

/* The path keeps its head until the files are gone, see sd_mpath_forget(). */
static ssize_t sd_mpath_counter_store(struct device *dev,
				      struct device_attribute *attr,
				      const char *buf, size_t count)
{
	return mpath_store_counter(sd_mpath_dev_to_smdev(dev)->path.head,
				   sd_mpath_dev_to_counter(dev, attr), buf,
				   count);
}

#define SD_MPATH_COUNTER(_name, _member)				\
	MPATH_COUNTER_ATTR(sd_mpath, _name, struct mpath_device, _member)

SD_MPATH_COUNTER(errors, nr_errors);
SD_MPATH_COUNTER(failovers, nr_failovers);
SD_MPATH_COUNTER(retries, nr_retries);
SD_MPATH_COUNTER(state_changes, nr_changes);

static struct attribute *sd_mpath_path_attrs[] = {
	&dev_attr_mpath_dev.attr,
	&dev_attr_mpath_state.attr,
	&dev_attr_mpath_disabled.attr,
	&dev_attr_mpath_numa_nodes.attr,
	&dev_attr_mpath_queue_depth.attr,
	&dev_attr_mpath_port_depth.attr,
	&dev_attr_mpath_last_error.attr,
	&dev_attr_mpath_last_error_time.attr,
	&dev_attr_mpath_ios.attr,
	&dev_attr_mpath_bytes.attr,
	&sd_mpath_attr_errors.attr.attr,
	&sd_mpath_attr_failovers.attr.attr,
	&sd_mpath_attr_retries.attr.attr,
	&sd_mpath_attr_state_changes.attr.attr,
	NULL
};

static const struct attribute_group sd_mpath_path_group = {
	.attrs	= sd_mpath_path_attrs,
};

static const struct attribute_group *sd_mpath_path_attr_groups[] = {
	&sd_mpath_path_group,
	NULL
};

/**
 * sd_mpath_path_groups - the attribute groups that a disk gets as a path
 * @sdkp: the disk, a path or not
 *
 * Return: the groups, or NULL.
 */
const struct attribute_group **sd_mpath_path_groups(struct scsi_disk *sdkp)
{
	return sdkp->mpath ? sd_mpath_path_attr_groups : NULL;
}
