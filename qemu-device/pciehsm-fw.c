/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pciehsm: the firmware, its threads, and the memory of messages.
 *
 * Three kinds of threads meet here: whoever has the card's lock (QEMU's main loop
 * or an iothread), the firmware's engines, which give messages back, and two
 * workers of ours, which make those calls into the firmware that may block. The
 * big lock is never taken here, and no call that may block is made but when the
 * firmware is switched on, or off to be handed over.
 *
 * Locking
 *   fw->lock    the lists of jobs, job->returned, events, and fw->bh. It is
 *               held around hsm_fw_abort(), which may call back on the same
 *               thread: hence recursive. Holding it keeps an engine from
 *               leaving the done callback of the job that is being aborted.
 *   fw->queue_lock  the workers' queues. Nothing is called with it held.
 *   pciehsm_cards.lock  the list of open cards. fw->lock may be taken inside.
 *
 * The memory for messages (the pool) is used with the card's lock held, and by the
 * closing thread once the card has let go.
 */
#include "qemu/osdep.h"
#include "qemu/thread.h"
#include "qemu/madvise.h"
#include "qapi/error.h"
#include "pciehsm.h"
#include "trace.h"

/* A message and its answer that fit into this together come from the pool. */
#define PCIEHSM_CHUNK           (16 * 1024)
#define PCIEHSM_ARENA           (64 * PCIEHSM_CHUNK)
#define PCIEHSM_BUF_ALIGN       16

typedef struct PciehsmChunk {
    QSLIST_ENTRY(PciehsmChunk) link;
} PciehsmChunk;

typedef QTAILQ_HEAD(, PciehsmJob) PciehsmJobList;

typedef struct PciehsmWork {
    QemuThread thread;
    QemuCond cond;
    PciehsmJobList queue;
    PciehsmFw *fw;
} PciehsmWork;

struct PciehsmFw {
    struct hsm_fw *hsm;
    char *store;
    QLIST_ENTRY(PciehsmFw) link;        /* in pciehsm_cards.open */

    QemuRecMutex lock;
    QEMUBH *bh;                         /* NULL: nobody listens any more */
    void (*leave)(PciehsmState *card);
    PciehsmState *card;
    bool waiting;                       /* for @back */
    QemuSemaphore back;                 /* a job has returned */
    PciehsmJobList out;                 /* in other threads' hands */
    PciehsmJobList returned;
    PciehsmEvent events[PCIEHSM_EVENT_QUEUE];
    unsigned num_events;
    uint32_t signs;                     /* of life; atomic */

    QemuMutex queue_lock;
    bool quit;
    PciehsmWork work[PCIEHSM_WORKERS];

    PciehsmJobList backlog;             /* wait for an engine */
    unsigned active;                    /* messages that the engines have */
    unsigned limit;                     /* of those */
    unsigned engines;
    unsigned working;                   /* messages not yet done */
    int64_t since;                      /* when that changed */
    uint64_t busy_ns;                   /* of all engines, until then */

    unsigned num_out;                   /* not taken back by the card */
    uint64_t memory;
    uint64_t charged;
    QSLIST_HEAD(, PciehsmChunk) chunks;
    GPtrArray *arenas;
};

/*
 * All firmware that is open or closing, so that nothing of it outlives the
 * process.
 */
static struct {
    QemuMutex lock;
    QemuCond changed;
    QLIST_HEAD(, PciehsmFw) open;
    bool at_exit;
} pciehsm_cards;

static void __attribute__((constructor)) pciehsm_cards_init(void)
{
    qemu_mutex_init(&pciehsm_cards.lock);
    qemu_cond_init(&pciehsm_cards.changed);
}

/* ---- memory ---- */

/* Messages hold PINs and keys: they are kept out of core dumps. */
static void *pciehsm_map(size_t len)
{
    void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        return NULL;
    }
    qemu_madvise(p, len, QEMU_MADV_DONTDUMP);
    return p;
}

