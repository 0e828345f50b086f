// SPDX-License-Identifier: GPL-2.0
/*
 * libmultipath: one disk over several paths.
 *
 * A bio for the head's disk is cloned, and the clone is sent to the disk of
 * one path. The bio itself stays untouched until it is ended, so that it can be
 * sent again, whole, when the path fails: the path may have completed a part.
 * A clone is never sent a second time before the path has ended it, so that a
 * write cannot be overtaken by its own repetition.
 *
 * The clone and its front pad (struct mpath_io) are the one allocation of a
 * bio's life. A bio that waits for a path waits as its clone, and sending it
 * again takes no memory.
 *
 * Lock order: mpath_head.mutex or the disk's open_mutex, then mpath_head.lock;
 * under the mutex, the lock of the queue's limits is tried. Completion and
 * changes of a path's state may come from hard interrupts; they take
 * mpath_head.lock only, and leave everything that sleeps to the works.
 */

#define pr_fmt(fmt) "multipath: " fmt

#include <linux/backing-dev.h>
#include <linux/blk-cgroup.h>
#include <linux/blk-integrity.h>
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/multipath.h>
#include <linux/numa.h>
#include <linux/part_stat.h>
#include <linux/percpu.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/topology.h>
#include <trace/events/block.h>

#define CREATE_TRACE_POINTS
#include <trace/events/multipath.h>

/*
 * How often a bio may fail on paths before the error is the issuer's: a bio
 * that itself is the reason must not take down one path after the other. More
 * than the paths that a LUN usually has, as they may all fail at once and each
 * be found out by the same bio.
 */
#define MPATH_MAX_TRIES		16

/* A failed path is tested after this time, then less and less often. */
#define MPATH_BACKOFF_MIN	msecs_to_jiffies(100)
#define MPATH_BACKOFF_MAX	(5 * HZ)
/* ... at first, and for as long as no other path serves. */
#define MPATH_BACKOFF_URGENT	msecs_to_jiffies(300)
/* A path that fails again this soon after a good test was not good. */
#define MPATH_TRUST_TIME	(10 * HZ)
/* Tests that fail for so long mean that nothing is under way ... */
#define MPATH_DEGRADED_TIME	(30 * HZ)
/* ... and may be further apart then. */
#define MPATH_BACKOFF_DEGRADED	msecs_to_jiffies(400)
/*
 * A test that is not answered may be lost for good while the device answers
 * others again. After this time it gets company, but not much of it, and not
 * late: what is not answered has to be aborted, and where that is not possible
 * the error handler of a host waits until the last of its commands has timed out.
 */
#define MPATH_TEST_OVERDUE	HZ
#define MPATH_MAX_TESTS		4

/*
 * The target may be about to make something better of a path that is in standby
 * or unavailable, and tell nobody: because the state is a new one, or because
 * the last usable path has been lost. Wait so long for that.
 */
#define MPATH_STANDBY_TIME	(30 * HZ)
/* The longest implicit transition time that a target can announce, and some. */
#define MPATH_TRANSITION_TIME	(260 * HZ)

/* Parked bios look for a path this often, even if nobody wakes them. */
#define MPATH_SAFETY_TIME	(5 * HZ)

/* Time for memory to be freed. */
#define MPATH_MEMORY_TIME	msecs_to_jiffies(100)

#define MPATH_BIO_POOL_SIZE	16
/* Clones that a CPU keeps for the next bios of a disk: as many as may end at once. */
#define MPATH_MAX_IDLE		32

/* Bounded so that the time in jiffies stays far from wrapping on 32 bit. */
#define MPATH_REMOVAL_SECS_MAX	(24 * 60 * 60)

/* parked bios; must make progress when memory is short */
static struct workqueue_struct *mpath_io_wq;
/*
 * Tests of failed paths; if all have failed, writeback waits for them, and for
 * limits that a path needs.
 */
static struct workqueue_struct *mpath_test_wq;
/* lives of disks; may wait for I/O */
static struct workqueue_struct *mpath_life_wq;

static const char * const mpath_iopolicy_names[] = {
	[MPATH_IOPOLICY_NUMA]	= "numa",
	[MPATH_IOPOLICY_RR]	= "round-robin",
	[MPATH_IOPOLICY_QD]	= "queue-depth",
};

static const char * const mpath_state_names[] = {
	[MPATH_OPTIMIZED]	= "optimized",
	[MPATH_NONOPTIMIZED]	= "non-optimized",
	[MPATH_UNKNOWN]		= "unknown",
	[MPATH_BLOCKED]		= "blocked",
	[MPATH_TRANSITIONING]	= "transitioning",
	[MPATH_FAILED]		= "failed",
	[MPATH_DEGRADED]	= "degraded",
	[MPATH_STANDBY]		= "standby",
	[MPATH_UNAVAILABLE]	= "unavailable",
	[MPATH_OFFLINE]		= "offline",
	[MPATH_DISABLED]	= "disabled",
	[MPATH_MISMATCH]	= "mismatch",
	[MPATH_REMOVED]		= "removed",
};

/**
 * struct mpath_io - a bio on its way through a head
 * @path: the path that the clone is on
 * @start: when accounting began (jiffies)
 * @losses: mpath_device.losses when it was sent
 * @tries: how often a path has failed it
 * @counted: is in the path's nr_active
 * @waited: has had to wait for a path
 * @accounted: accounting has begun
 * @clone: what is sent to a path; ->bi_private is the bio that it stands for
 */
struct mpath_io {
	struct mpath_device	*path;
	unsigned long		start;
	unsigned int		losses;
	u8			tries;
	bool			counted;
	bool			waited;
	bool			accounted;
	struct bio		clone;
};

/**
 * struct mpath_test - a read that is to show whether a failed path is good again
 *
 * It holds a reference to the path.
 *
 * @path: the path; NULL while the test is not under way
 * @losses: mpath_device.losses when it was sent
 * @page: where it reads to
 * @bvec: the same for @bio
 * @bio: the read
 */
struct mpath_test {
	struct mpath_device	*path;
	unsigned int		losses;
	struct page		*page;
	struct bio_vec		bvec;
	struct bio		bio;
};

/**
 * struct mpath_cpu - what a head has for a CPU
 *
 * @cursor: index of the path that round-robin last chose
 * @nr_idle: number of @idle
 * @idle: clones that are not in use, linked by ->bi_next; touched by this CPU
 *	with interrupts off, until the head is released
 */
struct mpath_cpu {
	unsigned int		cursor;
	unsigned int		nr_idle;
	struct bio		*idle;
};

static struct mpath_io *mpath_clone_to_io(struct bio *clone)
{
	return container_of(clone, struct mpath_io, clone);
}

/**
 * mpath_parse_iopolicy - find a policy by its name
 * @name: the exact name, with or without a newline
 *
 * Return: the policy, or -EINVAL.
 */
int mpath_parse_iopolicy(const char *name)
{
	return sysfs_match_string(mpath_iopolicy_names, name);
}
EXPORT_SYMBOL_GPL(mpath_parse_iopolicy);

/**
 * mpath_iopolicy_name - name of a policy
 * @iopolicy: the policy
 *
 * Return: the name.
 */
const char *mpath_iopolicy_name(enum mpath_iopolicy iopolicy)
{
	return mpath_iopolicy_names[iopolicy];
}
EXPORT_SYMBOL_GPL(mpath_iopolicy_name);

/**
 * mpath_state_name - name of a path's state
 * @state: the state
 *
 * Return: the name.
 */
const char *mpath_state_name(enum mpath_state state)
{
	return mpath_state_names[state];
}
EXPORT_SYMBOL_GPL(mpath_state_name);

/*
 * Selection. These functions look at the list of paths and at nothing else, so
 * that KUnit can drive them without a device. They walk the list once, and take
 * nothing about it for granted but that the entries are valid: it may change
 * under them.
 */

/* The order in which paths are wanted; lower is better. */
static unsigned int mpath_rank(const struct mpath_device *path)
{
	return 2 * READ_ONCE(path->state) + !READ_ONCE(path->preferred);
}

static u32 mpath_distance(const struct mpath_device *path, u32 node)
{
	if (path->numa_node == NUMA_NO_NODE)
		return LOCAL_DISTANCE;
	return node_distance(node, path->numa_node);
}

/* Those after @cursor come first, then those up to it. */
static u32 mpath_turn(const struct mpath_device *path, u32 cursor)
{
	return path->index - cursor - 1;
}

static u32 mpath_load(const struct mpath_device *path, u32 unused)
{
	return atomic_read(path->nr_active);
}

/*
 * The path with the lowest rank and, among such, the lowest of what the policy goes
 * by. It is made for each policy, as each I/O takes it.
 */
static __always_inline struct mpath_device *
mpath_best_path(struct mpath_head *head,
		u32 (*cost)(const struct mpath_device *path, u32 arg), u32 arg)
{
	/* higher than that of any path which is usable */
	u64 key, best_key = (u64)(2 * MPATH_NONOPTIMIZED + 2) << 32;
	struct mpath_device *path, *best = NULL;

	list_for_each_entry_rcu(path, &head->paths, entry) {
		key = (u64)mpath_rank(path) << 32 | cost(path, arg);
		if (key >= best_key)
			continue;
		best = path;
		best_key = key;
	}
	return best;
}

static struct mpath_device *mpath_nearest_path(struct mpath_head *head,
					       int node)
{
	return mpath_best_path(head, mpath_distance, node);
}

static __always_inline struct mpath_device *
mpath_next_path(struct mpath_head *head, unsigned int cursor)
{
	return mpath_best_path(head, mpath_turn, cursor);
}

/* What is not the default is not to cost those that take that. */
static noinline struct mpath_device *
mpath_least_busy_path(struct mpath_head *head)
{
	return mpath_best_path(head, mpath_load, 0);
}

static noinline struct mpath_device *mpath_select_rr(struct mpath_head *head)
{
	unsigned int *cursor = &raw_cpu_ptr(head->cpu)->cursor;
	struct mpath_device *path;

	/* Should the task move to another CPU here, one turn is out of order. */
	path = mpath_next_path(head, READ_ONCE(*cursor));
	if (path)
		WRITE_ONCE(*cursor, path->index);
	return path;
}

static noinline struct mpath_device *
mpath_choose_numa(struct mpath_head *head, int node)
{
	struct mpath_device *path;
	unsigned int generation;

	/* before the states are read; pairs with mpath_changed() */
	generation = smp_load_acquire(&head->generation);
	path = mpath_nearest_path(head, node);
	rcu_assign_pointer(head->current_path[node], path);
	/*
	 * A change that cleared the pointers while the list was walked must
	 * not be hidden by what was found before it. Either this sees the new
	 * generation, or mpath_changed() clears what was just written.
	 */
	smp_mb();
	if (READ_ONCE(head->generation) != generation)
		RCU_INIT_POINTER(head->current_path[node], NULL);
	return path;
}

static struct mpath_device *mpath_select_numa(struct mpath_head *head)
{
	int node = numa_node_id();
	struct mpath_device *path;

	path = rcu_dereference(head->current_path[node]);
	if (likely(path) && mpath_state_is_usable(READ_ONCE(path->state)))
		return path;
	return mpath_choose_numa(head, node);
}

static __always_inline struct mpath_device *
mpath_select(struct mpath_head *head)
{
	switch (READ_ONCE(head->iopolicy)) {
	case MPATH_IOPOLICY_RR:
		return mpath_select_rr(head);
	case MPATH_IOPOLICY_QD:
		return mpath_least_busy_path(head);
	default:
		return mpath_select_numa(head);
	}
}

static __always_inline struct mpath_device *
__mpath_get_path(struct mpath_head *head)
{
	struct mpath_device *path;

	rcu_read_lock();
	do {
		path = mpath_select(head);
		/* Fails only once the path is REMOVED: the next look sees it. */
	} while (path && !percpu_ref_tryget_live_rcu(&path->ref));
	rcu_read_unlock();

	return path;
}

