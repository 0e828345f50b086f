// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of SCSI multipath. Included by scsi_multipath.c, whose static
 * functions they call, with scsi_devices that nothing has been scanned for.
 */

#include <kunit/test.h>
#include <linux/kernfs.h>

#define SCSI_MPATH_TEST_SDEVS	3
#define SCSI_MPATH_TEST_VPD_LEN	1024

/* Designator types, SPC-5, table 488; the LUN's own, in binary or text */
#define SCSI_MPATH_TEST_T10	0x1
#define SCSI_MPATH_TEST_EUI	0x2
#define SCSI_MPATH_TEST_NAA	0x3
#define SCSI_MPATH_TEST_TPG	0x5
#define SCSI_MPATH_TEST_NAME	0x8

/* A command and its request, as they lie in memory. */
struct scsi_mpath_test_cmnd {
	struct request		req;
	struct scsi_cmnd	scmd;
	u8			sense[SCSI_SENSE_BUFFERSIZE];
};

struct scsi_mpath_test {
	struct scsi_device	*sdevs[SCSI_MPATH_TEST_SDEVS];
	char			*buf;	/* a page, as sysfs gives one */
	int			mode;
	int			iopolicy;
};

static struct scsi_device_handler scsi_mpath_test_handler = {
	.name	= "alua",
};

static struct scsi_device_handler scsi_mpath_test_other_handler = {
	.name	= "rdac",
};

static void scsi_mpath_test_no_release(struct device *dev)
{
}

static struct scsi_device *scsi_mpath_test_sdev(struct kunit *test)
{
	struct scsi_device *sdev;
	struct scsi_vpd *vpd;

	sdev = kunit_kzalloc(test, sizeof(*sdev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sdev);
	sdev->inquiry = kunit_kzalloc(test, 36, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sdev->inquiry);
	vpd = kunit_kzalloc(test, struct_size(vpd, data, SCSI_MPATH_TEST_VPD_LEN),
			    GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vpd);
	vpd->len = 4;
	vpd->data[1] = 0x83;
	rcu_assign_pointer(sdev->vpd_pg83, vpd);

	sdev->host = kunit_kzalloc(test, sizeof(*sdev->host), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sdev->host);
	sdev->host->shost_state = SHOST_RUNNING;

	sdev->type = TYPE_DISK;
	sdev->sdev_state = SDEV_RUNNING;
	sdev->inquiry[5] = 1 << 4;	/* TPGS: implicit ALUA */
	memcpy(sdev->inquiry + 8, "VENDOR 8MODEL IS SIXTEENREV4", 28);
	sdev->vendor = sdev->inquiry + 8;
	sdev->model = sdev->inquiry + 16;
	sdev->rev = sdev->inquiry + 32;
	return sdev;
}

static int scsi_mpath_test_init(struct kunit *test)
{
	struct scsi_mpath_test *ctx;
	unsigned int i;

	ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx);
	for (i = 0; i < SCSI_MPATH_TEST_SDEVS; i++)
		ctx->sdevs[i] = scsi_mpath_test_sdev(test);
	ctx->buf = (char *)get_zeroed_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx->buf);
	ctx->mode = scsi_mpath_mode;
	ctx->iopolicy = scsi_mpath_default_iopolicy;
	scsi_mpath_mode = SCSI_MPATH_ON;
	test->priv = ctx;
	return 0;
}

static void scsi_mpath_test_exit(struct kunit *test)
{
	struct scsi_mpath_test *ctx = test->priv;
	unsigned int i;

	if (!ctx)
		return;
	for (i = 0; i < SCSI_MPATH_TEST_SDEVS; i++)
		scsi_mpath_free(ctx->sdevs[i]);
	scsi_mpath_mode = ctx->mode;
	scsi_mpath_default_iopolicy = ctx->iopolicy;
	free_page((unsigned long)ctx->buf);
}

static struct scsi_vpd *scsi_mpath_test_vpd(struct scsi_device *sdev)
{
	return rcu_dereference_protected(sdev->vpd_pg83, true);
}

/* Add a designator to a device's VPD page 0x83. */
static void scsi_mpath_test_designator(struct scsi_device *sdev, u8 type,
				       const void *id, u8 len)
{
	struct scsi_vpd *vpd = scsi_mpath_test_vpd(sdev);
	unsigned char *d = vpd->data + vpd->len;

	/* code set: ASCII, UTF-8 or binary */
	d[0] = type == SCSI_MPATH_TEST_T10 ? 2 :
	       type == SCSI_MPATH_TEST_NAME ? 3 : 1;
	d[1] = type;
	/* association: the target port */
	if (type == SCSI_MPATH_TEST_TPG)
		d[1] |= 0x10;
	d[2] = 0;
	d[3] = len;
	memcpy(d + 4, id, len);
	vpd->len += 4 + len;
}

static void scsi_mpath_test_no_designators(struct scsi_device *sdev)
{
	struct scsi_vpd *vpd = scsi_mpath_test_vpd(sdev);

	memset(vpd->data + 4, 0, SCSI_MPATH_TEST_VPD_LEN - 4);
	vpd->len = 4;
}

static void scsi_mpath_test_naa(struct scsi_device *sdev, u8 last)
{
	const u8 id[] = { 0x50, 1, 2, 3, 4, 5, 6, last };

	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_NAA, id, sizeof(id));
}

/*
 * States
 */

static const enum mpath_state scsi_mpath_test_alua[16] = {
	MPATH_OPTIMIZED,
	MPATH_NONOPTIMIZED,
	MPATH_STANDBY,
	MPATH_UNAVAILABLE,
	MPATH_NONOPTIMIZED,		/* LBA dependent */
	/* reserved: who knows what it takes */
	MPATH_UNAVAILABLE, MPATH_UNAVAILABLE, MPATH_UNAVAILABLE,
	MPATH_UNAVAILABLE, MPATH_UNAVAILABLE, MPATH_UNAVAILABLE,
	MPATH_UNAVAILABLE, MPATH_UNAVAILABLE, MPATH_UNAVAILABLE,
	MPATH_OFFLINE,
	MPATH_TRANSITIONING,
};

static void scsi_mpath_test_alua_states(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < 256; i++)
		KUNIT_EXPECT_EQ_MSG(test, scsi_mpath_alua_state(i),
				    scsi_mpath_test_alua[i % 16],
				    "access state %02x", i);
}

static const struct {
	enum scsi_device_state	sdev_state;
	enum mpath_state	state;
} scsi_mpath_test_sdev_states_table[] = {
	{ SDEV_CREATED,			MPATH_BLOCKED },
	{ SDEV_RUNNING,			MPATH_OPTIMIZED },
	{ SDEV_CANCEL,			MPATH_OFFLINE },
	{ SDEV_DEL,			MPATH_OFFLINE },
	{ SDEV_QUIESCE,			MPATH_BLOCKED },
	{ SDEV_OFFLINE,			MPATH_OFFLINE },
	{ SDEV_TRANSPORT_OFFLINE,	MPATH_OFFLINE },
	{ SDEV_BLOCK,			MPATH_BLOCKED },
	{ SDEV_CREATED_BLOCK,		MPATH_BLOCKED },
};