static bool pciehsm_pool_grow(PciehsmFw *fw)
{
    uint8_t *arena = pciehsm_map(PCIEHSM_ARENA);

    if (!arena) {
        return false;
    }
    g_ptr_array_add(fw->arenas, arena);
    for (size_t at = 0; at < PCIEHSM_ARENA; at += PCIEHSM_CHUNK) {
        QSLIST_INSERT_HEAD(&fw->chunks, (PciehsmChunk *)(arena + at), link);
    }
    return true;
}

static bool pciehsm_job_alloc(PciehsmJob *job, size_t len)
{
    PciehsmFw *fw = job->fw;
    PciehsmChunk *chunk;

    if (len > PCIEHSM_CHUNK) {
        len = ROUND_UP(len, qemu_real_host_page_size());
        job->buf = pciehsm_map(len);
        job->buf_len = len;
        return job->buf;
    }
    if (QSLIST_EMPTY(&fw->chunks) && !pciehsm_pool_grow(fw)) {
        return false;
    }
    chunk = QSLIST_FIRST(&fw->chunks);
    QSLIST_REMOVE_HEAD(&fw->chunks, link);
    memset(chunk, 0, sizeof(*chunk));
    job->buf = chunk;
    job->buf_len = len;
    /* Lengths come from the guest: one too many is found, and not the next chunk's. */
    ASAN_POISON_MEMORY_REGION(job->buf + len, PCIEHSM_CHUNK - len);
    return true;
}

PciehsmJob *pciehsm_job_new(PciehsmFw *fw, size_t in, size_t out, size_t extra)
{
    size_t len = ROUND_UP(in, PCIEHSM_BUF_ALIGN) + out;
    size_t charge = len + extra;
    PciehsmJob *job;

    if (charge && fw->charged && fw->charged + charge > fw->memory) {
        return NULL;
    }

    job = g_new0(PciehsmJob, 1);
    job->fw = fw;
    if (len && !pciehsm_job_alloc(job, len)) {
        g_free(job);
        return NULL;
    }
    job->in = job->buf;
    job->out = job->buf + ROUND_UP(in, PCIEHSM_BUF_ALIGN);
    job->charge = charge;
    fw->charged += charge;
    return job;
}

void pciehsm_job_free(PciehsmJob *job)
{
    PciehsmFw *fw = job->fw;

    fw->charged -= job->charge;
    if (job->buf_len > PCIEHSM_CHUNK) {
        /* The host's kernel clears pages before anyone sees them again. */
        munmap(job->buf, job->buf_len);
    } else if (job->buf) {
        PciehsmChunk *chunk = job->buf;

        /* So a chunk of the pool is always zero but for its link. */
        explicit_bzero(job->buf, job->buf_len);
        ASAN_UNPOISON_MEMORY_REGION(job->buf, PCIEHSM_CHUNK);
        QSLIST_INSERT_HEAD(&fw->chunks, chunk, link);
    }
    g_free(job);
}

/* ---- jobs ---- */

/* With the lock held: @working is about to change, or somebody asks. */
static void pciehsm_fw_account(PciehsmFw *fw)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);

    fw->busy_ns += (now - fw->since) * MIN(fw->working, fw->engines);
    fw->since = now;
}

uint64_t pciehsm_fw_busy_ns(PciehsmFw *fw)
{
    uint64_t ns;

    qemu_rec_mutex_lock(&fw->lock);
    pciehsm_fw_account(fw);
    ns = fw->busy_ns;
    qemu_rec_mutex_unlock(&fw->lock);
    return ns;
}

static void pciehsm_job_return(PciehsmJob *job)
{
    PciehsmFw *fw = job->fw;
    bool first;

    qatomic_inc(&fw->signs);
    qemu_rec_mutex_lock(&fw->lock);
    first = QTAILQ_EMPTY(&fw->returned);
    job->returned = true;
    if (job->active) {
        pciehsm_fw_account(fw);
        fw->working--;
    }
    QTAILQ_REMOVE(&fw->out, job, link);
    QTAILQ_INSERT_TAIL(&fw->returned, job, link);
    /*
     * The bottom half takes all that is there: only the first needs to wake it.
     */
    if (first && fw->bh) {
        qemu_bh_schedule(fw->bh);
    }
    if (fw->waiting) {
        fw->waiting = false;
        qemu_sem_post(&fw->back);
    }
    qemu_rec_mutex_unlock(&fw->lock);
}

