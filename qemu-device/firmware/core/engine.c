// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/engine.h"

#include <signal.h>
#include <string.h>

#include "core/firmware.h"

enum state {
	STATE_NONE,
	STATE_QUEUED,
	STATE_RUNNING,
	STATE_DONE,
};

/* What hsm_fw_request.private is used for */
struct private {
	struct hsm_fw_request	*next;
	enum state		state;
	bool			stoppable;
	bool			cancel;
} __attribute__((may_alias));

_Static_assert(sizeof(struct private) <= sizeof(((struct hsm_fw_request *)0)->private),
	       "no room in struct hsm_fw_request");

static struct private *private_of(struct hsm_fw_request *req)
{
	return (struct private *)req->private;
}

static struct flow *flow_of(struct engines *es, uint32_t context)
{
	return &es->flows[context % FLOWS];
}

/* ---- the queue; under the lock ---- */

static void enqueue(struct engines *es, struct hsm_fw_request *req)
{
	struct flow *f = flow_of(es, req->context);
	struct private *p = private_of(req);

	memset(p, 0, sizeof(*p));
	p->state = STATE_QUEUED;
	if (f->first) {
		private_of(f->last)->next = req;
	} else {
		f->first = req;
		f->next = NULL;
		if (es->last)
			es->last->next = f;
		else
			es->first = f;
		es->last = f;
	}
	f->last = req;
}

static struct hsm_fw_request *dequeue(struct engines *es)
{
	struct flow *f = es->first;
	struct hsm_fw_request *req;

	if (!f)
		return NULL;
	req = f->first;
	f->first = private_of(req)->next;
	es->first = f->next;
	if (!es->first)
		es->last = NULL;
	/* What is left waits until every other flow had its turn. */
	if (f->first) {
		f->next = NULL;
		if (es->last)
			es->last->next = f;
		else
			es->first = f;
		es->last = f;
	}
	return req;
}

/*
 * Takes requests out of one flow, onto @list: @only that one, or all of a context
 * (0: of any).
 */
static void filter(struct engines *es, struct flow *f, uint32_t context,
		   const struct hsm_fw_request *only, struct hsm_fw_request **list)
{
	struct hsm_fw_request *req = f->first, *next, *keep = NULL, *last = NULL;
	struct flow **slot, *before = NULL;

	if (!req)
		return;
	for (; req; req = next) {
		next = private_of(req)->next;
		private_of(req)->next = NULL;
		if ((only && req != only) || (context && req->context != context)) {
			if (last)
				private_of(last)->next = req;
			else
				keep = req;
			last = req;
			continue;
		}
		private_of(req)->state = STATE_DONE;
		private_of(req)->next = *list;
		*list = req;
	}
	f->first = keep;
	f->last = last;
	if (keep)
		return;
	/* An empty flow takes no turns. */
	for (slot = &es->first; *slot != f; slot = &(*slot)->next)
		before = *slot;
	*slot = f->next;
	if (es->last == f)
		es->last = before;
}

/* Gives requests back as aborted; without the lock. */
static void give_back(struct hsm_fw_request *list)
{
	struct hsm_fw_request *req, *next, *oldest = NULL;

	/* They were collected youngest first. */
	for (req = list; req; req = next) {
		next = private_of(req)->next;
		private_of(req)->next = oldest;
		oldest = req;
	}
	for (req = oldest; req; req = next) {
		next = private_of(req)->next;
		req->status = HSM_FW_ABORTED;
		req->out_len = 0;
		req->done(req);
	}
}

/* ---- threads ---- */

static void *engine_main(void *opaque)
{
	struct engine *e = opaque;
	struct engines *es = &e->fw->engines;
	struct hsm_fw_request *req;

	pthread_mutex_lock(&es->lock);
	for (;;) {
		while (!es->stop && !es->first)
			pthread_cond_wait(&es->work, &es->lock);
		if (es->stop)
			break;
		req = dequeue(es);
		private_of(req)->state = STATE_RUNNING;
		e->req = req;
		e->busy = true;
		e->context = req->context;
		pthread_mutex_unlock(&es->lock);

		call_execute(e->fw, req, true);

		pthread_mutex_lock(&es->lock);
		private_of(req)->state = STATE_DONE;
		e->req = NULL;
		pthread_mutex_unlock(&es->lock);
		req->done(req);
		/* Who waits for a context's requests has got them all back by now. */
		pthread_mutex_lock(&es->lock);
		e->busy = false;
		pthread_cond_broadcast(&es->idle);
	}
	pthread_mutex_unlock(&es->lock);
	return NULL;
}

