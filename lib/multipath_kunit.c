// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of libmultipath. Included by multipath.c, whose static functions
 * they call. There is no disk behind the heads and paths here: what is tested
 * is what decides, not what sends.
 */

#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/kasan.h>

#define MPATH_TEST_PATHS	4
#define MPATH_TEST_BIOS		4

struct mpath_kunit_path {
	struct mpath_device	path;
	struct gendisk		disk;
	struct block_device	bdev;
	enum mpath_state	state;
	bool			preferred;
	bool			cached;
	bool			joined;
	atomic_t		tests;
};

struct mpath_kunit_bio {
	struct mpath_kunit	*ctx;
	int			ended;
	unsigned int		order;
	struct bio		bio;
};

struct mpath_kunit {
	struct mpath_head	*head;
	struct mpath_kunit_path	paths[MPATH_TEST_PATHS];
	struct mpath_kunit_bio	*bios[MPATH_TEST_BIOS];
	unsigned int		nr_ended;
	atomic_t		kicks;
	atomic_t		events;
	int			dead;
	int			released;
	bool			dead_before_release;
	struct work_struct	unlist_work;
	struct completion	unlisted;
};

struct mpath_kunit_head {
	struct mpath_head	head;
	struct mpath_kunit	*ctx;
};

static struct mpath_kunit *mpath_kunit_of(struct mpath_head *head)
{
	return container_of(head, struct mpath_kunit_head, head)->ctx;
}

static enum mpath_state mpath_kunit_get_state(struct mpath_device *path,
					      bool *preferred)
{
	struct mpath_kunit_path *tpath =
		container_of(path, struct mpath_kunit_path, path);

	*preferred = READ_ONCE(tpath->preferred);
	return READ_ONCE(tpath->state);
}

static void mpath_kunit_dead(struct mpath_head *head)
{
	mpath_kunit_of(head)->dead++;
}

/* The memory goes, as it does in a driver: KASAN sees who comes too late. */
static void mpath_kunit_release(struct mpath_head *head)
{
	struct mpath_kunit *ctx = mpath_kunit_of(head);

	ctx->released++;
	ctx->dead_before_release = ctx->dead;
	mpath_head_exit(head);
	kfree(container_of(head, struct mpath_kunit_head, head));
}

static bool mpath_kunit_verified(struct mpath_device *path)
{
	return true;
}

static int mpath_kunit_write_cache(struct mpath_device *path)
{
	return container_of(path, struct mpath_kunit_path, path)->cached;
}

static const struct mpath_head_ops mpath_kunit_ops = {
	.get_state	= mpath_kunit_get_state,
	.verified	= mpath_kunit_verified,
	.write_cache	= mpath_kunit_write_cache,
	.dead		= mpath_kunit_dead,
	.release	= mpath_kunit_release,
};

/* In place of mpath_requeue_work(), which the tests call when they want it. */
static void mpath_kunit_kicked(struct work_struct *work)
{
	struct mpath_head *head =
		container_of(to_delayed_work(work), struct mpath_head,
			     requeue_work);

	atomic_inc(&mpath_kunit_of(head)->kicks);
}

/* In place of mpath_event_work(), for which there would have to be a disk. */
static void mpath_kunit_changed(struct work_struct *work)
{
	struct mpath_head *head =
		container_of(work, struct mpath_head, event_work);

	atomic_inc(&mpath_kunit_of(head)->events);
}

/* In place of mpath_test_work(), which would read from a disk. */
static void mpath_kunit_tested(struct work_struct *work)
{
	struct mpath_device *path =
		container_of(to_delayed_work(work), struct mpath_device,
			     test_work);

	atomic_inc(&container_of(path, struct mpath_kunit_path, path)->tests);
}

static int mpath_kunit_init(struct kunit *test)
{
	struct mpath_kunit_head *thead;
	struct mpath_kunit *ctx;
	unsigned int i;
	int ret;

	ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx);
	for (i = 0; i < MPATH_TEST_BIOS; i++) {
		ctx->bios[i] = kunit_kzalloc(test, sizeof(*ctx->bios[i]),
					     GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, ctx->bios[i]);
		ctx->bios[i]->ctx = ctx;
	}
	test->priv = ctx;

	thead = kzalloc(sizeof(*thead), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, thead);
	ret = mpath_head_init(&thead->head, &mpath_kunit_ops, THIS_MODULE);
	if (ret) {
		kfree(thead);
		return ret;
	}

	INIT_DELAYED_WORK(&thead->head.requeue_work, mpath_kunit_kicked);
	INIT_WORK(&thead->head.event_work, mpath_kunit_changed);
	thead->ctx = ctx;
	ctx->head = &thead->head;
	return 0;
}

static int mpath_kunit_join(struct mpath_kunit *ctx, unsigned int nr)
{
	struct mpath_kunit_path *tpath = &ctx->paths[nr];
	int ret = mpath_join(ctx->head, &tpath->path);

	if (ret)
		return ret;
	INIT_DELAYED_WORK(&tpath->path.test_work, mpath_kunit_tested);
	/* A disk without a size, which no head makes a disk of its own of. */
	tpath->disk.part0 = &tpath->bdev;
	tpath->path.disk = &tpath->disk;
	tpath->path.numa_node = NUMA_NO_NODE;
	tpath->joined = true;
	return 0;
}

/* Join with a path and have it take part in selection. */
static struct mpath_device *mpath_kunit_list(struct kunit *test, unsigned int nr,
					     enum mpath_state state)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_device *path = &ctx->paths[nr].path;

	KUNIT_ASSERT_EQ(test, mpath_kunit_join(ctx, nr), 0);
	ctx->paths[nr].state = state;

	mutex_lock(&ctx->head->mutex);
	mpath_list_path(path);
	/* as it is when it has been found to fit the disk */
	spin_lock_irq(&ctx->head->lock);
	path->mismatch = false;
	mpath_update_path(path);
	spin_unlock_irq(&ctx->head->lock);
	mutex_unlock(&ctx->head->mutex);
	return path;
}

static void mpath_kunit_unlist(struct mpath_device *path)
{
	mutex_lock(&path->head->mutex);
	mpath_unlist_path(path);
	mutex_unlock(&path->head->mutex);
	mpath_drain_path(path);
}

static void mpath_kunit_leave(struct mpath_kunit *ctx, unsigned int nr)
{
	struct mpath_kunit_path *tpath = &ctx->paths[nr];

	tpath->joined = false;
	mpath_leave(&tpath->path);
	mpath_forget(&tpath->path);
}

/* Whatever a test has done, its head must die once, and be released once. */
static void mpath_kunit_exit(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	unsigned int i;

	if (!ctx || !ctx->head)
		return;

	if (!ctx->released) {
		ctx->head->delayed_removal_secs = 0;
		if (!ctx->head->nr_members && ctx->head->life != MPATH_DEAD)
			mpath_kunit_join(ctx, 0);
		for (i = 0; i < MPATH_TEST_PATHS; i++)
			if (ctx->paths[i].joined)
				mpath_kunit_leave(ctx, i);
	}
	KUNIT_EXPECT_EQ(test, ctx->dead, 1);
	KUNIT_EXPECT_EQ(test, ctx->released, 1);
	KUNIT_EXPECT_TRUE(test, ctx->dead_before_release);
}

/* Have the driver change its mind about a path, and say so. */
static void mpath_kunit_set_state(struct mpath_kunit *ctx, unsigned int nr,
				  enum mpath_state state, bool preferred)
{
	WRITE_ONCE(ctx->paths[nr].state, state);
	WRITE_ONCE(ctx->paths[nr].preferred, preferred);
	mpath_path_changed(&ctx->paths[nr].path);
}

static struct mpath_device *mpath_kunit_select(struct mpath_head *head)
{
	struct mpath_device *path;

	rcu_read_lock();
	path = mpath_select(head);
	rcu_read_unlock();
	return path;
}

static struct mpath_device *mpath_kunit_cached(struct mpath_head *head, int node)
{
	return rcu_access_pointer(head->current_path[node]);
}

static void mpath_kunit_set_life(struct mpath_head *head, enum mpath_event event)
{
	mutex_lock(&head->mutex);
	mpath_set_life(head, event);
	mutex_unlock(&head->mutex);
}

/*
 * Names
 */

static void mpath_kunit_iopolicy_names(struct kunit *test)
{
	static const char * const refused[] = {
		"", "\n", " ", "n", "num", "numa ", " numa", "numax", "NUMA",
		"numa\n\n", "numa,round-robin", "round", "round-robin ",
		"round-robins", "round_robin", "round-robi", "rr", "0", "1",
		"queue", "queue-depths", "qd",
	};
	unsigned int i;

	KUNIT_EXPECT_EQ(test, mpath_parse_iopolicy("numa"), MPATH_IOPOLICY_NUMA);
	KUNIT_EXPECT_EQ(test, mpath_parse_iopolicy("numa\n"),
			MPATH_IOPOLICY_NUMA);
	KUNIT_EXPECT_EQ(test, mpath_parse_iopolicy("round-robin"),
			MPATH_IOPOLICY_RR);
	KUNIT_EXPECT_EQ(test, mpath_parse_iopolicy("round-robin\n"),
			MPATH_IOPOLICY_RR);
	KUNIT_EXPECT_EQ(test, mpath_parse_iopolicy("queue-depth\n"),
			MPATH_IOPOLICY_QD);

	for (i = 0; i < ARRAY_SIZE(refused); i++)
		KUNIT_EXPECT_EQ_MSG(test, mpath_parse_iopolicy(refused[i]),
				    -EINVAL, "'%s'", refused[i]);

	for (i = 0; i < MPATH_NR_IOPOLICIES; i++)
		KUNIT_EXPECT_EQ(test, mpath_parse_iopolicy(mpath_iopolicy_name(i)),
				i);
}

/*
 * States
 */

enum mpath_kunit_class { TAKES_IO, COMES_BACK, MAY_COME_BACK, IS_GONE };

static const struct {
	const char		*name;
	enum mpath_kunit_class	class;
} mpath_kunit_states[MPATH_NR_STATES] = {
	[MPATH_OPTIMIZED]	= { "optimized",	TAKES_IO },
	[MPATH_NONOPTIMIZED]	= { "non-optimized",	TAKES_IO },
	[MPATH_UNKNOWN]		= { "unknown",		COMES_BACK },
	[MPATH_BLOCKED]		= { "blocked",		COMES_BACK },
	[MPATH_TRANSITIONING]	= { "transitioning",	COMES_BACK },
	[MPATH_FAILED]		= { "failed",		COMES_BACK },
	[MPATH_DEGRADED]	= { "degraded",		IS_GONE },
	[MPATH_STANDBY]		= { "standby",		MAY_COME_BACK },
	[MPATH_UNAVAILABLE]	= { "unavailable",	MAY_COME_BACK },
	[MPATH_OFFLINE]		= { "offline",		IS_GONE },
	[MPATH_DISABLED]	= { "disabled",		IS_GONE },
	[MPATH_MISMATCH]	= { "mismatch",		IS_GONE },
	[MPATH_REMOVED]		= { "removed",		IS_GONE },
};

static void mpath_kunit_state_classes(struct kunit *test)
{
	enum mpath_kunit_class class;
	unsigned int i;

	for (i = 0; i < MPATH_NR_STATES; i++) {
		KUNIT_ASSERT_NOT_NULL_MSG(test, mpath_kunit_states[i].name,
					  "state %u is not in the table", i);
		KUNIT_EXPECT_STREQ(test, mpath_state_name(i),
				   mpath_kunit_states[i].name);
		class = mpath_kunit_states[i].class;
		KUNIT_EXPECT_EQ_MSG(test, mpath_state_is_usable(i),
				    class == TAKES_IO, "%s", mpath_state_name(i));
		KUNIT_EXPECT_EQ_MSG(test, mpath_state_is_returning(i),
				    class == COMES_BACK, "%s",
				    mpath_state_name(i));
	}
}

/* The first of these that holds names the state; else the driver does. */
static void mpath_kunit_effective_state(struct kunit *test)
{
	unsigned int bits, state;

	for (bits = 0; bits < 128; bits++) {
		struct mpath_device path = {
			.listed		= bits & 1,
			.mismatch	= bits & 2,
			.degraded	= bits & 4,
			.failed		= bits & 8,
			.disabled	= bits & 16,
			.sized		= bits & 32,
			.sizeless	= bits & 64,
		};

		for (state = 0; state < MPATH_NR_STATES; state++) {
			bool usable = mpath_kunit_states[state].class == TAKES_IO;
			enum mpath_state expected = state;

			if (usable && path.failed)
				expected = MPATH_FAILED;
			if (usable && path.degraded)
				expected = MPATH_DEGRADED;
			if (usable && path.mismatch)
				expected = MPATH_MISMATCH;
			/* Its size may still be told. */
			if (usable && path.mismatch && !path.sized &&
			    !path.sizeless)
				expected = MPATH_UNKNOWN;
			if (path.disabled)
				expected = MPATH_DISABLED;
			if (!path.listed)
				expected = MPATH_REMOVED;

			KUNIT_EXPECT_EQ_MSG(test,
					    mpath_effective_state(&path, state),
					    expected, "flags %x, driver says %s",
					    bits, mpath_state_name(state));
		}
	}
}