static void pciehsm_job_done(struct hsm_fw_request *req)
{
    pciehsm_job_return(container_of(req, PciehsmJob, req));
}

static void pciehsm_job_progress(struct hsm_fw_request *req, uint32_t permille)
{
    PciehsmJob *job = container_of(req, PciehsmJob, req);

    qatomic_set(&job->permille, permille);
    qatomic_set(&job->alive, 1);
    qatomic_inc(&job->fw->signs);
}

static void pciehsm_job_out(PciehsmJob *job)
{
    PciehsmFw *fw = job->fw;

    job->signs = qatomic_read(&fw->signs);
    job->permille = PCIEHSM_PROGRESS_UNKNOWN;
    qemu_rec_mutex_lock(&fw->lock);
    QTAILQ_INSERT_TAIL(&fw->out, job, link);
    qemu_rec_mutex_unlock(&fw->lock);
    fw->num_out++;
}

/*
 * More than there are engines at work are kept here: the firmware's own queue
 * would give them to an engine that is said to have failed.
 */
static void pciehsm_job_next(PciehsmFw *fw)
{
    PciehsmJob *job;

    do {
        qemu_rec_mutex_lock(&fw->lock);
        job = fw->active < fw->limit ? QTAILQ_FIRST(&fw->backlog) : NULL;
        if (job) {
            QTAILQ_REMOVE(&fw->backlog, job, wait);
            job->active = true;
            fw->active++;
            pciehsm_fw_account(fw);
            fw->working++;
        }
        qemu_rec_mutex_unlock(&fw->lock);
        /* Who has the card's lock aborts, and is here: nobody takes it away. */
        if (job) {
            hsm_fw_submit(fw->hsm, &job->req);
        }
    } while (job);
}

void pciehsm_job_submit(PciehsmJob *job)
{
    PciehsmFw *fw = job->fw;

    job->req.done = pciehsm_job_done;
    job->req.progress = pciehsm_job_progress;
    pciehsm_job_out(job);
    qemu_rec_mutex_lock(&fw->lock);
    QTAILQ_INSERT_TAIL(&fw->backlog, job, wait);
    qemu_rec_mutex_unlock(&fw->lock);
    pciehsm_job_next(fw);
}

void pciehsm_fw_limit(PciehsmFw *fw, unsigned engines)
{
    fw->limit = engines;
    pciehsm_job_next(fw);
}

/* With the lock held: true if it is back, or will be soon. */
static bool pciehsm_job_stop(PciehsmJob *job)
{
    PciehsmFw *fw = job->fw;

    if (job->returned) {
        return true;
    }
    if (job->run) {
        return false;
    }
    if (job->active) {
        return hsm_fw_abort(fw->hsm, &job->req);
    }
    QTAILQ_REMOVE(&fw->backlog, job, wait);
    job->req.status = HSM_FW_ABORTED;
    pciehsm_job_return(job);
    return true;
}

void pciehsm_job_start(PciehsmJob *job)
{
    PciehsmFw *fw = job->fw;
    PciehsmWork *work = &fw->work[job->worker];

    fw->num_out++;
    job->signs = qatomic_read(&fw->signs);
    job->permille = PCIEHSM_PROGRESS_UNKNOWN;
    qemu_mutex_lock(&fw->queue_lock);
    QTAILQ_INSERT_TAIL(&work->queue, job, link);
    qemu_cond_signal(&work->cond);
    qemu_mutex_unlock(&fw->queue_lock);
}