/**
 * mpath_get_path - choose a path and keep it from going away
 * @head: the head
 *
 * Context: any.
 * Return: a path, to be given back with mpath_put_path(), or NULL if none is
 * usable now. The removal of a path waits for it to be given back: whoever
 * needs a path for long keeps the driver's device and gives this back.
 */
struct mpath_device *mpath_get_path(struct mpath_head *head)
{
	return __mpath_get_path(head);
}
EXPORT_SYMBOL_GPL(mpath_get_path);

/**
 * mpath_put_path - give back a path
 * @path: what mpath_get_path() returned
 *
 * Context: any.
 */
void mpath_put_path(struct mpath_device *path)
{
	percpu_ref_put(&path->ref);
}
EXPORT_SYMBOL_GPL(mpath_put_path);

static bool mpath_serves_node(struct mpath_device *path, int node)
{
	struct mpath_head *head = path->head;
	struct mpath_device *best = mpath_nearest_path(head, node);

	if (!best || READ_ONCE(head->iopolicy) == MPATH_IOPOLICY_NUMA)
		return best == path;
	return mpath_state_is_usable(READ_ONCE(path->state)) &&
	       mpath_rank(path) == mpath_rank(best);
}

/**
 * mpath_path_nodes - which nodes send I/O on a path now
 * @path: a member of a head
 * @nodes: set to the answer
 *
 * Context: any.
 */
void mpath_path_nodes(struct mpath_device *path, nodemask_t *nodes)
{
	int node;

	nodes_clear(*nodes);
	rcu_read_lock();
	for_each_online_node(node)
		if (mpath_serves_node(path, node))
			node_set(node, *nodes);
	rcu_read_unlock();
}
EXPORT_SYMBOL_GPL(mpath_path_nodes);

/*
 * States of paths
 */

static void mpath_lock(struct mpath_head *head)
{
	mutex_lock(&head->mutex);
	head->noio = memalloc_noio_save();
}

static void mpath_unlock(struct mpath_head *head)
{
	memalloc_noio_restore(head->noio);
	mutex_unlock(&head->mutex);
}

/* What the library knows about a path, put over what its driver says. */
static enum mpath_state mpath_effective_state(const struct mpath_device *path,
					      enum mpath_state state)
{
	if (!path->listed)
		return MPATH_REMOVED;
	if (path->disabled)
		return MPATH_DISABLED;
	if (!mpath_state_is_usable(state))
		return state;
	if (path->mismatch)
		return path->awaited || !(path->sized || path->sizeless) ?
		       MPATH_UNKNOWN : MPATH_MISMATCH;
	if (path->degraded)
		return MPATH_DEGRADED;
	if (path->failed)
		return MPATH_FAILED;
	return state;
}

static bool mpath_path_may_return(const struct mpath_head *head,
				  const struct mpath_device *path)
{
	u64 now = get_jiffies_64(), time;

	switch (path->state) {
	case MPATH_TRANSITIONING:
		time = MPATH_TRANSITION_TIME;
		break;
	case MPATH_STANDBY:
	case MPATH_UNAVAILABLE:
		time = MPATH_STANDBY_TIME;
		break;
	default:
		return mpath_state_is_returning(path->state);
	}
	return head->outlook == MPATH_SERVING ||
	       time_before64(now, head->served_until + time) ||
	       time_before64(now, path->changed_at + time);
}

static enum mpath_outlook mpath_paths_outlook(struct mpath_head *head)
{
	enum mpath_outlook outlook = MPATH_LOST;
	struct mpath_device *path;

	list_for_each_entry(path, &head->paths, entry) {
		if (mpath_state_is_usable(path->state))
			return MPATH_SERVING;
		if (mpath_path_may_return(head, path))
			outlook = MPATH_WAITING;
	}
	return outlook;
}

static void mpath_kick(struct mpath_head *head)
{
	mod_delayed_work(mpath_io_wq, &head->requeue_work, 0);
}

/* How much longer bios are parked, or the disk is kept, in jiffies. */
static unsigned long mpath_lost_time_left(const struct mpath_head *head)
{
	u64 now = get_jiffies_64();

	return time_before64(now, head->lost_until) ?
	       head->lost_until - now : 0;
}

static void mpath_arm_removal(struct mpath_head *head)
{
	lockdep_assert_held(&head->lock);

	mod_delayed_work(mpath_life_wq, &head->removal_work,
			 mpath_lost_time_left(head));
}

static void mpath_start_lost_time(struct mpath_head *head)
{
	lockdep_assert_held(&head->lock);

	head->lost_until = get_jiffies_64() +
			   (u64)head->delayed_removal_secs * HZ;
	if (head->life == MPATH_PENDING)
		mpath_arm_removal(head);
}

/* The last usable path is gone: do not wait for those that failed earlier. */
static void mpath_hurry_tests(struct mpath_head *head)
{
	struct mpath_device *path;

	list_for_each_entry(path, &head->paths, entry) {
		if (!path->failed || path->backoff <= MPATH_BACKOFF_URGENT)
			continue;
		path->backoff = MPATH_BACKOFF_MIN;
		mod_delayed_work(mpath_test_wq, &path->test_work,
				 path->backoff);
	}
}

static u64 mpath_now_ms(void)
{
	return ktime_to_ms(ktime_get());
}

/**
 * mpath_outage_ms - for how long there has been no usable path
 * @head: the head
 *
 * Context: any.
 * Return: the time in ms, 0 if there is one.
 */
unsigned int mpath_outage_ms(struct mpath_head *head)
{
	unsigned long flags;
	u64 ms = 0;

	spin_lock_irqsave(&head->lock, flags);
	if (head->outlook != MPATH_SERVING)
		ms = mpath_now_ms() - head->outage_since;
	spin_unlock_irqrestore(&head->lock, flags);
	return min_t(u64, ms, UINT_MAX);
}
EXPORT_SYMBOL_GPL(mpath_outage_ms);

/* Without a disk there is nobody to miss a path. */
static bool mpath_is_outage(const struct mpath_head *head)
{
	return head->disk && head->outlook != MPATH_SERVING;
}

static void mpath_begin_outage(struct mpath_head *head)
{
	head->outage_since = mpath_now_ms();
	head->outages_until = head->outage_since;
}

/* Take note of the time that has gone by since the last call. */
static void mpath_sum_outages(struct mpath_head *head)
{
	u64 now = mpath_now_ms();

	if (!mpath_is_outage(head))
		return;
	head->outages += now - head->outages_until;
	head->outages_until = now;
}

static unsigned long mpath_longest_outage(struct mpath_head *head)
{
	unsigned long ms = 0;

	mpath_sum_outages(head);
	if (mpath_is_outage(head))
		ms = head->outages_until - head->outage_since;
	return max(head->outage_longest, ms);
}

static void mpath_queue_scan(struct mpath_head *head)
{
	lockdep_assert_held(&head->lock);

	if (READ_ONCE(head->scan_due) && head->life != MPATH_DEAD)
		queue_work(mpath_life_wq, &head->scan_work);
}

static void mpath_set_outlook(struct mpath_head *head,
			      enum mpath_outlook outlook)
{
	if (outlook == MPATH_LOST && head->outlook != MPATH_LOST)
		mpath_start_lost_time(head);
	if (outlook != MPATH_SERVING && head->outlook == MPATH_SERVING) {
		head->served_until = get_jiffies_64();
		mpath_hurry_tests(head);
		if (head->ops->no_path)
			head->ops->no_path(head);
		mpath_begin_outage(head);
	}
	if (outlook == MPATH_SERVING) {
		head->outage_longest = mpath_longest_outage(head);
		if (head->outlook != MPATH_SERVING)
			mpath_queue_scan(head);
	}
	WRITE_ONCE(head->outlook, outlook);
}

/*
 * Something has changed that selection or a parked bio may care about. Every
 * such change ends here, under the lock, after it has been written.
 */
static void mpath_changed(struct mpath_head *head)
{
	int node;

	lockdep_assert_held(&head->lock);

	/* Whoever sees the new generation also sees what led to it. */
	smp_store_release(&head->generation, head->generation + 1);
	smp_mb(); /* see mpath_choose_numa() */
	for_each_node(node)
		RCU_INIT_POINTER(head->current_path[node], NULL);

	mpath_set_outlook(head, mpath_paths_outlook(head));
	if (head->outlook != head->reported || !bio_list_empty(&head->parked))
		mpath_kick(head);
}

/*
 * The one place where a path's state changes. A failed path whose transport has
 * come back need not wait for its next test.
 */
static void mpath_update_path(struct mpath_device *path)
{
	struct mpath_head *head = path->head;
	enum mpath_state transport, state;
	bool preferred = false, usable, returned;

	lockdep_assert_held(&head->lock);

	transport = head->ops->get_state(path, &preferred);
	usable = mpath_state_is_usable(transport);
	returned = usable && !mpath_state_is_usable(path->transport);
	WRITE_ONCE(path->transport, transport);
	path->returned = returned || (path->returned && usable);
	if (!usable)
		WRITE_ONCE(path->sizeless, false);
	if (returned && path->listed && path->failed)
		mod_delayed_work(mpath_test_wq, &path->test_work, 0);

	state = mpath_effective_state(path, transport);
	if (state != path->state || preferred != path->preferred) {
		bool left = mpath_state_is_usable(path->state) &&
			    !mpath_state_is_usable(state);

		trace_mpath_path_state(path, state);
		if (state != path->state) {
			path->nr_changes++;
			if (!mpath_state_is_alua_wait(path->state) ||
			    !mpath_state_is_alua_wait(state))
				path->changed_at = get_jiffies_64();
		}
		WRITE_ONCE(path->state, state);
		WRITE_ONCE(path->preferred, preferred);
		WRITE_ONCE(path->losses, path->losses + left);
		mpath_changed(head);
		queue_work(mpath_life_wq, &head->event_work);
		if (left && head->ops->left)
			head->ops->left(path);
	}
}

/**
 * mpath_path_changed - take note that ->get_state() may have a new answer
 * @path: a path that has joined a head
 *
 * To be called after the change.
 *
 * Context: any.
 * Return: true if the path could not be used by an earlier answer, and can now.
 */
bool mpath_path_changed(struct mpath_device *path)
{
	struct mpath_head *head = path->head;
	unsigned long flags;
	bool returned;

	spin_lock_irqsave(&head->lock, flags);
	mpath_update_path(path);
	returned = path->listed && path->returned;
	if (returned)
		path->returned = false;
	spin_unlock_irqrestore(&head->lock, flags);
	return returned;
}
EXPORT_SYMBOL_GPL(mpath_path_changed);

/**
 * mpath_give_up_size - do not wait any longer for a path to have a size
 * @path: a path that has joined, and is not sized
 *
 * Until then I/O waits for it. It is waited for again when it comes back from
 * not being usable for another reason.
 *
 * Context: any.
 */
void mpath_give_up_size(struct mpath_device *path)
{
	struct mpath_head *head = path->head;
	unsigned long flags;

	spin_lock_irqsave(&head->lock, flags);
	WRITE_ONCE(path->sizeless, !path->sized);
	mpath_update_path(path);
	spin_unlock_irqrestore(&head->lock, flags);
}
EXPORT_SYMBOL_GPL(mpath_give_up_size);

/* Might another path have done better? */
static bool mpath_is_path_error(blk_status_t status)
{
	switch (status) {
	case BLK_STS_OK:
	/* The issuer did not want to wait and can try again itself. */
	case BLK_STS_AGAIN:
	/* what the issuer asked for */
	case BLK_STS_INVAL:
	case BLK_STS_DURATION_LIMIT:
		return false;
	default:
		return blk_path_error(status);
	}
}

static unsigned long mpath_next_backoff(const struct mpath_device *path,
					unsigned long max)
{
	if (path->head->outlook != MPATH_SERVING)
		max = MPATH_BACKOFF_URGENT;
	return clamp(2 * path->backoff, MPATH_BACKOFF_MIN, max);
}

/*
 * What has been lost just now may be back at any moment, unless it is held down
 * for not being what its tests say.
 */