/* All vectors of three states. */
static void mpath_kunit_outlook(struct kunit *test)
{
	struct mpath_head head = { .paths = LIST_HEAD_INIT(head.paths) };
	const unsigned int nr_paths = 3;
	struct mpath_device *paths;
	unsigned int i, vector;

	paths = kunit_kcalloc(test, nr_paths, sizeof(*paths), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, paths);
	KUNIT_EXPECT_EQ(test, mpath_paths_outlook(&head), MPATH_LOST);

	head.outlook = MPATH_LOST;
	for (i = 0; i < nr_paths; i++)
		list_add_tail(&paths[i].entry, &head.paths);
	for (vector = 0; vector < MPATH_NR_STATES * MPATH_NR_STATES *
				  MPATH_NR_STATES; vector++) {
		unsigned int count[] = { 0, 0, 0, 0 }, rest = vector;
		enum mpath_outlook expected;
		/* the state is new, or it is not long ago that there was a path */
		bool changed = vector % 3 == 0, served = vector % 3 == 1;
		bool recent = changed || served;

		for (i = 0; i < nr_paths; i++) {
			paths[i].state = rest % MPATH_NR_STATES;
			rest /= MPATH_NR_STATES;
			paths[i].changed_at = get_jiffies_64();
			if (!changed)
				paths[i].changed_at -= MPATH_STANDBY_TIME;
			count[mpath_kunit_states[paths[i].state].class]++;
		}
		head.served_until = get_jiffies_64();
		if (!served)
			head.served_until -= MPATH_STANDBY_TIME;
		if (recent)
			count[COMES_BACK] += count[MAY_COME_BACK];
		expected = count[TAKES_IO] ? MPATH_SERVING :
			   count[COMES_BACK] ? MPATH_WAITING : MPATH_LOST;
		KUNIT_ASSERT_EQ_MSG(test, mpath_paths_outlook(&head), expected,
				    "%s, %s, %s",
				    mpath_state_name(paths[0].state),
				    mpath_state_name(paths[1].state),
				    mpath_state_name(paths[2].state));
	}
}

/*
 * Selection
 */

static const int mpath_kunit_nodes[] = { NUMA_NO_NODE, 0, 1 };

/* Make a path of a number: its state, if preferred, and its node. */
static void mpath_kunit_make_path(struct mpath_device *path, unsigned int number,
				  const enum mpath_state *states,
				 unsigned int nr_states)
{
	path->preferred = number % 2;
	number /= 2;
	path->numa_node = mpath_kunit_nodes[number % ARRAY_SIZE(mpath_kunit_nodes)];
	number /= ARRAY_SIZE(mpath_kunit_nodes);
	path->state = states[number % nr_states];
}

/*
 * The oracle: a path's place in the order in which they are wanted, -1 if never.
 * From node 0 a path is near if it is there or anywhere.
 */
static int mpath_kunit_place(const struct mpath_device *path, bool by_distance)
{
	int place;

	if (path->state == MPATH_OPTIMIZED && path->preferred)
		place = 0;
	else if (path->state == MPATH_OPTIMIZED)
		place = 2;
	else if (path->state == MPATH_NONOPTIMIZED && path->preferred)
		place = 4;
	else if (path->state == MPATH_NONOPTIMIZED)
		place = 6;
	else
		return -1;

	if (by_distance && path->numa_node == 1)
		place++;
	return place;
}

static struct mpath_device *mpath_kunit_oracle_numa(struct mpath_device *paths,
						    unsigned int nr)
{
	unsigned int i;
	int place;

	for (place = 0; place < 8; place++)
		for (i = 0; i < nr; i++)
			if (mpath_kunit_place(&paths[i], true) == place)
				return &paths[i];
	return NULL;
}

static struct mpath_device *mpath_kunit_oracle_rr(struct mpath_device *paths,
						  unsigned int nr,
						 unsigned int cursor)
{
	unsigned int i, index, turn;
	int place;

	for (place = 0; place < 8; place++)
		for (turn = 0; turn < 2; turn++)
			for (index = turn ? 0 : cursor + 1; index < 10; index++)
				for (i = 0; i < nr; i++)
					if (paths[i].index == index &&
					    mpath_kunit_place(&paths[i], false) == place)
						return &paths[i];
	return NULL;
}

static struct mpath_device *mpath_kunit_oracle_qd(struct mpath_device *paths,
						  unsigned int nr)
{
	unsigned int i;
	int place, active;

	for (place = 0; place < 8; place++)
		for (active = 0; active < 3; active++)
			for (i = 0; i < nr; i++)
				if (mpath_kunit_place(&paths[i], false) == place &&
				    atomic_read(paths[i].nr_active) == active)
					return &paths[i];
	return NULL;
}

static void mpath_kunit_vectors(struct kunit *test, unsigned int nr,
				const enum mpath_state *states,
			       unsigned int nr_states)
{
	/* The order in the list is that of coming, an index may be used anew. */
	static const unsigned int indices[][MPATH_TEST_PATHS] = {
		{ 0, 1, 2, 3 }, { 7, 2, 9, 4 },
	};
	unsigned int nr_kinds = 2 * ARRAY_SIZE(mpath_kunit_nodes) * nr_states;
	struct mpath_head head = { .paths = LIST_HEAD_INIT(head.paths) };
	struct mpath_device *paths, *path;
	unsigned int i, vector, nr_vectors = 1, cursor, rest;

	paths = kunit_kcalloc(test, MPATH_TEST_PATHS, sizeof(*paths),
			      GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, paths);
	for (i = 0; i < nr; i++) {
		list_add_tail(&paths[i].entry, &head.paths);
		paths[i].nr_active = &paths[i].own_active;
		nr_vectors *= nr_kinds;
	}

	for (vector = 0; vector < nr_vectors; vector++) {
		for (i = 0, rest = vector; i < nr; i++, rest /= nr_kinds) {
			mpath_kunit_make_path(&paths[i], rest % nr_kinds, states,
					      nr_states);
			paths[i].index = indices[vector % ARRAY_SIZE(indices)][i];
			atomic_set(paths[i].nr_active, (vector >> i) % 3);
		}

		if (!(vector % 1024))
			cond_resched();
		rcu_read_lock();
		path = mpath_nearest_path(&head, 0);
		rcu_read_unlock();
		KUNIT_ASSERT_PTR_EQ_MSG(test, path,
					mpath_kunit_oracle_numa(paths, nr),
					"numa, %u paths, vector %u", nr, vector);

		rcu_read_lock();
		path = mpath_least_busy_path(&head);
		rcu_read_unlock();
		KUNIT_ASSERT_PTR_EQ_MSG(test, path,
					mpath_kunit_oracle_qd(paths, nr),
					"queue-depth, %u paths, vector %u", nr,
					vector);

		/* From each path, from one that is gone, and from the end. */
		cursor = vector / ARRAY_SIZE(indices) % 11;
		rcu_read_lock();
		path = mpath_next_path(&head, cursor);
		rcu_read_unlock();
		KUNIT_ASSERT_PTR_EQ_MSG(test, path,
					mpath_kunit_oracle_rr(paths, nr, cursor),
					"round-robin, %u paths, vector %u, cursor %u",
					nr, vector, cursor);
	}
}

static void mpath_kunit_select_all_states(struct kunit *test)
{
	enum mpath_state states[MPATH_NR_STATES];
	unsigned int i;

	for (i = 0; i < MPATH_NR_STATES; i++)
		states[i] = i;
	for (i = 0; i <= 2; i++)
		mpath_kunit_vectors(test, i, states, MPATH_NR_STATES);
}

static void mpath_kunit_select_four_paths(struct kunit *test)
{
	static const enum mpath_state states[] = {
		MPATH_OPTIMIZED, MPATH_NONOPTIMIZED, MPATH_FAILED,
	};
	unsigned int i;

	for (i = 3; i <= MPATH_TEST_PATHS; i++)
		mpath_kunit_vectors(test, i, states, ARRAY_SIZE(states));
}

static void mpath_kunit_rr_takes_turns(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_head *head = ctx->head;
	struct mpath_device *path;
	unsigned int i, used;

	for (i = 0; i < MPATH_TEST_PATHS; i++)
		mpath_kunit_list(test, i, MPATH_OPTIMIZED);
	mpath_set_iopolicy(head, MPATH_IOPOLICY_RR);

	/* the cursor is per CPU */
	migrate_disable();

	for (i = 0, used = 0; i < MPATH_TEST_PATHS; i++) {
		path = mpath_kunit_select(head);
		KUNIT_ASSERT_NOT_NULL(test, path);
		used |= BIT(path->index);
	}
	KUNIT_EXPECT_EQ(test, used, GENMASK(MPATH_TEST_PATHS - 1, 0));

	/* Of two that are better, only they. */
	mpath_kunit_set_state(ctx, 0, MPATH_NONOPTIMIZED, false);
	mpath_kunit_set_state(ctx, 2, MPATH_NONOPTIMIZED, true);
	for (i = 0; i < 3; i++) {
		path = mpath_kunit_select(head);
		KUNIT_EXPECT_PTR_NE(test, mpath_kunit_select(head), path);
		KUNIT_EXPECT_EQ(test, path->index % 2, 1);
	}

	/* One is enough. */
	mpath_kunit_set_state(ctx, 1, MPATH_BLOCKED, false);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_PTR_EQ(test, mpath_kunit_select(head),
				    &ctx->paths[3].path);

	/* The one that the cursor points to goes: its number is nobody's. */
	mpath_kunit_leave(ctx, 3);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_PTR_EQ(test, mpath_kunit_select(head),
				    &ctx->paths[2].path);

	mpath_kunit_set_state(ctx, 0, MPATH_OFFLINE, false);
	mpath_kunit_set_state(ctx, 2, MPATH_OFFLINE, true);
	KUNIT_EXPECT_NULL(test, mpath_kunit_select(head));

	migrate_enable();
}

static void mpath_kunit_numa_cache(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_device *good, *poor;
	struct mpath_head *head = ctx->head;
	unsigned int state;
	int node;

	poor = mpath_kunit_list(test, 0, MPATH_NONOPTIMIZED);
	KUNIT_EXPECT_PTR_EQ(test, mpath_kunit_select(head), poor);

	/* A better one comes: what was found before is forgotten. */
	good = mpath_kunit_list(test, 1, MPATH_OPTIMIZED);
	for_each_node(node)
		KUNIT_EXPECT_NULL(test, mpath_kunit_cached(head, node));
	KUNIT_EXPECT_PTR_EQ(test, mpath_kunit_select(head), good);

	migrate_disable();
	node = numa_node_id();
	KUNIT_EXPECT_PTR_EQ(test, mpath_kunit_cached(head, node), good);

	/* The list is not walked as long as the path that was found is usable. */
	RCU_INIT_POINTER(head->current_path[node], poor);
	KUNIT_EXPECT_PTR_EQ(test, mpath_kunit_select(head), poor);

	/* In no other state is it returned, not even before it is forgotten. */
	for (state = MPATH_NONOPTIMIZED + 1; state < MPATH_NR_STATES; state++) {
		RCU_INIT_POINTER(head->current_path[node], good);
		WRITE_ONCE(good->state, state);
		KUNIT_EXPECT_PTR_EQ_MSG(test, mpath_kunit_select(head), poor, "%s",
					mpath_state_name(state));
		KUNIT_EXPECT_PTR_EQ(test, mpath_kunit_cached(head, node), poor);
	}
	RCU_INIT_POINTER(head->current_path[node], good);
	WRITE_ONCE(poor->state, MPATH_BLOCKED);
	KUNIT_EXPECT_NULL(test, mpath_kunit_select(head));
	migrate_enable();
}

static void mpath_kunit_removed_is_not_chosen(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_head *head = ctx->head;
	struct mpath_device *path;
	unsigned int policy, i;
	int node;

	mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	mpath_kunit_list(test, 1, MPATH_NONOPTIMIZED);
	KUNIT_EXPECT_PTR_EQ(test, mpath_kunit_select(head), &ctx->paths[0].path);

	mpath_kunit_unlist(&ctx->paths[0].path);
	KUNIT_EXPECT_EQ(test, ctx->paths[0].path.state, MPATH_REMOVED);
	for_each_node(node)
		KUNIT_EXPECT_PTR_NE(test, mpath_kunit_cached(head, node),
				    &ctx->paths[0].path);

	/* Whatever the driver says of it. */
	mpath_kunit_set_state(ctx, 0, MPATH_OPTIMIZED, true);
	for (policy = 0; policy < MPATH_NR_IOPOLICIES; policy++) {
		mpath_set_iopolicy(head, policy);
		for (i = 0; i < 3; i++) {
			path = mpath_get_path(head);
			KUNIT_ASSERT_PTR_EQ(test, path, &ctx->paths[1].path);
			mpath_put_path(path);
		}
	}
	mpath_kunit_unlist(&ctx->paths[1].path);
	KUNIT_EXPECT_NULL(test, mpath_get_path(head));
	KUNIT_EXPECT_TRUE(test, list_empty(&head->paths));
}

