/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Engines: worker threads, and the queue that they are fed from.
 *
 * The queue is fair between contexts: each has a first-in-first-out list of its
 * own, and the lists that are not empty take turns. Contexts share one of FLOWS
 * lists by their number, so that queueing a request never needs memory.
 */
#ifndef FIRMWARE_CORE_ENGINE_H
#define FIRMWARE_CORE_ENGINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct hsm_fw;
struct hsm_fw_request;

#define FLOWS		4096
#define ENGINES_MAX	64

/**
 * struct flow - requests of one context (or a few)
 * @first:	oldest request
 * @last:	youngest request
 * @next:	flow whose turn is after this one's
 */
struct flow {
	struct hsm_fw_request	*first;
	struct hsm_fw_request	*last;
	struct flow		*next;
};

/**
 * struct engine - one thread
 * @fw:		its card
 * @req:	what it works on
 * @busy:	it works, or the @done of what it worked on has not yet returned
 * @context:	of that request, which may be nobody's memory any more
 */
struct engine {
	struct hsm_fw		*fw;
	pthread_t		thread;
	struct hsm_fw_request	*req;
	bool			busy;
	uint32_t		context;
};

/**
 * struct engines - all of them
 * @lock:	of everything here, and of the private part of every request
 * @work:	there is something to do
 * @idle:	an engine has given a request back
 * @count:	engines
 * @stop:	engines are to end
 * @first:	flow whose turn it is
 * @last:	flow whose turn is last
 */
struct engines {
	pthread_mutex_t		lock;
	pthread_cond_t		work;
	pthread_cond_t		idle;
	unsigned int		count;
	bool			stop;
	struct flow		*first;
	struct flow		*last;
	struct engine		engine[ENGINES_MAX];
	struct flow		flows[FLOWS];
};

/** engines_start() - make @count threads; returns 0 or -errno, and then there are none */
int engines_start(struct hsm_fw *fw, unsigned int count);

/** engines_stop() - give queued requests back as aborted, wait for running ones */
void engines_stop(struct hsm_fw *fw);

/**
 * engines_cancel() - give the queued requests of a context (0: all) back as aborted
 *
 * Running ones are told to give up if they can.
 */
void engines_cancel(struct hsm_fw *fw, uint32_t context);

/** engines_wait() - until no request of the context (0: any) is with an engine */
void engines_wait(struct hsm_fw *fw, uint32_t context);

/**
 * engine_stoppable() - may what runs be given up from here on?
 * @req:	submitted request
 * @yes:	its work asks engine_cancelled() often from now on, or does not any more
 */
void engine_stoppable(struct hsm_fw *fw, struct hsm_fw_request *req, bool yes);

/** engine_cancelled() - shall what runs for this request be given up? */
bool engine_cancelled(struct hsm_fw *fw, struct hsm_fw_request *req);

#endif /* FIRMWARE_CORE_ENGINE_H */
