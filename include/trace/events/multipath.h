/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM multipath

#if !defined(_TRACE_MULTIPATH_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_MULTIPATH_H

#include <linux/blkdev.h>
#include <linux/multipath.h>
#include <linux/tracepoint.h>

/* A bio of a head's disk; what it is on its way as. */
DECLARE_EVENT_CLASS(mpath_bio,

	TP_PROTO(struct mpath_head *mpath, struct bio *clone, unsigned int tries),

	TP_ARGS(mpath, clone, tries),

	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(sector_t, sector)
		__field(unsigned int, op)
		__field(unsigned int, tries)
	),

	TP_fast_assign(
		struct bio *bio = clone->bi_private;

		__entry->dev = mpath->disk ? disk_devt(mpath->disk) : 0;
		__entry->sector = bio->bi_iter.bi_sector;
		__entry->op = bio_op(bio);
		__entry->tries = tries;
	),

	TP_printk("%d,%d op %u sector %llu tries %u",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->op,
		  (unsigned long long)__entry->sector, __entry->tries)
);

DEFINE_EVENT(mpath_bio, mpath_park,
	TP_PROTO(struct mpath_head *mpath, struct bio *clone, unsigned int tries),
	TP_ARGS(mpath, clone, tries));

DEFINE_EVENT(mpath_bio, mpath_requeue,
	TP_PROTO(struct mpath_head *mpath, struct bio *clone, unsigned int tries),
	TP_ARGS(mpath, clone, tries));

DEFINE_EVENT(mpath_bio, mpath_no_path,
	TP_PROTO(struct mpath_head *mpath, struct bio *clone, unsigned int tries),
	TP_ARGS(mpath, clone, tries));

/* A bio and a path that it is sent to, or has failed on. */
DECLARE_EVENT_CLASS(mpath_bio_path,

	TP_PROTO(struct mpath_head *mpath, struct bio *clone, unsigned int path,
		 unsigned int tries),

	TP_ARGS(mpath, clone, path, tries),

	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(sector_t, sector)
		__field(unsigned int, op)
		__field(unsigned int, path)
		__field(unsigned int, tries)
		__field(int, error)
	),

	TP_fast_assign(
		struct bio *bio = clone->bi_private;

		__entry->dev = mpath->disk ? disk_devt(mpath->disk) : 0;
		__entry->sector = bio->bi_iter.bi_sector;
		__entry->op = bio_op(bio);
		__entry->path = path;
		__entry->tries = tries;
		__entry->error = blk_status_to_errno(clone->bi_status);
	),

	TP_printk("%d,%d op %u sector %llu path %u tries %u error %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->op,
		  (unsigned long long)__entry->sector, __entry->path,
		  __entry->tries, __entry->error)
);

DEFINE_EVENT(mpath_bio_path, mpath_select,
	TP_PROTO(struct mpath_head *mpath, struct bio *clone, unsigned int path,
		 unsigned int tries),
	TP_ARGS(mpath, clone, path, tries));

DEFINE_EVENT(mpath_bio_path, mpath_failover,
	TP_PROTO(struct mpath_head *mpath, struct bio *clone, unsigned int path,
		 unsigned int tries),
	TP_ARGS(mpath, clone, path, tries));

TRACE_EVENT(mpath_path_state,

	TP_PROTO(struct mpath_device *path, enum mpath_state state),

	TP_ARGS(path, state),

	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(unsigned int, path)
		__string(old, mpath_state_name(path->state))
		__string(new, mpath_state_name(state))
	),

	TP_fast_assign(
		__entry->dev = path->head->disk ?
			       disk_devt(path->head->disk) : 0;
		__entry->path = path->index;
		__assign_str(old);
		__assign_str(new);
	),

	TP_printk("%d,%d path %u: %s -> %s",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->path,
		  __get_str(old), __get_str(new))
);

#endif /* _TRACE_MULTIPATH_H */

#include <trace/define_trace.h>