static void *pciehsm_worker(void *opaque)
{
    PciehsmWork *work = opaque;
    PciehsmFw *fw = work->fw;
    PciehsmJob *job;

    qemu_mutex_lock(&fw->queue_lock);
    while (true) {
        job = QTAILQ_FIRST(&work->queue);
        if (!job) {
            /* Only an empty queue ends the thread: no job is left behind. */
            if (fw->quit) {
                break;
            }
            qemu_cond_wait(&work->cond, &fw->queue_lock);
            continue;
        }
        QTAILQ_REMOVE(&work->queue, job, link);
        qemu_mutex_unlock(&fw->queue_lock);

        qemu_rec_mutex_lock(&fw->lock);
        QTAILQ_INSERT_TAIL(&fw->out, job, link);
        qemu_rec_mutex_unlock(&fw->lock);
        job->run(fw->hsm, job);
        pciehsm_job_return(job);

        qemu_mutex_lock(&fw->queue_lock);
    }
    qemu_mutex_unlock(&fw->queue_lock);
    return NULL;
}

bool pciehsm_job_abort(PciehsmJob *job)
{
    PciehsmFw *fw = job->fw;
    bool stopped;

    qemu_rec_mutex_lock(&fw->lock);
    stopped = pciehsm_job_stop(job);
    qemu_rec_mutex_unlock(&fw->lock);
    return stopped;
}

bool pciehsm_job_not_begun(PciehsmJob *job)
{
    bool not_begun;

    qemu_rec_mutex_lock(&job->fw->lock);
    not_begun = job->returned && !job->run &&
                job->req.status == HSM_FW_ABORTED;
    qemu_rec_mutex_unlock(&job->fw->lock);
    return not_begun;
}

void pciehsm_fw_abort_all(PciehsmFw *fw)
{
    g_autoptr(GPtrArray) jobs = g_ptr_array_new();
    PciehsmJob *job;

    qemu_rec_mutex_lock(&fw->lock);
    /*
     * Aborting moves jobs from the list: on this thread only, as we hold the
     * lock.
     */
    QTAILQ_FOREACH(job, &fw->out, link) {
        if (!job->run) {
            g_ptr_array_add(jobs, job);
        }
    }
    for (guint i = 0; i < jobs->len; i++) {
        pciehsm_job_stop(g_ptr_array_index(jobs, i));
    }
    qemu_rec_mutex_unlock(&fw->lock);
}

bool pciehsm_job_alive(PciehsmJob *job, uint32_t *permille)
{
    uint32_t signs = qatomic_read(&job->fw->signs);
    bool own = qatomic_xchg(&job->alive, 0);
    bool any = signs != job->signs;

    job->signs = signs;
    job->begun |= own;
    *permille = qatomic_read(&job->permille);
    return own || (any && !job->begun);
}

PciehsmJob *pciehsm_fw_returned(PciehsmFw *fw)
{
    PciehsmJob *job;

    qemu_rec_mutex_lock(&fw->lock);
    job = QTAILQ_FIRST(&fw->returned);
    if (job) {
        QTAILQ_REMOVE(&fw->returned, job, link);
        fw->active -= job->active;
    }
    qemu_rec_mutex_unlock(&fw->lock);
    if (job) {
        fw->num_out--;
        pciehsm_job_next(fw);
    }
    return job;
}

bool pciehsm_fw_wait(PciehsmFw *fw, int ms)
{
    bool back;

    qemu_rec_mutex_lock(&fw->lock);
    back = !QTAILQ_EMPTY(&fw->returned);
    fw->waiting = !back;
    qemu_rec_mutex_unlock(&fw->lock);
    if (back || qemu_sem_timedwait(&fw->back, ms) == 0) {
        return true;
    }

    qemu_rec_mutex_lock(&fw->lock);
    back = !fw->waiting;
    fw->waiting = false;
    qemu_rec_mutex_unlock(&fw->lock);
    if (back) {
        /* It came after all, and has posted. */
        qemu_sem_wait(&fw->back);
    }
    return back;
}

unsigned pciehsm_fw_busy(PciehsmFw *fw)
{
    return fw->num_out;
}

void pciehsm_fw_info(PciehsmFw *fw, struct hsm_fw_info *info)
{
    hsm_fw_info(fw->hsm, info);
}

/* ---- events ---- */