static void mpath_kunit_unlist_work(struct work_struct *work)
{
	struct mpath_kunit *ctx =
		container_of(work, struct mpath_kunit, unlist_work);

	mpath_kunit_unlist(&ctx->paths[0].path);
	complete(&ctx->unlisted);
}

static void mpath_kunit_removal_waits(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_device *path;

	mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	path = mpath_get_path(ctx->head);
	KUNIT_ASSERT_PTR_EQ(test, path, &ctx->paths[0].path);

	init_completion(&ctx->unlisted);
	INIT_WORK(&ctx->unlist_work, mpath_kunit_unlist_work);
	schedule_work(&ctx->unlist_work);
	KUNIT_EXPECT_EQ(test, wait_for_completion_timeout(&ctx->unlisted, HZ / 5),
			0);
	/* Out of reach all the same. */
	KUNIT_EXPECT_NULL(test, mpath_get_path(ctx->head));

	mpath_put_path(path);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&ctx->unlisted, 10 * HZ),
			0);
	flush_work(&ctx->unlist_work);
}

/*
 * Changes
 */

static void mpath_kunit_change_is_counted(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_head *head = ctx->head;
	unsigned int generation, from, to, i;
	struct mpath_device *path;
	int node;

	path = mpath_kunit_list(test, 0, MPATH_OPTIMIZED);

	for (i = 0; i < MPATH_REMOVED * MPATH_REMOVED; i++) {
		from = i / MPATH_REMOVED;
		to = i % MPATH_REMOVED;
		mpath_kunit_set_state(ctx, 0, from, false);
		KUNIT_ASSERT_EQ(test, path->state, from);

		for_each_node(node)
			RCU_INIT_POINTER(head->current_path[node], path);
		generation = head->generation;
		mpath_kunit_set_state(ctx, 0, to, false);
		KUNIT_ASSERT_EQ(test, path->state, to);
		KUNIT_ASSERT_EQ_MSG(test, head->generation - generation,
				    from != to, "%s to %s",
				    mpath_state_name(from), mpath_state_name(to));
		for_each_node(node)
			KUNIT_ASSERT_EQ(test, !mpath_kunit_cached(head, node),
					from != to);
	}

	generation = head->generation;
	mpath_kunit_set_state(ctx, 0, to, true);
	KUNIT_EXPECT_TRUE(test, path->preferred);
	KUNIT_EXPECT_EQ(test, head->generation, generation + 1);
	mpath_kunit_set_state(ctx, 0, to, true);
	KUNIT_EXPECT_EQ(test, head->generation, generation + 1);
}

static void mpath_kunit_iopolicy_change(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_head *head = ctx->head;
	unsigned int generation;
	int node;

	mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	KUNIT_EXPECT_EQ(test, head->iopolicy, MPATH_IOPOLICY_NUMA);
	KUNIT_EXPECT_NOT_NULL(test, mpath_kunit_select(head));

	generation = head->generation;
	mpath_set_iopolicy(head, MPATH_IOPOLICY_RR);
	KUNIT_EXPECT_EQ(test, head->iopolicy, MPATH_IOPOLICY_RR);
	KUNIT_EXPECT_NE(test, head->generation, generation);
	for_each_node(node)
		KUNIT_EXPECT_NULL(test, mpath_kunit_cached(head, node));
}

static int mpath_kunit_kicks(struct mpath_kunit *ctx)
{
	flush_delayed_work(&ctx->head->requeue_work);
	return atomic_xchg(&ctx->kicks, 0);
}

/* Reported by a worker that is not here. */
static void mpath_kunit_reported(struct mpath_kunit *ctx)
{
	mpath_kunit_kicks(ctx);
	ctx->head->reported = ctx->head->outlook;
}

static void mpath_kunit_outlook_is_reported(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_head *head = ctx->head;

	mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	mpath_kunit_list(test, 1, MPATH_OPTIMIZED);
	KUNIT_EXPECT_EQ(test, head->outlook, MPATH_SERVING);
	mpath_kunit_reported(ctx);

	/* One is left: nothing to report, nobody to wake. */
	mpath_kunit_set_state(ctx, 0, MPATH_OFFLINE, false);
	KUNIT_EXPECT_EQ(test, head->outlook, MPATH_SERVING);
	KUNIT_EXPECT_EQ(test, mpath_kunit_kicks(ctx), 0);

	mpath_kunit_set_state(ctx, 1, MPATH_BLOCKED, false);
	KUNIT_EXPECT_EQ(test, head->outlook, MPATH_WAITING);
	KUNIT_EXPECT_GT(test, mpath_kunit_kicks(ctx), 0);
	mpath_kunit_reported(ctx);

	mpath_kunit_set_state(ctx, 1, MPATH_STANDBY, false);
	KUNIT_EXPECT_EQ(test, head->outlook, MPATH_WAITING);
	mpath_kunit_reported(ctx);

	/* Nothing happens for long: the requeue worker finds that out. */
	ctx->paths[1].path.changed_at = get_jiffies_64() - MPATH_STANDBY_TIME;
	head->served_until = get_jiffies_64() - MPATH_STANDBY_TIME;
	mpath_requeue_work(&head->requeue_work.work);
	KUNIT_EXPECT_EQ(test, head->outlook, MPATH_LOST);
	mpath_kunit_kicks(ctx);

	mpath_kunit_set_state(ctx, 0, MPATH_NONOPTIMIZED, false);
	KUNIT_EXPECT_EQ(test, head->outlook, MPATH_SERVING);
	KUNIT_EXPECT_GT(test, mpath_kunit_kicks(ctx), 0);

	/* The one that has been in standby for long is what is left. */
	ctx->paths[1].path.changed_at = get_jiffies_64() - MPATH_TRANSITION_TIME;
	mpath_kunit_set_state(ctx, 0, MPATH_OFFLINE, false);
	KUNIT_EXPECT_EQ(test, head->outlook, MPATH_WAITING);

	/* At last it is made to serve, which may take its time. */
	head->served_until = get_jiffies_64() - MPATH_STANDBY_TIME;
	mpath_kunit_set_state(ctx, 1, MPATH_TRANSITIONING, false);
	KUNIT_EXPECT_EQ(test, head->outlook, MPATH_WAITING);
	head->served_until = get_jiffies_64() - MPATH_TRANSITION_TIME;
	mpath_requeue_work(&head->requeue_work.work);
	KUNIT_EXPECT_EQ(test, head->outlook, MPATH_LOST);
}

/* How long I/O waits is counted from when the last hope went. */
static void mpath_kunit_lost_time(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_head *head = ctx->head;
	u64 until;

	mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	head->delayed_removal_secs = 100;
	head->lost_until = get_jiffies_64();

	mpath_kunit_set_state(ctx, 0, MPATH_BLOCKED, false);
	KUNIT_EXPECT_EQ(test, mpath_lost_time_left(head), 0);

	mpath_kunit_set_state(ctx, 0, MPATH_OFFLINE, false);
	until = head->lost_until;
	KUNIT_EXPECT_GT(test, mpath_lost_time_left(head), 50 * HZ);
	KUNIT_EXPECT_LE(test, mpath_lost_time_left(head), 100 * HZ);

	/* Lost is lost, why does not matter. */
	head->lost_until = until - HZ;
	mpath_kunit_set_state(ctx, 0, MPATH_STANDBY, false);
	KUNIT_EXPECT_EQ(test, head->lost_until, until - HZ);

	mpath_kunit_set_state(ctx, 0, MPATH_BLOCKED, false);
	mpath_kunit_set_state(ctx, 0, MPATH_OFFLINE, false);
	KUNIT_EXPECT_GE(test, head->lost_until, until);

	/* Long ago is long ago, also where jiffies have wrapped since. */
	head->lost_until = get_jiffies_64() - U32_MAX / 2 - 10;
	KUNIT_EXPECT_EQ(test, mpath_lost_time_left(head), 0);
}

static void mpath_kunit_may_wait(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_head *head = ctx->head;
	static const struct {
		enum mpath_life		life;
		enum mpath_outlook	outlook;
		long			left;
		bool			may_wait;
		long			patience;
	} cases[] = {
		{ MPATH_LIVE,	 MPATH_WAITING,	-10 * HZ, true,	 MPATH_SAFETY_TIME },
		{ MPATH_LIVE,	 MPATH_WAITING,	 10 * HZ, true,	 MPATH_SAFETY_TIME },
		{ MPATH_LIVE,	 MPATH_LOST,	-10 * HZ, false, -1 },
		{ MPATH_LIVE,	 MPATH_LOST,	  2 * HZ, true,	 2 * HZ },
		{ MPATH_LIVE,	 MPATH_LOST,	100 * HZ, true,	 MPATH_SAFETY_TIME },
		{ MPATH_PENDING, MPATH_LOST,	-10 * HZ, false, -1 },
		{ MPATH_PENDING, MPATH_LOST,	  2 * HZ, true,	 2 * HZ },
		{ MPATH_DEAD,	 MPATH_LOST,	 10 * HZ, false, -1 },
		{ MPATH_DEAD,	 MPATH_WAITING,	 10 * HZ, false, -1 },
		{ MPATH_NEW,	 MPATH_WAITING,	-10 * HZ, true,	 MPATH_SAFETY_TIME },
	};
	enum mpath_life life = head->life;
	long patience;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		head->life = cases[i].life;
		head->outlook = cases[i].outlook;
		head->lost_until = get_jiffies_64() + cases[i].left;
		KUNIT_EXPECT_EQ_MSG(test, mpath_may_wait(head),
				    cases[i].may_wait, "case %u", i);
		if (cases[i].patience < 0)
			continue;
		patience = mpath_patience(head);
		KUNIT_EXPECT_LE_MSG(test, patience, cases[i].patience,
				    "case %u", i);
		KUNIT_EXPECT_GE_MSG(test, patience, cases[i].patience - HZ,
				    "case %u", i);
	}
	head->life = life;
	head->outlook = MPATH_LOST;
}

/* A head without a path has nothing to wait for, from the first moment on. */
static void mpath_kunit_new_head_is_lost(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;

	KUNIT_EXPECT_EQ(test, ctx->head->life, MPATH_NEW);
	KUNIT_EXPECT_EQ(test, ctx->head->outlook, MPATH_LOST);
	KUNIT_EXPECT_FALSE(test, mpath_may_wait(ctx->head));
	mpath_kunit_list(test, 0, MPATH_OFFLINE);
	KUNIT_EXPECT_FALSE(test, mpath_may_wait(ctx->head));
}

/*
 * Failed paths
 */

static void mpath_kunit_fail(struct mpath_device *path)
{
	spin_lock_irq(&path->head->lock);
	mpath_fail_path(path);
	spin_unlock_irq(&path->head->lock);
}

static void mpath_kunit_tell_test(struct mpath_device *path,
				  blk_status_t status)
{
	spin_lock_irq(&path->head->lock);
	mpath_path_tested(path, status);
	spin_unlock_irq(&path->head->lock);
}

static void mpath_kunit_backoff(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_device *path = mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	unsigned long expected = MPATH_BACKOFF_MIN;
	unsigned int i;

	/* Another one serves: there is time. */
	mpath_kunit_list(test, 1, MPATH_OPTIMIZED);
	mpath_kunit_fail(path);
	for (i = 0; i < 5; i++) {
		KUNIT_EXPECT_EQ(test, path->backoff, expected);
		mpath_kunit_tell_test(path, BLK_STS_IOERR);
		expected = min(2 * expected, MPATH_BACKOFF_URGENT);
	}
	KUNIT_EXPECT_EQ(test, path->backoff, MPATH_BACKOFF_URGENT);
	path->failed_at = get_jiffies_64() - MPATH_DEGRADED_TIME - 1;
	for (i = 0; i < 10; i++) {
		expected = min(2 * expected,
			       (unsigned long)MPATH_BACKOFF_DEGRADED);
		mpath_kunit_tell_test(path, BLK_STS_IOERR);
		KUNIT_EXPECT_EQ(test, path->backoff, expected);
	}
	KUNIT_EXPECT_EQ(test, path->backoff,
			(unsigned long)MPATH_BACKOFF_DEGRADED);
	/* It passes tests and fails again and again. */
	for (i = 0; i < 10; i++) {
		mpath_kunit_tell_test(path, BLK_STS_OK);
		mpath_kunit_fail(path);
	}
	KUNIT_EXPECT_EQ(test, path->backoff, (unsigned long)MPATH_BACKOFF_MAX);
	mpath_kunit_tell_test(path, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, path->backoff, (unsigned long)MPATH_BACKOFF_MAX);
	path->failed_at = get_jiffies_64() - MPATH_DEGRADED_TIME - 1;
	mpath_kunit_tell_test(path, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, path->backoff, (unsigned long)MPATH_BACKOFF_MAX);
	mod_delayed_work(mpath_test_wq, &path->test_work, 1000 * HZ);

	/* It is the only hope now. */
	mpath_kunit_set_state(ctx, 1, MPATH_BLOCKED, false);
	KUNIT_EXPECT_EQ(test, path->backoff, MPATH_BACKOFF_MIN);
	flush_delayed_work(&path->test_work);
	KUNIT_EXPECT_EQ(test, atomic_read(&ctx->paths[0].tests), 1);
	for (i = 0; i < 10; i++)
		mpath_kunit_tell_test(path, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, path->backoff, MPATH_BACKOFF_URGENT);

	/* The next change finds it hurrying already. */
	cancel_delayed_work_sync(&path->test_work);
	mpath_kunit_set_state(ctx, 1, MPATH_OPTIMIZED, false);
	mpath_kunit_set_state(ctx, 1, MPATH_OFFLINE, false);
	KUNIT_EXPECT_EQ(test, path->backoff, MPATH_BACKOFF_URGENT);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&path->test_work));
}