int engines_start(struct hsm_fw *fw, unsigned int count)
{
	struct engines *es = &fw->engines;
	sigset_t all, before;
	int ret = 0;

	pthread_mutex_init(&es->lock, NULL);
	pthread_cond_init(&es->work, NULL);
	pthread_cond_init(&es->idle, NULL);
	/* Signals are the business of the program around us. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (es->count < count && !ret) {
		struct engine *e = &es->engine[es->count];

		e->fw = fw;
		ret = -pthread_create(&e->thread, NULL, engine_main, e);
		if (!ret)
			es->count++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (ret)
		engines_stop(fw);
	return ret;
}

void engines_stop(struct hsm_fw *fw)
{
	struct engines *es = &fw->engines;
	unsigned int i;

	engines_cancel(fw, 0);
	pthread_mutex_lock(&es->lock);
	es->stop = true;
	pthread_cond_broadcast(&es->work);
	pthread_mutex_unlock(&es->lock);
	for (i = 0; i < es->count; i++)
		pthread_join(es->engine[i].thread, NULL);
	es->count = 0;
	pthread_cond_destroy(&es->idle);
	pthread_cond_destroy(&es->work);
	pthread_mutex_destroy(&es->lock);
}

void engines_cancel(struct hsm_fw *fw, uint32_t context)
{
	struct engines *es = &fw->engines;
	struct hsm_fw_request *list = NULL, *req;
	unsigned int i;

	pthread_mutex_lock(&es->lock);
	if (context) {
		filter(es, flow_of(es, context), context, NULL, &list);
	} else {
		while (es->first)
			filter(es, es->first, 0, NULL, &list);
	}
	for (i = 0; i < es->count; i++) {
		req = es->engine[i].req;
		if (req && (!context || req->context == context))
			private_of(req)->cancel = true;
	}
	pthread_mutex_unlock(&es->lock);
	give_back(list);
}

void engines_wait(struct hsm_fw *fw, uint32_t context)
{
	struct engines *es = &fw->engines;
	const struct engine *e;
	unsigned int i;

	pthread_mutex_lock(&es->lock);
	for (i = 0; i < es->count; ) {
		e = &es->engine[i];
		if (e->busy && (!context || e->context == context))
			pthread_cond_wait(&es->idle, &es->lock);
		else
			i++;
	}
	pthread_mutex_unlock(&es->lock);
}

void engine_stoppable(struct hsm_fw *fw, struct hsm_fw_request *req, bool yes)
{
	pthread_mutex_lock(&fw->engines.lock);
	private_of(req)->stoppable = yes;
	pthread_mutex_unlock(&fw->engines.lock);
}

bool engine_cancelled(struct hsm_fw *fw, struct hsm_fw_request *req)
{
	bool cancel;

	pthread_mutex_lock(&fw->engines.lock);
	cancel = private_of(req)->cancel;
	pthread_mutex_unlock(&fw->engines.lock);
	return cancel;
}

/* ---- the public side ---- */

void hsm_fw_submit(struct hsm_fw *fw, struct hsm_fw_request *req)
{
	struct engines *es = &fw->engines;

	req->status = HSM_FW_ANSWERED;
	req->out_len = 0;
	pthread_mutex_lock(&es->lock);
	enqueue(es, req);
	pthread_cond_signal(&es->work);
	pthread_mutex_unlock(&es->lock);
}

bool hsm_fw_abort(struct hsm_fw *fw, struct hsm_fw_request *req)
{
	struct engines *es = &fw->engines;
	struct private *p = private_of(req);
	struct hsm_fw_request *list = NULL;
	bool will_end;

	pthread_mutex_lock(&es->lock);
	will_end = p->state == STATE_DONE;
	if (p->state == STATE_RUNNING) {
		p->cancel = true;
		will_end = p->stoppable;
	} else if (p->state == STATE_QUEUED) {
		filter(es, flow_of(es, req->context), 0, req, &list);
		will_end = true;
	}
	pthread_mutex_unlock(&es->lock);
	give_back(list);
	return will_end;
}
