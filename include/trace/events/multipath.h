/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM multipath

#if !defined(_TRACE_MULTIPATH_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_MULTIPATH_H

#include <linux/blkdev.h>
#include <linux/multipath.h>
#include <linux/tracepoint.h>

/* A bio of a head's disk, and how often paths have failed it. */
DECLARE_EVENT_CLASS(mpath_bio,
		    TP_PROTO(struct bio *bio, unsigned int tries),
		    TP_ARGS(bio, tries),
		    TP_STRUCT__entry(__field(dev_t, dev)
				     __field(sector_t, sector)
				     __field(u32, op)
				     __field(u32, tries)),
		    TP_fast_assign(__entry->dev = disk_devt(bio->bi_bdev->bd_disk);
				   __entry->sector = bio->bi_iter.bi_sector;
				   __entry->op = (__force u32)bio_op(bio);
				   __entry->tries = tries),
		    TP_printk("%d,%d op %u sector %llu tries %u",
			      MAJOR(__entry->dev), MINOR(__entry->dev),
			      __entry->op, (unsigned long long)__entry->sector,
			      __entry->tries)
);

DEFINE_EVENT(mpath_bio, mpath_park,
	     TP_PROTO(struct bio *bio, unsigned int tries),
	     TP_ARGS(bio, tries));

DEFINE_EVENT(mpath_bio, mpath_requeue,
	     TP_PROTO(struct bio *bio, unsigned int tries),
	     TP_ARGS(bio, tries));

DEFINE_EVENT(mpath_bio, mpath_no_path,
	     TP_PROTO(struct bio *bio, unsigned int tries),
	     TP_ARGS(bio, tries));

/* A bio that is sent to a path. */
TRACE_EVENT(mpath_select,
	    TP_PROTO(struct mpath_device *path, struct bio *bio,
		     unsigned int tries),
	    TP_ARGS(path, bio, tries),
	    TP_STRUCT__entry(__field(dev_t, dev)
			     __field(sector_t, sector)
			     __field(u32, op)
			     __field(u32, path)
			     __field(u32, tries)),
	    TP_fast_assign(__entry->dev = disk_devt(bio->bi_bdev->bd_disk);
			   __entry->sector = bio->bi_iter.bi_sector;
			   __entry->op = (__force u32)bio_op(bio);
			   __entry->path = path->index;
			   __entry->tries = tries),
	    TP_printk("%d,%d op %u sector %llu path %u tries %u",
		      MAJOR(__entry->dev), MINOR(__entry->dev), __entry->op,
		      (unsigned long long)__entry->sector, __entry->path,
		      __entry->tries)
);

/* A bio that a path has failed, and that is going to be sent again. */
TRACE_EVENT(mpath_failover,
	    TP_PROTO(struct mpath_device *path, struct bio *bio,
		     blk_status_t status),
	    TP_ARGS(path, bio, status),
	    TP_STRUCT__entry(__field(dev_t, dev)
			     __field(sector_t, sector)
			     __field(u32, op)
			     __field(u32, path)
			     __field(int, error)),
	    TP_fast_assign(__entry->dev = disk_devt(bio->bi_bdev->bd_disk);
			   __entry->sector = bio->bi_iter.bi_sector;
			   __entry->op = (__force u32)bio_op(bio);
			   __entry->path = path->index;
			   __entry->error = blk_status_to_errno(status)),
	    TP_printk("%d,%d op %u sector %llu path %u error %d",
		      MAJOR(__entry->dev), MINOR(__entry->dev), __entry->op,
		      (unsigned long long)__entry->sector, __entry->path,
		      __entry->error)
);

TRACE_EVENT(mpath_path_state,
	    TP_PROTO(struct mpath_device *path, enum mpath_state state),
	    TP_ARGS(path, state),
	    TP_STRUCT__entry(__field(dev_t, dev)
			     __field(u32, path)
			     __string(from, mpath_state_name(path->state))
			     __string(to, mpath_state_name(state))),
	    TP_fast_assign(__entry->dev = path->head->disk ?
					  disk_devt(path->head->disk) : 0;
			   __entry->path = path->index;
			   __assign_str(from);
			   __assign_str(to)),
	    TP_printk("%d,%d path %u: %s -> %s",
		      MAJOR(__entry->dev), MINOR(__entry->dev), __entry->path,
		      __get_str(from), __get_str(to))
);

#endif /* _TRACE_MULTIPATH_H */

#include <trace/define_trace.h>
