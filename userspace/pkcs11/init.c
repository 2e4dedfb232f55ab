// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * C_Initialize and C_Finalize, and what happens to both when a process forks.
 *
 * Nothing of this runs by itself: there is no constructor, no destructor and no exit
 * handler, so a process that never finalizes can end in whatever order it likes.
 */
#include <errno.h>
#include <string.h>

#include "env.h"
#include "module.h"

enum state {
	STATE_OFF,
	STATE_READY,
	STATE_CLOSING,
};

#define N_COUNTERS	16

/* Calls that are under way, spread so that threads do not fight over one cache line. */
struct counter {
	_Alignas(64) atomic_uint n;
};

static struct {
	pthread_mutex_t	lock;		/* of C_Initialize and C_Finalize */
	pthread_mutex_t	idle_lock;
	pthread_cond_t	idle;		/* a call has ended during C_Finalize */
	atomic_uint	state;		/* enum state */
	bool		atfork;
	struct ha	*ha;
	struct ha_env	*env;
	/* The application's lock, where it has the module use no other for its threads */
	void		*app_mutex;
	CK_LOCKMUTEX	app_lock;
	CK_UNLOCKMUTEX	app_unlock;
	CK_DESTROYMUTEX	app_destroy;
	struct counter	calls[N_COUNTERS];
} module = {
	.lock		= PTHREAD_MUTEX_INITIALIZER,
	.idle_lock	= PTHREAD_MUTEX_INITIALIZER,
	.idle		= PTHREAD_COND_INITIALIZER,
};

static void count_down(unsigned long key)
{
	atomic_fetch_sub(&module.calls[key % N_COUNTERS].n, 1);
	if (module.state == STATE_CLOSING) {
		pthread_mutex_lock(&module.idle_lock);
		pthread_cond_broadcast(&module.idle);
		pthread_mutex_unlock(&module.idle_lock);
	}
}

/*
 * The application's lock is taken before any of the module's own, and held for the whole
 * call: so its threads never wait for each other in a lock that it has not given.
 */
void module_resume(void)
{
	if (module.app_mutex)
		module.app_lock(module.app_mutex);
}

void module_pause(void)
{
	if (module.app_mutex)
		module.app_unlock(module.app_mutex);
}

struct ha *module_enter(unsigned long key)
{
	/* Count first, look then: C_Finalize does it the other way round. */
	atomic_fetch_add(&module.calls[key % N_COUNTERS].n, 1);
	if (module.state != STATE_READY) {
		count_down(key);
		return NULL;
	}
	module_resume();
	return module.ha;
}

void module_leave(unsigned long key)
{
	module_pause();
	count_down(key);
}

bool module_closing(void)
{
	return module.state == STATE_CLOSING;
}

static bool calls_under_way(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < N_COUNTERS; i++)
		n += module.calls[i].n;
	return n;
}

/*
 * In a child there is only the thread that forked, and whatever the others were in the
 * middle of stays so for ever. What this module has is left alone; the engine
 * closes its files, for a login must not live on in a child, and wipes its PINs.
 */
static void in_child(void)
{
	/* C_Finalize of another thread may have freed part of it. */
	struct ha *ha = module.state == STATE_READY ? module.ha : NULL;
	unsigned int i;

	pthread_mutex_init(&module.lock, NULL);
	pthread_mutex_init(&module.idle_lock, NULL);
	pthread_cond_init(&module.idle, NULL);
	for (i = 0; i < N_COUNTERS; i++)
		module.calls[i].n = 0;
	module.state = STATE_OFF;
	module.ha = NULL;
	module.env = NULL;
	module.app_mutex = NULL;
	sessions_forget();
	tokens_forget();
	if (ha)
		ha_forked(ha);
}

/* What an application asks for, and whether it can be had. */
static CK_RV check_args(const CK_C_INITIALIZE_ARGS *args, unsigned int *flags)
{
	unsigned int callbacks;

	*flags = 0;
	if (!args)
		return CKR_OK;
	if (args->pReserved)
		return CKR_ARGUMENTS_BAD;
	callbacks = !!args->CreateMutex + !!args->DestroyMutex + !!args->LockMutex +
		    !!args->UnlockMutex;
	if (callbacks && callbacks != 4)
		return CKR_ARGUMENTS_BAD;
	if (args->flags & CKF_LIBRARY_CANT_CREATE_OS_THREADS)
		*flags = HA_OPEN_NO_THREADS;
	return CKR_OK;
}

/* The system's locks, unless the application has given its own and not allowed those. */
static CK_RV take_app_mutex(const CK_C_INITIALIZE_ARGS *args)
{
	void *mutex = NULL;
	CK_RV rv;

	if (!args || !args->CreateMutex || args->flags & CKF_OS_LOCKING_OK)
		return CKR_OK;
	rv = args->CreateMutex(&mutex);
	if (rv != CKR_OK || !mutex)
		return rv == CKR_HOST_MEMORY ? rv : CKR_CANT_LOCK;
	module.app_lock = args->LockMutex;
	module.app_unlock = args->UnlockMutex;
	module.app_destroy = args->DestroyMutex;
	module.app_mutex = mutex;
	return CKR_OK;
}