static unsigned long mpath_longest_wait(const struct mpath_device *path)
{
	unsigned long wait = MPATH_BACKOFF_URGENT;

	if (time_after64(get_jiffies_64(),
			 path->failed_at + MPATH_DEGRADED_TIME))
		wait = MPATH_BACKOFF_DEGRADED;
	return max(path->backoff, wait);
}

/*
 * A bio has failed on a path that is to all knowledge good: hold it down until
 * a test has succeeded. If the transport knows better meanwhile, its word is
 * enough.
 */
static void mpath_fail_path(struct mpath_device *path)
{
	lockdep_assert_held(&path->head->lock);

	mpath_update_path(path);
	if (!mpath_state_is_usable(path->state))
		return;

	if (time_after64(get_jiffies_64(),
			 path->recovered_at + MPATH_TRUST_TIME))
		path->backoff = MPATH_BACKOFF_MIN;
	else
		path->backoff = mpath_next_backoff(path,
						   MPATH_BACKOFF_MAX);
	path->failed = true;
	path->failed_at = get_jiffies_64();
	mpath_update_path(path);
	mod_delayed_work(mpath_test_wq, &path->test_work, path->backoff);
}

static void mpath_path_tested(struct mpath_device *path, blk_status_t status)
{
	lockdep_assert_held(&path->head->lock);

	/* Another test may have been sooner. */
	if (!path->listed || !path->failed)
		return;

	/* An error that another path would give as well proves this one. */
	if (!mpath_is_path_error(status)) {
		path->failed = false;
		path->degraded = false;
		path->recovered_at = get_jiffies_64();
	} else {
		if (time_after64(get_jiffies_64(),
				 path->failed_at + MPATH_DEGRADED_TIME))
			path->degraded = true;
		path->backoff = mpath_next_backoff(path,
						   mpath_longest_wait(path));
		mod_delayed_work(mpath_test_wq, &path->test_work,
				 path->backoff);
	}
	mpath_update_path(path);
}

static struct mpath_test *mpath_alloc_test(gfp_t gfp)
{
	struct mpath_test *test = kzalloc(sizeof(*test), gfp);

	if (!test)
		return NULL;
	test->page = alloc_page(gfp);
	if (test->page)
		return test;
	kfree(test);
	return NULL;
}

static void mpath_free_test(struct mpath_test *test)
{
	__free_page(test->page);
	kfree(test);
}

/* Have one more test under way, which holds the path. */
static struct mpath_test *mpath_begin_test(struct mpath_device *path)
{
	struct mpath_head *head = path->head;
	struct mpath_test *test = NULL;

	if (!percpu_ref_tryget_live(&path->ref))
		return NULL;
	spin_lock_irq(&head->lock);
	if (path->failed) {
		queue_delayed_work(mpath_test_wq, &path->test_work,
				   MPATH_TEST_OVERDUE);
		if (!path->first_test->path)
			test = path->first_test;
		else if (path->nr_tests < MPATH_MAX_TESTS)
			test = mpath_alloc_test(GFP_NOWAIT | __GFP_NOWARN);
	}
	if (test) {
		test->path = path;
		test->losses = path->losses;
		path->nr_tests++;
	}
	spin_unlock_irq(&head->lock);
	if (!test)
		percpu_ref_put(&path->ref);
	return test;
}

static void mpath_end_test(struct bio *bio)
{
	struct mpath_test *test = container_of(bio, struct mpath_test, bio);
	struct mpath_device *path = test->path;
	unsigned long flags;

	spin_lock_irqsave(&path->head->lock, flags);
	path->nr_tests--;
	/* What was sent before a loss does not say that it is over. */
	if (test->losses == path->losses)
		mpath_path_tested(path, bio->bi_status);
	bio_uninit(bio);
	if (test == path->first_test)
		test->path = NULL;
	else
		mpath_free_test(test);
	spin_unlock_irqrestore(&path->head->lock, flags);
	/* last, as in mpath_end_clone() */
	percpu_ref_put(&path->ref);
}

static void mpath_send_test(struct mpath_device *path)
{
	struct block_device *bdev = path->disk->part0;
	struct mpath_test *test = mpath_begin_test(path);
	struct bio *bio;

	if (!test)
		return;
	bio = &test->bio;
	/* REQ_FAILFAST_DRIVER tells it from a clone: it goes to a failed path. */
	bio_init(bio, bdev, &test->bvec, 1,
		 REQ_OP_READ | REQ_FAILFAST_TRANSPORT | REQ_FAILFAST_DRIVER);
	bio->bi_iter.bi_sector = 0;
	bio->bi_end_io = mpath_end_test;
	__bio_add_page(bio, test->page, bdev_logical_block_size(bdev), 0);
	submit_bio(bio);
}

static void mpath_test_work(struct work_struct *work)
{
	struct mpath_device *path =
		container_of(to_delayed_work(work), struct mpath_device,
			     test_work);

	/* Without the transport there is no use; its return starts the test. */
	if (!mpath_state_is_usable(READ_ONCE(path->transport)))
		return;
	if (get_capacity(path->disk)) {
		mpath_send_test(path);
		return;
	}
	spin_lock_irq(&path->head->lock);
	mpath_path_tested(path, BLK_STS_IOERR);
	spin_unlock_irq(&path->head->lock);
}

/*
 * The I/O path
 */

/* The bio remembers, as the policy may change before it ends. */
static void mpath_count_io(struct mpath_device *path, struct mpath_io *io)
{
	io->counted = READ_ONCE(path->head->iopolicy) == MPATH_IOPOLICY_QD;
	if (io->counted)
		atomic_inc(path->nr_active);
}

static void mpath_uncount_io(struct mpath_device *path, struct mpath_io *io)
{
	if (io->counted)
		atomic_dec(path->nr_active);
	io->counted = false;
}

/* So that the block layer need not account for each I/O twice. */
static void mpath_count_done(struct mpath_device *path, struct bio *bio)
{
	this_cpu_inc(path->done->ios);
	this_cpu_add(path->done->sectors, bio_sectors(bio));
}

/**
 * mpath_path_done - what a path has done since it joined
 * @path: a path that has joined a head, up to mpath_forget()
 * @sum: set to the answer
 *
 * Context: any.
 */
void mpath_path_done(struct mpath_device *path, struct mpath_done *sum)
{
	int cpu;

	*sum = (struct mpath_done){};
	for_each_possible_cpu(cpu) {
		const struct mpath_done *done = per_cpu_ptr(path->done, cpu);

		sum->ios += READ_ONCE(done->ios);
		sum->sectors += READ_ONCE(done->sectors);
	}
}
EXPORT_SYMBOL_GPL(mpath_path_done);

/*
 * Clones. What the block layer has to keep bios for a CPU is of no use to those
 * that end in a softirq, where most do; this is, and knows nothing but clones.
 */

static struct bio *mpath_take_idle(struct mpath_head *head)
{
	struct mpath_cpu *cpu;
	unsigned long flags;
	struct bio *clone;

	local_irq_save(flags);
	cpu = this_cpu_ptr(head->cpu);
	clone = cpu->idle;
	if (likely(clone)) {
		cpu->idle = clone->bi_next;
		cpu->nr_idle--;
	}
	local_irq_restore(flags);
	return clone;
}

static bool mpath_keep_idle(struct mpath_head *head, struct bio *clone)
{
	struct mpath_cpu *cpu;
	unsigned long flags;
	bool kept;

	local_irq_save(flags);
	cpu = this_cpu_ptr(head->cpu);
	kept = cpu->nr_idle < MPATH_MAX_IDLE;
	if (likely(kept)) {
		clone->bi_next = cpu->idle;
		cpu->idle = clone;
		cpu->nr_idle++;
	}
	local_irq_restore(flags);
	return kept;
}

/* Those of a CPU that has gone offline have waited for this as well. */
static void mpath_free_idle(struct mpath_head *head)
{
	struct mpath_cpu *cpu;
	struct bio *clone;
	int i;

	for_each_possible_cpu(i) {
		cpu = per_cpu_ptr(head->cpu, i);
		while ((clone = cpu->idle)) {
			cpu->idle = clone->bi_next;
			bio_put(clone);
		}
	}
}

/* Make a clone of @bio in memory that has been one of another, and is not now. */
static int mpath_init_clone(struct bio *clone, struct bio *bio, gfp_t gfp)
{
	struct bio_set *pool = clone->bi_pool;
	int ret = bio_init_clone(NULL, clone, bio, gfp);

	/* That was said to the pool which @bio is from. */
	clone->bi_opf &= ~REQ_ALLOC_CACHE;
	clone->bi_pool = pool;
	clone->bi_private = bio;
	return ret;
}

static struct bio *mpath_alloc_clone(struct mpath_head *head, struct bio *bio,
				     gfp_t gfp)
{
	struct bio *clone = mpath_take_idle(head);

	if (likely(clone)) {
		if (unlikely(mpath_init_clone(clone, bio, gfp))) {
			bio_put(clone);
			return NULL;
		}
	} else {
		clone = bio_alloc_clone(NULL, bio, gfp, &head->bio_pool);
		if (!clone)
			return NULL;
		clone->bi_private = bio;
	}
	/* It has the same vectors: if that is one, there is nothing to split. */
	clone->bi_vcnt = bio->bi_vcnt;
	return clone;
}

/* The pool comes first if it wants its reserve filled: others may wait for that. */
static __always_inline void mpath_free_clone(struct bio *clone)
{
	struct bio_set *pool = clone->bi_pool;

	bio_uninit(clone);
	if (unlikely(!mempool_is_saturated(&pool->bio_pool)) ||
	    !mpath_keep_idle(container_of(pool, struct mpath_head, bio_pool),
			     clone))
		bio_put(clone);
}

/* What has no data is a flush, and counts as one, as it does on a path. */
static void mpath_start_acct(struct mpath_io *io, struct bio *bio)
{
	io->accounted = blk_queue_io_stat(bdev_get_queue(bio->bi_bdev));
	if (io->accounted)
		io->start = likely(bio_sectors(bio)) ? bio_start_io_acct(bio) :
						       jiffies;
}

static noinline void mpath_end_flush_acct(struct mpath_io *io, struct bio *bio)
{
	struct block_device *part0 = bio->bi_bdev->bd_disk->part0;

	part_stat_lock();
	part_stat_inc(part0, ios[STAT_FLUSH]);
	part_stat_add(part0, nsecs[STAT_FLUSH],
		      jiffies_to_nsecs(jiffies - io->start));
	part_stat_unlock();
}

static __always_inline void mpath_end_acct(struct mpath_io *io, struct bio *bio)
{
	if (likely(bio_sectors(bio)))
		bdev_end_io_acct(bio->bi_bdev, bio_op(bio), bio_sectors(bio),
				 io->start);
	else
		mpath_end_flush_acct(io, bio);
}

/* Each I/O ends here, and nearly each from mpath_end_clone(). */
static __always_inline void mpath_end_io(struct mpath_io *io,
					 blk_status_t status)
{
	struct bio *bio = io->clone.bi_private;

	if (status)
		bio->bi_status = status;
	if (io->accounted)
		mpath_end_acct(io, bio);
	mpath_free_clone(&io->clone);
	bio_endio(bio);
}

/* Let a clone wait. Should nobody wake it, it is looked at again after @delay. */
static void mpath_park(struct mpath_head *head, struct mpath_io *io,
		       unsigned long delay)
{
	lockdep_assert_held(&head->lock);

	head->nr_parked++;
	bio_list_add(&head->parked, &io->clone);
	queue_delayed_work(mpath_io_wq, &head->requeue_work, delay);
}

/*
 * It is not the path's fault when memory has been short. Nor does a bio say
 * anything of what the path is now that was on it when it was lost.
 */
static void mpath_arrange_retry(struct mpath_device *path, struct mpath_io *io,
				blk_status_t status)
{
	mpath_park(path->head, io, MPATH_MEMORY_TIME);
	if (status == BLK_STS_RESOURCE)
		return;
	if (io->losses == path->losses)
		mpath_fail_path(path);
	mpath_kick(path->head);
}