/* C2: among others, CREATED_BLOCK is not usable. */
static void scsi_mpath_test_sdev_states(struct kunit *test)
{
	enum scsi_device_state sdev_state;
	unsigned int i;

	/* all there are */
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(scsi_mpath_test_sdev_states_table),
			SDEV_CREATED_BLOCK - SDEV_CREATED + 1);
	for (i = 0; i < ARRAY_SIZE(scsi_mpath_test_sdev_states_table); i++) {
		sdev_state = scsi_mpath_test_sdev_states_table[i].sdev_state;
		KUNIT_EXPECT_EQ_MSG(test, scsi_mpath_sdev_state(sdev_state),
				    scsi_mpath_test_sdev_states_table[i].state,
				    "%s", scsi_device_state_name(sdev_state));
	}
	/* and what is none */
	KUNIT_EXPECT_EQ(test, scsi_mpath_sdev_state(0), MPATH_OFFLINE);
}

/* The scsi_device's own state goes first, then what the target says. */
static void scsi_mpath_test_path_state(struct kunit *test)
{
	struct scsi_mpath_test *ctx = test->priv;
	struct scsi_device *sdev = ctx->sdevs[0];
	struct scsi_mpath_device smdev = { .sdev = sdev };
	enum mpath_state state, expected;
	unsigned int i, access_state;
	bool preferred;

	sdev->handler = &scsi_mpath_test_handler;

	for (i = 0; i < ARRAY_SIZE(scsi_mpath_test_sdev_states_table); i++) {
		sdev->sdev_state = scsi_mpath_test_sdev_states_table[i].sdev_state;
		for (access_state = 0; access_state < 256; access_state++) {
			sdev->access_state = access_state;

			smdev.state_known = true;
			expected = scsi_mpath_test_sdev_states_table[i].state;
			if (sdev->sdev_state == SDEV_RUNNING)
				expected = scsi_mpath_test_alua[access_state % 16];
			preferred = true;
			state = scsi_mpath_path_state(&smdev.path, &preferred);
			KUNIT_ASSERT_EQ_MSG(test, state, expected,
					    "sdev %u, access state %02x",
					    sdev->sdev_state, access_state);
			KUNIT_ASSERT_EQ(test, preferred,
					sdev->sdev_state == SDEV_RUNNING &&
					access_state >= 0x80);

			/* Zero reads as optimized, but nobody has said so. */
			smdev.state_known = false;
			if (sdev->sdev_state == SDEV_RUNNING)
				expected = MPATH_UNKNOWN;
			preferred = true;
			state = scsi_mpath_path_state(&smdev.path, &preferred);
			KUNIT_ASSERT_EQ(test, state, expected);
			KUNIT_ASSERT_FALSE(test, preferred);
		}
	}

	/* A target that has been asked in vain is not waited for. */
	sdev->sdev_state = SDEV_RUNNING;
	smdev.state_known = false;
	smdev.state_over = true;
	KUNIT_EXPECT_EQ(test, scsi_mpath_path_state(&smdev.path, &preferred),
			MPATH_NONOPTIMIZED);
	smdev.state_over = false;

	/* It may have been exchanged while it was away. */
	smdev.away = true;
	KUNIT_EXPECT_EQ(test, scsi_mpath_path_state(&smdev.path, &preferred),
			MPATH_UNKNOWN);
	smdev.away = false;
	smdev.checking = true;
	KUNIT_EXPECT_EQ(test, scsi_mpath_path_state(&smdev.path, &preferred),
			MPATH_UNKNOWN);
	smdev.checking = false;

	/* While the host recovers, it holds everything back. */
	sdev->sdev_state = SDEV_RUNNING;
	sdev->access_state = SCSI_ACCESS_STATE_OPTIMAL;
	smdev.state_known = true;
	sdev->host->shost_state = SHOST_RECOVERY;
	KUNIT_EXPECT_EQ(test, scsi_mpath_path_state(&smdev.path, &preferred),
			MPATH_BLOCKED);
	sdev->host->shost_state = SHOST_RUNNING;

	/* Nobody else has learnt an access state. */
	sdev->sdev_state = SDEV_RUNNING;
	sdev->access_state = SCSI_ACCESS_STATE_STANDBY;
	smdev.state_known = false;
	sdev->handler = &scsi_mpath_test_other_handler;
	KUNIT_EXPECT_EQ(test, scsi_mpath_path_state(&smdev.path, &preferred),
			MPATH_NONOPTIMIZED);
	sdev->handler = NULL;
	KUNIT_EXPECT_EQ(test, scsi_mpath_path_state(&smdev.path, &preferred),
			MPATH_NONOPTIMIZED);

	/* A target without ALUA has no access states, whatever is there. */
	sdev->handler = &scsi_mpath_test_handler;
	sdev->inquiry[5] = 0;
	for (access_state = 0; access_state < 256; access_state++) {
		sdev->access_state = access_state;
		preferred = true;
		KUNIT_ASSERT_EQ(test,
				scsi_mpath_path_state(&smdev.path, &preferred),
				MPATH_OPTIMIZED);
		KUNIT_ASSERT_FALSE(test, preferred);
	}
}

static void scsi_mpath_test_alua_is_known(struct kunit *test)
{
	struct scsi_mpath_test *ctx = test->priv;
	struct scsi_device *sdev = ctx->sdevs[0];
	struct scsi_mpath_device *smdev;

	/* Nobody's path: nothing to tell. */
	scsi_mpath_alua_changed(sdev);
	scsi_mpath_state_changed(sdev);

	scsi_mpath_test_naa(sdev, 1);
	scsi_mpath_attach(sdev);
	smdev = sdev->scsi_mpath_dev;
	KUNIT_ASSERT_NOT_NULL(test, smdev);
	KUNIT_EXPECT_FALSE(test, smdev->state_known);
	scsi_mpath_state_changed(sdev);
	KUNIT_EXPECT_FALSE(test, smdev->state_known);
	scsi_mpath_alua_over(sdev);
	KUNIT_EXPECT_FALSE(test, smdev->state_known);
	KUNIT_EXPECT_TRUE(test, smdev->state_over);
	KUNIT_EXPECT_TRUE(test, smdev->silent);
	scsi_mpath_alua_changed(sdev);
	KUNIT_EXPECT_TRUE(test, smdev->state_known);
	scsi_mpath_alua_over(sdev);
	KUNIT_EXPECT_FALSE(test, smdev->silent);
}

/* A path that leads to another logical unit is none, whatever else it is. */
static void scsi_mpath_test_other_id(struct kunit *test)
{
	struct scsi_mpath_test *ctx = test->priv;
	struct scsi_device *sdev = ctx->sdevs[0];
	struct scsi_mpath_device *smdev;
	bool preferred;

	/* Nobody's path: nothing to see. */
	scsi_mpath_check_id(sdev);

	sdev->inquiry[5] = 0;
	scsi_mpath_mode = SCSI_MPATH_ALWAYS;
	scsi_mpath_test_naa(sdev, 1);
	scsi_mpath_attach(sdev);
	smdev = sdev->scsi_mpath_dev;
	KUNIT_ASSERT_NOT_NULL(test, smdev);
	scsi_mpath_check_id(sdev);
	KUNIT_EXPECT_EQ(test, scsi_mpath_path_state(&smdev->path, &preferred),
			MPATH_OPTIMIZED);

	scsi_mpath_test_naa(sdev, 2);
	scsi_mpath_check_id(sdev);
	KUNIT_EXPECT_EQ(test, scsi_mpath_path_state(&smdev->path, &preferred),
			MPATH_MISMATCH);
	sdev->sdev_state = SDEV_BLOCK;
	KUNIT_EXPECT_EQ(test, scsi_mpath_path_state(&smdev->path, &preferred),
			MPATH_MISMATCH);
	sdev->sdev_state = SDEV_RUNNING;

	scsi_mpath_test_naa(sdev, 1);
	scsi_mpath_check_id(sdev);
	KUNIT_EXPECT_EQ(test, scsi_mpath_path_state(&smdev->path, &preferred),
			MPATH_OPTIMIZED);

	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_check_id(sdev);
	KUNIT_EXPECT_EQ(test, scsi_mpath_path_state(&smdev->path, &preferred),
			MPATH_MISMATCH);
}

