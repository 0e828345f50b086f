/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libmultipath: one disk over several paths.
 *
 * A driver whose devices are paths to the same storage embeds a struct
 * mpath_head for the storage and a struct mpath_device for each path. The
 * library owns the disk that users see, chooses a path for every bio, and
 * decides what happens when a path fails or none is left. It knows no
 * transport: what a path's state is, it asks the driver.
 */
#ifndef _LINUX_MULTIPATH_H
#define _LINUX_MULTIPATH_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/idr.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/percpu-refcount.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

struct mpath_cpu;
struct mpath_device;
struct mpath_head;
struct mpath_test;

/**
 * enum mpath_iopolicy - how a head chooses among equally good paths
 * @MPATH_IOPOLICY_NUMA: the path nearest to the submitting CPU's node
 * @MPATH_IOPOLICY_RR: each path in turn, for every CPU on its own
 * @MPATH_IOPOLICY_QD: the path whose target port has least to do
 * @MPATH_NR_IOPOLICIES: number of policies
 */
enum mpath_iopolicy {
	MPATH_IOPOLICY_NUMA,
	MPATH_IOPOLICY_RR,
	MPATH_IOPOLICY_QD,
	MPATH_NR_IOPOLICIES,
};

/**
 * enum mpath_state - whether a path takes I/O, and if not, why
 *
 * The order matters. The first two states take I/O, the better one first. The
 * next group does not, but something is under way that may bring the path
 * back, so that I/O waits for it. Of the rest nobody knows whether, and when,
 * they come back: I/O waits for a limited time then, if at all.
 *
 * @MPATH_OPTIMIZED: takes I/O at full speed
 * @MPATH_NONOPTIMIZED: takes I/O, at a price
 * @MPATH_UNKNOWN: the access state, or the size, has not been learnt yet, or the
 *	limits of the disk are about to be changed for it
 * @MPATH_BLOCKED: the transport holds commands back for a while
 * @MPATH_TRANSITIONING: between two access states
 * @MPATH_FAILED: I/O failed; held down until a test read succeeds
 * @MPATH_DEGRADED: I/O failed and so do the tests, for long; still tested
 * @MPATH_STANDBY: the target takes no I/O on this path
 * @MPATH_UNAVAILABLE: the target takes next to no command on this path
 * @MPATH_OFFLINE: the device or its transport is offline
 * @MPATH_DISABLED: switched off by the administrator
 * @MPATH_MISMATCH: the device differs from the disk, see mpath_revalidate()
 * @MPATH_REMOVED: not a path of any head, or on its way out
 * @MPATH_NR_STATES: number of states
 */
enum mpath_state {
	MPATH_OPTIMIZED,
	MPATH_NONOPTIMIZED,

	MPATH_UNKNOWN,
	MPATH_BLOCKED,
	MPATH_TRANSITIONING,
	MPATH_FAILED,

	MPATH_DEGRADED,
	MPATH_STANDBY,
	MPATH_UNAVAILABLE,
	MPATH_OFFLINE,
	MPATH_DISABLED,
	MPATH_MISMATCH,
	MPATH_REMOVED,

	MPATH_NR_STATES,
};

static inline bool mpath_state_is_usable(enum mpath_state state)
{
	return state <= MPATH_NONOPTIMIZED;
}

/* Who waits for one of these to end must not wait for the others anew. */
static inline bool mpath_state_is_alua_wait(enum mpath_state state)
{
	return state == MPATH_TRANSITIONING || state == MPATH_STANDBY ||
	       state == MPATH_UNAVAILABLE;
}

static inline bool mpath_state_is_returning(enum mpath_state state)
{
	return state > MPATH_NONOPTIMIZED && state <= MPATH_FAILED;
}

/**
 * enum mpath_outlook - what a head can do with a bio now
 * @MPATH_SERVING: a path is usable
 * @MPATH_WAITING: no path is usable, one may come back by itself
 * @MPATH_LOST: no path is usable, and none is known to come back
 */
enum mpath_outlook {
	MPATH_SERVING,
	MPATH_WAITING,
	MPATH_LOST,
};

/**
 * enum mpath_life - the life of a head's disk
 * @MPATH_NEW: no disk yet; becomes LIVE with the first path, or DEAD without
 * @MPATH_LIVE: users have the disk
 * @MPATH_PENDING: users have the disk, its last path is gone; becomes LIVE
 *	with a new path, or DEAD when the delay is over
 * @MPATH_DEAD: the disk is being deleted or is; nothing leads back from here
 * @MPATH_NR_LIVES: number of states
 */
enum mpath_life {
	MPATH_NEW,
	MPATH_LIVE,
	MPATH_PENDING,
	MPATH_DEAD,
	MPATH_NR_LIVES,
};