/*
 * What is turned down before its path begins with it, because that has been lost
 * meanwhile, is as it was. It may happen to it any number of times.
 */
static bool mpath_has_tried(struct mpath_device *path, struct mpath_io *io,
			    blk_status_t status)
{
	lockdep_assert_held(&path->head->lock);

	return status != BLK_STS_OFFLINE || io->losses == path->losses;
}

/*
 * A bio has failed on @path: give it to another try, if that may help. The
 * worker sends it, as completion neither sleeps nor looks anything up.
 */
static noinline bool mpath_failover(struct mpath_device *path,
				    struct mpath_io *io)
{
	struct mpath_head *head = path->head;
	blk_status_t status = io->clone.bi_status;
	unsigned long flags;
	bool again;

	/* No error, but that the issuer did not want to wait. */
	if (status == BLK_STS_AGAIN)
		return false;

	spin_lock_irqsave(&head->lock, flags);
	if (mpath_has_tried(path, io, status))
		io->tries++;
	again = mpath_is_path_error(status) && io->tries < MPATH_MAX_TRIES;
	path->nr_errors++;
	path->last_error = status;
	path->last_error_at = ktime_get_real_seconds();
	if (again) {
		trace_mpath_failover(path, io->clone.bi_private, status);
		path->nr_failovers++;
		head->nr_failovers++;
		mpath_arrange_retry(path, io, status);
	}
	spin_unlock_irqrestore(&head->lock, flags);
	return again;
}

/*
 * A driver may learn from an error only that a device cannot discard or write
 * zeroes, and sets the limit of its own disk to none. The issuer goes by that
 * of the head.
 */
static noinline void mpath_learn_limits(struct bio *clone)
{
	struct bio *bio = clone->bi_private;

	if (bio_op(bio) == REQ_OP_WRITE_ZEROES &&
	    !bdev_write_zeroes_sectors(clone->bi_bdev))
		blk_queue_disable_write_zeroes(bdev_get_queue(bio->bi_bdev));
	if (bio_op(bio) == REQ_OP_DISCARD &&
	    !bdev_max_discard_sectors(clone->bi_bdev))
		blk_queue_disable_discard(bdev_get_queue(bio->bi_bdev));
}

static void mpath_end_clone(struct bio *clone)
{
	struct mpath_io *io = mpath_clone_to_io(clone);
	struct mpath_device *path = io->path;

	if (unlikely(clone->bi_status == BLK_STS_TARGET ||
		     clone->bi_status == BLK_STS_NOTSUPP))
		mpath_learn_limits(clone);
	mpath_uncount_io(path, io);
	mpath_count_done(path, clone->bi_private);
	if (likely(!clone->bi_status) || !mpath_failover(path, io))
		mpath_end_io(io, clone->bi_status);
	/*
	 * Last, as the path keeps the head and its pool: mpath_leave() waits
	 * for it, and the head is released only after all paths have left.
	 */
	mpath_put_path(path);
}

/* Each I/O comes by here, and nearly each but once: it is not to be called. */
static __always_inline void mpath_send(struct mpath_device *path,
				       struct mpath_io *io)
{
	struct bio *clone = &io->clone, *bio = clone->bi_private;

	io->path = path;
	io->losses = READ_ONCE(path->losses);
	mpath_count_io(path, io);
	if (unlikely(io->tries))
		/* Only the requeue worker counts; it may undo a reset. */
		data_race(path->nr_retries++);
	clone->bi_bdev = path->disk->part0;
	bio_clone_blkg_association(clone, bio);
	/* The end of the device has been checked on the head. */
	bio_set_flag(clone, BIO_REMAPPED);
	/*
	 * There are other paths for errors of the transport. Errors of the
	 * device are to be retried here, even for an issuer who does not care,
	 * as the path would be blamed for them. That includes read-ahead, of
	 * which blk-mq makes a request that is not retried at all.
	 */
	clone->bi_opf &= ~(REQ_RAHEAD | REQ_FAILFAST_MASK);
	clone->bi_opf |= REQ_FAILFAST_TRANSPORT;
	clone->bi_end_io = mpath_end_clone;

	trace_mpath_select(path, bio, io->tries);
	if (trace_block_bio_remap_enabled())
		trace_block_bio_remap(clone, disk_devt(bio->bi_bdev->bd_disk),
				      bio->bi_iter.bi_sector);
	submit_bio_noacct(clone);
}

static bool mpath_may_wait(const struct mpath_head *head)
{
	if (head->life == MPATH_DEAD)
		return false;
	if (head->outlook == MPATH_WAITING)
		return true;
	return mpath_lost_time_left(head);
}

/* When the parked bios must be looked at again, if nothing happens. */
static unsigned long mpath_patience(const struct mpath_head *head)
{
	unsigned long patience = MPATH_SAFETY_TIME;

	if (head->outlook == MPATH_LOST)
		patience = min(patience, mpath_lost_time_left(head));
	return patience;
}

/*
 * No path was found for @io. Park it or end it, unless something has changed
 * since @generation: then it is the caller's again.
 */
static bool mpath_no_path(struct mpath_head *head, struct mpath_io *io,
			  unsigned int generation)
{
	blk_status_t status = BLK_STS_OK;
	bool retry, parked = false;

	spin_lock_irq(&head->lock);
	retry = head->generation != generation;
	if (retry)
		goto unlock;
	if (!mpath_may_wait(head)) {
		status = BLK_STS_IOERR;
		head->nr_refused++;
	} else if (io->clone.bi_opf & REQ_NOWAIT) {
		status = BLK_STS_AGAIN;
	} else {
		parked = true;
		head->nr_waited += !io->waited;
		io->waited = true;
		trace_mpath_park(io->clone.bi_private, io->tries);
		mpath_park(head, io, mpath_patience(head));
	}
unlock:
	spin_unlock_irq(&head->lock);

	if (retry)
		return false;
	if (parked)
		return true;
	trace_mpath_no_path(io->clone.bi_private, io->tries);
	mpath_end_io(io, status);
	return true;
}

static __always_inline void mpath_submit_io(struct mpath_head *head,
					    struct mpath_io *io)
{
	struct mpath_device *path;
	unsigned int generation;

	do {
		/* before the states are read; pairs with mpath_changed() */
		generation = smp_load_acquire(&head->generation);
		path = __mpath_get_path(head);
		if (likely(path)) {
			mpath_send(path, io);
			return;
		}
	} while (!mpath_no_path(head, io, generation));
}

static struct mpath_io *mpath_alloc_io(struct mpath_head *head, struct bio *bio)
{
	gfp_t gfp = bio->bi_opf & REQ_NOWAIT ? GFP_NOWAIT : GFP_NOIO;
	struct mpath_io *io;
	struct bio *clone;

	clone = mpath_alloc_clone(head, bio, gfp);
	if (unlikely(!clone))
		return NULL;

	io = mpath_clone_to_io(clone);
	io->path = NULL;
	io->tries = 0;
	io->counted = false;
	io->waited = false;
	mpath_start_acct(io, bio);
	return io;
}

static void mpath_start_bio(struct mpath_head *head, struct bio *bio)
{
	struct mpath_io *io = mpath_alloc_io(head, bio);

	if (likely(io)) {
		mpath_submit_io(head, io);
		return;
	}
	bio->bi_status = bio->bi_opf & REQ_NOWAIT ? BLK_STS_AGAIN :
						    BLK_STS_RESOURCE;
	bio_endio(bio);
}

/*
 * The paths split the clones to their own limits, how they are cut into segments
 * included. What only the head knows of is how much may go to a path at once.
 */
static bool mpath_may_need_split(struct bio *bio)
{
	if (bio_op(bio) != REQ_OP_READ && bio_op(bio) != REQ_OP_WRITE)
		return true;
	return bio_sectors(bio) >
	       queue_max_sectors(bdev_get_queue(bio->bi_bdev));
}

/**
 * mpath_submit_bio - the ->submit_bio of a head's disk
 * @bio: a bio for a disk whose ->private_data is the head
 *
 * Context: may sleep, unless @bio has REQ_NOWAIT.
 */
void mpath_submit_bio(struct bio *bio)
{
	struct mpath_head *head = bio->bi_bdev->bd_disk->private_data;

	if (unlikely(mpath_may_need_split(bio))) {
		bio = bio_split_to_limits(bio);
		if (!bio)
			return;
	}
	mpath_start_bio(head, bio);
}
EXPORT_SYMBOL_GPL(mpath_submit_bio);

/*
 * Make the clone new from the bio that it stands for, in the memory that it
 * has. It may wait now, whatever the issuer said: the issuer has gone on.
 */
static int mpath_renew_clone(struct mpath_io *io)
{
	struct bio *clone = &io->clone;
	int ret;

	bio_uninit(clone);
	ret = mpath_init_clone(clone, clone->bi_private, GFP_NOIO);
	clone->bi_opf &= ~REQ_NOWAIT;
	return ret;
}

/*
 * While it was parked, paths may have come that can do less. They are not to blame
 * for what is not for them.
 */
static bool mpath_still_fits(struct bio *bio)
{
	struct block_device *bdev = bio->bi_bdev;

	if (bio_integrity(bio) && !blk_get_integrity(bdev->bd_disk))
		return false;
	return !(bio->bi_opf & REQ_ATOMIC) || bio->bi_iter.bi_size <=
	       queue_atomic_write_unit_max_bytes(bdev_get_queue(bdev));
}

static void mpath_resend_io(struct mpath_head *head, struct mpath_io *io)
{
	struct bio *bio = io->clone.bi_private;
	bool parked;

	trace_mpath_requeue(bio, io->tries);
	if (unlikely(!mpath_still_fits(bio))) {
		mpath_end_io(io, BLK_STS_NOTSUPP);
		return;
	}
	if (likely(!mpath_renew_clone(io))) {
		mpath_submit_io(head, io);
		return;
	}
	/* There is memory for the clone, but not for its protection information. */
	spin_lock_irq(&head->lock);
	parked = head->life != MPATH_DEAD;
	if (parked)
		mpath_park(head, io, MPATH_MEMORY_TIME);
	spin_unlock_irq(&head->lock);
	if (!parked)
		mpath_end_io(io, BLK_STS_RESOURCE);
}

static void mpath_report(struct mpath_head *head, enum mpath_outlook outlook,
			 unsigned int nr_parked)
{
	const char *name = head->disk->disk_name;

	switch (outlook) {
	case MPATH_SERVING:
		pr_info_ratelimited("%s: a path is usable again, sending %u parked bios\n",
				    name, nr_parked);
		break;
	case MPATH_WAITING:
		pr_warn_ratelimited("%s: no usable path, I/O waits for one to come back\n",
				    name);
		break;
	case MPATH_LOST:
		pr_warn_ratelimited("%s: no path left, I/O fails after %u s\n",
				    name, READ_ONCE(head->delayed_removal_secs));
		break;
	}
}

static void mpath_requeue_work(struct work_struct *work)
{
	struct mpath_head *head =
		container_of(to_delayed_work(work), struct mpath_head,
			     requeue_work);
	enum mpath_outlook outlook;
	struct mpath_device *path;
	unsigned int nr_parked;
	struct bio_list bios;
	struct bio *clone;
	bool news;

	spin_lock_irq(&head->lock);
	/* Should a change not have been heard of, this finds out. */
	list_for_each_entry(path, &head->paths, entry)
		mpath_update_path(path);
	mpath_set_outlook(head, mpath_paths_outlook(head));
	bios = head->parked;
	bio_list_init(&head->parked);
	nr_parked = head->nr_parked;
	outlook = head->outlook;
	/* The disk of a dead head may be gone. */
	news = (head->life == MPATH_LIVE || head->life == MPATH_PENDING) &&
	       outlook != head->reported;
	if (news)
		head->reported = outlook;
	spin_unlock_irq(&head->lock);

	if (news)
		mpath_report(head, outlook, nr_parked);

	/* In their order; one that is parked again goes to the end of the list. */
	while ((clone = bio_list_pop(&bios))) {
		spin_lock_irq(&head->lock);
		head->nr_parked--;
		spin_unlock_irq(&head->lock);
		mpath_resend_io(head, mpath_clone_to_io(clone));
	}
}