/*
 * Commands
 */

static struct scsi_mpath_test_cmnd *
scsi_mpath_test_cmnd(struct kunit *test, struct scsi_device *sdev,
		     blk_opf_t opf)
{
	struct scsi_mpath_test_cmnd *tcmnd;

	tcmnd = kunit_kzalloc(test, sizeof(*tcmnd), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tcmnd);
	tcmnd->req.cmd_flags = opf;
	tcmnd->scmd.device = sdev;
	tcmnd->scmd.sense_buffer = tcmnd->sense;
	return tcmnd;
}

static const struct scsi_mpath_test_origin {
	blk_opf_t	opf;
	req_flags_t	rq_flags;
	bool		clone;
	bool		fails_fast;
} scsi_mpath_test_origins[] = {
	{ REQ_OP_READ | REQ_FAILFAST_TRANSPORT, 0, true, true },
	{ REQ_OP_WRITE | REQ_FUA | REQ_FAILFAST_TRANSPORT, 0, true, true },
	{ REQ_OP_FLUSH | REQ_FAILFAST_TRANSPORT, 0, true, true },
	/* the test of a path, the device handler, a device that wakes up */
	{ REQ_OP_READ | REQ_FAILFAST_TRANSPORT | REQ_FAILFAST_DRIVER, 0,
	  false, true },
	{ REQ_OP_DRV_IN | REQ_FAILFAST_MASK, 0, false, true },
	{ REQ_OP_DRV_IN | REQ_FAILFAST_MASK, RQF_PM, false, false },
	{ REQ_OP_READ, 0, false, false },
	{ REQ_OP_READ | REQ_FAILFAST_DEV, 0, false, false },
	{ REQ_OP_DRV_IN, 0, false, false },
	{ REQ_OP_DRV_OUT, 0, false, false },
};

static struct scsi_mpath_test_cmnd *
scsi_mpath_test_path_cmnd(struct kunit *test, struct scsi_device *sdev)
{
	scsi_mpath_test_naa(sdev, 1);
	scsi_mpath_attach(sdev);
	KUNIT_ASSERT_NOT_NULL(test, sdev->scsi_mpath_dev);
	return scsi_mpath_test_cmnd(test, sdev, 0);
}

static void scsi_mpath_test_set_origin(struct scsi_mpath_test_cmnd *tcmnd,
				       unsigned int i)
{
	tcmnd->req.cmd_flags = scsi_mpath_test_origins[i].opf;
	tcmnd->req.rq_flags = scsi_mpath_test_origins[i].rq_flags;
}

/* C16: for what fails fast, another path is better than the same one again. */
static void scsi_mpath_test_noretry(struct kunit *test)
{
	static const struct {
		u8	host_byte;
		bool	noretry;
	} results[] = {
		{ DID_OK, true },	{ DID_NO_CONNECT, false },
		{ DID_TIME_OUT, true },	{ DID_TRANSPORT_DISRUPTED, true },
		{ DID_RESET, false },	{ DID_ERROR, false },
		{ DID_BUS_BUSY, false },	{ DID_SOFT_ERROR, false },
		{ DID_REQUEUE, false },	{ DID_IMM_RETRY, false },
	};
	struct scsi_mpath_test *ctx = test->priv;
	struct scsi_device *sdev = ctx->sdevs[0];
	struct scsi_mpath_test_cmnd *tcmnd;
	unsigned int i, j, member;

	tcmnd = scsi_mpath_test_path_cmnd(test, sdev);
	for (member = 0; member < 2; member++) {
		sdev->scsi_mpath_dev->member = member;
		for (i = 0; i < ARRAY_SIZE(scsi_mpath_test_origins); i++) {
			bool fast = scsi_mpath_test_origins[i].fails_fast;

			scsi_mpath_test_set_origin(tcmnd, i);
			for (j = 0; j < ARRAY_SIZE(results); j++) {
				tcmnd->scmd.result = results[j].host_byte << 16;
				KUNIT_EXPECT_EQ_MSG(test,
						    scsi_mpath_noretry(&tcmnd->scmd),
						    member && fast &&
						    results[j].noretry,
						    "member %u, origin %u, host byte %#x",
						    member, i,
						    results[j].host_byte);
			}
		}
	}
	sdev->scsi_mpath_dev->member = false;
}

/* ENOMEM is BLK_STS_RESOURCE here. */
static int scsi_mpath_test_errno(struct scsi_device *sdev,
				 struct scsi_mpath_test_cmnd *tcmnd)
{
	return blk_status_to_errno(scsi_mpath_may_queue(sdev, &tcmnd->scmd));
}

static void scsi_mpath_test_queue_check(struct kunit *test,
					struct scsi_device *sdev,
					struct scsi_mpath_test_cmnd *tcmnd,
					bool blocked)
{
	struct scsi_mpath_device *smdev = sdev->scsi_mpath_dev;
	bool usable = mpath_state_is_usable(smdev->path.state);
	unsigned int i;

	KUNIT_EXPECT_EQ(test, scsi_mpath_keep_running(sdev), smdev->member);
	KUNIT_EXPECT_EQ(test, scsi_mpath_budget(sdev),
			smdev->member && (blocked || !usable) ?
			SCSI_MPATH_NO_BUDGET : -1);
	for (i = 0; i < ARRAY_SIZE(scsi_mpath_test_origins); i++) {
		const struct scsi_mpath_test_origin *o =
			&scsi_mpath_test_origins[i];
		bool down = smdev->member && o->fails_fast &&
			    (blocked || (o->clone && !usable));

		scsi_mpath_test_set_origin(tcmnd, i);
		tcmnd->scmd.budget_token = 0;
		KUNIT_EXPECT_EQ_MSG(test, scsi_mpath_test_errno(sdev, tcmnd),
				    down ? -ENODEV : 0,
				    "joined %u, blocked %u, %s, origin %u",
				    smdev->member, blocked,
				    mpath_state_name(smdev->path.state), i);
		tcmnd->scmd.budget_token = SCSI_MPATH_NO_BUDGET;
		KUNIT_EXPECT_EQ(test, scsi_mpath_test_errno(sdev, tcmnd),
				down ? -ENODEV : -ENOMEM);
	}
}

/* B15: only what has no other place to go to waits on a path that is left. */
static void scsi_mpath_test_may_queue(struct kunit *test)
{
	struct scsi_mpath_test *ctx = test->priv;
	struct scsi_device *sdev = ctx->sdevs[0];
	struct scsi_mpath_test_cmnd *tcmnd;
	struct scsi_mpath_device *smdev;
	unsigned int state, i;

	tcmnd = scsi_mpath_test_cmnd(test, sdev, REQ_FAILFAST_TRANSPORT);
	KUNIT_EXPECT_EQ(test, scsi_mpath_test_errno(sdev, tcmnd), 0);

	tcmnd = scsi_mpath_test_path_cmnd(test, sdev);
	smdev = sdev->scsi_mpath_dev;
	for (state = 0; state < MPATH_NR_STATES; state++) {
		smdev->path.state = state;
		for (i = 0; i < 4; i++) {
			bool blocked = i & 1;

			smdev->member = i & 2;
			sdev->sdev_state = blocked ? SDEV_BLOCK : SDEV_RUNNING;
			scsi_mpath_test_queue_check(test, sdev, tcmnd, blocked);
		}
	}
	smdev->member = false;
	sdev->sdev_state = SDEV_RUNNING;
}