/**
 * struct mpath_head_ops - what the library needs of its driver
 * @get_state: Tell a path's state as the transport sees it, one of OPTIMIZED,
 *	NONOPTIMIZED, UNKNOWN, BLOCKED, TRANSITIONING, STANDBY, UNAVAILABLE,
 *	OFFLINE and, if it leads to something else, MISMATCH; and whether the
 *	target prefers this path among its equals.
 *	Called in any context, with a spinlock held; must not sleep.
 * @verified: Tell whether it is certain now that the path leads to what the head
 *	stands for. One of which it is not brings no disk and no other size.
 *	May sleep.
 * @write_cache: Tell whether a path's device has a volatile write cache: 1, 0,
 *	or an errno if it does not say. The queue of its disk must always claim
 *	one: the block layer would drop a flush that another path is the reason
 *	for. May sleep.
 * @init_disk: Give the disk its name, numbers and fops. The latter must have
 *	mpath_submit_bio(), mpath_release_disk() and mpath_free_disk(), and call
 *	mpath_open_disk(); ->private_data is the head. May sleep.
 * @left: A path is not usable any more. The driver may let go of what it has not
 *	begun yet, for other paths to take. Called in any context, with a
 *	spinlock held; must not sleep. Optional.
 * @no_path: No path is usable any more. The driver may know how to get one.
 *	Called in any context, with a spinlock held; must not sleep. Optional.
 * @dead: The disk has been deleted, no path will join any more. May sleep.
 * @release: The last reference is gone: call mpath_head_exit() and free the
 *	head. May sleep.
 */
struct mpath_head_ops {
	enum mpath_state (*get_state)(struct mpath_device *path,
				      bool *preferred);
	bool (*verified)(struct mpath_device *path);
	int (*write_cache)(struct mpath_device *path);
	void (*init_disk)(struct mpath_head *head, struct gendisk *disk);
	void (*left)(struct mpath_device *path);
	void (*no_path)(struct mpath_head *head);
	void (*dead)(struct mpath_head *head);
	void (*release)(struct mpath_head *head);
};

/**
 * struct mpath_done - what a CPU has seen a path do
 * @ios: bios that have ended there, with an error or without
 * @sectors: what they were to move or discard
 */
struct mpath_done {
	unsigned long		ios;
	unsigned long		sectors;
};

/**
 * struct mpath_device - one path
 *
 * Embedded in the driver's structure. The driver brings it in with
 * mpath_join(), makes it take I/O with mpath_add_path() and takes it out with
 * mpath_leave(); when that returns, no bio of the head is on the path or can
 * come to it. After mpath_forget() nothing in the library points to it, and it
 * may be freed or join again. Each bio in flight holds @ref from before it is
 * sent until it has ended. That reference, not a read-side critical section, is
 * what keeps the path: a bio that is submitted from within submit_bio() only
 * goes to the caller's list and is sent after the head's own submission has
 * returned.
 *
 * @head: the head that the path has joined
 * @disk: the path's own gendisk, hidden from users
 * @entry: in the head's list, RCU protected
 * @ref: a reference for each bio on the path
 * @drained: @ref is down to zero
 * @index: number of the path within its head, stable while it is a member
 * @owner: module of the driver that carries the path's commands
 * @numa_node: node that the path is attached to
 * @nr_active: bios in flight to the target port that the path leads to,
 *	counted while the policy is queue-depth; shared by all paths to that port
 * @own_active: what @nr_active points to if the driver knows no ports
 * @done: what it has done, per CPU; there until mpath_forget()
 * @state: what selection goes by; changed under the head's lock only
 * @preferred: the target prefers this path among its equals
 * @transport: what the driver said last
 * @pinned: @owner cannot be unloaded, as the head's disk is open
 * @returned: it has said better things since it last asked
 * @listed: the path is in the head's list; under the head's mutex and lock
 * @announced: user space has been told that it is usable; under the head's mutex
 * @linked: the head's disk has a link to it; under the head's mutex
 * @fits: can stand for the disk, whose limits may have to be brought in line
 *	first; under the head's mutex
 * @misfit: has been found to have another size or other blocks than the disk,
 *	which the log has been told; under the head's mutex
 * @disabled: switched off by the administrator
 * @failed: I/O failed, no test has succeeded since
 * @degraded: the tests have failed for long
 * @mismatch: the path cannot stand for the disk, or not yet
 * @awaited: it will once the limits of the disk have been brought in line
 * @sized: its disk had a size when that was looked at last
 * @sizeless: has been asked often enough; see mpath_give_up_size()
 * @losses: how often it has ceased to be usable
 * @failed_at: when @failed was set (jiffies, in 64 bits as it may be long ago)
 * @recovered_at: when @failed was last cleared (likewise)
 * @backoff: time until the next test (jiffies)
 * @test_work: tests a failed path
 * @nr_tests: tests under way
 * @first_test: the one that needs no memory
 * @nr_errors: bios that the path has ended with an error
 * @nr_failovers: those of them that were given to another try
 * @nr_retries: bios that came here after another try had failed
 * @nr_changes: how often @state has changed
 * @changed_at: when it last did (jiffies, in 64 bits as it may be long ago), but
 *	from one ALUA state in which a path may be about to return to another
 * @last_error: the last error
 * @last_error_at: and when it was (seconds since 1970)
 */