/**
 * mpath_set_iopolicy - choose among equally good paths in another way
 * @head: the head
 * @iopolicy: the policy
 *
 * Context: any.
 */
void mpath_set_iopolicy(struct mpath_head *head, enum mpath_iopolicy iopolicy)
{
	unsigned long flags;

	spin_lock_irqsave(&head->lock, flags);
	WRITE_ONCE(head->iopolicy, iopolicy);
	mpath_changed(head);
	spin_unlock_irqrestore(&head->lock, flags);
}
EXPORT_SYMBOL_GPL(mpath_set_iopolicy);

/**
 * mpath_set_disabled - switch a path off, or on again
 * @path: a path that has joined a head
 * @disabled: whether it is to be kept free of I/O from now on
 *
 * I/O that the path's driver has been given stays there until it is done.
 *
 * Context: any.
 */
void mpath_set_disabled(struct mpath_device *path, bool disabled)
{
	struct mpath_head *head = path->head;
	unsigned long flags;

	spin_lock_irqsave(&head->lock, flags);
	WRITE_ONCE(path->disabled, disabled);
	mpath_update_path(path);
	spin_unlock_irqrestore(&head->lock, flags);
}
EXPORT_SYMBOL_GPL(mpath_set_disabled);

/*
 * Events for user space
 */

static void mpath_send_event(struct mpath_head *head, const char *event,
			     struct mpath_device *path)
{
	char action[32], disk[DISK_NAME_LEN + 16], name[DISK_NAME_LEN + 16];
	char *envp[4] = {};

	envp[0] = action;
	snprintf(action, sizeof(action), "MPATH_EVENT=%s", event);
	envp[1] = disk;
	snprintf(disk, sizeof(disk), "MPATH_DISK=%s", head->disk->disk_name);
	if (path) {
		envp[2] = name;
		snprintf(name, sizeof(name), "MPATH_PATH=%s",
			 path->disk->disk_name);
	}
	kobject_uevent_env(&head->event_dev->kobj, KOBJ_CHANGE, envp);
}

static void mpath_announce(struct mpath_head *head)
{
	struct mpath_device *path;
	bool usable, serving;

	list_for_each_entry(path, &head->paths, entry) {
		usable = mpath_state_is_usable(READ_ONCE(path->state));
		if (usable == path->announced)
			continue;
		path->announced = usable;
		mpath_send_event(head, usable ? "path-usable" : "path-unusable",
				 path);
	}
	serving = mpath_is_serving(head);
	if (serving == head->announced)
		return;
	head->announced = serving;
	mpath_send_event(head, serving ? "serving" : "no-path", NULL);
}

/* What has come and gone before it was told is not told. */
static void mpath_event_work(struct work_struct *work)
{
	struct mpath_head *head =
		container_of(work, struct mpath_head, event_work);

	mpath_lock(head);
	if (head->life == MPATH_LIVE || head->life == MPATH_PENDING)
		mpath_announce(head);
	mpath_unlock(head);
}

/*
 * The life of the disk
 */

enum mpath_event {
	MPATH_JOINED,		/* a path has become a member */
	MPATH_DISK_ADDED,	/* the disk has been added */
	MPATH_LEFT_TO_WAIT,	/* the last member left; the disk may wait */
	MPATH_LEFT_FOR_GOOD,	/* the last member left; the disk must go */
	MPATH_TIME_OVER,	/* the disk has waited long enough */
	MPATH_NR_EVENTS,
};

/* Return the life after @event, or -ENODEV if there is no more to be had. */
static int mpath_next_life(enum mpath_life life, enum mpath_event event)
{
	static const u8 next[MPATH_NR_LIVES][MPATH_NR_EVENTS] = {
		[MPATH_NEW] = {
			[MPATH_JOINED]		= MPATH_NEW,
			[MPATH_DISK_ADDED]	= MPATH_LIVE,
			[MPATH_LEFT_TO_WAIT]	= MPATH_DEAD,
			[MPATH_LEFT_FOR_GOOD]	= MPATH_DEAD,
			[MPATH_TIME_OVER]	= MPATH_NEW,
		},
		[MPATH_LIVE] = {
			[MPATH_JOINED]		= MPATH_LIVE,
			[MPATH_DISK_ADDED]	= MPATH_LIVE,
			[MPATH_LEFT_TO_WAIT]	= MPATH_PENDING,
			[MPATH_LEFT_FOR_GOOD]	= MPATH_DEAD,
			[MPATH_TIME_OVER]	= MPATH_LIVE,
		},
		[MPATH_PENDING] = {
			[MPATH_JOINED]		= MPATH_LIVE,
			[MPATH_DISK_ADDED]	= MPATH_PENDING,
			[MPATH_LEFT_TO_WAIT]	= MPATH_PENDING,
			[MPATH_LEFT_FOR_GOOD]	= MPATH_DEAD,
			[MPATH_TIME_OVER]	= MPATH_DEAD,
		},
	};

	if (life == MPATH_DEAD)
		return -ENODEV;
	return next[life][event];
}

/*
 * The one place where a disk's life changes. A pending disk pins its driver:
 * there may be nobody else left who does. A driver that is already on its way
 * out cannot be pinned, and takes the disk with it.
 *
 * Returns true if the disk has died of it: the caller, and only it, calls
 * mpath_bury() once it has dropped the mutex.
 */
static bool mpath_set_life(struct mpath_head *head, enum mpath_event event)
{
	enum mpath_life old = head->life;
	int life = mpath_next_life(old, event);

	lockdep_assert_held(&head->mutex);

	if (life < 0 || life == old)
		return false;
	if (life == MPATH_PENDING && !try_module_get(head->owner))
		life = MPATH_DEAD;

	spin_lock_irq(&head->lock);
	head->life = life;
	/* A path that has come back in time is not usable yet. */
	if (life == MPATH_PENDING || old == MPATH_PENDING)
		mpath_start_lost_time(head);
	mpath_changed(head);
	spin_unlock_irq(&head->lock);

	if (old == MPATH_PENDING) {
		cancel_delayed_work(&head->removal_work);
		module_put(head->owner);
	}
	return life == MPATH_DEAD;
}

static void mpath_release(struct kref *kref)
{
	struct mpath_head *head = container_of(kref, struct mpath_head, kref);

	head->ops->release(head);
}

/* Send or end what is parked. */
static void mpath_flush_parked(struct mpath_head *head)
{
	mpath_kick(head);
	flush_delayed_work(&head->requeue_work);
}

/*
 * Delete the disk of a dead head. If its last path is still listed, it takes
 * what file systems write back on this occasion. A dead head parks nothing any
 * more but what fails on that path, see mpath_leave().
 */
static void mpath_bury(struct mpath_head *head)
{
	struct gendisk *disk = head->disk;

	mpath_flush_parked(head);
	cancel_work_sync(&head->scan_work);
	cancel_work_sync(&head->event_work);
	cancel_delayed_work_sync(&head->limits_work);

	if (disk)
		del_gendisk(disk);
	head->ops->dead(head);
	if (disk) {
		spin_lock_irq(&head->lock);
		head->disk = NULL;
		spin_unlock_irq(&head->lock);
		put_disk(disk);
	}
	kref_put(&head->kref, mpath_release);
}

/* A path may have come, and gone again, or the delay been changed. */
static bool mpath_removal_is_due(struct mpath_head *head)
{
	bool due = false;

	lockdep_assert_held(&head->mutex);

	spin_lock_irq(&head->lock);
	if (head->life == MPATH_PENDING) {
		due = !mpath_lost_time_left(head);
		if (!due)
			mpath_arm_removal(head);
	}
	spin_unlock_irq(&head->lock);
	return due;
}

static void mpath_removal_work(struct work_struct *work)
{
	struct mpath_head *head =
		container_of(to_delayed_work(work), struct mpath_head,
			     removal_work);
	struct module *owner = head->owner;

	mpath_lock(head);
	if (!mpath_removal_is_due(head)) {
		mpath_unlock(head);
		return;
	}

	/* A disk that is not pending does not pin its owner; this does. */
	__module_get(owner);
	mpath_set_life(head, MPATH_TIME_OVER);
	mpath_unlock(head);
	mpath_bury(head);
	module_put(owner);
}

/* Its device is as much in use as that of a disk that is not over paths. */
static void mpath_pin(struct mpath_device *path)
{
	lockdep_assert_held(&path->head->lock);

	path->pinned = try_module_get(path->owner);
}

static void mpath_unpin(struct mpath_device *path)
{
	lockdep_assert_held(&path->head->lock);

	if (path->pinned)
		module_put(path->owner);
	path->pinned = false;
}

/**
 * mpath_open_disk - to be called by the ->open of a head's disk, if it succeeds
 * @disk: the disk
 *
 * As long as it is open, the modules that its paths need stay loaded.
 *
 * Context: process.
 */
void mpath_open_disk(struct gendisk *disk)
{
	struct mpath_head *head = disk->private_data;
	struct mpath_device *path;

	spin_lock_irq(&head->lock);
	if (!head->nr_openers++)
		list_for_each_entry(path, &head->paths, entry)
			mpath_pin(path);
	spin_unlock_irq(&head->lock);
}
EXPORT_SYMBOL_GPL(mpath_open_disk);

/**
 * mpath_release_disk - the ->release of a head's disk
 * @disk: the disk, dead or not
 *
 * Context: process.
 */
void mpath_release_disk(struct gendisk *disk)
{
	struct mpath_head *head = disk->private_data;
	struct mpath_device *path;

	spin_lock_irq(&head->lock);
	if (!--head->nr_openers)
		list_for_each_entry(path, &head->paths, entry)
			mpath_unpin(path);
	spin_unlock_irq(&head->lock);
}
EXPORT_SYMBOL_GPL(mpath_release_disk);

/**
 * mpath_free_disk - the ->free_disk of a head's disk
 * @disk: the disk, with no user left
 */
void mpath_free_disk(struct gendisk *disk)
{
	struct mpath_head *head = disk->private_data;

	kref_put(&head->kref, mpath_release);
}
EXPORT_SYMBOL_GPL(mpath_free_disk);

/*
 * Reading the partition table takes I/O, which may wait for a path. Nobody who
 * could bring a path back or take one away waits for this. If it fails, it is
 * read again when a path is back; if that is before this has failed, this is
 * queued while it runs.
 */
static void mpath_scan_work(struct work_struct *work)
{
	struct mpath_head *head =
		container_of(work, struct mpath_head, scan_work);
	struct gendisk *disk = head->disk;

	clear_bit(GD_SUPPRESS_PART_SCAN, &disk->state);
	mutex_lock(&disk->open_mutex);
	if (head->scan_due)
		WRITE_ONCE(head->scan_due,
			   bdev_disk_changed(disk, false) == -EIO);
	/* There may be no opener, whose close would forget what has been read. */
	invalidate_bdev(disk->part0);
	mutex_unlock(&disk->open_mutex);
}

static void mpath_init_limits(struct queue_limits *lim)
{
	blk_set_stacking_limits(lim);
	/* The paths say what they need; the default is more than most do. */
	lim->dma_alignment = 0;
	lim->features |= BLK_FEAT_IO_STAT | BLK_FEAT_NOWAIT;
}

/* Protection information is for all paths to have, and in the same form. */
static void mpath_stack_integrity(struct queue_limits *lim,
				  struct block_device *bdev, bool first)
{
	const struct queue_limits *blim = &bdev_get_queue(bdev)->limits;

	if (blim->integrity.tuple_size && (first || lim->integrity.tuple_size))
		queue_limits_stack_integrity_bdev(lim, bdev);
	else
		memset(&lim->integrity, 0, sizeof(lim->integrity));
}

/* Nor are atomic writes of any use if they are not the same on each path. */
static void mpath_stack_atomic(struct queue_limits *lim,
			       struct block_device *bdev, bool first)
{
	const struct queue_limits *blim = &bdev_get_queue(bdev)->limits;