/* D9: a reservation would hold on one path only. */
static void scsi_mpath_test_reservations(struct kunit *test)
{
	static const u8 refused[] = { 0x16, 0x17, 0x56, 0x57, 0x5e, 0x5f };
	struct scsi_mpath_test *ctx = test->priv;
	struct scsi_device *sdev = ctx->sdevs[0];
	struct scsi_mpath_test_cmnd *tcmnd;
	struct scsi_sense_hdr sshdr;
	unsigned int op;

	tcmnd = scsi_mpath_test_cmnd(test, sdev, REQ_OP_DRV_IN);
	tcmnd->scmd.cmnd[0] = 0x5e;
	KUNIT_EXPECT_FALSE(test, scsi_mpath_refuses(sdev, &tcmnd->scmd));

	scsi_mpath_test_naa(sdev, 1);
	scsi_mpath_attach(sdev);
	KUNIT_ASSERT_NOT_NULL(test, sdev->scsi_mpath_dev);
	sdev->scsi_mpath_dev->plain = true;
	KUNIT_EXPECT_FALSE(test, scsi_mpath_refuses(sdev, &tcmnd->scmd));
	sdev->scsi_mpath_dev->plain = false;

	device_initialize(&sdev->sdev_gendev);
	sdev->sdev_gendev.release = scsi_mpath_test_no_release;
	for (op = 0; op < 256; op++) {
		tcmnd->scmd.cmnd[0] = op;
		tcmnd->scmd.result = 0;
		KUNIT_EXPECT_EQ_MSG(test, scsi_mpath_refuses(sdev, &tcmnd->scmd),
				    !!memchr(refused, op, sizeof(refused)),
				    "command %#02x", op);
	}

	tcmnd->scmd.cmnd[0] = 0x5f;
	KUNIT_EXPECT_TRUE(test, scsi_mpath_refuses(sdev, &tcmnd->scmd));
	KUNIT_EXPECT_EQ(test, tcmnd->scmd.result, SAM_STAT_CHECK_CONDITION);
	KUNIT_ASSERT_TRUE(test, scsi_normalize_sense(tcmnd->sense,
						     SCSI_SENSE_BUFFERSIZE,
						     &sshdr));
	KUNIT_EXPECT_EQ(test, sshdr.sense_key, ILLEGAL_REQUEST);
	KUNIT_EXPECT_EQ(test, sshdr.asc, 0x20);
	KUNIT_EXPECT_EQ(test, sshdr.ascq, 0);
	put_device(&sdev->sdev_gendev);
}

/*
 * Parameters
 */

static void scsi_mpath_test_mode_words(struct kunit *test)
{
	static const struct {
		const char	*word;
		int		mode;
	} words[] = {
		{ "off", SCSI_MPATH_OFF },	{ "off\n", SCSI_MPATH_OFF },
		{ "on", SCSI_MPATH_ON },	{ "on\n", SCSI_MPATH_ON },
		{ "always", SCSI_MPATH_ALWAYS }, { "always\n", SCSI_MPATH_ALWAYS },
	};
	static const char * const refused[] = {
		"", "\n", "o", "of", "office", "once", "ON", "on ", " on", "on,off",
		"alway", "always!", "1", "0", "y", "n", "Y", "true",
	};
	struct scsi_mpath_test *ctx = test->priv;
	unsigned int i, mode;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		KUNIT_EXPECT_EQ(test, scsi_mpath_mode_set(words[i].word, NULL), 0);
		KUNIT_EXPECT_EQ(test, scsi_mpath_mode, words[i].mode);
		/* It is read back as it is written. */
		KUNIT_EXPECT_GT(test, scsi_mpath_mode_get(ctx->buf, NULL), 0);
		KUNIT_EXPECT_TRUE(test, sysfs_streq(ctx->buf, words[i].word));
	}

	for (mode = SCSI_MPATH_OFF; mode <= SCSI_MPATH_ALWAYS; mode++) {
		for (i = 0; i < ARRAY_SIZE(refused); i++) {
			scsi_mpath_mode = mode;
			KUNIT_EXPECT_EQ_MSG(test,
					    scsi_mpath_mode_set(refused[i], NULL),
					    -EINVAL, "'%s'", refused[i]);
			KUNIT_EXPECT_EQ(test, scsi_mpath_mode, mode);
		}
	}
}

static void scsi_mpath_test_iopolicy_param(struct kunit *test)
{
	struct scsi_mpath_test *ctx = test->priv;
	struct scsi_mpath_head *head;

	KUNIT_EXPECT_EQ(test, scsi_mpath_iopolicy_set("round-robin\n", NULL), 0);
	KUNIT_EXPECT_EQ(test, scsi_mpath_iopolicy_set("round", NULL), -EINVAL);
	KUNIT_EXPECT_GT(test, scsi_mpath_iopolicy_get(ctx->buf, NULL), 0);
	KUNIT_EXPECT_STREQ(test, ctx->buf, "round-robin\n");

	/* For those that are found from now on. */
	scsi_mpath_test_naa(ctx->sdevs[0], 1);
	scsi_mpath_attach(ctx->sdevs[0]);
	KUNIT_ASSERT_NOT_NULL(test, ctx->sdevs[0]->scsi_mpath_dev);
	head = ctx->sdevs[0]->scsi_mpath_dev->head;
	KUNIT_EXPECT_EQ(test, head->iopolicy, MPATH_IOPOLICY_RR);

	KUNIT_EXPECT_EQ(test, scsi_mpath_iopolicy_set("numa", NULL), 0);
	KUNIT_EXPECT_EQ(test, head->iopolicy, MPATH_IOPOLICY_RR);
	scsi_mpath_test_naa(ctx->sdevs[1], 2);
	scsi_mpath_attach(ctx->sdevs[1]);
	KUNIT_ASSERT_NOT_NULL(test, ctx->sdevs[1]->scsi_mpath_dev);
	KUNIT_EXPECT_EQ(test, ctx->sdevs[1]->scsi_mpath_dev->head->iopolicy,
			MPATH_IOPOLICY_NUMA);
}

/*
 * Ids
 */