/* From any thread. */
static void pciehsm_fw_on_event(void *opaque, enum hsm_fw_event event,
                                uint32_t number)
{
    PciehsmFw *fw = opaque;

    qemu_rec_mutex_lock(&fw->lock);
    if (fw->num_events == PCIEHSM_EVENT_QUEUE) {
        fw->events[0] = (PciehsmEvent) { .type = PCIEHSM_EVENT_OVERFLOW };
        fw->num_events = 1;
    } else {
        fw->events[fw->num_events++] = (PciehsmEvent) {
            .type = event,
            .number = number,
        };
    }
    if (fw->bh) {
        qemu_bh_schedule(fw->bh);
    }
    qemu_rec_mutex_unlock(&fw->lock);
}

bool pciehsm_fw_event(PciehsmFw *fw, PciehsmEvent *event)
{
    bool found;

    qemu_rec_mutex_lock(&fw->lock);
    found = fw->num_events;
    if (found) {
        *event = fw->events[0];
        fw->num_events--;
        memmove(&fw->events[0], &fw->events[1],
                fw->num_events * sizeof(fw->events[0]));
    }
    qemu_rec_mutex_unlock(&fw->lock);
    return found;
}

/* ---- life ---- */

/* Ends everything and frees @fw; blocks until the engines have finished. */
static void pciehsm_fw_shut(PciehsmFw *fw)
{
    PciehsmJob *job;

    pciehsm_fw_abort_all(fw);
    qemu_mutex_lock(&fw->queue_lock);
    fw->quit = true;
    for (int i = 0; i < PCIEHSM_WORKERS; i++) {
        qemu_cond_signal(&fw->work[i].cond);
    }
    qemu_mutex_unlock(&fw->queue_lock);
    for (int i = 0; i < PCIEHSM_WORKERS; i++) {
        qemu_thread_join(&fw->work[i].thread);
        qemu_cond_destroy(&fw->work[i].cond);
    }
    hsm_fw_close(fw->hsm);

    assert(QTAILQ_EMPTY(&fw->out));
    while ((job = QTAILQ_FIRST(&fw->returned))) {
        QTAILQ_REMOVE(&fw->returned, job, link);
        pciehsm_job_free(job);
    }
    for (guint i = 0; i < fw->arenas->len; i++) {
        munmap(g_ptr_array_index(fw->arenas, i), PCIEHSM_ARENA);
    }
    g_ptr_array_free(fw->arenas, true);

    qemu_mutex_lock(&pciehsm_cards.lock);
    QLIST_REMOVE(fw, link);
    qemu_cond_broadcast(&pciehsm_cards.changed);
    qemu_mutex_unlock(&pciehsm_cards.lock);

    qemu_mutex_destroy(&fw->queue_lock);
    qemu_rec_mutex_destroy(&fw->lock);
    qemu_sem_destroy(&fw->back);
    free(fw->store);
    g_free(fw);
}

static void *pciehsm_fw_closer(void *opaque)
{
    pciehsm_fw_shut(opaque);
    return NULL;
}

static void pciehsm_fw_detach(PciehsmFw *fw)
{
    qemu_rec_mutex_lock(&fw->lock);
    fw->bh = NULL;
    qemu_rec_mutex_unlock(&fw->lock);
}

void pciehsm_fw_close(PciehsmFw *fw)
{
    QemuThread thread;

    pciehsm_fw_detach(fw);
    qemu_thread_create(&thread, "pciehsm-close", pciehsm_fw_closer, fw,
                       QEMU_THREAD_DETACHED);
}

void pciehsm_fw_close_wait(PciehsmFw *fw)
{
    pciehsm_fw_detach(fw);
    pciehsm_fw_shut(fw);
}

/*
 * QEMU leaves devices as they are when it exits, but libcrypto cleans up behind
 * itself: engines must not run into that.
 */
static void pciehsm_at_exit(void)
{
    PciehsmFw *fw;
    bool attached;

    qemu_mutex_lock(&pciehsm_cards.lock);
    while ((fw = QLIST_FIRST(&pciehsm_cards.open))) {
        /* It is not freed while it is in the list. */
        qemu_rec_mutex_lock(&fw->lock);
        attached = fw->bh;
        fw->bh = NULL;
        qemu_rec_mutex_unlock(&fw->lock);
        if (attached) {
            qemu_mutex_unlock(&pciehsm_cards.lock);
            /* An iothread goes on: not with this. */
            fw->leave(fw->card);
            pciehsm_fw_shut(fw);
            qemu_mutex_lock(&pciehsm_cards.lock);
        } else {
            qemu_cond_wait(&pciehsm_cards.changed, &pciehsm_cards.lock);
        }
    }
    qemu_mutex_unlock(&pciehsm_cards.lock);
}