	if (first) {
		lim->atomic_write_hw_max = blim->atomic_write_hw_max;
		lim->atomic_write_hw_boundary = blim->atomic_write_hw_boundary;
		lim->atomic_write_hw_unit_min = blim->atomic_write_hw_unit_min;
		lim->atomic_write_hw_unit_max = blim->atomic_write_hw_unit_max;
	} else if (lim->atomic_write_hw_max != blim->atomic_write_hw_max ||
		   lim->atomic_write_hw_boundary !=
		   blim->atomic_write_hw_boundary ||
		   lim->atomic_write_hw_unit_min !=
		   blim->atomic_write_hw_unit_min ||
		   lim->atomic_write_hw_unit_max !=
		   blim->atomic_write_hw_unit_max) {
		lim->atomic_write_hw_max = 0;
	}
}

/*
 * Returns false if there is no path to go by. That one path cannot discard is
 * lost on queue_limits_stack_bdev(), and all paths claim a write cache. If those
 * that are left do not say if there is one, it is as others have said before.
 */
static bool mpath_stack_limits(struct mpath_head *head,
			       struct queue_limits *lim)
{
	bool found = false, discards = true;
	struct mpath_device *path;
	int cache = -ENODATA;

	lockdep_assert_held(&head->mutex);

	list_for_each_entry(path, &head->paths, entry) {
		if (!path->fits)
			continue;
		queue_limits_stack_bdev(lim, path->disk->part0, 0,
					path->disk->disk_name);
		mpath_stack_integrity(lim, path->disk->part0, !found);
		mpath_stack_atomic(lim, path->disk->part0, !found);
		discards &= !!bdev_max_discard_sectors(path->disk->part0);
		cache = max(cache, head->ops->write_cache(path));
		found = true;
	}
	if (!discards)
		lim->max_hw_discard_sectors = 0;
	if (cache >= 0)
		head->write_cache = cache;
	if (!head->write_cache)
		lim->features &= ~(BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA);
	return found;
}

/* Features of a queue that have a file in sysfs. */
#define MPATH_SETTABLE	(BLK_FEAT_IO_STAT | BLK_FEAT_ROTATIONAL | \
			 BLK_FEAT_ADD_RANDOM | BLK_FEAT_STABLE_WRITES)

/* How often the limits are tried to be locked, and when again if in vain. */
#define MPATH_LIMITS_TRIES	5
#define MPATH_LIMITS_RETRY	(HZ / 10)
/* So often I/O waits for that; that is some seconds. */
#define MPATH_LIMITS_AWAITED	25

/*
 * Who sets a limit in sysfs freezes the queue with the limits locked. In most cases
 * that is over soon; but it waits for submitters, and these may, for lack of memory,
 * wait for clones that are parked.
 */
static bool mpath_trylock_limits(struct request_queue *q)
{
	int tries = MPATH_LIMITS_TRIES;

	while (!mutex_trylock(&q->limits_lock)) {
		if (!--tries)
			return false;
		msleep(20);
	}
	return true;
}

/*
 * What all paths can do. The queue is not frozen: a bio that was split to the
 * old limits is split again where it does not fit, and a freeze would wait for
 * submitters who may themselves wait for a path, with the mutex held that a
 * path needs to come back. For the same reason nobody who has the limits locked is
 * waited for: this returns false then.
 */
static bool mpath_update_limits(struct mpath_head *head)
{
	struct request_queue *q = head->disk->queue;
	struct queue_limits old, lim;
	blk_features_t set, stacked;
	unsigned long ra_pages;

	if (!mpath_trylock_limits(q))
		return false;
	old = q->limits;
	mpath_init_limits(&lim);
	if (!mpath_stack_limits(head, &lim)) {
		queue_limits_cancel_update(q);
		return true;
	}
	/* what the administrator has set on the head, not on a path */
	set = (old.features ^ head->stacked) & MPATH_SETTABLE;
	stacked = lim.features;
	lim.features = (lim.features & ~set) | (old.features & set);
	lim.max_user_sectors = old.max_user_sectors;
	lim.max_user_discard_sectors = old.max_user_discard_sectors;
	lim.flags |= old.flags & BLK_FLAG_WRITE_CACHE_DISABLED;
	ra_pages = READ_ONCE(head->disk->bdi->ra_pages);
	if (!queue_limits_commit_update(q, &lim))
		head->stacked = stacked;
	else if (!head->limits_tries)
		pr_warn("%s: the limits of the paths do not fit together\n",
			head->disk->disk_name);
	/* A path that comes or goes has no say in that. */
	WRITE_ONCE(head->disk->bdi->ra_pages, ra_pages);
	return true;
}

static bool mpath_blocks_fit(struct mpath_head *head, struct mpath_device *path)
{
	return queue_logical_block_size(path->disk->queue) ==
	       queue_logical_block_size(head->disk->queue);
}

/*
 * A path that does not know its size, or leads to something else, has no say,
 * and does not fit either.
 */
static bool mpath_path_has_say(const struct mpath_device *path)
{
	return get_capacity(path->disk) &&
	       READ_ONCE(path->transport) != MPATH_MISMATCH;
}

static bool mpath_path_votes(struct mpath_head *head, struct mpath_device *path)
{
	return mpath_path_has_say(path) && mpath_blocks_fit(head, path);
}

static bool mpath_all_paths_have(struct mpath_head *head, sector_t capacity)
{
	struct mpath_device *path;

	list_for_each_entry(path, &head->paths, entry)
		if (mpath_path_votes(head, path) &&
		    get_capacity(path->disk) != capacity)
			return false;
	return true;
}

/*
 * Is this path one to follow to another size? Another LU with the same id may be what
 * is left when those paths go that have carried I/O: it is no reason to shrink, and if
 * it has been found not to fit, none at all.
 */
static bool mpath_path_leads(struct mpath_head *head, struct mpath_device *path)
{
	if (!head->ops->verified(path))
		return false;
	if (!path->mismatch)
		return true;
	return !path->misfit &&
	       get_capacity(path->disk) > get_capacity(head->disk);
}

/* The size of the disk follows its paths when they are at one. */
static void mpath_update_capacity(struct mpath_head *head)
{
	sector_t old = get_capacity(head->disk), new;
	struct mpath_device *path;

	list_for_each_entry(path, &head->paths, entry) {
		new = get_capacity(path->disk);
		if (new == old || !mpath_path_votes(head, path) ||
		    !mpath_path_leads(head, path) ||
		    !mpath_all_paths_have(head, new))
			continue;
		if (new < old)
			pr_warn("%s: all paths say %llu sectors, were %llu: the disk shrinks\n",
				head->disk->disk_name, (u64)new, (u64)old);
		set_capacity_and_notify(head->disk, new);
		return;
	}
}

/*
 * A path in use that has become larger than the disk will do: others have yet to
 * grow. A new one of another size may be another LU.
 */
static bool mpath_path_fits(struct mpath_head *head, struct mpath_device *path)
{
	sector_t path_size = get_capacity(path->disk);
	sector_t size = get_capacity(head->disk);

	if (!mpath_path_votes(head, path))
		return false;
	if (!path->mismatch)
		return path_size >= size;
	return path_size == size && head->ops->verified(path);
}

static void mpath_set_mismatch(struct mpath_device *path, bool sized,
			       bool mismatch)
{
	struct mpath_head *head = path->head;

	spin_lock_irq(&head->lock);
	WRITE_ONCE(path->sized, sized);
	WRITE_ONCE(path->sizeless, path->sizeless && !sized);
	path->mismatch = mismatch;
	path->awaited = false;
	mpath_update_path(path);
	spin_unlock_irq(&head->lock);
}

static void mpath_check_path(struct mpath_device *path)
{
	struct mpath_head *head = path->head;
	bool mismatch = !mpath_path_fits(head, path);
	bool verified = head->ops->verified(path);
	bool misfit = mismatch &&
		      (path->misfit || (verified && mpath_path_has_say(path)));

	if (misfit && !path->misfit)
		pr_warn("%s: path %s has %llu sectors and blocks of %u bytes, the disk has %llu and %u: not used\n",
			head->disk->disk_name, path->disk->disk_name,
			(u64)get_capacity(path->disk),
			queue_logical_block_size(path->disk->queue),
			(u64)get_capacity(head->disk),
			queue_logical_block_size(head->disk->queue));
	path->misfit = misfit;
	path->fits = !mismatch;
	/* The driver scans again what has not told its size, or not for sure. */
	if (mismatch)
		mpath_set_mismatch(path, get_capacity(path->disk) && verified,
				   true);
}

/*
 * Is no bio that the disk gets from now on more than this path can take? It splits
 * what is too long, and refuses what it cannot do; but it takes a buffer where it
 * lies, protection information as it is, and an atomic write for granted. Nor may a
 * cache be there that the disk has no flushes for. That pages must not change while
 * they are written is for the administrator to say, and what goes wrong without is
 * tried again.
 */
static bool mpath_limits_allow(struct mpath_head *head,
			       struct mpath_device *path)
{
	struct block_device *bdev = path->disk->part0;
	/* Whoever has them locked does not change what is looked at here. */
	struct queue_limits lim = data_race(head->disk->queue->limits);
	unsigned int tuple_size = lim.integrity.tuple_size;
	unsigned int atomic_max = lim.atomic_write_hw_max;

	mpath_stack_integrity(&lim, bdev, false);
	mpath_stack_atomic(&lim, bdev, false);
	return lim.integrity.tuple_size == tuple_size &&
	       lim.atomic_write_hw_max == atomic_max &&
	       !(bdev_dma_alignment(bdev) & ~lim.dma_alignment) &&
	       (lim.features & BLK_FEAT_WRITE_CACHE ||
		head->ops->write_cache(path) <= 0);
}

/*
 * Let a path carry I/O, if it fits. If the disk is more than it, the limits have not
 * been brought in line: then this returns false. I/O waits for that, but not for
 * long, as who has the limits locked may wait for I/O.
 */
static bool mpath_use_path(struct mpath_device *path)
{
	struct mpath_head *head = path->head;
	bool refused, awaited;

	if (!path->fits)
		return true;
	refused = path->mismatch && !mpath_limits_allow(head, path);
	if (!refused) {
		mpath_set_mismatch(path, true, false);
		return true;
	}
	awaited = head->limits_tries < MPATH_LIMITS_AWAITED;
	if (path->awaited && !awaited)
		pr_warn("%s: path %s needs other limits, which cannot be set: not used until they can\n",
			head->disk->disk_name, path->disk->disk_name);
	spin_lock_irq(&head->lock);
	WRITE_ONCE(path->sized, true);
	path->awaited = awaited;
	mpath_update_path(path);
	spin_unlock_irq(&head->lock);
	return false;
}

static void mpath_update_read_only(struct mpath_head *head)
{
	struct mpath_device *path;
	bool read_only = false;

	list_for_each_entry(path, &head->paths, entry)
		read_only |= path->fits && get_disk_ro(path->disk);
	set_disk_ro(head->disk, read_only);
}

static void mpath_link_path(struct mpath_device *path)
{
	struct kobject *head_kobj = &disk_to_dev(path->head->disk)->kobj;
	struct kobject *path_kobj = &disk_to_dev(path->disk)->kobj;

	if (path->linked)
		return;
	path->linked = !sysfs_add_link_to_group(head_kobj,
						mpath_disk_link_group.name,
						path_kobj,
						path->disk->disk_name);
	if (!path->linked)
		pr_warn("%s: no sysfs link to %s\n",
			path->head->disk->disk_name, path->disk->disk_name);
}

static void mpath_unlink_path(struct mpath_device *path)
{
	if (!path->linked)
		return;
	path->linked = false;
	sysfs_remove_link_from_group(&disk_to_dev(path->head->disk)->kobj,
				     mpath_disk_link_group.name,
				     path->disk->disk_name);
}

/*
 * The disk is made as what its first path of a known size is. Until then no
 * path carries I/O.
 */