static void mpath_kunit_failed_path(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_device *path = mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	unsigned int generation = ctx->head->generation;

	mpath_kunit_fail(path);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_FAILED);
	KUNIT_EXPECT_EQ(test, ctx->head->outlook, MPATH_WAITING);
	KUNIT_EXPECT_EQ(test, ctx->head->generation, generation + 1);
	KUNIT_EXPECT_EQ(test, path->backoff, MPATH_BACKOFF_MIN);
	KUNIT_EXPECT_NULL(test, mpath_get_path(ctx->head));
	/* The test has been scheduled. */
	flush_delayed_work(&path->test_work);
	KUNIT_EXPECT_EQ(test, atomic_read(&ctx->paths[0].tests), 1);

	/* Others fail after it: that is no news. */
	generation = ctx->head->generation;
	mpath_kunit_fail(path);
	KUNIT_EXPECT_EQ(test, ctx->head->generation, generation);
	KUNIT_EXPECT_EQ(test, path->backoff, MPATH_BACKOFF_MIN);

	mpath_kunit_tell_test(path, BLK_STS_OK);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_OPTIMIZED);
	KUNIT_EXPECT_EQ(test, ctx->head->outlook, MPATH_SERVING);

	/* Again so soon: it is tested later. */
	mpath_kunit_fail(path);
	KUNIT_EXPECT_EQ(test, path->backoff, 2 * MPATH_BACKOFF_MIN);
	mpath_kunit_tell_test(path, BLK_STS_OK);

	/* After it has been good for long, it is as new. */
	path->recovered_at = get_jiffies_64() - MPATH_TRUST_TIME - 1;
	mpath_kunit_fail(path);
	KUNIT_EXPECT_EQ(test, path->backoff, MPATH_BACKOFF_MIN);
}

/* What the transport says of a path is enough, it needs no test then. */
static void mpath_kunit_fail_knows_why(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_device *path = mpath_kunit_list(test, 0, MPATH_OPTIMIZED);

	/* The error was there before the word of it. */
	ctx->paths[0].state = MPATH_OFFLINE;
	mpath_kunit_fail(path);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_OFFLINE);
	KUNIT_EXPECT_FALSE(test, path->failed);
	mpath_kunit_set_state(ctx, 0, MPATH_OPTIMIZED, false);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_OPTIMIZED);
	KUNIT_EXPECT_EQ(test, atomic_read(&ctx->paths[0].tests), 0);
}

/* For the size of a path is waited as long as somebody asks for it. */
static void mpath_kunit_sizeless_path(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_device *path = mpath_kunit_list(test, 0, MPATH_OPTIMIZED);

	path->mismatch = true;
	mpath_path_changed(path);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_UNKNOWN);
	KUNIT_EXPECT_EQ(test, ctx->head->outlook, MPATH_WAITING);
	mpath_give_up_size(path);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_MISMATCH);
	KUNIT_EXPECT_EQ(test, ctx->head->outlook, MPATH_LOST);

	/* When it is back it is asked again. */
	mpath_kunit_set_state(ctx, 0, MPATH_UNAVAILABLE, false);
	mpath_kunit_set_state(ctx, 0, MPATH_OPTIMIZED, false);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_UNKNOWN);
	KUNIT_EXPECT_EQ(test, ctx->head->outlook, MPATH_WAITING);

	/* This is what makes it known. */
	mutex_lock(&ctx->head->mutex);
	mpath_give_up_size(path);
	ctx->paths[0].bdev.bd_nr_sectors = 8;
	mpath_set_mismatch(path, true, false);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_OPTIMIZED);
	ctx->paths[0].bdev.bd_nr_sectors = 0;
	mpath_set_mismatch(path, false, true);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_UNKNOWN);
	mutex_unlock(&ctx->head->mutex);
}

static void mpath_kunit_test_results(struct kunit *test)
{
	static const struct {
		blk_status_t	status;
		bool		good;
	} cases[] = {
		{ BLK_STS_OK,		 true },
		/* The path has delivered these. */
		{ BLK_STS_MEDIUM,	 true },
		{ BLK_STS_TARGET,	 true },
		{ BLK_STS_PROTECTION,	 true },
		{ BLK_STS_RESV_CONFLICT, true },
		{ BLK_STS_IOERR,	 false },
		{ BLK_STS_TRANSPORT,	 false },
		{ BLK_STS_TIMEOUT,	 false },
		{ BLK_STS_OFFLINE,	 false },
	};
	struct mpath_kunit *ctx = test->priv;
	struct mpath_device *path = mpath_kunit_list(test, 0, MPATH_NONOPTIMIZED);
	unsigned long backoff;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		mpath_kunit_fail(path);
		KUNIT_ASSERT_EQ(test, path->state, MPATH_FAILED);
		cancel_delayed_work_sync(&path->test_work);
		backoff = path->backoff;

		mpath_kunit_tell_test(path, cases[i].status);
		KUNIT_EXPECT_EQ_MSG(test, path->state == MPATH_NONOPTIMIZED,
				    cases[i].good, "case %u", i);
		/* A bad one is not the last. */
		KUNIT_EXPECT_EQ_MSG(test,
				    delayed_work_pending(&path->test_work),
				    !cases[i].good, "case %u", i);
		if (!cases[i].good)
			KUNIT_EXPECT_EQ(test, path->backoff,
					min(2 * backoff, MPATH_BACKOFF_URGENT));
		cancel_delayed_work_sync(&path->test_work);
	}

	/* For so long that nobody should wait for it. */
	KUNIT_ASSERT_EQ(test, path->state, MPATH_FAILED);
	path->failed_at = get_jiffies_64() - MPATH_DEGRADED_TIME - 1;
	mpath_kunit_tell_test(path, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_DEGRADED);
	KUNIT_EXPECT_EQ(test, ctx->head->outlook, MPATH_LOST);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&path->test_work));

	/* It comes back all the same. */
	mpath_kunit_tell_test(path, BLK_STS_OK);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_NONOPTIMIZED);
	cancel_delayed_work_sync(&path->test_work);

	/* A result that comes too late changes nothing. */
	mpath_kunit_fail(path);
	mpath_kunit_unlist(path);
	mpath_kunit_tell_test(path, BLK_STS_OK);
	KUNIT_EXPECT_TRUE(test, path->failed);
	mpath_kunit_tell_test(path, BLK_STS_IOERR);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&path->test_work));
}

/* What is sent is a bio without a disk, so that it can only be ended. */
static struct mpath_test *mpath_kunit_begin_test(struct mpath_device *path)
{
	struct mpath_test *path_test = mpath_begin_test(path);

	if (path_test)
		bio_init(&path_test->bio, NULL, NULL, 0, REQ_OP_READ);
	return path_test;
}

static void mpath_kunit_end_test(struct mpath_test *path_test,
				 blk_status_t status)
{
	path_test->bio.bi_status = status;
	mpath_end_test(&path_test->bio);
}

/* A test that is not answered does not keep others from being. */
static void mpath_kunit_overdue_tests(struct kunit *test)
{
	struct mpath_device *path = mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	struct mpath_test *tests[MPATH_MAX_TESTS];
	unsigned int i;

	KUNIT_EXPECT_NULL(test, mpath_kunit_begin_test(path));
	mpath_kunit_fail(path);
	for (i = 0; i < MPATH_MAX_TESTS; i++) {
		cancel_delayed_work_sync(&path->test_work);
		tests[i] = mpath_kunit_begin_test(path);
		KUNIT_EXPECT_TRUE(test, delayed_work_pending(&path->test_work));
		if (!tests[i])
			break;
	}
	KUNIT_EXPECT_EQ(test, i, MPATH_MAX_TESTS);
	KUNIT_EXPECT_PTR_EQ(test, tests[0], path->first_test);
	KUNIT_EXPECT_NULL(test, mpath_kunit_begin_test(path));
	if (i < MPATH_MAX_TESTS)
		goto end;

	/* The end of one is when the time until the next one begins. */
	mod_delayed_work(mpath_test_wq, &path->test_work, 1000 * HZ);
	mpath_kunit_end_test(tests[--i], BLK_STS_TIMEOUT);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_FAILED);
	KUNIT_EXPECT_TRUE(test, time_before(path->test_work.timer.expires,
					    jiffies + 500 * HZ));
	/* One that is good is enough, and what others say then is old. */
	mpath_kunit_end_test(tests[--i], BLK_STS_OK);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_OPTIMIZED);
	KUNIT_EXPECT_NULL(test, mpath_kunit_begin_test(path));
	cancel_delayed_work_sync(&path->test_work);
	mpath_kunit_end_test(tests[--i], BLK_STS_TIMEOUT);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_OPTIMIZED);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&path->test_work));

	/* Nor does it say that the path is good that has been lost again. */
	mpath_kunit_fail(path);
	mpath_kunit_end_test(tests[--i], BLK_STS_OK);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_FAILED);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&path->test_work));
	KUNIT_EXPECT_EQ(test, path->nr_tests, 0);
	KUNIT_EXPECT_NULL(test, path->first_test->path);
end:
	while (i--)
		mpath_kunit_end_test(tests[i], BLK_STS_IOERR);
}

/* There is no disk here: a read would not go unnoticed. */
static void mpath_kunit_no_test_without_transport(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_device *path = mpath_kunit_list(test, 0, MPATH_OPTIMIZED);

	mpath_kunit_fail(path);
	cancel_delayed_work_sync(&path->test_work);
	mpath_kunit_set_state(ctx, 0, MPATH_BLOCKED, false);
	flush_delayed_work(&path->test_work);
	atomic_set(&ctx->paths[0].tests, 0);

	mpath_test_work(&path->test_work.work);
	KUNIT_EXPECT_TRUE(test, path->failed);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_BLOCKED);

	/* The transport's return starts the test. */
	mpath_kunit_set_state(ctx, 0, MPATH_OPTIMIZED, false);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_FAILED);
	flush_workqueue(mpath_test_wq);
	KUNIT_EXPECT_EQ(test, atomic_read(&ctx->paths[0].tests), 1);

	/* That it is still there is no reason to test more often. */
	mod_delayed_work(mpath_test_wq, &path->test_work, 1000 * HZ);
	mpath_kunit_set_state(ctx, 0, MPATH_OPTIMIZED, false);
	mpath_kunit_set_state(ctx, 0, MPATH_NONOPTIMIZED, true);
	flush_workqueue(mpath_test_wq);
	KUNIT_EXPECT_EQ(test, atomic_read(&ctx->paths[0].tests), 1);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&path->test_work));
}

static void mpath_kunit_tells_return(struct kunit *test)
{
	static const enum mpath_state away[] = {
		MPATH_UNKNOWN, MPATH_BLOCKED, MPATH_TRANSITIONING,
		MPATH_STANDBY, MPATH_UNAVAILABLE, MPATH_OFFLINE,
	};
	struct mpath_kunit *ctx = test->priv;
	struct mpath_device *path = mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	unsigned int i;

	/* That it has come at all counts as well. */
	KUNIT_EXPECT_TRUE(test, mpath_path_changed(path));
	KUNIT_EXPECT_FALSE(test, mpath_path_changed(path));

	for (i = 0; i < ARRAY_SIZE(away); i++) {
		ctx->paths[0].state = away[i];
		KUNIT_EXPECT_FALSE(test, mpath_path_changed(path));
		ctx->paths[0].state = i % 2 ? MPATH_OPTIMIZED : MPATH_NONOPTIMIZED;
		KUNIT_EXPECT_TRUE(test, mpath_path_changed(path));
		KUNIT_EXPECT_FALSE(test, mpath_path_changed(path));
		ctx->paths[0].state = MPATH_OPTIMIZED;
		KUNIT_EXPECT_FALSE(test, mpath_path_changed(path));
	}

	/* It is told even if somebody else has seen it before. */
	ctx->paths[0].state = MPATH_BLOCKED;
	KUNIT_EXPECT_FALSE(test, mpath_path_changed(path));
	ctx->paths[0].state = MPATH_OPTIMIZED;
	mpath_requeue_work(&ctx->head->requeue_work.work);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_OPTIMIZED);
	KUNIT_EXPECT_TRUE(test, mpath_path_changed(path));
}