static void scsi_mpath_test_ids(struct kunit *test)
{
	static const u8 bin[16] = { 0x60, 0x01, 0x40, 0x5a, 1, 2, 3, 4,
				    5, 6, 7, 8, 9, 10, 11, 12 };
	struct scsi_mpath_test *ctx = test->priv;
	struct scsi_device *sdev = ctx->sdevs[0];
	char id[SCSI_MPATH_ID_LEN];

	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_NAA, bin, 8);
	KUNIT_EXPECT_GT(test, scsi_mpath_read_id(sdev, id), 0);
	KUNIT_EXPECT_STREQ(test, id, "naa.6001405a01020304");

	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_NAA, bin, 16);
	KUNIT_EXPECT_GT(test, scsi_mpath_read_id(sdev, id), 0);
	KUNIT_EXPECT_STREQ(test, id, "naa.6001405a0102030405060708090a0b0c");

	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_EUI, bin, 8);
	KUNIT_EXPECT_GT(test, scsi_mpath_read_id(sdev, id), 0);
	KUNIT_EXPECT_STREQ(test, id, "eui.6001405a01020304");

	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_T10, "VENDOR 8serial", 14);
	KUNIT_EXPECT_GT(test, scsi_mpath_read_id(sdev, id), 0);
	KUNIT_EXPECT_STREQ(test, id, "t10.VENDOR 8serial");

	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_NAME, "iqn.x:lun", 9);
	KUNIT_EXPECT_GT(test, scsi_mpath_read_id(sdev, id), 0);
	KUNIT_EXPECT_STREQ(test, id, "iqn.x:lun");

	/* as it is in the page, filled with zeroes */
	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_NAME, "iqn.x:lun\0\0\0",
				   12);
	KUNIT_EXPECT_GT(test, scsi_mpath_read_id(sdev, id), 0);
	KUNIT_EXPECT_STREQ(test, id, "iqn.x:lun");

	/* A longer one before it leaves nothing behind. */
	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_EUI, bin, 8);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_NAME, "iqn.x:lun", 9);
	KUNIT_EXPECT_GT(test, scsi_mpath_read_id(sdev, id), 0);
	KUNIT_EXPECT_STREQ(test, id, "iqn.x:lun");

	/* The best of several, wherever it stands. */
	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_T10, "VENDOR 8serial", 14);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_TPG, "\0\0\0\1", 4);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_NAA, bin, 16);
	KUNIT_EXPECT_GT(test, scsi_mpath_read_id(sdev, id), 0);
	KUNIT_EXPECT_STREQ(test, id, "naa.6001405a0102030405060708090a0b0c");
}

static void scsi_mpath_test_no_id(struct kunit *test)
{
	struct scsi_mpath_test *ctx = test->priv;
	struct scsi_device *sdev = ctx->sdevs[0];
	char id[SCSI_MPATH_ID_LEN];
	struct scsi_vpd *vpd;

	/* an empty page */
	KUNIT_EXPECT_LT(test, scsi_mpath_read_id(sdev, id), 0);
	/* a target port is not a logical unit */
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_TPG, "\0\0\0\1", 4);
	KUNIT_EXPECT_LT(test, scsi_mpath_read_id(sdev, id), 0);
	/* an empty name */
	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_NAME, "", 0);
	KUNIT_EXPECT_LT(test, scsi_mpath_read_id(sdev, id), 0);
	/* a name that ends where it begins */
	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_NAME, "\0name", 5);
	KUNIT_EXPECT_LT(test, scsi_mpath_read_id(sdev, id), 0);
	/* D14: names that differ in what nobody sees, and one of two lines */
	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_NAME, "name\0A", 6);
	KUNIT_EXPECT_EQ(test, scsi_mpath_read_id(sdev, id), -EILSEQ);
	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_NAME, "a\nb", 3);
	KUNIT_EXPECT_EQ(test, scsi_mpath_read_id(sdev, id), -EILSEQ);
	/* no NAA has three bytes */
	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_NAA, "\x50\1\2", 3);
	KUNIT_EXPECT_LT(test, scsi_mpath_read_id(sdev, id), 0);
	/* less than a page */
	vpd = scsi_mpath_test_vpd(sdev);
	scsi_mpath_test_naa(sdev, 1);
	vpd->len = 0;
	KUNIT_EXPECT_LT(test, scsi_mpath_read_id(sdev, id), 0);

	rcu_assign_pointer(sdev->vpd_pg83, NULL);
	KUNIT_EXPECT_LT(test, scsi_mpath_read_id(sdev, id), 0);
}

/* What would have to be cut is refused: it may differ in what is cut off. */
/* A page may lie about its designators, or end in the midst of one. */
static void scsi_mpath_test_cut_ids(struct kunit *test)
{
	static const u8 group[] = { 0, 0, 1, 2 };
	struct scsi_mpath_test *ctx = test->priv;
	struct scsi_device *sdev = ctx->sdevs[0];
	struct scsi_vpd *vpd = scsi_mpath_test_vpd(sdev);
	char id[SCSI_MPATH_ID_LEN];
	int len;

	scsi_mpath_test_naa(sdev, 1);
	KUNIT_ASSERT_GT(test, scsi_mpath_read_id(sdev, id), 0);
	for (len = 0; len < 4 + 4 + 8; len++) {
		vpd->len = len;
		KUNIT_EXPECT_LT_MSG(test, scsi_mpath_read_id(sdev, id), 0,
				    "%d bytes", len);
	}
	vpd->len = 4 + 4 + 8;
	vpd->data[7] = 0xff;
	KUNIT_EXPECT_LT(test, scsi_mpath_read_id(sdev, id), 0);

	/* The good one before a bad one counts. */
	scsi_mpath_test_naa(sdev, 1);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_NAME, "iqn.2001-04.a",
				   13);
	vpd->len--;
	KUNIT_EXPECT_GT(test, scsi_mpath_read_id(sdev, id), 0);
	KUNIT_EXPECT_STREQ(test, id, "naa.5001020304050601");

	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_TPG, group, 4);
	KUNIT_EXPECT_EQ(test, scsi_vpd_tpg_id(sdev, NULL), 0x0102);
	for (len = 0; len < 4 + 4 + 4; len++) {
		vpd->len = len;
		KUNIT_EXPECT_LT_MSG(test, scsi_vpd_tpg_id(sdev, NULL), 0,
				    "%d bytes", len);
	}
}

static void scsi_mpath_test_long_ids(struct kunit *test)
{
	struct scsi_mpath_test *ctx = test->priv;
	struct scsi_device *sdev = ctx->sdevs[0];
	char id[SCSI_MPATH_ID_LEN], *text = ctx->buf;

	memset(text, 'x', 255);

	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_NAME, text, 255);
	KUNIT_EXPECT_EQ(test, scsi_mpath_read_id(sdev, id), 255);
	KUNIT_EXPECT_EQ(test, strlen(id), 255);

	/* with "t10." before it, and the end after it */
	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_T10, text, 251);
	KUNIT_EXPECT_EQ(test, scsi_mpath_read_id(sdev, id), 255);
	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_T10, text, 252);
	KUNIT_EXPECT_EQ(test, scsi_mpath_read_id(sdev, id), -E2BIG);

	/* each byte in four */
	memset(text, 0x80, 255);
	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_T10, text, 62);
	KUNIT_EXPECT_EQ(test, scsi_mpath_read_id(sdev, id), 4 + 4 * 62);
	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_T10, text, 255);
	KUNIT_EXPECT_EQ(test, scsi_mpath_read_id(sdev, id), -E2BIG);
}

/*
 * Which devices
 */

static void scsi_mpath_test_refused(struct kunit *test, struct scsi_device *sdev,
				    const char *word)
{
	char id[SCSI_MPATH_ID_LEN];
	const char *why = scsi_mpath_unfit(sdev, id);

	KUNIT_ASSERT_NOT_NULL_MSG(test, why, "taken in spite of: %s", word);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(why, word),
				  "'%s' instead of '%s'", why, word);
}