static int mpath_add_disk(struct mpath_head *head, struct mpath_device *path)
{
	struct queue_limits lim;
	struct gendisk *disk;
	int ret;

	mpath_init_limits(&lim);
	queue_limits_stack_bdev(&lim, path->disk->part0, 0,
				path->disk->disk_name);
	lim.max_user_sectors = 0;	/* the path's, not the disk's */
	mpath_stack_integrity(&lim, path->disk->part0, true);
	mpath_stack_atomic(&lim, path->disk->part0, true);
	disk = blk_alloc_disk(&lim, path->numa_node);
	if (IS_ERR(disk))
		return PTR_ERR(disk);

	head->stacked = lim.features;
	disk->private_data = head;
	set_capacity(disk, get_capacity(path->disk));
	set_disk_ro(disk, get_disk_ro(path->disk));
	set_bit(GD_SUPPRESS_PART_SCAN, &disk->state);
	head->ops->init_disk(head, disk);

	/* Whoever hears of the disk may read it at once. */
	mpath_set_mismatch(path, true, false);
	ret = device_add_disk(head->parent, disk, head->groups);
	if (ret) {
		put_disk(disk);
		return ret;
	}

	kref_get(&head->kref);	/* dropped in mpath_free_disk() */
	spin_lock_irq(&head->lock);
	mpath_begin_outage(head);
	/* complete, for who looks at it without the mutex */
	smp_store_release(&head->disk, disk);
	spin_unlock_irq(&head->lock);
	mpath_set_life(head, MPATH_DISK_ADDED);
	WRITE_ONCE(head->scan_due, true);
	queue_work(mpath_life_wq, &head->scan_work);
	return 0;
}

/*
 * A path has told its size, and that was of no use: as if it had not been asked, as
 * it may be the only one there is.
 */
static void mpath_forget_size(struct mpath_device *path)
{
	struct mpath_head *head = path->head;

	spin_lock_irq(&head->lock);
	WRITE_ONCE(path->sized, false);
	WRITE_ONCE(path->sizeless, false);
	path->mismatch = true;
	mpath_update_path(path);
	spin_unlock_irq(&head->lock);
}

static int mpath_need_disk(struct mpath_head *head)
{
	struct mpath_device *path;
	int ret;

	list_for_each_entry(path, &head->paths, entry) {
		if (!mpath_path_has_say(path) || !head->ops->verified(path))
			continue;
		ret = mpath_add_disk(head, path);
		if (ret)
			mpath_forget_size(path);
		return ret;
	}
	return 0;
}

static void mpath_retry_limits(struct mpath_head *head)
{
	bool awaited = head->limits_tries < MPATH_LIMITS_AWAITED;

	head->limits_tries += awaited;
	queue_delayed_work(mpath_test_wq, &head->limits_work,
			   awaited ? MPATH_LIMITS_RETRY : MPATH_SAFETY_TIME);
}

static int mpath_revalidate_locked(struct mpath_head *head)
{
	struct mpath_device *path;
	bool done;
	int ret;

	lockdep_assert_held(&head->mutex);

	/* The disk is being deleted, or is not to be made any more. */
	if (head->life == MPATH_DEAD)
		return 0;
	if (!head->disk) {
		ret = mpath_need_disk(head);
		if (ret)
			return ret;
	}
	if (!head->disk || list_empty(&head->paths))
		return 0;

	mpath_update_capacity(head);
	list_for_each_entry(path, &head->paths, entry) {
		mpath_check_path(path);
		mpath_link_path(path);
	}
	/* before it is up to a path that is new to the disk */
	mpath_update_read_only(head);
	done = mpath_update_limits(head);
	list_for_each_entry(path, &head->paths, entry)
		done &= mpath_use_path(path);
	if (done)
		head->limits_tries = 0;
	else
		mpath_retry_limits(head);
	return 0;
}

static void mpath_limits_work(struct work_struct *work)
{
	struct mpath_head *head =
		container_of(to_delayed_work(work), struct mpath_head,
			     limits_work);

	mpath_lock(head);
	mpath_revalidate_locked(head);
	mpath_unlock(head);
}

/**
 * mpath_revalidate - bring the disk in line with its paths
 * @head: the head
 *
 * To be called when the capacity, the limits or the write protection of a
 * path's disk may have changed. The disk takes a new size once all paths that
 * know theirs have it. A path that is smaller than the disk or has other blocks
 * carries no I/O until it fits.
 *
 * Context: process, may sleep.
 * Return: 0, or an errno if there is no disk yet and none could be made; to be
 * called again then.
 */
int mpath_revalidate(struct mpath_head *head)
{
	int ret;

	mpath_lock(head);
	ret = mpath_revalidate_locked(head);
	mpath_unlock(head);
	if (ret)
		pr_err("no disk could be made for %s, error %d\n",
		       dev_name(head->parent), ret);
	return ret;
}
EXPORT_SYMBOL_GPL(mpath_revalidate);

/*
 * The last that a bio does with its path: percpu_ref_put() does not look at the
 * reference again, and wait_for_completion() does not return before complete()
 * has let go of the completion.
 */
static void mpath_path_drained(struct percpu_ref *ref)
{
	struct mpath_device *path = container_of(ref, struct mpath_device, ref);

	complete(&path->drained);
}

static void mpath_list_path(struct mpath_device *path)
{
	struct mpath_head *head = path->head;

	lockdep_assert_held(&head->mutex);

	spin_lock_irq(&head->lock);
	path->listed = true;
	/* until it has been compared with the disk */
	path->mismatch = true;
	list_add_tail_rcu(&path->entry, &head->paths);
	if (head->nr_openers)
		mpath_pin(path);
	mpath_update_path(path);
	spin_unlock_irq(&head->lock);
}

static void mpath_unlist_path(struct mpath_device *path)
{
	struct mpath_head *head = path->head;

	lockdep_assert_held(&head->mutex);

	spin_lock_irq(&head->lock);
	path->listed = false;
	list_del_rcu(&path->entry);
	mpath_unpin(path);
	mpath_update_path(path);
	spin_unlock_irq(&head->lock);
}

/*
 * Wait until the last bio has left a path that is no longer listed. Outside the
 * mutex: that may take as long as its commands do.
 *
 * After the first grace period nobody chooses the path afresh, so that it
 * stays out of the cached pointers once they have been cleared again. After
 * the second nobody has such a pointer in hand.
 */
static void mpath_drain_path(struct mpath_device *path)
{
	struct mpath_head *head = path->head;

	percpu_ref_kill(&path->ref);
	synchronize_rcu();
	spin_lock_irq(&head->lock);
	mpath_changed(head);
	spin_unlock_irq(&head->lock);
	synchronize_rcu();

	wait_for_completion(&path->drained);
	cancel_delayed_work_sync(&path->test_work);
}

/**
 * mpath_join - make a path a member of a head
 * @head: the head
 * @path: the path
 *
 * The head's disk is kept from going away, and the path gets a number within
 * the head (@path->index). It carries no I/O yet.
 *
 * Context: process, may sleep.
 * Return: 0; -ENODEV if the head is dead, and a new one has to be made;
 * -ENOMEM. After success mpath_leave() and mpath_forget() have to be called in
 * the end.
 */
int mpath_join(struct mpath_head *head, struct mpath_device *path)
{
	int ret;

	/* What its driver reads of a path that has not joined does not count. */
	data_race(memset(path, 0, sizeof(*path)));
	path->head = head;
	WRITE_ONCE(path->transport, MPATH_REMOVED);
	WRITE_ONCE(path->state, MPATH_REMOVED);
	path->recovered_at = get_jiffies_64() - MPATH_TRUST_TIME - 1;
	path->nr_active = &path->own_active;
	path->changed_at = get_jiffies_64();
	init_completion(&path->drained);
	INIT_LIST_HEAD(&path->entry);
	INIT_DELAYED_WORK(&path->test_work, mpath_test_work);
	path->done = alloc_percpu(struct mpath_done);
	if (!path->done)
		return -ENOMEM;
	ret = -ENOMEM;
	path->first_test = mpath_alloc_test(GFP_KERNEL);
	if (!path->first_test)
		goto free_done;
	ret = percpu_ref_init(&path->ref, mpath_path_drained, 0, GFP_KERNEL);
	if (ret)
		goto free_test;

	mpath_lock(head);
	ret = -ENODEV;
	if (head->life == MPATH_DEAD)
		goto unlock;
	ret = ida_alloc(&head->indices, GFP_KERNEL);
	if (ret < 0)
		goto unlock;
	path->index = ret;
	ret = 0;

	kref_get(&head->kref);
	head->nr_members++;
	mpath_set_life(head, MPATH_JOINED);
unlock:
	mpath_unlock(head);
	if (!ret)
		return 0;
	percpu_ref_exit(&path->ref);
free_test:
	mpath_free_test(path->first_test);
free_done:
	free_percpu(path->done);
	return ret;
}
EXPORT_SYMBOL_GPL(mpath_join);

/**
 * mpath_add_path - let a member carry I/O
 * @path: a path that has joined
 * @disk: its disk, added; must stay until mpath_leave() has returned
 * @owner: module of the driver that carries its commands; pinned while the
 *	head's disk is open
 * @numa_node: node that it is attached to, or NUMA_NO_NODE
 * @nr_active: counter of the target port that the path leads to, there for as
 *	long as the path is; or NULL if the path is a port of its own
 *
 * The first path whose disk has a size brings the head's disk with it. On the
 * caller's side no lock may be held that I/O, or an opener of a disk, needs.
 *
 * Context: process, may sleep.
 * Return: 0, or an errno if the head's disk could not be made.
 */
int mpath_add_path(struct mpath_device *path, struct gendisk *disk,
		   struct module *owner, int numa_node, atomic_t *nr_active)
{
	struct mpath_head *head = path->head;
	int ret;

	path->disk = disk;
	path->owner = owner;
	path->numa_node = numa_node;
	if (nr_active)
		path->nr_active = nr_active;

	mpath_lock(head);
	mpath_list_path(path);
	ret = mpath_revalidate_locked(head);
	mpath_unlock(head);
	return ret;
}
EXPORT_SYMBOL_GPL(mpath_add_path);

/**
 * mpath_leave - end a path's membership
 * @path: a path that has joined, added or not
 *
 * Waits until no bio is on the path. Bios that fail on it meanwhile go to
 * other paths. The last path's leave decides about the head's disk: it goes, or
 * it stays for mpath_head.delayed_removal_secs. The path keeps its number, and
 * a reference to the head, until mpath_forget(). The queue of the path's disk must
 * let bios in, be it to fail them, or be about to.
 *
 * Context: process, may sleep, also for as long as the path's commands take.
 */
void mpath_leave(struct mpath_device *path)
{
	struct mpath_head *head = path->head;
	bool listed = path->listed, dead = false;

	mpath_lock(head);
	if (!--head->nr_members)
		dead = mpath_set_life(head,
				      READ_ONCE(head->delayed_removal_secs) ?
				      MPATH_LEFT_TO_WAIT : MPATH_LEFT_FOR_GOOD);
	if (!dead && listed) {
		mpath_unlink_path(path);
		mpath_unlist_path(path);
		if (path->announced)
			mpath_send_event(head, "path-unusable", path);
	}
	mpath_unlock(head);

	if (dead) {
		/* It has nothing to do any more, but may be at the mutex. */
		cancel_delayed_work_sync(&head->removal_work);
		mpath_bury(head);
		/* The links have gone with the disk. */
		mpath_lock(head);
		if (listed)
			mpath_unlist_path(path);
		mpath_unlock(head);
	}

	if (listed)
		mpath_drain_path(path);
	percpu_ref_exit(&path->ref);
	mpath_free_test(path->first_test);

	mpath_lock(head);
	dead = head->life == MPATH_DEAD;
	if (!dead)
		mpath_revalidate_locked(head);
	mpath_unlock(head);
	/* What failed on the way out may have been parked after the burial. */
	if (dead)
		mpath_flush_parked(head);
}
EXPORT_SYMBOL_GPL(mpath_leave);