/*
 * Bios
 */

static void mpath_kunit_end_bio(struct bio *bio)
{
	struct mpath_kunit_bio *tbio =
		container_of(bio, struct mpath_kunit_bio, bio);

	tbio->ended++;
	tbio->order = tbio->ctx->nr_ended++;
}

/* What mpath_alloc_io() does, without a queue to account to. */
static struct mpath_io *mpath_kunit_io(struct kunit *test, unsigned int nr,
				       blk_opf_t opf)
{
	struct mpath_kunit *ctx = test->priv;
	struct bio *bio = &ctx->bios[nr]->bio, *clone;
	struct mpath_io *io;

	bio_init(bio, NULL, NULL, 0, opf);
	bio->bi_end_io = mpath_kunit_end_bio;
	ctx->bios[nr]->ended = 0;

	clone = mpath_alloc_clone(ctx->head, bio, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, clone);
	io = mpath_clone_to_io(clone);
	io->path = NULL;
	io->tries = 0;
	io->accounted = false;
	io->counted = false;
	io->waited = false;
	return io;
}

/* as mpath_send(), to a path that nothing gets to */
static void mpath_kunit_send(struct mpath_io *io, struct mpath_device *path)
{
	io->path = path;
	io->losses = path ? path->losses : 0;
}

/* The error that the issuer has got. */
static int mpath_kunit_error(struct mpath_kunit *ctx, unsigned int nr)
{
	return blk_status_to_errno(ctx->bios[nr]->bio.bi_status);
}

static struct mpath_kunit_bio *mpath_kunit_parked(struct bio *clone)
{
	return container_of((struct bio *)clone->bi_private,
			    struct mpath_kunit_bio, bio);
}

/* End whatever is parked, as for a dead head. */
static void mpath_kunit_end_parked(struct mpath_kunit *ctx)
{
	struct bio *clone;

	while ((clone = bio_list_pop(&ctx->head->parked)))
		mpath_end_io(mpath_clone_to_io(clone), BLK_STS_IOERR);
	ctx->head->nr_parked = 0;
}

static void mpath_kunit_whose_error(struct kunit *test)
{
	static const struct {
		blk_status_t	status;
		bool		of_path;
	} cases[] = {
		{ BLK_STS_IOERR,	 true },
		{ BLK_STS_TRANSPORT,	 true },
		{ BLK_STS_TIMEOUT,	 true },
		{ BLK_STS_OFFLINE,	 true },
		{ BLK_STS_NOTSUPP,	 false },
		{ BLK_STS_NOSPC,	 false },
		{ BLK_STS_TARGET,	 false },
		{ BLK_STS_RESV_CONFLICT, false },
		{ BLK_STS_MEDIUM,	 false },
		{ BLK_STS_PROTECTION,	 false },
		{ BLK_STS_AGAIN,	 false },
		{ BLK_STS_INVAL,	 false },
		{ BLK_STS_DURATION_LIMIT, false },
	};
	struct mpath_kunit *ctx = test->priv;
	struct mpath_device *path = mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	struct mpath_head *head = ctx->head;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned long nr_failovers = head->nr_failovers;
		struct mpath_io *io = mpath_kunit_io(test, 0, REQ_OP_WRITE);

		KUNIT_ASSERT_EQ(test, path->state, MPATH_OPTIMIZED);
		io->clone.bi_status = cases[i].status;
		mpath_kunit_send(io, mpath_get_path(head));
		KUNIT_ASSERT_PTR_EQ(test, io->path, path);
		mpath_end_clone(&io->clone);

		KUNIT_EXPECT_EQ_MSG(test, ctx->bios[0]->ended, !cases[i].of_path,
				    "case %u", i);
		KUNIT_EXPECT_EQ(test, head->nr_parked, cases[i].of_path);
		KUNIT_EXPECT_EQ(test, !bio_list_empty(&head->parked),
				cases[i].of_path);
		KUNIT_EXPECT_EQ(test, head->nr_failovers - nr_failovers,
				cases[i].of_path);
		KUNIT_EXPECT_EQ(test, path->state == MPATH_FAILED,
				cases[i].of_path);
		if (!cases[i].of_path)
			KUNIT_EXPECT_EQ(test, mpath_kunit_error(ctx, 0),
					blk_status_to_errno(cases[i].status));
		else
			KUNIT_EXPECT_GT(test, mpath_kunit_kicks(ctx), 0);

		mpath_kunit_end_parked(ctx);
		mpath_kunit_tell_test(path, BLK_STS_OK);
	}
}

/*
 * A path that has been lost and is back is not what took the bios that were on
 * it when it was lost; one that comes after them may be.
 */
static void mpath_kunit_lost_bio(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_device *path = mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	struct mpath_io *io[2];
	unsigned int i;

	io[0] = mpath_kunit_io(test, 0, REQ_OP_WRITE);
	mpath_kunit_send(io[0], mpath_get_path(ctx->head));
	mpath_kunit_set_state(ctx, 0, MPATH_BLOCKED, false);
	mpath_kunit_set_state(ctx, 0, MPATH_OPTIMIZED, false);
	io[1] = mpath_kunit_io(test, 1, REQ_OP_WRITE);
	mpath_kunit_send(io[1], mpath_get_path(ctx->head));

	for (i = 0; i < ARRAY_SIZE(io); i++) {
		KUNIT_ASSERT_PTR_EQ(test, io[i]->path, path);
		KUNIT_EXPECT_EQ(test, path->state, MPATH_OPTIMIZED);
		io[i]->clone.bi_status = BLK_STS_IOERR;
		mpath_end_clone(&io[i]->clone);
		KUNIT_EXPECT_EQ(test, ctx->head->nr_parked, i + 1);
		KUNIT_EXPECT_EQ(test, mpath_kunit_kicks(ctx) > 0, 1);
	}
	KUNIT_EXPECT_EQ(test, path->state, MPATH_FAILED);
	mpath_kunit_end_parked(ctx);
}

static void mpath_kunit_good_bio(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_io *io;

	mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	io = mpath_kunit_io(test, 0, REQ_OP_READ);
	mpath_kunit_send(io, mpath_get_path(ctx->head));
	KUNIT_ASSERT_NOT_NULL(test, io->path);
	mpath_end_clone(&io->clone);
	KUNIT_EXPECT_EQ(test, ctx->bios[0]->ended, 1);
	KUNIT_EXPECT_EQ(test, mpath_kunit_error(ctx, 0), 0);
	KUNIT_EXPECT_EQ(test, ctx->paths[0].path.state, MPATH_OPTIMIZED);
	KUNIT_EXPECT_EQ(test, ctx->head->nr_parked, 0);
	/* This would wait for a reference that is left. */
	mpath_kunit_unlist(&ctx->paths[0].path);
}

/* C9, C11: a bio is counted once or not at all, whatever happens meanwhile. */
static void mpath_kunit_count(struct kunit *test)
{
	static const blk_status_t ends[] = {
		BLK_STS_OK, BLK_STS_MEDIUM, BLK_STS_TRANSPORT,
	};
	struct mpath_kunit *ctx = test->priv;
	struct mpath_device *path = mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	struct mpath_head *head = ctx->head;
	unsigned int from, to, i;
	struct mpath_io *io;

	for (from = 0; from < MPATH_NR_IOPOLICIES; from++)
		for (to = 0; to < MPATH_NR_IOPOLICIES; to++)
			for (i = 0; i < ARRAY_SIZE(ends); i++) {
				mpath_set_iopolicy(head, from);
				io = mpath_kunit_io(test, 0, REQ_OP_READ);
				mpath_kunit_send(io, mpath_get_path(head));
				KUNIT_ASSERT_PTR_EQ(test, io->path, path);
				mpath_count_io(path, io);
				KUNIT_EXPECT_EQ(test,
						atomic_read(path->nr_active),
						from == MPATH_IOPOLICY_QD);
				mpath_set_iopolicy(head, to);
				io->clone.bi_status = ends[i];
				mpath_end_clone(&io->clone);
				KUNIT_EXPECT_EQ(test,
						atomic_read(path->nr_active), 0);
				mpath_kunit_end_parked(ctx);
				mpath_kunit_tell_test(path, BLK_STS_OK);
			}
}

/* A path that is switched off takes no I/O, until it is switched on. */
static void mpath_kunit_disabled(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_device *path = mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	struct mpath_head *head = ctx->head;
	nodemask_t nodes;

	mpath_kunit_list(test, 1, MPATH_NONOPTIMIZED);
	mpath_path_nodes(path, &nodes);
	KUNIT_EXPECT_TRUE(test, nodes_equal(nodes, node_states[N_ONLINE]));
	mpath_path_nodes(&ctx->paths[1].path, &nodes);
	KUNIT_EXPECT_TRUE(test, nodes_empty(nodes));

	mpath_set_disabled(path, true);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_DISABLED);
	KUNIT_EXPECT_PTR_EQ(test, mpath_kunit_select(head),
			    &ctx->paths[1].path);
	mpath_path_nodes(path, &nodes);
	KUNIT_EXPECT_TRUE(test, nodes_empty(nodes));
	mpath_path_nodes(&ctx->paths[1].path, &nodes);
	KUNIT_EXPECT_TRUE(test, nodes_equal(nodes, node_states[N_ONLINE]));

	/* It does not come back by itself. */
	mpath_kunit_set_state(ctx, 0, MPATH_OFFLINE, false);
	mpath_kunit_set_state(ctx, 0, MPATH_OPTIMIZED, false);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_DISABLED);
	mpath_set_disabled(&ctx->paths[1].path, true);
	KUNIT_EXPECT_EQ(test, head->outlook, MPATH_LOST);

	mpath_set_disabled(path, false);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_OPTIMIZED);
	KUNIT_EXPECT_PTR_EQ(test, mpath_kunit_select(head), path);
}

/* Errors, changes and the time without a path are remembered. */
static void mpath_kunit_counters(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_device *path = mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	struct mpath_head *head = ctx->head;
	unsigned long changes = path->nr_changes;
	struct mpath_io *io;

	io = mpath_kunit_io(test, 0, REQ_OP_READ);
	mpath_kunit_send(io, mpath_get_path(head));
	KUNIT_ASSERT_PTR_EQ(test, io->path, path);
	io->clone.bi_status = BLK_STS_TRANSPORT;
	mpath_end_clone(&io->clone);
	KUNIT_EXPECT_EQ(test, path->nr_errors, 1);
	KUNIT_EXPECT_EQ(test, path->nr_failovers, 1);
	KUNIT_EXPECT_EQ(test, blk_status_to_errno(path->last_error), -ENOLINK);
	KUNIT_EXPECT_GT(test, path->last_error_at, 0);
	KUNIT_EXPECT_EQ(test, path->nr_changes, changes + 1);
	mpath_kunit_end_parked(ctx);
	mpath_kunit_tell_test(path, BLK_STS_OK);
	KUNIT_EXPECT_EQ(test, path->nr_changes, changes + 2);
	KUNIT_EXPECT_EQ(test, head->outages, 0);

	head->disk = &ctx->paths[0].disk;
	mpath_kunit_set_state(ctx, 0, MPATH_BLOCKED, false);
	msleep(20);
	mpath_kunit_set_state(ctx, 0, MPATH_OFFLINE, false);
	msleep(20);
	mpath_kunit_set_state(ctx, 0, MPATH_OPTIMIZED, false);
	KUNIT_EXPECT_GE(test, head->outages, 40);
	KUNIT_EXPECT_EQ(test, head->outage_longest, head->outages);
	mpath_kunit_set_state(ctx, 0, MPATH_OFFLINE, false);
	mpath_kunit_set_state(ctx, 0, MPATH_OPTIMIZED, false);
	KUNIT_EXPECT_GE(test, head->outages, head->outage_longest);
	head->disk = NULL;

	mpath_kunit_set_state(ctx, 0, MPATH_OFFLINE, false);
	mpath_submit_io(head, mpath_kunit_io(test, 0, REQ_OP_READ));
	KUNIT_EXPECT_EQ(test, head->nr_refused, 1);
	mpath_kunit_set_state(ctx, 0, MPATH_BLOCKED, false);
	mpath_submit_io(head, mpath_kunit_io(test, 0, REQ_OP_READ));
	KUNIT_EXPECT_EQ(test, head->nr_waited, 1);
	flush_work(&head->event_work);
	KUNIT_EXPECT_GT(test, atomic_read(&ctx->events), 0);
	mpath_kunit_end_parked(ctx);
}