static void scsi_mpath_test_unfit(struct kunit *test)
{
	struct scsi_mpath_test *ctx = test->priv;
	struct scsi_device *sdev = ctx->sdevs[0];
	char id[SCSI_MPATH_ID_LEN];
	unsigned int type;

	scsi_mpath_test_naa(sdev, 1);
	KUNIT_EXPECT_NULL(test, scsi_mpath_unfit(sdev, id));
	KUNIT_EXPECT_STREQ(test, id, "naa.5001020304050601");

	for (type = 0; type < 0x20; type++) {
		sdev->type = type;
		if (type != TYPE_DISK)
			scsi_mpath_test_refused(test, sdev, "disk");
	}
	sdev->type = TYPE_DISK;

	sdev->inq_periph_qual = SCSI_INQ_PQ_NOT_CON;
	scsi_mpath_test_refused(test, sdev, "logical unit");
	sdev->inq_periph_qual = SCSI_INQ_PQ_CON;

	sdev->removable = 1;
	scsi_mpath_test_refused(test, sdev, "removable");
	sdev->removable = 0;

	sdev->inquiry[5] = 0;
	scsi_mpath_test_refused(test, sdev, "ALUA");
	scsi_mpath_mode = SCSI_MPATH_ALWAYS;
	KUNIT_EXPECT_NULL(test, scsi_mpath_unfit(sdev, id));

	memset(ctx->buf, 0x80, 255);
	scsi_mpath_test_no_designators(sdev);
	scsi_mpath_test_refused(test, sdev, "no id");
	scsi_mpath_test_designator(sdev, SCSI_MPATH_TEST_T10, ctx->buf, 255);
	scsi_mpath_test_refused(test, sdev, "too long");
}

static void scsi_mpath_test_off_takes_none(struct kunit *test)
{
	struct scsi_mpath_test *ctx = test->priv;
	struct scsi_device *sdev = ctx->sdevs[0];

	scsi_mpath_test_naa(sdev, 1);
	scsi_mpath_mode = SCSI_MPATH_OFF;
	scsi_mpath_attach(sdev);
	KUNIT_EXPECT_NULL(test, sdev->scsi_mpath_dev);

	scsi_mpath_mode = SCSI_MPATH_ON;
	sdev->removable = 1;
	scsi_mpath_attach(sdev);
	KUNIT_EXPECT_NULL(test, sdev->scsi_mpath_dev);

	/* They are called for any device. */
	scsi_mpath_add_links(sdev);
	scsi_mpath_detach(sdev);
	scsi_mpath_free(sdev);
}

/*
 * Heads
 */

static struct scsi_mpath_head *scsi_mpath_test_find(const char *vpd_id)
{
	struct scsi_mpath_head *head;

	mutex_lock(&scsi_mpath_heads_lock);
	head = scsi_mpath_find_head(vpd_id);
	mutex_unlock(&scsi_mpath_heads_lock);
	return head;
}

static void scsi_mpath_test_share_head(struct kunit *test)
{
	struct scsi_mpath_test *ctx = test->priv;
	struct scsi_mpath_head *head;
	unsigned int i;

	scsi_mpath_test_naa(ctx->sdevs[0], 1);
	scsi_mpath_test_naa(ctx->sdevs[1], 1);
	scsi_mpath_test_naa(ctx->sdevs[2], 2);
	KUNIT_EXPECT_NULL(test, scsi_mpath_test_find("naa.5001020304050601"));
	for (i = 0; i < SCSI_MPATH_TEST_SDEVS; i++) {
		scsi_mpath_attach(ctx->sdevs[i]);
		KUNIT_ASSERT_NOT_NULL(test, ctx->sdevs[i]->scsi_mpath_dev);
		KUNIT_EXPECT_PTR_EQ(test, ctx->sdevs[i]->scsi_mpath_dev->sdev,
				    ctx->sdevs[i]);
	}

	head = ctx->sdevs[0]->scsi_mpath_dev->head;
	KUNIT_EXPECT_PTR_EQ(test, ctx->sdevs[1]->scsi_mpath_dev->head, head);
	KUNIT_EXPECT_PTR_NE(test, ctx->sdevs[2]->scsi_mpath_dev->head, head);
	KUNIT_EXPECT_PTR_EQ(test, scsi_mpath_test_find("naa.5001020304050601"),
			    head);
	KUNIT_EXPECT_NULL(test, scsi_mpath_test_find("naa.500102030405060"));
	KUNIT_EXPECT_EQ(test, head->users, 2);
	KUNIT_EXPECT_EQ(test, ctx->sdevs[2]->scsi_mpath_dev->head->users, 1);

	/* as a disk does */
	scsi_mpath_get_head(head);
	KUNIT_EXPECT_EQ(test, head->users, 3);

	scsi_mpath_detach(ctx->sdevs[0]);
	KUNIT_EXPECT_EQ(test, head->users, 2);
	/* once is enough */
	scsi_mpath_detach(ctx->sdevs[0]);
	KUNIT_EXPECT_EQ(test, head->users, 2);
	scsi_mpath_free(ctx->sdevs[1]);
	ctx->sdevs[1]->scsi_mpath_dev = NULL;
	KUNIT_EXPECT_EQ(test, head->users, 1);
	KUNIT_EXPECT_TRUE(test, device_is_registered(&head->dev));
	KUNIT_EXPECT_PTR_EQ(test, scsi_mpath_test_find("naa.5001020304050601"),
			    head);

	/* A path that comes while only the disk is left finds the same head. */
	scsi_mpath_attach(ctx->sdevs[1]);
	KUNIT_ASSERT_NOT_NULL(test, ctx->sdevs[1]->scsi_mpath_dev);
	KUNIT_EXPECT_PTR_EQ(test, ctx->sdevs[1]->scsi_mpath_dev->head, head);
	scsi_mpath_detach(ctx->sdevs[1]);

	/* The last user: the memory stays for those who have a reference. */
	scsi_mpath_put_head(head);
	KUNIT_EXPECT_FALSE(test, device_is_registered(&head->dev));
	KUNIT_EXPECT_NULL(test, scsi_mpath_test_find("naa.5001020304050601"));
	KUNIT_EXPECT_STREQ(test, head->vpd_id, "naa.5001020304050601");

	/* The next one is another. */
	scsi_mpath_free(ctx->sdevs[1]);
	ctx->sdevs[1]->scsi_mpath_dev = NULL;
	scsi_mpath_attach(ctx->sdevs[1]);
	KUNIT_ASSERT_NOT_NULL(test, ctx->sdevs[1]->scsi_mpath_dev);
	KUNIT_EXPECT_PTR_NE(test, ctx->sdevs[1]->scsi_mpath_dev->head, head);
	KUNIT_EXPECT_EQ(test, ctx->sdevs[1]->scsi_mpath_dev->head->users, 1);
	KUNIT_EXPECT_NE(test, ctx->sdevs[1]->scsi_mpath_dev->head->instance,
			head->instance);
}

/* Not by what they begin with, not by case. */
static void scsi_mpath_test_similar_ids(struct kunit *test)
{
	struct scsi_mpath_test *ctx = test->priv;
	unsigned int i;

	memset(ctx->buf, 'x', 255);
	scsi_mpath_test_designator(ctx->sdevs[0], SCSI_MPATH_TEST_NAME, ctx->buf,
				   255);
	scsi_mpath_test_designator(ctx->sdevs[1], SCSI_MPATH_TEST_NAME, ctx->buf,
				   254);
	ctx->buf[254] = 'X';
	scsi_mpath_test_designator(ctx->sdevs[2], SCSI_MPATH_TEST_NAME, ctx->buf,
				   255);
	for (i = 0; i < SCSI_MPATH_TEST_SDEVS; i++) {
		scsi_mpath_attach(ctx->sdevs[i]);
		KUNIT_ASSERT_NOT_NULL(test, ctx->sdevs[i]->scsi_mpath_dev);
		KUNIT_EXPECT_EQ(test, ctx->sdevs[i]->scsi_mpath_dev->head->users,
				1);
	}
}