/*
 * A card that was just pulled out of this process may still be closing its
 * store.
 */
static void pciehsm_fw_await_closing(const char *path)
{
    char *store = realpath(path, NULL);
    PciehsmFw *fw;

    if (!store) {
        return;
    }
    qemu_mutex_lock(&pciehsm_cards.lock);
again:
    QLIST_FOREACH(fw, &pciehsm_cards.open, link) {
        bool closing;

        qemu_rec_mutex_lock(&fw->lock);
        closing = !fw->bh;
        qemu_rec_mutex_unlock(&fw->lock);
        if (closing && fw->store && !strcmp(fw->store, store)) {
            qemu_cond_wait(&pciehsm_cards.changed, &pciehsm_cards.lock);
            goto again;
        }
    }
    qemu_mutex_unlock(&pciehsm_cards.lock);
    free(store);
}

/* Engines inherit the signal mask: signals are for QEMU's own threads. */
static int pciehsm_hsm_open(const struct hsm_fw_config *config,
                            struct hsm_fw **hsm, char *error, size_t error_len)
{
    sigset_t all, old;
    int ret;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    ret = hsm_fw_open(config, hsm, error, error_len);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return ret;
}

PciehsmFw *pciehsm_fw_open(struct hsm_fw_config *config, uint64_t memory,
                           QEMUBH *bh, void (*leave)(PciehsmState *card),
                           PciehsmState *card, Error **errp)
{
    static const char *const names[PCIEHSM_WORKERS] = {
        [PCIEHSM_WORKER_QUICK] = "pciehsm-admin",
        [PCIEHSM_WORKER_SLOW] = "pciehsm-end",
    };
    char error[512] = "";
    PciehsmFw *fw = g_new0(PciehsmFw, 1);

    pciehsm_fw_await_closing(config->store);
    qemu_rec_mutex_init(&fw->lock);
    qemu_mutex_init(&fw->queue_lock);
    qemu_sem_init(&fw->back, 0);
    QTAILQ_INIT(&fw->out);
    QTAILQ_INIT(&fw->returned);
    QTAILQ_INIT(&fw->backlog);
    fw->limit = UINT_MAX;
    fw->engines = config->engines;
    fw->since = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    fw->bh = bh;
    fw->leave = leave;
    fw->card = card;
    fw->memory = memory;

    config->event = pciehsm_fw_on_event;
    config->opaque = fw;
    if (pciehsm_hsm_open(config, &fw->hsm, error, sizeof(error)) < 0) {
        error_setg(errp, "%s", error);
        qemu_mutex_destroy(&fw->queue_lock);
        qemu_rec_mutex_destroy(&fw->lock);
        qemu_sem_destroy(&fw->back);
        g_free(fw);
        return NULL;
    }
    fw->store = realpath(config->store, NULL);

    fw->arenas = g_ptr_array_new();
    for (int i = 0; i < PCIEHSM_WORKERS; i++) {
        PciehsmWork *work = &fw->work[i];

        work->fw = fw;
        QTAILQ_INIT(&work->queue);
        qemu_cond_init(&work->cond);
        qemu_thread_create(&work->thread, names[i], pciehsm_worker, work,
                           QEMU_THREAD_JOINABLE);
    }

    qemu_mutex_lock(&pciehsm_cards.lock);
    QLIST_INSERT_HEAD(&pciehsm_cards.open, fw, link);
    if (!pciehsm_cards.at_exit) {
        /*
         * Handlers run in reverse order: this one must be registered after
         * libcrypto's, which the first card has just done.
         */
        pciehsm_cards.at_exit = true;
        atexit(pciehsm_at_exit);
    }
    qemu_mutex_unlock(&pciehsm_cards.lock);
    return fw;
}