/* Take a clone that is parked, and is the only one, as the worker would. */
static void mpath_kunit_unpark(struct kunit *test, struct mpath_io *io)
{
	struct mpath_kunit *ctx = test->priv;

	KUNIT_ASSERT_PTR_EQ(test, bio_list_pop(&ctx->head->parked), &io->clone);
	ctx->head->nr_parked--;
	KUNIT_ASSERT_EQ(test, mpath_renew_clone(io), 0);
}

static void mpath_kunit_tries_are_bounded(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_head *head = ctx->head;
	struct mpath_io *io;
	unsigned int tries;

	mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	io = mpath_kunit_io(test, 0, REQ_OP_READ);

	for (tries = 1; tries <= MPATH_MAX_TRIES; tries++) {
		KUNIT_ASSERT_EQ(test, ctx->bios[0]->ended, 0);
		mpath_kunit_send(io, mpath_get_path(head));
		KUNIT_ASSERT_NOT_NULL(test, io->path);
		io->clone.bi_status = BLK_STS_TRANSPORT;
		mpath_end_clone(&io->clone);
		if (tries == MPATH_MAX_TRIES)
			break;
		mpath_kunit_unpark(test, io);
		mpath_kunit_tell_test(&ctx->paths[0].path, BLK_STS_OK);
	}
	KUNIT_EXPECT_EQ(test, ctx->bios[0]->ended, 1);
	KUNIT_EXPECT_EQ(test, mpath_kunit_error(ctx, 0), -ENOLINK);
	KUNIT_EXPECT_TRUE(test, bio_list_empty(&head->parked));
}

/* Those that its path has not begun with are none. */
static void mpath_kunit_turned_down(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_head *head = ctx->head;
	struct mpath_io *io;
	unsigned int i;

	mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	io = mpath_kunit_io(test, 0, REQ_OP_WRITE);

	for (i = 0; i < 2 * MPATH_MAX_TRIES; i++) {
		mpath_kunit_send(io, mpath_get_path(head));
		KUNIT_ASSERT_NOT_NULL(test, io->path);
		mpath_kunit_set_state(ctx, 0, MPATH_BLOCKED, false);
		io->clone.bi_status = BLK_STS_OFFLINE;
		mpath_end_clone(&io->clone);
		mpath_kunit_unpark(test, io);
		mpath_kunit_set_state(ctx, 0, MPATH_OPTIMIZED, false);
	}
	KUNIT_EXPECT_EQ(test, io->tries, 0);

	/* Unless it is the path that claims to be good. */
	mpath_kunit_send(io, mpath_get_path(head));
	io->clone.bi_status = BLK_STS_OFFLINE;
	mpath_end_clone(&io->clone);
	KUNIT_EXPECT_EQ(test, io->tries, 1);
	KUNIT_EXPECT_EQ(test, ctx->paths[0].path.state, MPATH_FAILED);
	mpath_kunit_end_parked(ctx);
}

/* D16: what an opener pins. There is no module here, so none is counted. */
static void mpath_kunit_openers(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct gendisk *disk = &ctx->paths[0].disk;
	struct mpath_device *path[2];

	disk->private_data = ctx->head;
	path[0] = mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	KUNIT_EXPECT_FALSE(test, path[0]->pinned);

	mpath_open_disk(disk);
	mpath_open_disk(disk);
	KUNIT_EXPECT_TRUE(test, path[0]->pinned);
	path[1] = mpath_kunit_list(test, 1, MPATH_OPTIMIZED);
	KUNIT_EXPECT_TRUE(test, path[1]->pinned);
	mpath_kunit_unlist(path[0]);
	KUNIT_EXPECT_FALSE(test, path[0]->pinned);

	mpath_release_disk(disk);
	KUNIT_EXPECT_TRUE(test, path[1]->pinned);
	mpath_release_disk(disk);
	KUNIT_EXPECT_FALSE(test, path[1]->pinned);
}

static void mpath_kunit_no_path_for_bio(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_head *head = ctx->head;
	struct mpath_io *io;

	mpath_kunit_list(test, 0, MPATH_BLOCKED);
	mpath_kunit_set_life(head, MPATH_DISK_ADDED);
	mpath_kunit_reported(ctx);

	/* A path may come back. */
	mpath_submit_io(head, mpath_kunit_io(test, 0, REQ_OP_READ));
	KUNIT_EXPECT_EQ(test, ctx->bios[0]->ended, 0);
	KUNIT_EXPECT_EQ(test, head->nr_parked, 1);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&head->requeue_work));
	/* The issuer does not want to wait for that. */
	mpath_submit_io(head, mpath_kunit_io(test, 1, REQ_OP_READ | REQ_NOWAIT));
	KUNIT_EXPECT_EQ(test, ctx->bios[1]->ended, 1);
	KUNIT_EXPECT_EQ(test, mpath_kunit_error(ctx, 1), -EAGAIN);
	KUNIT_EXPECT_EQ(test, head->nr_parked, 1);

	/* Something has changed since no path was found: it is to look again. */
	io = mpath_kunit_io(test, 1, REQ_OP_READ);
	KUNIT_EXPECT_FALSE(test, mpath_no_path(head, io, head->generation - 1));
	KUNIT_EXPECT_EQ(test, ctx->bios[1]->ended, 0);
	KUNIT_EXPECT_EQ(test, head->nr_parked, 1);
	mpath_end_io(io, BLK_STS_OK);

	/* None will. */
	mpath_kunit_kicks(ctx);
	mpath_kunit_set_state(ctx, 0, MPATH_OFFLINE, false);
	KUNIT_EXPECT_GT(test, mpath_kunit_kicks(ctx), 0);
	mpath_submit_io(head, mpath_kunit_io(test, 2, REQ_OP_READ));
	KUNIT_EXPECT_EQ(test, ctx->bios[2]->ended, 1);
	KUNIT_EXPECT_EQ(test, mpath_kunit_error(ctx, 2), -EIO);
	mpath_submit_io(head, mpath_kunit_io(test, 2, REQ_OP_READ | REQ_NOWAIT));
	KUNIT_EXPECT_EQ(test, ctx->bios[2]->ended, 1);
	KUNIT_EXPECT_EQ(test, mpath_kunit_error(ctx, 2), -EIO);

	/* Somebody may bring one back in time. */
	head->lost_until = get_jiffies_64() + 100 * HZ;
	mpath_submit_io(head, mpath_kunit_io(test, 3, REQ_OP_READ));
	KUNIT_EXPECT_EQ(test, ctx->bios[3]->ended, 0);
	KUNIT_EXPECT_EQ(test, head->nr_parked, 2);

	mpath_kunit_end_parked(ctx);
}

/* A change wakes what is parked, whether it helps or not. */
static void mpath_kunit_change_wakes(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_head *head = ctx->head;

	mpath_kunit_list(test, 0, MPATH_BLOCKED);
	mpath_kunit_list(test, 1, MPATH_TRANSITIONING);
	mpath_kunit_set_life(head, MPATH_DISK_ADDED);
	mpath_kunit_reported(ctx);

	mpath_kunit_set_state(ctx, 0, MPATH_UNKNOWN, false);
	KUNIT_EXPECT_EQ(test, mpath_kunit_kicks(ctx), 0);

	mpath_submit_io(head, mpath_kunit_io(test, 0, REQ_OP_READ));
	mpath_kunit_kicks(ctx);
	mpath_kunit_set_state(ctx, 0, MPATH_BLOCKED, false);
	KUNIT_EXPECT_GT(test, mpath_kunit_kicks(ctx), 0);
	mpath_set_iopolicy(head, MPATH_IOPOLICY_RR);
	KUNIT_EXPECT_GT(test, mpath_kunit_kicks(ctx), 0);

	mpath_kunit_end_parked(ctx);
}

/* B6: in the order in which they came. */
static void mpath_kunit_parked_keep_order(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_head *head = ctx->head;
	struct bio *clone;
	unsigned int i;

	mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	mpath_kunit_set_life(head, MPATH_DISK_ADDED);

	/* They fail one after the other, the last has found no path any more. */
	for (i = 0; i < MPATH_TEST_BIOS - 1; i++) {
		struct mpath_io *io = mpath_kunit_io(test, i,
						    REQ_OP_WRITE | REQ_NOWAIT);

		mpath_kunit_tell_test(&ctx->paths[0].path, BLK_STS_OK);
		mpath_kunit_send(io, mpath_get_path(head));
		KUNIT_ASSERT_NOT_NULL(test, io->path);
		io->clone.bi_status = BLK_STS_IOERR;
		mpath_end_clone(&io->clone);
	}
	mpath_submit_io(head, mpath_kunit_io(test, i, REQ_OP_WRITE));
	KUNIT_EXPECT_EQ(test, head->nr_parked, MPATH_TEST_BIOS);

	/* Still no path: they wait on, even those that did not want to. */
	mpath_requeue_work(&head->requeue_work.work);
	KUNIT_EXPECT_EQ(test, ctx->nr_ended, 0);
	KUNIT_EXPECT_EQ(test, head->nr_parked, MPATH_TEST_BIOS);
	i = 0;
	bio_list_for_each(clone, &head->parked)
		KUNIT_EXPECT_PTR_EQ(test, mpath_kunit_parked(clone),
				    ctx->bios[i++]);
	KUNIT_EXPECT_EQ(test, i, MPATH_TEST_BIOS);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&head->requeue_work));

	/* None to come. */
	mpath_kunit_set_state(ctx, 0, MPATH_OFFLINE, false);
	mpath_requeue_work(&head->requeue_work.work);
	KUNIT_EXPECT_EQ(test, head->nr_parked, 0);
	KUNIT_EXPECT_TRUE(test, bio_list_empty(&head->parked));
	for (i = 0; i < MPATH_TEST_BIOS; i++) {
		KUNIT_EXPECT_EQ(test, ctx->bios[i]->ended, 1);
		KUNIT_EXPECT_EQ(test, ctx->bios[i]->order, i);
		KUNIT_EXPECT_EQ(test, mpath_kunit_error(ctx, i), -EIO);
	}
}

/* Sent again it is as if it had never been sent. */
static void mpath_kunit_renewed_clone(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_io *io = mpath_kunit_io(test, 0, REQ_OP_WRITE | REQ_SYNC |
						     REQ_FUA | REQ_NOWAIT);
	struct bio *bio = &ctx->bios[0]->bio, *clone = &io->clone;
	struct bio_set *pool = clone->bi_pool;

	bio->bi_iter.bi_sector = 1234;
	bio->bi_iter.bi_size = 8192;
	bio->bi_ioprio = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_RT, 3);
	io->tries = 5;
	clone->bi_status = BLK_STS_TRANSPORT;
	clone->bi_iter.bi_sector = 1238;
	clone->bi_iter.bi_size = 512;
	clone->bi_opf |= REQ_FAILFAST_TRANSPORT;
	bio_set_flag(clone, BIO_REMAPPED);

	KUNIT_ASSERT_EQ(test, mpath_renew_clone(io), 0);
	KUNIT_EXPECT_EQ(test, blk_status_to_errno(clone->bi_status), 0);
	KUNIT_EXPECT_EQ(test, clone->bi_iter.bi_sector, 1234);
	KUNIT_EXPECT_EQ(test, clone->bi_iter.bi_size, 8192);
	KUNIT_EXPECT_EQ(test, clone->bi_ioprio, bio->bi_ioprio);
	KUNIT_EXPECT_EQ(test, (__force u32)clone->bi_opf,
			(__force u32)(REQ_OP_WRITE | REQ_SYNC | REQ_FUA));
	KUNIT_EXPECT_FALSE(test, bio_flagged(clone, BIO_REMAPPED));
	KUNIT_EXPECT_PTR_EQ(test, clone->bi_pool, pool);
	KUNIT_EXPECT_PTR_EQ(test, clone->bi_private, (void *)bio);
	KUNIT_EXPECT_EQ(test, io->tries, 5);
	/* The issuer's own is untouched. */
	KUNIT_EXPECT_EQ(test, ctx->bios[0]->ended, 0);
	KUNIT_EXPECT_EQ(test, (__force u32)bio->bi_opf,
			(__force u32)(REQ_OP_WRITE | REQ_SYNC | REQ_FUA |
				      REQ_NOWAIT));

	mpath_end_io(io, BLK_STS_OK);
	KUNIT_EXPECT_EQ(test, ctx->bios[0]->ended, 1);
}

static void *mpath_kunit_no_element(gfp_t gfp, void *pool_data)
{
	return NULL;
}