/* What is in the same bucket of the table is not the same. */
static void scsi_mpath_test_same_bucket(struct kunit *test)
{
	const unsigned int bits = HASH_BITS(scsi_mpath_heads);
	struct scsi_mpath_test *ctx = test->priv;
	unsigned int i, bucket, same = 0;

	memset(ctx->buf, 'x', 254);
	ctx->buf[254] = '\0';
	scsi_mpath_test_designator(ctx->sdevs[0], SCSI_MPATH_TEST_NAME, ctx->buf,
				   254);
	scsi_mpath_attach(ctx->sdevs[0]);
	KUNIT_ASSERT_NOT_NULL(test, ctx->sdevs[0]->scsi_mpath_dev);
	KUNIT_ASSERT_PTR_EQ(test, scsi_mpath_test_find(ctx->buf),
			    ctx->sdevs[0]->scsi_mpath_dev->head);

	bucket = hash_min(scsi_mpath_hash(ctx->buf), bits);
	for (i = 0; i < 0x10000; i++) {
		snprintf(ctx->buf + 250, 5, "%04X", i);
		if (hash_min(scsi_mpath_hash(ctx->buf), bits) != bucket)
			continue;
		same++;
		KUNIT_ASSERT_NULL(test, scsi_mpath_test_find(ctx->buf));
	}
	KUNIT_EXPECT_GT(test, same, 0);
}

static void scsi_mpath_test_head_attrs(struct kunit *test)
{
	struct scsi_mpath_test *ctx = test->priv;
	struct scsi_mpath_head *head;
	struct device *dev;

	scsi_mpath_test_naa(ctx->sdevs[0], 1);
	scsi_mpath_attach(ctx->sdevs[0]);
	KUNIT_ASSERT_NOT_NULL(test, ctx->sdevs[0]->scsi_mpath_dev);
	head = ctx->sdevs[0]->scsi_mpath_dev->head;
	dev = &head->dev;

	vpd_id_show(dev, NULL, ctx->buf);
	KUNIT_EXPECT_STREQ(test, ctx->buf, "naa.5001020304050601\n");
	wwid_show(dev, NULL, ctx->buf);
	KUNIT_EXPECT_STREQ(test, ctx->buf, "naa.5001020304050601\n");
	/* They fill their space and have no end of their own. */
	vendor_show(dev, NULL, ctx->buf);
	KUNIT_EXPECT_STREQ(test, ctx->buf, "VENDOR 8\n");
	model_show(dev, NULL, ctx->buf);
	KUNIT_EXPECT_STREQ(test, ctx->buf, "MODEL IS SIXTEEN\n");
	rev_show(dev, NULL, ctx->buf);
	KUNIT_EXPECT_STREQ(test, ctx->buf, "REV4\n");

	KUNIT_EXPECT_EQ(test, iopolicy_store(dev, NULL, "round-robin\n", 12), 12);
	iopolicy_show(dev, NULL, ctx->buf);
	KUNIT_EXPECT_STREQ(test, ctx->buf, "round-robin\n");
	KUNIT_EXPECT_EQ(test, iopolicy_store(dev, NULL, "numa", 4), 4);
	KUNIT_EXPECT_EQ(test, iopolicy_store(dev, NULL, "robin\n", 6), -EINVAL);
	KUNIT_EXPECT_EQ(test, head->iopolicy, MPATH_IOPOLICY_NUMA);
}

static bool scsi_mpath_test_has_link(struct scsi_mpath_head *head,
				     const char *name)
{
	struct kernfs_node *group, *link = NULL;

	group = kernfs_find_and_get(head->dev.kobj.sd, "multipath");
	if (group)
		link = kernfs_find_and_get(group, name);
	kernfs_put(link);
	kernfs_put(group);
	return link;
}

static void scsi_mpath_test_links(struct kunit *test)
{
	struct scsi_mpath_test *ctx = test->priv;
	struct scsi_device *sdev = ctx->sdevs[0];
	struct device *dev = &sdev->sdev_gendev;
	struct scsi_mpath_head *head;

	scsi_mpath_test_naa(sdev, 1);
	scsi_mpath_test_naa(ctx->sdevs[1], 1);
	scsi_mpath_attach(sdev);
	scsi_mpath_attach(ctx->sdevs[1]);
	KUNIT_ASSERT_NOT_NULL(test, sdev->scsi_mpath_dev);
	KUNIT_ASSERT_NOT_NULL(test, ctx->sdevs[1]->scsi_mpath_dev);
	head = sdev->scsi_mpath_dev->head;

	device_initialize(dev);
	dev->release = scsi_mpath_test_no_release;
	KUNIT_ASSERT_EQ(test, dev_set_name(dev, "scsi_mpath_test"), 0);
	KUNIT_ASSERT_EQ(test, device_add(dev), 0);

	KUNIT_EXPECT_FALSE(test, scsi_mpath_test_has_link(head, "scsi_mpath_test"));
	scsi_mpath_add_links(sdev);
	KUNIT_EXPECT_TRUE(test, sdev->scsi_mpath_dev->linked);
	KUNIT_EXPECT_TRUE(test, scsi_mpath_test_has_link(head, "scsi_mpath_test"));

	scsi_mpath_del_links(sdev);
	KUNIT_EXPECT_FALSE(test, scsi_mpath_test_has_link(head, "scsi_mpath_test"));
	device_del(dev);
	scsi_mpath_detach(sdev);
	KUNIT_EXPECT_EQ(test, head->users, 1);
	put_device(dev);
}

/*
 * Membership
 */

static int scsi_mpath_test_released;

static void scsi_mpath_test_dead(struct mpath_head *mpath)
{
}

static void scsi_mpath_test_release(struct mpath_head *mpath)
{
	scsi_mpath_test_released++;
	mpath_head_exit(mpath);
}

static const struct mpath_head_ops scsi_mpath_test_ops = {
	.get_state	= scsi_mpath_path_state,
	.dead		= scsi_mpath_test_dead,
	.release	= scsi_mpath_test_release,
};