/**
 * mpath_forget - free the number of a path that has left
 * @path: the path
 *
 * To be called when nothing that is named after the number is there any more.
 * The reference to the head is gone afterwards.
 *
 * Context: process, may sleep.
 */
void mpath_forget(struct mpath_device *path)
{
	struct mpath_head *head = path->head;

	free_percpu(path->done);
	ida_free(&head->indices, path->index);
	kref_put(&head->kref, mpath_release);
}
EXPORT_SYMBOL_GPL(mpath_forget);

/**
 * mpath_head_init - make an empty head
 * @head: memory that is all zero
 * @ops: the driver's side
 * @owner: the driver's module
 *
 * @head->parent, @head->event_dev and @head->groups are to be set before the
 * first path joins. The head dies, and is released through @ops, when its last
 * path leaves, or when the time that the disk is kept after that is over.
 *
 * Context: process, may sleep.
 * Return: 0; or -ENOMEM, then @head->ops is NULL and there is nothing to undo.
 */
int mpath_head_init(struct mpath_head *head, const struct mpath_head_ops *ops,
		    struct module *owner)
{
	int ret = -ENOMEM;

	head->owner = owner;
	mutex_init(&head->mutex);
	spin_lock_init(&head->lock);
	kref_init(&head->kref);
	INIT_LIST_HEAD(&head->paths);
	bio_list_init(&head->parked);
	ida_init(&head->indices);
	head->outlook = MPATH_LOST;
	head->served_until = get_jiffies_64() - MPATH_STANDBY_TIME;
	mpath_begin_outage(head);
	head->reported = MPATH_SERVING;
	head->lost_until = get_jiffies_64();
	INIT_DELAYED_WORK(&head->requeue_work, mpath_requeue_work);
	INIT_DELAYED_WORK(&head->removal_work, mpath_removal_work);
	INIT_WORK(&head->scan_work, mpath_scan_work);
	INIT_WORK(&head->event_work, mpath_event_work);
	INIT_DELAYED_WORK(&head->limits_work, mpath_limits_work);

	head->current_path = kcalloc(nr_node_ids, sizeof(*head->current_path),
				     GFP_KERNEL);
	if (!head->current_path)
		return ret;
	head->cpu = alloc_percpu(struct mpath_cpu);
	if (!head->cpu)
		goto free_current;
	/*
	 * No pool for protection information: mpath_init_clone() makes it while
	 * the clone belongs to no pool.
	 */
	ret = bioset_init(&head->bio_pool, MPATH_BIO_POOL_SIZE,
			  offsetof(struct mpath_io, clone), 0);
	if (ret)
		goto free_cpu;
	head->ops = ops;
	return 0;

free_cpu:
	free_percpu(head->cpu);
free_current:
	kfree(head->current_path);
	return ret;
}
EXPORT_SYMBOL_GPL(mpath_head_init);

/**
 * mpath_head_exit - take down what mpath_head_init() has made
 * @head: a head that is being released
 *
 * No clone is in use by now. One on a path keeps mpath_leave()
 * from returning; what was parked until then has been ended before the member's
 * reference is dropped; and a submitter that finds no path is waited for when
 * the disk's queue is frozen, in del_gendisk().
 *
 * Context: process, may sleep.
 */
void mpath_head_exit(struct mpath_head *head)
{
	cancel_work_sync(&head->event_work);
	cancel_delayed_work_sync(&head->requeue_work);
	mpath_free_idle(head);
	bioset_exit(&head->bio_pool);
	free_percpu(head->cpu);
	kfree(head->current_path);
	ida_destroy(&head->indices);
	mutex_destroy(&head->mutex);
}
EXPORT_SYMBOL_GPL(mpath_head_exit);

/*
 * sysfs
 */

static struct mpath_head *mpath_dev_to_head(struct device *dev)
{
	return dev_to_disk(dev)->private_data;
}

static ssize_t delayed_removal_secs_show(struct device *dev,
					 struct device_attribute *attr,
					 char *buf)
{
	struct mpath_head *head = mpath_dev_to_head(dev);

	return sysfs_emit(buf, "%u\n", READ_ONCE(head->delayed_removal_secs));
}

/* A removal that is already pending is timed anew, from now on. */
static ssize_t delayed_removal_secs_store(struct device *dev,
					  struct device_attribute *attr,
					  const char *buf, size_t count)
{
	struct mpath_head *head = mpath_dev_to_head(dev);
	unsigned int secs;
	int ret;

	ret = kstrtouint(buf, 0, &secs);
	if (ret)
		return ret;
	if (secs > MPATH_REMOVAL_SECS_MAX)
		return -ERANGE;

	/* Not the mutex: it is held while the attributes are being added. */
	spin_lock_irq(&head->lock);
	WRITE_ONCE(head->delayed_removal_secs, secs);
	if (head->outlook == MPATH_LOST || head->life == MPATH_PENDING)
		mpath_start_lost_time(head);
	mpath_changed(head);
	spin_unlock_irq(&head->lock);
	return count;
}
static DEVICE_ATTR_RW(delayed_removal_secs);

static ssize_t mpath_parked_show(struct device *dev,
				 struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n",
			  mpath_read_counter(mpath_dev_to_head(dev)->nr_parked));
}
static DEVICE_ATTR_RO(mpath_parked);

/**
 * mpath_parse_zero - what is written to a file that can only be reset
 * @buf: what has been written
 *
 * Context: any.
 * Return: 0 for a zero in any notation, an errno for all else.
 */
int mpath_parse_zero(const char *buf)
{
	unsigned long value;
	int ret;

	ret = kstrtoul(buf, 0, &value);
	if (ret)
		return ret;
	return value ? -EINVAL : 0;
}
EXPORT_SYMBOL_GPL(mpath_parse_zero);

/**
 * mpath_forget_error - let a path have had no error
 * @path: a path that has joined a head
 *
 * Context: process.
 */
void mpath_forget_error(struct mpath_device *path)
{
	struct mpath_head *head = path->head;

	spin_lock_irq(&head->lock);
	path->last_error = BLK_STS_OK;
	path->last_error_at = 0;
	spin_unlock_irq(&head->lock);
}
EXPORT_SYMBOL_GPL(mpath_forget_error);

/**
 * mpath_store_counter - set a counter to zero, by the ->store of its attribute
 * @head: the head that it belongs to, or the one of its path
 * @counter: a counter that only changes under the head's lock
 * @buf: what has been written, which must be a zero
 * @count: its length
 *
 * Context: process.
 * Return: @count, or an errno.
 */
ssize_t mpath_store_counter(struct mpath_head *head, unsigned long *counter,
			    const char *buf, size_t count)
{
	int ret = mpath_parse_zero(buf);

	if (ret)
		return ret;
	spin_lock_irq(&head->lock);
	WRITE_ONCE(*counter, 0);
	spin_unlock_irq(&head->lock);
	return count;
}
EXPORT_SYMBOL_GPL(mpath_store_counter);

static unsigned long *mpath_dev_to_counter(struct device *dev,
					   struct device_attribute *attr)
{
	return mpath_attr_to_counter(mpath_dev_to_head(dev), attr);
}

static ssize_t mpath_counter_show(struct device *dev,
				  struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n",
			  mpath_read_counter(*mpath_dev_to_counter(dev, attr)));
}

static ssize_t mpath_counter_store(struct device *dev,
				   struct device_attribute *attr,
				   const char *buf, size_t count)
{
	return mpath_store_counter(mpath_dev_to_head(dev),
				   mpath_dev_to_counter(dev, attr), buf, count);
}

#define MPATH_COUNTER(_name, _member)					\
	MPATH_COUNTER_ATTR(mpath, _name, struct mpath_head, _member)

MPATH_COUNTER(failovers, nr_failovers);
MPATH_COUNTER(waited, nr_waited);
MPATH_COUNTER(refused, nr_refused);

/* An outage that lasts counts with what there has been of it. */
static ssize_t mpath_outage_ms_show(struct device *dev,
				    struct device_attribute *attr, char *buf)
{
	struct mpath_head *head = mpath_dev_to_head(dev);
	unsigned long ms;

	spin_lock_irq(&head->lock);
	mpath_sum_outages(head);
	ms = head->outages;
	spin_unlock_irq(&head->lock);
	return sysfs_emit(buf, "%lu\n", ms);
}

static ssize_t mpath_outage_ms_store(struct device *dev,
				     struct device_attribute *attr,
				     const char *buf, size_t count)
{
	struct mpath_head *head = mpath_dev_to_head(dev);
	int ret = mpath_parse_zero(buf);

	if (ret)
		return ret;
	spin_lock_irq(&head->lock);
	mpath_sum_outages(head);
	head->outages = 0;
	spin_unlock_irq(&head->lock);
	return count;
}
static DEVICE_ATTR_RW(mpath_outage_ms);

static ssize_t mpath_outage_longest_ms_show(struct device *dev,
					    struct device_attribute *attr,
					    char *buf)
{
	struct mpath_head *head = mpath_dev_to_head(dev);
	unsigned long ms;

	spin_lock_irq(&head->lock);
	ms = mpath_longest_outage(head);
	spin_unlock_irq(&head->lock);
	return sysfs_emit(buf, "%lu\n", ms);
}

static ssize_t mpath_outage_longest_ms_store(struct device *dev,
					     struct device_attribute *attr,
					     const char *buf, size_t count)
{
	struct mpath_head *head = mpath_dev_to_head(dev);

	return mpath_store_counter(head, &head->outage_longest, buf, count);
}
static DEVICE_ATTR_RW(mpath_outage_longest_ms);

static struct attribute *mpath_disk_attrs[] = {
	&dev_attr_delayed_removal_secs.attr,
	&dev_attr_mpath_parked.attr,
	&mpath_attr_failovers.attr.attr,
	&mpath_attr_waited.attr.attr,
	&mpath_attr_refused.attr.attr,
	&dev_attr_mpath_outage_ms.attr,
	&dev_attr_mpath_outage_longest_ms.attr,
	NULL
};

/** mpath_disk_attr_group - attributes of every head's disk */
const struct attribute_group mpath_disk_attr_group = {
	.attrs	= mpath_disk_attrs,
};
EXPORT_SYMBOL_GPL(mpath_disk_attr_group);

static struct attribute *mpath_disk_links[] = {
	NULL
};

/** mpath_disk_link_group - where a head's disk has the links to its paths */
const struct attribute_group mpath_disk_link_group = {
	.name	= "multipath",
	.attrs	= mpath_disk_links,
};
EXPORT_SYMBOL_GPL(mpath_disk_link_group);

static int __init mpath_init(void)
{
	mpath_io_wq = alloc_workqueue("mpath_io",
				      WQ_MEM_RECLAIM | WQ_UNBOUND | WQ_HIGHPRI,
				      WQ_MAX_ACTIVE);
	if (!mpath_io_wq)
		return -ENOMEM;
	mpath_test_wq = alloc_workqueue("mpath_test",
					WQ_MEM_RECLAIM | WQ_UNBOUND,
					WQ_MAX_ACTIVE);
	if (!mpath_test_wq)
		goto destroy_io_wq;
	mpath_life_wq = alloc_workqueue("mpath_life", WQ_UNBOUND, 0);
	if (!mpath_life_wq)
		goto destroy_test_wq;
	return 0;

destroy_test_wq:
	destroy_workqueue(mpath_test_wq);
destroy_io_wq:
	destroy_workqueue(mpath_io_wq);
	return -ENOMEM;
}

static void __exit mpath_exit(void)
{
	destroy_workqueue(mpath_life_wq);
	destroy_workqueue(mpath_test_wq);
	destroy_workqueue(mpath_io_wq);
}

/* before the drivers that use it */
subsys_initcall(mpath_init);
module_exit(mpath_exit);

MODULE_DESCRIPTION("One disk over several paths");
MODULE_LICENSE("GPL");

#ifdef CONFIG_MULTIPATH_KUNIT_TEST
#include "multipath_kunit.c"
#endif