/* A clone is used again, and as new. */
static void mpath_kunit_idle(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct bio_set *pool = &ctx->head->bio_pool;
	struct mpath_io *io, *again;
	struct mpath_cpu *cpu;
	struct bio *clone;

	/* so that it is this CPU's all along */
	migrate_disable();
	cpu = raw_cpu_ptr(ctx->head->cpu);
	io = mpath_kunit_io(test, 0, REQ_OP_WRITE | REQ_FUA);
	KUNIT_EXPECT_PTR_EQ(test, cpu->idle, NULL);
	clone = &io->clone;
	clone->bi_status = BLK_STS_MEDIUM;
	clone->bi_iter.bi_size = 512;
	bio_set_flag(clone, BIO_REMAPPED);
	mpath_end_io(io, BLK_STS_OK);
	KUNIT_EXPECT_EQ(test, ctx->bios[0]->ended, 1);
	KUNIT_EXPECT_PTR_EQ(test, cpu->idle, clone);
	KUNIT_EXPECT_EQ(test, cpu->nr_idle, 1);

	/* The issuer's own pool may have a cache; this one has none. */
	again = mpath_kunit_io(test, 1, REQ_OP_READ | REQ_ALLOC_CACHE);
	KUNIT_EXPECT_PTR_EQ(test, again, io);
	KUNIT_EXPECT_EQ(test, cpu->nr_idle, 0);
	KUNIT_EXPECT_PTR_EQ(test, cpu->idle, NULL);
	KUNIT_EXPECT_PTR_EQ(test, clone->bi_pool, pool);
	KUNIT_EXPECT_PTR_EQ(test, clone->bi_private, (void *)&ctx->bios[1]->bio);
	KUNIT_EXPECT_EQ(test, (__force u32)clone->bi_opf, (__force u32)REQ_OP_READ);
	KUNIT_EXPECT_EQ(test, blk_status_to_errno(clone->bi_status), 0);
	KUNIT_EXPECT_EQ(test, clone->bi_iter.bi_size, 0);
	KUNIT_EXPECT_FALSE(test, bio_flagged(clone, BIO_REMAPPED));
	mpath_end_io(again, BLK_STS_OK);
	migrate_enable();
}

/* ... but not any number is kept. */
static void mpath_kunit_many_idle(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_cpu *cpu;
	struct mpath_io *io;
	struct bio *clone;

	migrate_disable();
	cpu = raw_cpu_ptr(ctx->head->cpu);
	io = mpath_kunit_io(test, 0, REQ_OP_READ);
	clone = &mpath_kunit_io(test, 1, REQ_OP_READ)->clone;
	cpu->nr_idle = MPATH_MAX_IDLE - 1;
	mpath_end_io(io, BLK_STS_OK);
	KUNIT_EXPECT_PTR_EQ(test, cpu->idle, &io->clone);
	KUNIT_EXPECT_EQ(test, cpu->nr_idle, MPATH_MAX_IDLE);
	mpath_end_io(mpath_clone_to_io(clone), BLK_STS_OK);
	KUNIT_EXPECT_PTR_EQ(test, cpu->idle, &io->clone);
	KUNIT_EXPECT_EQ(test, cpu->nr_idle, MPATH_MAX_IDLE);
	KUNIT_EXPECT_PTR_EQ(test, io->clone.bi_next, NULL);
	migrate_enable();
}

/* B14: clones are kept for others, but not while the pool lacks some. */
static void mpath_kunit_reserve_first(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	mempool_t *pool = &ctx->head->bio_pool.bio_pool;
	mempool_alloc_t *alloc = pool->alloc;
	struct mpath_io *io;
	void *element;

	/*
	 * What a pool has in reserve is poisoned, and for KASAN stays so if it
	 * is taken, or given back, while the pool has another ->alloc.
	 */
	pool->alloc = mpath_kunit_no_element;
	element = mempool_alloc(pool, GFP_NOWAIT);
	KUNIT_ASSERT_NOT_NULL(test, element);
	kasan_disable_current();
	io = mpath_kunit_io(test, 0, REQ_OP_READ);
	KUNIT_EXPECT_EQ(test, pool->curr_nr, MPATH_BIO_POOL_SIZE - 2);
	mpath_end_io(io, BLK_STS_OK);
	kasan_enable_current();
	KUNIT_EXPECT_EQ(test, pool->curr_nr, MPATH_BIO_POOL_SIZE - 1);

	mempool_free(element, pool);
	pool->alloc = alloc;
	KUNIT_EXPECT_EQ(test, pool->curr_nr, MPATH_BIO_POOL_SIZE);
}

/* B7: no memory for a clone: who does not want to wait for some is told so. */
static void mpath_kunit_no_clone(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	mempool_t *pool = &ctx->head->bio_pool.bio_pool;
	struct bio *bio = &ctx->bios[0]->bio;
	void *reserve[MPATH_BIO_POOL_SIZE];
	mempool_alloc_t *alloc = pool->alloc;
	unsigned int i;

	mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	bio_init(bio, NULL, NULL, 0, REQ_OP_READ | REQ_NOWAIT);
	bio->bi_end_io = mpath_kunit_end_bio;

	pool->alloc = mpath_kunit_no_element;
	for (i = 0; i < MPATH_BIO_POOL_SIZE; i++)
		reserve[i] = mempool_alloc(pool, GFP_NOWAIT);
	mpath_start_bio(ctx->head, bio);
	for (i = 0; i < MPATH_BIO_POOL_SIZE; i++)
		mempool_free(reserve[i], pool);
	pool->alloc = alloc;

	KUNIT_EXPECT_EQ(test, ctx->bios[0]->ended, 1);
	KUNIT_EXPECT_EQ(test, mpath_kunit_error(ctx, 0), -EAGAIN);
}

/* Below the path, memory has been short. */
static void mpath_kunit_no_memory(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_device *path = mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	struct mpath_head *head = ctx->head;
	struct mpath_io *io = mpath_kunit_io(test, 0, REQ_OP_WRITE);

	mpath_kunit_send(io, mpath_get_path(head));
	KUNIT_ASSERT_PTR_EQ(test, io->path, path);
	io->clone.bi_status = BLK_STS_RESOURCE;
	mpath_end_clone(&io->clone);
	KUNIT_EXPECT_EQ(test, path->state, MPATH_OPTIMIZED);
	KUNIT_EXPECT_EQ(test, ctx->bios[0]->ended, 0);
	KUNIT_EXPECT_EQ(test, head->nr_parked, 1);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&head->requeue_work));
	mpath_kunit_end_parked(ctx);
}

/*
 * Lives
 */

static void mpath_kunit_next_life(struct kunit *test)
{
	static const struct {
		enum mpath_life		life;
		enum mpath_event	event;
		int			next;
	} cases[] = {
		{ MPATH_NEW,	 MPATH_JOINED,		MPATH_NEW },
		{ MPATH_NEW,	 MPATH_DISK_ADDED,	MPATH_LIVE },
		/* nobody has a disk to wait with */
		{ MPATH_NEW,	 MPATH_LEFT_TO_WAIT,	MPATH_DEAD },
		{ MPATH_NEW,	 MPATH_LEFT_FOR_GOOD,	MPATH_DEAD },
		{ MPATH_NEW,	 MPATH_TIME_OVER,	MPATH_NEW },
		{ MPATH_LIVE,	 MPATH_JOINED,		MPATH_LIVE },
		{ MPATH_LIVE,	 MPATH_DISK_ADDED,	MPATH_LIVE },
		{ MPATH_LIVE,	 MPATH_LEFT_TO_WAIT,	MPATH_PENDING },
		{ MPATH_LIVE,	 MPATH_LEFT_FOR_GOOD,	MPATH_DEAD },
		/* a path was there in time */
		{ MPATH_LIVE,	 MPATH_TIME_OVER,	MPATH_LIVE },
		{ MPATH_PENDING, MPATH_JOINED,		MPATH_LIVE },
		{ MPATH_PENDING, MPATH_DISK_ADDED,	MPATH_PENDING },
		{ MPATH_PENDING, MPATH_LEFT_TO_WAIT,	MPATH_PENDING },
		{ MPATH_PENDING, MPATH_LEFT_FOR_GOOD,	MPATH_DEAD },
		{ MPATH_PENDING, MPATH_TIME_OVER,	MPATH_DEAD },
		{ MPATH_DEAD,	 MPATH_JOINED,		-ENODEV },
		{ MPATH_DEAD,	 MPATH_DISK_ADDED,	-ENODEV },
		{ MPATH_DEAD,	 MPATH_LEFT_TO_WAIT,	-ENODEV },
		{ MPATH_DEAD,	 MPATH_LEFT_FOR_GOOD,	-ENODEV },
		{ MPATH_DEAD,	 MPATH_TIME_OVER,	-ENODEV },
	};
	unsigned int i;

	/* each once */
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(cases), MPATH_NR_LIVES * MPATH_NR_EVENTS);
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    mpath_next_life(cases[i].life, cases[i].event),
				    cases[i].next, "life %u, event %u",
				    cases[i].life, cases[i].event);
}

static void mpath_kunit_members(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_head *head = ctx->head;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_EQ(test, mpath_kunit_join(ctx, i), 0);
		KUNIT_EXPECT_EQ(test, ctx->paths[i].path.index, i);
		KUNIT_EXPECT_PTR_EQ(test, ctx->paths[i].path.head, head);
		KUNIT_EXPECT_EQ(test, ctx->paths[i].path.state, MPATH_REMOVED);
		KUNIT_EXPECT_EQ(test, head->nr_members, i + 1);
		KUNIT_EXPECT_EQ(test, kref_read(&head->kref), i + 2);
	}
	/* A member is not a path to choose before it is listed. */
	ctx->paths[0].state = MPATH_OPTIMIZED;
	mpath_path_changed(&ctx->paths[0].path);
	KUNIT_EXPECT_NULL(test, mpath_get_path(head));

	/* A number is stable, and free for another once its path has left. */
	mpath_kunit_leave(ctx, 1);
	KUNIT_EXPECT_EQ(test, head->nr_members, 2);
	KUNIT_EXPECT_EQ(test, kref_read(&head->kref), 3);
	KUNIT_ASSERT_EQ(test, mpath_kunit_join(ctx, 3), 0);
	KUNIT_EXPECT_EQ(test, ctx->paths[3].path.index, 1);
	KUNIT_EXPECT_EQ(test, ctx->paths[2].path.index, 2);
	KUNIT_EXPECT_EQ(test, ctx->dead, 0);
	KUNIT_EXPECT_EQ(test, head->life, MPATH_NEW);

	mpath_kunit_leave(ctx, 0);
	mpath_kunit_leave(ctx, 2);
	KUNIT_EXPECT_EQ(test, ctx->dead, 0);
	mpath_kunit_leave(ctx, 3);
	KUNIT_EXPECT_EQ(test, ctx->dead, 1);
	KUNIT_EXPECT_EQ(test, ctx->released, 1);
}

static void mpath_kunit_dead_is_final(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_kunit_path *tpath = &ctx->paths[1];
	struct mpath_head *head = ctx->head;

	KUNIT_ASSERT_EQ(test, mpath_kunit_join(ctx, 0), 0);
	/* as a disk that somebody has still open */
	kref_get(&head->kref);
	mpath_kunit_leave(ctx, 0);
	KUNIT_EXPECT_EQ(test, head->life, MPATH_DEAD);
	KUNIT_EXPECT_EQ(test, ctx->dead, 1);
	KUNIT_EXPECT_EQ(test, ctx->released, 0);

	KUNIT_EXPECT_EQ(test, mpath_kunit_join(ctx, 1), -ENODEV);
	KUNIT_EXPECT_EQ(test, head->nr_members, 0);
	KUNIT_EXPECT_EQ(test, kref_read(&head->kref), 1);
	KUNIT_EXPECT_TRUE(test, ida_is_empty(&head->indices));

	/* A dead head gets no disk, which nobody would delete. */
	tpath->bdev.bd_nr_sectors = 8;
	tpath->disk.part0 = &tpath->bdev;
	tpath->path.disk = &tpath->disk;
	tpath->path.mismatch = true;
	list_add_tail(&tpath->path.entry, &head->paths);
	mpath_revalidate(head);
	KUNIT_EXPECT_NULL(test, head->disk);
	KUNIT_EXPECT_TRUE(test, tpath->path.mismatch);
	list_del(&tpath->path.entry);

	kref_put(&head->kref, mpath_release);
	KUNIT_EXPECT_EQ(test, ctx->dead, 1);
	KUNIT_EXPECT_EQ(test, ctx->released, 1);
}

static void mpath_kunit_pending_revives(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_head *head = ctx->head;
	unsigned int round;

	KUNIT_ASSERT_EQ(test, mpath_kunit_join(ctx, 0), 0);
	mpath_kunit_set_life(head, MPATH_DISK_ADDED);
	KUNIT_EXPECT_EQ(test, head->life, MPATH_LIVE);
	head->delayed_removal_secs = 1000;

	for (round = 0; round < 3; round++) {
		mpath_kunit_leave(ctx, 0);
		KUNIT_EXPECT_EQ(test, head->life, MPATH_PENDING);
		KUNIT_EXPECT_TRUE(test, mpath_may_wait(head));
		KUNIT_EXPECT_TRUE(test, delayed_work_pending(&head->removal_work));
		KUNIT_EXPECT_EQ(test, ctx->dead, 0);

		/* Just in time, and not usable yet. */
		head->lost_until = get_jiffies_64();
		KUNIT_ASSERT_EQ(test, mpath_kunit_join(ctx, 0), 0);
		KUNIT_EXPECT_EQ(test, head->life, MPATH_LIVE);
		KUNIT_EXPECT_TRUE(test, mpath_may_wait(head));
		KUNIT_EXPECT_FALSE(test,
				   delayed_work_pending(&head->removal_work));
	}

	/* The work was on its way when the path came. */
	head->lost_until = get_jiffies_64();
	mpath_removal_work(&head->removal_work.work);
	KUNIT_EXPECT_EQ(test, head->life, MPATH_LIVE);
	KUNIT_EXPECT_EQ(test, ctx->dead, 0);

	head->delayed_removal_secs = 0;
	mpath_kunit_leave(ctx, 0);
	KUNIT_EXPECT_EQ(test, ctx->dead, 1);
	KUNIT_EXPECT_EQ(test, ctx->released, 1);
}