static void scsi_mpath_test_membership(struct kunit *test)
{
	struct scsi_mpath_test *ctx = test->priv;
	struct scsi_mpath_device *smdev;
	struct mpath_head *mpath;

	scsi_mpath_test_released = 0;
	mpath = kunit_kzalloc(test, sizeof(*mpath), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mpath);
	scsi_mpath_test_naa(ctx->sdevs[0], 1);
	scsi_mpath_attach(ctx->sdevs[0]);
	smdev = ctx->sdevs[0]->scsi_mpath_dev;
	KUNIT_ASSERT_NOT_NULL(test, smdev);
	KUNIT_ASSERT_EQ(test, mpath_head_init(mpath, &scsi_mpath_test_ops,
					      THIS_MODULE), 0);

	/* A dead disk takes no path. */
	mpath->life = MPATH_DEAD;
	KUNIT_EXPECT_EQ(test, scsi_mpath_join(smdev, mpath), -ENODEV);
	KUNIT_EXPECT_FALSE(test, smdev->joined);
	scsi_mpath_state_changed(ctx->sdevs[0]);

	/* One that is away when it joins has to tell who it is when it is back. */
	mpath->life = MPATH_NEW;
	ctx->sdevs[0]->sdev_state = SDEV_BLOCK;
	KUNIT_EXPECT_EQ(test, scsi_mpath_join(smdev, mpath), 0);
	KUNIT_EXPECT_TRUE(test, smdev->away);
	smdev->away = false;
	ctx->sdevs[0]->sdev_state = SDEV_RUNNING;

	KUNIT_EXPECT_TRUE(test, smdev->joined);
	KUNIT_EXPECT_PTR_EQ(test, smdev->path.head, mpath);
	KUNIT_EXPECT_EQ(test, mpath->nr_members, 1);
	scsi_mpath_state_changed(ctx->sdevs[0]);

	scsi_mpath_leave(smdev);
	KUNIT_EXPECT_FALSE(test, smdev->joined);
	KUNIT_EXPECT_EQ(test, scsi_mpath_test_released, 0);
	mpath_forget(&smdev->path);
	KUNIT_EXPECT_EQ(test, scsi_mpath_test_released, 1);
	/* The disk's memory is no longer ours to look at. */
	memset(mpath, 0x6b, sizeof(*mpath));
	scsi_mpath_state_changed(ctx->sdevs[0]);
	scsi_mpath_alua_changed(ctx->sdevs[0]);
}

/* As often as targets bear, and less and less often when nothing happens. */
static void scsi_mpath_test_next_delay(struct kunit *test)
{
	const unsigned long slow = 10 * HZ;
	static struct scsi_mpath_head heads[2];
	atomic_t *hurried = &scsi_mpath_paces[SCSI_MPATH_HURRIED];
	atomic_t *waiting = &scsi_mpath_paces[SCSI_MPATH_WAITING];
	unsigned int before = atomic_read(hurried);
	int waited = atomic_read(waiting);

	KUNIT_EXPECT_EQ(test, SCSI_MPATH_PROBE_HURRY,
			scsi_mpath_next_delay(HZ / 5, slow,
					      SCSI_MPATH_HURRIED, 1));
	KUNIT_EXPECT_EQ(test, SCSI_MPATH_PROBE_HURRY,
			scsi_mpath_next_delay(slow, slow,
					      SCSI_MPATH_HURRIED, 70));
	KUNIT_EXPECT_EQ(test, 4 * HZ,
			scsi_mpath_next_delay(HZ / 5, slow,
					      SCSI_MPATH_HURRIED, 1000));
	KUNIT_EXPECT_EQ(test, HZ,
			scsi_mpath_next_delay(HZ / 5, HZ,
					      SCSI_MPATH_HURRIED, 1000));
	KUNIT_EXPECT_EQ(test, slow,
			scsi_mpath_next_delay(HZ / 5, slow,
					      SCSI_MPATH_HURRIED, UINT_MAX));
	KUNIT_EXPECT_EQ(test, SCSI_MPATH_PROBE_WAIT,
			scsi_mpath_next_delay(slow, slow,
					      SCSI_MPATH_WAITING, 1));
	KUNIT_EXPECT_EQ(test, 4 * HZ,
			scsi_mpath_next_delay(HZ / 5, slow,
					      SCSI_MPATH_WAITING, 100));
	KUNIT_EXPECT_EQ(test, slow,
			scsi_mpath_next_delay(HZ / 5, slow,
					      SCSI_MPATH_WAITING, 1000));
	KUNIT_EXPECT_EQ(test, 6 * HZ,
			scsi_mpath_next_delay(3 * HZ, slow,
					      SCSI_MPATH_CALM, 1000));
	KUNIT_EXPECT_EQ(test, slow,
			scsi_mpath_next_delay(6 * HZ, slow,
					      SCSI_MPATH_CALM, 0));

	heads[0].slow_turn = get_jiffies_64();
	KUNIT_EXPECT_FALSE(test, scsi_mpath_is_slow_turn(&heads[0], slow));
	heads[0].slow_turn = get_jiffies_64() - slow;
	KUNIT_EXPECT_TRUE(test, scsi_mpath_is_slow_turn(&heads[0], slow));
	KUNIT_EXPECT_FALSE(test, scsi_mpath_is_slow_turn(&heads[0], slow));

	KUNIT_EXPECT_EQ(test, before + 1,
			scsi_mpath_set_pace(&heads[0], SCSI_MPATH_HURRIED));
	KUNIT_EXPECT_EQ(test, before + 1,
			scsi_mpath_set_pace(&heads[0], SCSI_MPATH_HURRIED));
	KUNIT_EXPECT_EQ(test, before + 2,
			scsi_mpath_set_pace(&heads[1], SCSI_MPATH_HURRIED));
	scsi_mpath_set_pace(&heads[0], SCSI_MPATH_WAITING);
	scsi_mpath_set_pace(&heads[0], SCSI_MPATH_CALM);
	scsi_mpath_set_pace(&heads[0], SCSI_MPATH_CALM);
	KUNIT_EXPECT_EQ(test, before + 1,
			scsi_mpath_set_pace(&heads[1], SCSI_MPATH_HURRIED));
	scsi_mpath_set_pace(&heads[1], SCSI_MPATH_CALM);
	KUNIT_EXPECT_EQ(test, before, atomic_read(hurried));
	KUNIT_EXPECT_EQ(test, waited, atomic_read(waiting));
}

static struct kunit_case scsi_mpath_test_cases[] = {
	KUNIT_CASE(scsi_mpath_test_alua_states),
	KUNIT_CASE(scsi_mpath_test_sdev_states),
	KUNIT_CASE(scsi_mpath_test_path_state),
	KUNIT_CASE(scsi_mpath_test_alua_is_known),
	KUNIT_CASE(scsi_mpath_test_other_id),
	KUNIT_CASE(scsi_mpath_test_noretry),
	KUNIT_CASE(scsi_mpath_test_may_queue),
	KUNIT_CASE(scsi_mpath_test_reservations),
	KUNIT_CASE(scsi_mpath_test_mode_words),
	KUNIT_CASE(scsi_mpath_test_iopolicy_param),
	KUNIT_CASE(scsi_mpath_test_ids),
	KUNIT_CASE(scsi_mpath_test_no_id),
	KUNIT_CASE(scsi_mpath_test_cut_ids),
	KUNIT_CASE(scsi_mpath_test_long_ids),
	KUNIT_CASE(scsi_mpath_test_unfit),
	KUNIT_CASE(scsi_mpath_test_off_takes_none),
	KUNIT_CASE(scsi_mpath_test_share_head),
	KUNIT_CASE(scsi_mpath_test_similar_ids),
	KUNIT_CASE(scsi_mpath_test_same_bucket),
	KUNIT_CASE(scsi_mpath_test_head_attrs),
	KUNIT_CASE(scsi_mpath_test_links),
	KUNIT_CASE(scsi_mpath_test_membership),
	KUNIT_CASE(scsi_mpath_test_next_delay),
	{}
};

static struct kunit_suite scsi_mpath_test_suite = {
	.name = "scsi_multipath",
	.init = scsi_mpath_test_init,
	.exit = scsi_mpath_test_exit,
	.test_cases = scsi_mpath_test_cases,
};

kunit_test_suite(scsi_mpath_test_suite);