struct mpath_device {
	struct mpath_head	*head;
	struct gendisk		*disk;
	struct list_head	entry;
	struct percpu_ref	ref;
	struct completion	drained;
	unsigned int		index;
	struct module		*owner;
	int			numa_node;
	atomic_t		*nr_active;
	atomic_t		own_active;
	struct mpath_done __percpu *done;
	enum mpath_state	state;
	enum mpath_state	transport;
	bool			preferred;
	bool			listed;
	bool			announced;
	bool			linked;
	bool			fits;
	bool			misfit;

	/* protected by the head's lock */
	bool			pinned;
	bool			returned;
	bool			disabled;
	bool			failed;
	bool			degraded;
	bool			mismatch;
	bool			awaited;
	bool			sized;
	bool			sizeless;
	unsigned int		losses;
	u64			failed_at;
	u64			recovered_at;
	unsigned long		backoff;
	struct delayed_work	test_work;
	unsigned int		nr_tests;
	struct mpath_test	*first_test;
	unsigned long		nr_errors;
	unsigned long		nr_failovers;
	unsigned long		nr_retries;
	unsigned long		nr_changes;
	u64			changed_at;
	blk_status_t		last_error;
	time64_t		last_error_at;
};

/**
 * struct mpath_head - several paths and the disk over them
 *
 * Embedded in the driver's structure, which lives until ->release(). There is
 * a reference for each path that has joined, one for the disk until its last
 * user has closed it, and one for not being DEAD. @life only changes under
 * @mutex and only in mpath_set_life(); whoever makes it DEAD deletes the disk.
 *
 * The hot path takes neither lock. @lock orders every change of a path's state
 * with the decision to park a bio: a bio is parked only if nothing has changed
 * (@generation) since the search that found no path, so that a wake-up is
 * never missed.
 *
 * @ops: the driver's side
 * @owner: module that is pinned while the removal of the disk is pending
 * @parent: parent device of the disk
 * @event_dev: where user space is told of the paths; not @disk, which a change
 *	event has looked at, with I/O, just when that may not be possible
 * @groups: attribute groups of the disk, mpath_disk_link_group among them
 * @disk: the disk, once it has been added, until it has been deleted; cleared
 *	under @lock
 * @stacked: features of its queue as the paths would have them; under @mutex
 * @write_cache: a path has said that there is a volatile write cache, and none that
 *	there is none any more; under @mutex
 * @bio_pool: where clones are from, with a reserve
 * @iopolicy: &enum mpath_iopolicy
 * @current_path: per node, the path that numa last chose
 * @cpu: what there is for each CPU
 * @generation: counts changes of @paths and of its members' states
 * @mutex: membership, life, limits and capacity; may be held for long, but
 *	never across I/O or del_gendisk()
 * @noio: allocation scope to return to, under @mutex: no memory is to be freed
 *	by I/O that waits for a path, which @mutex is needed to bring
 * @kref: references
 * @life: &enum mpath_life
 * @nr_members: paths that have joined
 * @indices: indices in use by members
 * @delayed_removal_secs: how long the disk outlives its last path
 * @lock: taken in any context; nests inside @mutex
 * @paths: the paths that take part in selection; changed under @mutex and @lock
 * @nr_openers: of the disk; under @lock
 * @outlook: &enum mpath_outlook, derived from @paths
 * @served_until: when @outlook was last SERVING (jiffies, in 64 bits)
 * @reported: the outlook that the log was last told
 * @lost_until: while LOST, how long I/O is parked; while PENDING, how long the
 *	disk stays (jiffies, in 64 bits as it may be looked at much later)
 * @parked: clones that wait for a path
 * @nr_parked: their number
 * @nr_failovers: bios that a path failed and that were given to another try
 * @nr_waited: bios that had to wait for a path
 * @nr_refused: bios that failed for want of a path
 * @outages: time without a usable path in all, up to @outages_until (ms)
 * @outages_until: while there is none, what @outages has been added up to (ms
 *	since boot)
 * @outage_longest: the longest of these times, but for the present one (ms)
 * @outage_since: when the present one began (ms since boot)
 * @requeue_work: sends the parked bios again
 * @scan_work: scans the partitions
 * @scan_due: which has not been possible yet
 * @removal_work: deletes the disk when the delay is over
 * @event_work: tells user space which paths are usable
 * @announced: whether it has been told that one is; under @mutex
 * @limits_work: brings the disk in line, as somebody else was changing its limits
 * @limits_tries: how often it has tried in vain; under @mutex
 */