static void drop_app_mutex(void)
{
	if (module.app_mutex)
		module.app_destroy(module.app_mutex);
	module.app_mutex = NULL;
}

static CK_RV start(unsigned int flags)
{
	uint32_t slot;
	int ret;

	if (!module.atfork) {
		if (pthread_atfork(NULL, NULL, in_child))
			return CKR_HOST_MEMORY;
		module.atfork = true;
	}
	ret = module_env(&module.env);
	if (!ret) {
		ret = ha_open(module.env, flags, &module.ha);
		if (ret)
			ha_env_free(module.env);
	}
	if (ret)
		return ret == -ENOMEM ? CKR_HOST_MEMORY : CKR_GENERAL_ERROR;
	/* What the engine found when it opened is no event for C_WaitForSlotEvent. */
	while (!ha_wait_slot_event(module.ha, 0, &slot))
		;
	module.state = STATE_READY;
	return CKR_OK;
}

CK_RV C_Initialize(void *init_args)
{
	unsigned int flags;
	CK_RV rv;

	pthread_mutex_lock(&module.lock);
	rv = module.state == STATE_OFF ? CKR_OK : CKR_CRYPTOKI_ALREADY_INITIALIZED;
	if (rv == CKR_OK)
		rv = check_args(init_args, &flags);
	if (rv == CKR_OK)
		rv = take_app_mutex(init_args);
	if (rv == CKR_OK) {
		rv = start(flags);
		if (rv != CKR_OK)
			drop_app_mutex();
	}
	pthread_mutex_unlock(&module.lock);
	return rv;
}

CK_RV C_Finalize(void *reserved)
{
	if (reserved)
		return CKR_ARGUMENTS_BAD;
	pthread_mutex_lock(&module.lock);
	if (module.state != STATE_READY) {
		pthread_mutex_unlock(&module.lock);
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	}
	/* From here on no call begins; those under way are waited for. */
	module.state = STATE_CLOSING;
	ha_wake(module.ha);
	pthread_mutex_lock(&module.idle_lock);
	while (calls_under_way())
		pthread_cond_wait(&module.idle, &module.idle_lock);
	pthread_mutex_unlock(&module.idle_lock);

	sessions_close_all(CK_UNAVAILABLE_INFORMATION);
	sessions_free();
	tokens_free();
	ha_close(module.ha);
	ha_env_free(module.env);
	drop_app_mutex();
	module.ha = NULL;
	module.env = NULL;
	module.state = STATE_OFF;
	pthread_mutex_unlock(&module.lock);
	return CKR_OK;
}

CK_RV C_GetInfo(CK_INFO *info)
{
	if (!module_enter(0))
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	module_leave(0);
	if (!info)
		return CKR_ARGUMENTS_BAD;
	memset(info, 0, sizeof(*info));
	info->cryptokiVersion.major = CRYPTOKI_VERSION_MAJOR;
	info->cryptokiVersion.minor = CRYPTOKI_VERSION_MINOR;
	text_fill(info->manufacturerID, sizeof(info->manufacturerID), MANUFACTURER);
	text_fill(info->libraryDescription, sizeof(info->libraryDescription),
		  "pciehsm PKCS#11 module");
	info->libraryVersion.major = 1;
	return CKR_OK;
}

void text_fill(unsigned char *to, size_t size, const char *text)
{
	size_t len = strlen(text);

	memset(to, ' ', size);
	memcpy(to, text, len < size ? len : size);
}

CK_RV module_rv(CK_RV rv)
{
	switch (rv) {
	case PCIEHSM_CKR_NOT_INITIALISED:
		return CKR_TOKEN_NOT_RECOGNIZED;
	case PCIEHSM_CKR_CAPACITY:
	case PCIEHSM_RV_NO_ROOM:
		return CKR_DEVICE_MEMORY;
	case PCIEHSM_CKR_POLICY:
		return CKR_ACTION_PROHIBITED;
	case PCIEHSM_CKR_NOT_ACTIVATED:
		/*
		 * Of the codes that C_Login may give, the one that says what is so: nothing was
		 * wrong with the PIN and no attempt was lost, so asking for another one is of no
		 * use; somebody else has to do something before a PIN is good for a login.
		 */
		return CKR_USER_PIN_NOT_INITIALIZED;
	case PCIEHSM_CKR_OBJECT_DELETED:
		return CKR_OBJECT_HANDLE_INVALID;
	case PCIEHSM_CKR_STORE:
	case PCIEHSM_CKR_TAMPERED:
		return CKR_DEVICE_ERROR;
	case PCIEHSM_RV_ACCESS:
		return CKR_TOKEN_WRITE_PROTECTED;
	default:
		break;
	}
	if (pciehsm_rv_gone(rv))
		return CKR_DEVICE_REMOVED;
	if (pciehsm_rv_is_transport(rv))
		return CKR_DEVICE_ERROR;
	if ((rv & ~0xffUL) == PCIEHSM_CKR_BASE)
		return CKR_FUNCTION_FAILED;
	return rv;
}