static void mpath_kunit_pending_dies(struct kunit *test)
{
	struct mpath_kunit *ctx = test->priv;
	struct mpath_head *head = ctx->head;

	KUNIT_ASSERT_EQ(test, mpath_kunit_join(ctx, 0), 0);
	mpath_kunit_set_life(head, MPATH_DISK_ADDED);
	head->delayed_removal_secs = 1000;
	mpath_kunit_leave(ctx, 0);
	KUNIT_ASSERT_EQ(test, head->life, MPATH_PENDING);

	/* Too early: it goes off again when the time is over. */
	cancel_delayed_work_sync(&head->removal_work);
	mpath_removal_work(&head->removal_work.work);
	KUNIT_EXPECT_EQ(test, head->life, MPATH_PENDING);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&head->removal_work));

	/* The time is over. */
	cancel_delayed_work_sync(&head->removal_work);
	spin_lock_irq(&head->lock);
	head->lost_until = get_jiffies_64();
	spin_unlock_irq(&head->lock);
	mpath_removal_work(&head->removal_work.work);
	KUNIT_EXPECT_EQ(test, ctx->dead, 1);
	KUNIT_EXPECT_EQ(test, ctx->released, 1);
}

/* A disk with 8 sectors that is in no sysfs. */
static struct gendisk *mpath_kunit_disk(struct kunit *test,
					struct queue_limits *lim)
{
	struct gendisk *disk = blk_alloc_disk(lim, NUMA_NO_NODE);

	KUNIT_ASSERT_FALSE(test, IS_ERR(disk));
	set_capacity(disk, 8);
	return disk;
}

/* List a path with a disk of its own, which is in use already, or is not. */
static struct mpath_device *
mpath_kunit_list_disk(struct kunit *test, unsigned int nr,
		      struct queue_limits *lim, bool used)
{
	struct mpath_device *path = mpath_kunit_list(test, nr, MPATH_OPTIMIZED);

	path->disk = mpath_kunit_disk(test, lim);
	path->linked = true;
	spin_lock_irq(&path->head->lock);
	path->mismatch = !used;
	mpath_update_path(path);
	spin_unlock_irq(&path->head->lock);
	return path;
}

static void mpath_kunit_put_disks(struct mpath_kunit *ctx, unsigned int nr)
{
	while (nr--) {
		put_disk(ctx->paths[nr].path.disk);
		ctx->paths[nr].path.disk = &ctx->paths[nr].disk;
		ctx->paths[nr].path.linked = false;
	}
	put_disk(ctx->head->disk);
	ctx->head->disk = NULL;
}

/*
 * Nobody who has the limits locked is waited for; what is due is done later. Until
 * then only a path that can take what the disk gives is taken into use.
 */
static void mpath_kunit_limits_locked(struct kunit *test)
{
	struct queue_limits lax = { .dma_alignment = 3 };
	struct queue_limits tight = { .dma_alignment = 7, .max_hw_sectors = 64 };
	struct mpath_device *old, *equal, *new;
	struct mpath_kunit *ctx = test->priv;
	struct mpath_head *head = ctx->head;
	struct request_queue *q;

	head->disk = mpath_kunit_disk(test, &lax);
	q = head->disk->queue;
	old = mpath_kunit_list_disk(test, 0, &tight, true);
	equal = mpath_kunit_list_disk(test, 1, &lax, false);
	new = mpath_kunit_list_disk(test, 2, &tight, false);

	mutex_lock(&q->limits_lock);
	KUNIT_EXPECT_EQ(test, mpath_revalidate(head), 0);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&head->limits_work));
	KUNIT_EXPECT_NE(test, queue_max_hw_sectors(q), 64);
	KUNIT_EXPECT_EQ(test, old->state, MPATH_OPTIMIZED);
	KUNIT_EXPECT_EQ(test, equal->state, MPATH_OPTIMIZED);
	KUNIT_EXPECT_EQ(test, new->state, MPATH_UNKNOWN);
	KUNIT_EXPECT_TRUE(test, new->sized);

	/* Who has the limits locked may wait for what waits for this path. */
	head->limits_tries = MPATH_LIMITS_AWAITED;
	KUNIT_EXPECT_EQ(test, mpath_revalidate(head), 0);
	KUNIT_EXPECT_EQ(test, new->state, MPATH_MISMATCH);
	KUNIT_EXPECT_EQ(test, old->state, MPATH_OPTIMIZED);
	cancel_delayed_work_sync(&head->limits_work);
	mutex_unlock(&q->limits_lock);

	mpath_limits_work(&head->limits_work.work);
	KUNIT_EXPECT_EQ(test, queue_max_hw_sectors(q), 64);
	KUNIT_EXPECT_EQ(test, queue_dma_alignment(q), 7);
	KUNIT_EXPECT_EQ(test, new->state, MPATH_OPTIMIZED);
	KUNIT_EXPECT_EQ(test, head->limits_tries, 0);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&head->limits_work));

	mpath_kunit_put_disks(ctx, 3);
}

/* What of a path's limits the disk must have before it sends anything there? */
static void mpath_kunit_limits_allow(struct kunit *test)
{
	struct queue_limits lim = {
		.dma_alignment			= 3,
		.atomic_write_hw_max		= 4096,
		.atomic_write_hw_unit_min	= 512,
		.atomic_write_hw_unit_max	= 4096,
	};
	struct mpath_kunit *ctx = test->priv;
	struct mpath_head *head = ctx->head;
	struct queue_limits *path_lim;
	struct mpath_device *path;

	head->disk = mpath_kunit_disk(test, &lim);
	path = mpath_kunit_list_disk(test, 0, &lim, false);
	/* Without the support for it no queue is made with that. */
	head->disk->queue->limits.integrity.tuple_size = 8;
	path_lim = &path->disk->queue->limits;
	path_lim->integrity.tuple_size = 8;
	lim = *path_lim;
	KUNIT_EXPECT_TRUE(test, mpath_limits_allow(head, path));

	path_lim->dma_alignment = 7;
	KUNIT_EXPECT_FALSE(test, mpath_limits_allow(head, path));
	path_lim->dma_alignment = 0;
	KUNIT_EXPECT_TRUE(test, mpath_limits_allow(head, path));
	*path_lim = lim;

	path_lim->atomic_write_hw_max = 2048;
	KUNIT_EXPECT_FALSE(test, mpath_limits_allow(head, path));
	*path_lim = lim;

	path_lim->integrity.tuple_size = 0;
	KUNIT_EXPECT_FALSE(test, mpath_limits_allow(head, path));
	*path_lim = lim;

	ctx->paths[0].cached = true;
	KUNIT_EXPECT_FALSE(test, mpath_limits_allow(head, path));
	head->disk->queue->limits.features |= BLK_FEAT_WRITE_CACHE;
	KUNIT_EXPECT_TRUE(test, mpath_limits_allow(head, path));

	/* What the path has and the disk does not offer is no obstacle. */
	ctx->paths[0].cached = false;
	head->disk->queue->limits.atomic_write_hw_max = 0;
	memset(&head->disk->queue->limits.integrity, 0,
	       sizeof(lim.integrity));
	KUNIT_EXPECT_TRUE(test, mpath_limits_allow(head, path));

	mpath_kunit_put_disks(ctx, 1);
}

/* What the disk cannot do any more is not sent to a path. */
static void mpath_kunit_still_fits(struct kunit *test)
{
	struct queue_limits lim = {
		.atomic_write_hw_max		= 4096,
		.atomic_write_hw_unit_min	= 512,
		.atomic_write_hw_unit_max	= 4096,
	};
	struct mpath_kunit *ctx = test->priv;
	struct mpath_head *head = ctx->head;
	struct mpath_io *io = mpath_kunit_io(test, 0, REQ_OP_WRITE);
	struct bio *bio = &ctx->bios[0]->bio;

	head->disk = mpath_kunit_disk(test, &lim);
	mpath_kunit_list(test, 0, MPATH_OPTIMIZED);
	bio->bi_bdev = head->disk->part0;
	bio->bi_iter.bi_size = 4096;
	KUNIT_EXPECT_TRUE(test, mpath_still_fits(bio));
	bio->bi_opf |= REQ_ATOMIC;
	KUNIT_EXPECT_TRUE(test, mpath_still_fits(bio));

	head->disk->queue->limits.atomic_write_unit_max = 0;
	KUNIT_EXPECT_FALSE(test, mpath_still_fits(bio));
	mpath_resend_io(head, io);
	KUNIT_EXPECT_EQ(test, ctx->bios[0]->ended, 1);
	KUNIT_EXPECT_EQ(test, mpath_kunit_error(ctx, 0), -EOPNOTSUPP);

	mpath_kunit_put_disks(ctx, 0);
}

static struct kunit_case mpath_kunit_cases[] = {
	KUNIT_CASE(mpath_kunit_iopolicy_names),
	KUNIT_CASE(mpath_kunit_state_classes),
	KUNIT_CASE(mpath_kunit_effective_state),
	KUNIT_CASE(mpath_kunit_outlook),
	KUNIT_CASE(mpath_kunit_select_all_states),
	KUNIT_CASE_SLOW(mpath_kunit_select_four_paths),
	KUNIT_CASE(mpath_kunit_rr_takes_turns),
	KUNIT_CASE(mpath_kunit_numa_cache),
	KUNIT_CASE(mpath_kunit_removed_is_not_chosen),
	KUNIT_CASE(mpath_kunit_removal_waits),
	KUNIT_CASE(mpath_kunit_change_is_counted),
	KUNIT_CASE(mpath_kunit_iopolicy_change),
	KUNIT_CASE(mpath_kunit_outlook_is_reported),
	KUNIT_CASE(mpath_kunit_lost_time),
	KUNIT_CASE(mpath_kunit_may_wait),
	KUNIT_CASE(mpath_kunit_new_head_is_lost),
	KUNIT_CASE(mpath_kunit_backoff),
	KUNIT_CASE(mpath_kunit_failed_path),
	KUNIT_CASE(mpath_kunit_fail_knows_why),
	KUNIT_CASE(mpath_kunit_sizeless_path),
	KUNIT_CASE(mpath_kunit_test_results),
	KUNIT_CASE(mpath_kunit_overdue_tests),
	KUNIT_CASE(mpath_kunit_no_test_without_transport),
	KUNIT_CASE(mpath_kunit_tells_return),
	KUNIT_CASE(mpath_kunit_whose_error),
	KUNIT_CASE(mpath_kunit_lost_bio),
	KUNIT_CASE(mpath_kunit_good_bio),
	KUNIT_CASE(mpath_kunit_count),
	KUNIT_CASE(mpath_kunit_disabled),
	KUNIT_CASE(mpath_kunit_counters),
	KUNIT_CASE(mpath_kunit_tries_are_bounded),
	KUNIT_CASE(mpath_kunit_turned_down),
	KUNIT_CASE(mpath_kunit_openers),
	KUNIT_CASE(mpath_kunit_no_path_for_bio),
	KUNIT_CASE(mpath_kunit_change_wakes),
	KUNIT_CASE(mpath_kunit_parked_keep_order),
	KUNIT_CASE(mpath_kunit_renewed_clone),
	KUNIT_CASE(mpath_kunit_idle),
	KUNIT_CASE(mpath_kunit_many_idle),
	KUNIT_CASE(mpath_kunit_reserve_first),
	KUNIT_CASE(mpath_kunit_no_clone),
	KUNIT_CASE(mpath_kunit_still_fits),
	KUNIT_CASE(mpath_kunit_no_memory),
	KUNIT_CASE(mpath_kunit_next_life),
	KUNIT_CASE(mpath_kunit_members),
	KUNIT_CASE(mpath_kunit_dead_is_final),
	KUNIT_CASE(mpath_kunit_pending_revives),
	KUNIT_CASE(mpath_kunit_pending_dies),
	KUNIT_CASE(mpath_kunit_limits_locked),
	KUNIT_CASE(mpath_kunit_limits_allow),
	{}
};

static struct kunit_suite mpath_kunit_suite = {
	.name = "multipath",
	.init = mpath_kunit_init,
	.exit = mpath_kunit_exit,
	.test_cases = mpath_kunit_cases,
};

kunit_test_suite(mpath_kunit_suite);