struct mpath_head {
	const struct mpath_head_ops *ops;
	struct module		*owner;
	struct device		*parent;
	struct device		*event_dev;
	const struct attribute_group **groups;

	struct gendisk		*disk;
	blk_features_t		stacked;
	bool			write_cache;
	struct bio_set		bio_pool;
	enum mpath_iopolicy	iopolicy;
	struct mpath_device __rcu **current_path;
	struct mpath_cpu __percpu *cpu;
	unsigned int		generation;

	struct mutex		mutex; /* members, life, limits */
	unsigned int		noio;
	struct kref		kref;
	enum mpath_life		life;
	unsigned int		nr_members;
	struct ida		indices;
	unsigned int		delayed_removal_secs;

	spinlock_t		lock; /* states, parked bios */
	struct list_head	paths;
	unsigned int		nr_openers;
	enum mpath_outlook	outlook;
	u64			served_until;
	enum mpath_outlook	reported;
	u64			lost_until;
	struct bio_list		parked;
	unsigned int		nr_parked;
	unsigned long		nr_failovers;
	unsigned long		nr_waited;
	unsigned long		nr_refused;
	unsigned long		outages;
	u64			outages_until;
	unsigned long		outage_longest;
	u64			outage_since;

	struct delayed_work	requeue_work;
	struct work_struct	scan_work;
	bool			scan_due;
	struct delayed_work	removal_work;
	struct work_struct	event_work;
	bool			announced;
	struct delayed_work	limits_work;
	unsigned int		limits_tries;
};

static inline bool mpath_is_serving(const struct mpath_head *head)
{
	return READ_ONCE(head->outlook) == MPATH_SERVING;
}

/*
 * Counters in sysfs, set to zero by writing a zero. One attribute each, with
 * PREFIX_counter_show() and PREFIX_counter_store() of whoever has them.
 */
struct mpath_counter_attribute {
	struct device_attribute	attr;
	size_t			offset;
};

#define MPATH_COUNTER_ATTR(_prefix, _name, _struct, _member)		\
	static struct mpath_counter_attribute _prefix##_attr_##_name = {	\
		.attr	= __ATTR(mpath_##_name, 0644,			\
				 _prefix##_counter_show,		\
				 _prefix##_counter_store),		\
		.offset	= offsetof(_struct, _member),			\
	}

static inline unsigned long *mpath_attr_to_counter(void *object,
						   struct device_attribute *attr)
{
	return object + container_of(attr, struct mpath_counter_attribute,
				     attr)->offset;
}

/*
 * What is counted under the head's lock and shown without it. To show it is all
 * that it is for, so it may be what it was a moment ago.
 */
#define mpath_read_counter(_counter)	data_race(READ_ONCE(_counter))

int mpath_parse_zero(const char *buf);
void mpath_forget_error(struct mpath_device *path);
ssize_t mpath_store_counter(struct mpath_head *head, unsigned long *counter,
			    const char *buf, size_t count);

extern const struct attribute_group mpath_disk_attr_group;
extern const struct attribute_group mpath_disk_link_group;

int mpath_head_init(struct mpath_head *head, const struct mpath_head_ops *ops,
		    struct module *owner);
void mpath_head_exit(struct mpath_head *head);

int mpath_join(struct mpath_head *head, struct mpath_device *path);
int mpath_add_path(struct mpath_device *path, struct gendisk *disk,
		   struct module *owner, int numa_node, atomic_t *nr_active);
void mpath_leave(struct mpath_device *path);
void mpath_forget(struct mpath_device *path);

bool mpath_path_changed(struct mpath_device *path);
void mpath_give_up_size(struct mpath_device *path);
unsigned int mpath_outage_ms(struct mpath_head *head);
int mpath_revalidate(struct mpath_head *head);
void mpath_set_iopolicy(struct mpath_head *head, enum mpath_iopolicy iopolicy);
void mpath_set_disabled(struct mpath_device *path, bool disabled);
void mpath_path_nodes(struct mpath_device *path, nodemask_t *nodes);
void mpath_path_done(struct mpath_device *path, struct mpath_done *sum);

struct mpath_device *mpath_get_path(struct mpath_head *head);
void mpath_put_path(struct mpath_device *path);

void mpath_submit_bio(struct bio *bio);
void mpath_open_disk(struct gendisk *disk);
void mpath_release_disk(struct gendisk *disk);
void mpath_free_disk(struct gendisk *disk);

int mpath_parse_iopolicy(const char *name);
const char *mpath_iopolicy_name(enum mpath_iopolicy iopolicy);
const char *mpath_state_name(enum mpath_state state);

#endif /* _LINUX_MULTIPATH_H */
