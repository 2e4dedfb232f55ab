// SPDX-License-Identifier: GPL-2.0-or-later
/* Initialisation, slots, tokens, sessions, logins. */
#include "fixture.h"

#include <unistd.h>

CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **interface,
		     CK_FLAGS flags);

static void initialize_arguments(void **state)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };

	(void)state;
	IS(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_Finalize(NULL));
	OK(p11->C_Initialize(NULL));
	IS(CKR_CRYPTOKI_ALREADY_INITIALIZED, p11->C_Initialize(NULL));
	IS(CKR_ARGUMENTS_BAD, p11->C_Finalize(&args));
	OK(p11->C_Finalize(NULL));

	args.pReserved = &args;
	IS(CKR_ARGUMENTS_BAD, p11->C_Initialize(&args));
	args.pReserved = NULL;
	args.CreateMutex = (CK_CREATEMUTEX)abort;
	IS(CKR_ARGUMENTS_BAD, p11->C_Initialize(&args));
	args.DestroyMutex = (CK_DESTROYMUTEX)abort;
	args.LockMutex = (CK_LOCKMUTEX)abort;
	args.UnlockMutex = (CK_UNLOCKMUTEX)abort;
	/* They need not be used when the system's locks will do (test-scale.c). */
	OK(p11->C_Initialize(&args));
	OK(p11->C_Finalize(NULL));
	args = (CK_C_INITIALIZE_ARGS){ .flags = CKF_LIBRARY_CANT_CREATE_OS_THREADS };
	OK(p11->C_Initialize(&args));
	OK(p11->C_Finalize(NULL));
}

static void nothing_works_before_initialize(void **state)
{
	CK_ULONG n = 0;
	CK_INFO info;
	CK_BYTE byte;

	(void)state;
	IS(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetInfo(&info));
	IS(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetSlotList(CK_FALSE, NULL, &n));
	IS(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_CloseSession(1));
	IS(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_Sign(1, &byte, 1, &byte, &n));
	IS(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetFunctionStatus(1));
	IS(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &n, NULL));
}

static void every_function_is_there(void **state)
{
	void *const *f = (void *const *)&p11->C_Initialize;
	void *const *end = (void *const *)(p11 + 1);

	(void)state;
	for (; f < end; f++)
		assert_non_null(*f);
	IS(CKR_ARGUMENTS_BAD, C_GetFunctionList(NULL));
	assert_int_equal(p11->version.major, 2);
	assert_int_equal(p11->version.minor, 40);
}

static void interfaces(void **state)
{
	CK_C_GetInterfaceList get_list;
	CK_INTERFACE list[4], *found;
	CK_VERSION v3 = { 3, 0 }, v2 = { 2, 40 }, v9 = { 9, 0 };
	CK_FUNCTION_LIST_3_0 *f;
	CK_MECHANISM mech = { CKM_SHA256, NULL, 0 };
	CK_SESSION_HANDLE s;
	CK_ULONG n = 1;
	CK_INFO info;

	(void)state;
	OK(C_GetInterface(NULL, NULL, &found, 0));
	f = found->pFunctionList;
	assert_int_equal(f->v2.version.major, 3);
	assert_true(found->flags & CKF_INTERFACE_FORK_SAFE);
	get_list = f->C_GetInterfaceList;
	IS(CKR_ARGUMENTS_BAD, get_list(list, NULL));
	IS(CKR_BUFFER_TOO_SMALL, get_list(list, &n));
	assert_int_equal(n, 3);
	OK(get_list(list, &n));
	assert_string_equal((char *)list[1].pInterfaceName, "PKCS 11");
	OK(C_GetInterface((CK_UTF8CHAR *)"PKCS 11", &v2, &found, CKF_INTERFACE_FORK_SAFE));
	assert_ptr_equal(found->pFunctionList, p11);
	OK(C_GetInterface((CK_UTF8CHAR *)"PKCS 11", &v3, &found, 0));
	IS(CKR_FUNCTION_FAILED, C_GetInterface((CK_UTF8CHAR *)"PKCS 11", &v9, &found, 0));
	IS(CKR_FUNCTION_FAILED, C_GetInterface((CK_UTF8CHAR *)"Vendor", NULL, &found, 0));
	IS(CKR_FUNCTION_FAILED, C_GetInterface(NULL, NULL, &found, 1UL << 30));
	IS(CKR_ARGUMENTS_BAD, C_GetInterface(NULL, NULL, NULL, 0));

	OK(f->v2.C_GetInfo(&info));
	assert_int_equal(info.cryptokiVersion.major, 3);
	s = session();
	IS(CKR_USER_TYPE_INVALID, f->C_LoginUser(s, CKU_USER, (CK_BYTE *)CO_PIN, strlen(CO_PIN),
						 (CK_BYTE *)"somebody", 8));
	OK(f->C_LoginUser(s, CKU_USER, (CK_BYTE *)CO_PIN, strlen(CO_PIN), NULL, 0));
	OK(p11->C_DigestInit(s, &mech));
	OK(p11->C_FindObjectsInit(s, NULL, 0));
	OK(f->C_SessionCancel(s, CKF_DIGEST));
	OK(p11->C_DigestInit(s, &mech));
	IS(CKR_OPERATION_ACTIVE, p11->C_FindObjectsInit(s, NULL, 0));
	OK(f->C_SessionCancel(s, CKF_FIND_OBJECTS));
	OK(p11->C_FindObjectsInit(s, NULL, 0));
	IS(CKR_OPERATION_ACTIVE, p11->C_DigestInit(s, &mech));
	IS(CKR_MECHANISM_INVALID, f->C_MessageSignInit(s, &mech, 1));
	IS(CKR_SESSION_HANDLE_INVALID, f->C_MessageSignInit(0, &mech, 1));
	IS(CKR_SESSION_HANDLE_INVALID, f->C_SessionCancel(0, CKF_DIGEST));
}

static void info_and_slots(void **state)
{
	CK_SLOT_ID list[8];
	CK_ULONG n = 0;
	CK_SLOT_INFO slot_info;
	CK_TOKEN_INFO token;
	CK_INFO info;

	(void)state;
	OK(p11->C_GetInfo(&info));
	assert_int_equal(info.cryptokiVersion.major, 2);
	assert_int_equal(info.cryptokiVersion.minor, 40);
	assert_memory_equal(info.manufacturerID, "pciehsm                         ", 32);
	IS(CKR_ARGUMENTS_BAD, p11->C_GetInfo(NULL));

	IS(CKR_ARGUMENTS_BAD, p11->C_GetSlotList(CK_TRUE, list, NULL));
	OK(p11->C_GetSlotList(CK_TRUE, NULL, &n));
	assert_int_equal(n, 3);
	n = 1;
	IS(CKR_BUFFER_TOO_SMALL, p11->C_GetSlotList(CK_TRUE, list, &n));
	assert_int_equal(n, 3);
	n = 8;
	OK(p11->C_GetSlotList(CK_TRUE, list, &n));
	assert_int_equal(n, 3);
	assert_int_equal(list[0], 0);
	assert_int_equal(list[1], 1);
	assert_int_equal(list[2], GROUP_SLOT);

	OK(p11->C_GetSlotInfo(slot, &slot_info));
	assert_true(slot_info.flags & CKF_TOKEN_PRESENT);
	IS(CKR_SLOT_ID_INVALID, p11->C_GetSlotInfo(77, &slot_info));
	IS(CKR_ARGUMENTS_BAD, p11->C_GetSlotInfo(slot, NULL));
	/* Cards are administrators' business. */
	IS(CKR_SLOT_ID_INVALID, p11->C_GetSlotInfo(100, &slot_info));

	OK(p11->C_GetTokenInfo(slot, &token));
	assert_true(token.flags & CKF_TOKEN_INITIALIZED);
	assert_true(token.flags & CKF_USER_PIN_INITIALIZED);
	assert_true(token.flags & CKF_LOGIN_REQUIRED);
	assert_true(token.flags & CKF_RNG);
	if (slot == GROUP_SLOT) {
		assert_memory_equal(token.label, "myHAgroup                       ", 32);
		assert_memory_equal(token.serialNumber, "1154438865287   ", 16);
	} else {
		assert_memory_equal(token.label, "par0                            ", 32);
		assert_memory_equal(token.serialNumber, "154438865287    ", 16);
	}
	IS(CKR_SLOT_ID_INVALID, p11->C_GetTokenInfo(77, &token));
	IS(CKR_SLOT_ID_INVALID, p11->C_GetTokenInfo(~0UL, &token));
}

static void mechanisms(void **state)
{
	CK_MECHANISM_TYPE list[512];
	CK_MECHANISM_INFO info;
	CK_ULONG n = 0, i;
	bool ecdsa = false;

	(void)state;
	OK(p11->C_GetMechanismList(slot, NULL, &n));
	assert_in_range(n, 20, 512);
	i = 1;
	IS(CKR_BUFFER_TOO_SMALL, p11->C_GetMechanismList(slot, list, &i));
	assert_int_equal(i, n);
	OK(p11->C_GetMechanismList(slot, list, &n));
	for (i = 0; i < n; i++) {
		ecdsa |= list[i] == CKM_ECDSA;
		OK(p11->C_GetMechanismInfo(slot, list[i], &info));
	}
	assert_true(ecdsa);
	OK(p11->C_GetMechanismInfo(slot, CKM_SHA256_RSA_PKCS, &info));
	assert_true(info.flags & CKF_SIGN);
	assert_in_range(info.ulMaxKeySize, 4096, 16384);
	IS(CKR_MECHANISM_INVALID, p11->C_GetMechanismInfo(slot, CKM_SKIPJACK_KEY_GEN, &info));
}

static void sessions(void **state)
{
	CK_SESSION_HANDLE ro, rw, other;
	CK_SESSION_INFO info;
	CK_TOKEN_INFO token;

	(void)state;
	IS(CKR_SESSION_PARALLEL_NOT_SUPPORTED, p11->C_OpenSession(slot, 0, NULL, NULL, &ro));
	IS(CKR_SESSION_ASYNC_NOT_SUPPORTED,
	   p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_ASYNC_SESSION, NULL, NULL, &ro));
	IS(CKR_ARGUMENTS_BAD, p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, NULL));
	IS(CKR_SLOT_ID_INVALID, p11->C_OpenSession(42, CKF_SERIAL_SESSION, NULL, NULL, &ro));
	OK(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &ro));
	rw = session();
	assert_int_not_equal(ro, rw);
	assert_int_not_equal(ro, 0);
	OK(p11->C_GetTokenInfo(slot, &token));
	assert_int_equal(token.ulSessionCount, 2);
	assert_int_equal(token.ulRwSessionCount, 1);

	OK(p11->C_GetSessionInfo(ro, &info));
	assert_int_equal(info.state, CKS_RO_PUBLIC_SESSION);
	assert_int_equal(info.slotID, slot);
	OK(p11->C_GetSessionInfo(rw, &info));
	assert_int_equal(info.state, CKS_RW_PUBLIC_SESSION);
	IS(CKR_ARGUMENTS_BAD, p11->C_GetSessionInfo(rw, NULL));
	IS(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(0, &info));
	IS(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(rw + 4096, &info));

	OK(p11->C_CloseSession(ro));
	IS(CKR_SESSION_HANDLE_INVALID, p11->C_CloseSession(ro));
	IS(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(ro, &info));
	/* A handle that has ended does not come to mean another session at once. */
	OK(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &other));
	assert_int_not_equal(other, ro);
	OK(p11->C_CloseAllSessions(slot));
	IS(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(rw, &info));
	IS(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(other, &info));
	IS(CKR_SLOT_ID_INVALID, p11->C_CloseAllSessions(42));
}

static void login_states(void **state)
{
	CK_SESSION_HANDLE ro, rw;
	CK_SESSION_INFO info;

	(void)state;
	OK(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &ro));
	rw = session();
	IS(CKR_USER_NOT_LOGGED_IN, p11->C_Logout(rw));
	IS(CKR_USER_TYPE_INVALID, p11->C_Login(rw, 99, (CK_BYTE *)CO_PIN, strlen(CO_PIN)));
	IS(CKR_ARGUMENTS_BAD, p11->C_Login(rw, CKU_USER, NULL, 8));
	IS(CKR_SESSION_HANDLE_INVALID, p11->C_Login(0, CKU_USER, (CK_BYTE *)CO_PIN, 1));
	IS(CKR_PIN_INCORRECT, p11->C_Login(rw, CKU_USER, (CK_BYTE *)"wrong-pin", 9));
	OK(p11->C_GetSessionInfo(rw, &info));
	assert_int_equal(info.state, CKS_RW_PUBLIC_SESSION);
	OK(p11->C_Login(ro, CKU_USER, (CK_BYTE *)CO_PIN, strlen(CO_PIN)));
	OK(p11->C_GetSessionInfo(ro, &info));
	assert_int_equal(info.state, CKS_RO_USER_FUNCTIONS);
	OK(p11->C_GetSessionInfo(rw, &info));
	assert_int_equal(info.state, CKS_RW_USER_FUNCTIONS);
	IS(CKR_USER_ALREADY_LOGGED_IN,
	   p11->C_Login(rw, CKU_USER, (CK_BYTE *)CO_PIN, strlen(CO_PIN)));
	IS(CKR_USER_ANOTHER_ALREADY_LOGGED_IN,
	   p11->C_Login(rw, CKU_SO, (CK_BYTE *)PO_PIN, strlen(PO_PIN)));
	OK(p11->C_Logout(ro));
	IS(CKR_USER_NOT_LOGGED_IN, p11->C_Logout(rw));
	/* The login ends with the last session. */
	OK(p11->C_Login(rw, CKU_USER, (CK_BYTE *)CO_PIN, strlen(CO_PIN)));
	OK(p11->C_CloseAllSessions(slot));
	rw = session();
	OK(p11->C_GetSessionInfo(rw, &info));
	assert_int_equal(info.state, CKS_RW_PUBLIC_SESSION);
	/* The Crypto User is a user type of ours. */
	OK(p11->C_Login(rw, 0x80000001UL, (CK_BYTE *)CU_PIN, strlen(CU_PIN)));
	OK(p11->C_GetSessionInfo(rw, &info));
	assert_int_equal(info.state, CKS_RW_USER_FUNCTIONS);
}

static void security_officer(void **state)
{
	CK_SESSION_HANDLE ro, rw;
	CK_SESSION_INFO info;

	(void)state;
	if (slot == GROUP_SLOT)
		return; /* partitions are administered one by one */
	OK(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &ro));
	rw = session();
	IS(CKR_SESSION_READ_ONLY_EXISTS,
	   p11->C_Login(rw, CKU_SO, (CK_BYTE *)PO_PIN, strlen(PO_PIN)));
	OK(p11->C_CloseSession(ro));
	OK(p11->C_Login(rw, CKU_SO, (CK_BYTE *)PO_PIN, strlen(PO_PIN)));
	OK(p11->C_GetSessionInfo(rw, &info));
	assert_int_equal(info.state, CKS_RW_SO_FUNCTIONS);
	IS(CKR_SESSION_READ_WRITE_SO_EXISTS,
	   p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &ro));
	IS(CKR_FUNCTION_NOT_SUPPORTED, p11->C_InitPIN(rw, (CK_BYTE *)CO_PIN, strlen(CO_PIN)));
	OK(p11->C_Logout(rw));
}

static void set_pin(void **state)
{
	static const char other[] = "another-password";
	CK_SESSION_HANDLE ro, s = session();

	(void)state;
	OK(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &ro));
	IS(CKR_SESSION_READ_ONLY, p11->C_SetPIN(ro, (CK_BYTE *)CO_PIN, strlen(CO_PIN),
						(CK_BYTE *)other, strlen(other)));
	IS(CKR_PIN_LEN_RANGE, p11->C_SetPIN(s, (CK_BYTE *)CO_PIN, strlen(CO_PIN),
					    (CK_BYTE *)other, 3));
	IS(CKR_PIN_INCORRECT, p11->C_SetPIN(s, (CK_BYTE *)"not-this-one", 12,
					    (CK_BYTE *)other, strlen(other)));
	OK(p11->C_SetPIN(s, (CK_BYTE *)CO_PIN, strlen(CO_PIN), (CK_BYTE *)other, strlen(other)));
	IS(CKR_PIN_INCORRECT, p11->C_Login(s, CKU_USER, (CK_BYTE *)CO_PIN, strlen(CO_PIN)));
	OK(p11->C_Login(s, CKU_USER, (CK_BYTE *)other, strlen(other)));
	/* While logged in, too. */
	OK(p11->C_SetPIN(s, (CK_BYTE *)other, strlen(other), (CK_BYTE *)CO_PIN, strlen(CO_PIN)));
	OK(p11->C_Logout(s));
	OK(p11->C_Login(s, CKU_USER, (CK_BYTE *)CO_PIN, strlen(CO_PIN)));
}

/* A password that somebody else has set lets its owner do nothing but change it. */
static void password_of_somebody_else(void **state)
{
	static const char first[] = "first-password";
	struct pciehsm_bus *bus = loopback_bus(lb);
	struct pciehsm_transport *t = cards_open(bus, PARTITION_A);
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE attr = ATTR(CKA_CLASS, class);
	CK_SESSION_HANDLE s = session();

	(void)state;
	if (slot == SLOT_A) {
		OK(pciehsm_login(t, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), NULL, NULL));
		OK(pciehsm_role_reset_pin(t, PCIEHSM_ROLE_CU, first, strlen(first)));
		OK(p11->C_Login(s, 0x80000001UL, (CK_BYTE *)first, strlen(first)));
		IS(CKR_PIN_EXPIRED, p11->C_FindObjectsInit(s, &attr, 1));
		OK(p11->C_SetPIN(s, (CK_BYTE *)first, strlen(first), (CK_BYTE *)CU_PIN,
				 strlen(CU_PIN)));
		OK(p11->C_FindObjectsInit(s, &attr, 1));
	}
	t->ops->close(t);
	bus->ops->close(bus);
}

/* With a challenge a person has to act first: no other PIN is of use, and no attempt is lost. */
static void challenge_that_is_not_activated(void **state)
{
	static const char challenge[] = "the challenge";
	CK_UTF8CHAR *pin = (CK_UTF8CHAR *)(uintptr_t)challenge;
	const char *const members[] = { PARTITION_A, PARTITION_B };
	struct pciehsm_bus *bus = loopback_bus(lb);
	CK_SESSION_HANDLE s = session();
	struct pciehsm_transport *t;
	CK_TOKEN_INFO info;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		t = cards_open(bus, members[i]);
		OK(pciehsm_login(t, PCIEHSM_ROLE_PO, PO_PIN, strlen(PO_PIN), NULL, NULL));
		OK(pciehsm_policy_set(t, 22, 1));
		OK(pciehsm_role_set_challenge(t, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), challenge,
					      strlen(challenge), NULL));
		t->ops->close(t);
	}
	bus->ops->close(bus);
	IS(CKR_USER_PIN_NOT_INITIALIZED, p11->C_Login(s, CKU_USER, pin, strlen(challenge)));
	OK(p11->C_GetTokenInfo(slot, &info));
	assert_false(info.flags & CKF_USER_PIN_COUNT_LOW);
	OK(p11->C_Login(s, CKU_USER, (CK_UTF8CHAR *)CO_PIN, strlen(CO_PIN)));
	OK(p11->C_Logout(s));
	OK(p11->C_Login(s, CKU_USER, pin, strlen(challenge)));
	assert_int_not_equal(aes_key(s, 32), CK_INVALID_HANDLE);
	OK(p11->C_Logout(s));
	/* Those of the next test have none. */
	bus = loopback_bus(lb);
	for (i = 0; i < 2; i++) {
		t = cards_open(bus, members[i]);
		OK(pciehsm_login(t, PCIEHSM_ROLE_PO, PO_PIN, strlen(PO_PIN), NULL, NULL));
		OK(pciehsm_policy_set(t, 22, 0));
		t->ops->close(t);
	}
	bus->ops->close(bus);
}

/* The slot of a partition that has just been made: the module hears of it, and goes there. */
static CK_SLOT_ID new_slot(void)
{
	CK_TOKEN_INFO info;
	CK_SLOT_ID list[8];
	CK_ULONG n, i;
	int tries;

	for (tries = 0; tries < 600; tries++) {
		n = 8;
		OK(p11->C_GetSlotList(CK_TRUE, list, &n));
		for (i = 0; i < n; i++)
			if (list[i] != SLOT_A && list[i] != SLOT_A + 1 && list[i] != GROUP_SLOT &&
			    p11->C_GetTokenInfo(list[i], &info) != CKR_TOKEN_NOT_PRESENT)
				return list[i];
		usleep(50000);
	}
	fail_msg("the new partition has got no slot");
	return 0;
}

/* A partition from its creation until nobody can log in any more: what each state is called */
static void a_partition_is_made_and_locked(void **state)
{
	static const char wrong[] = "not-this-one", first[] = "first-password";
	struct pciehsm_bus *bus = loopback_bus(lb);
	struct pciehsm_transport *hsm, *t;
	CK_SESSION_HANDLE s;
	CK_TOKEN_INFO info;
	CK_SLOT_INFO slot_info;
	CK_SLOT_ID its;
	char serial[25];
	unsigned int tries;
	CK_RV rv;

	(void)state;
	if (slot != SLOT_A) {
		bus->ops->close(bus);
		return;
	}
	hsm = cards_open(bus, "154438");
	OK(pciehsm_login(hsm, PCIEHSM_ROLE_SO, SO_PIN, strlen(SO_PIN), NULL, NULL));
	OK(pciehsm_partition_create(hsm, 0, NULL, NULL, serial));
	its = new_slot();
	OK(p11->C_GetTokenInfo(its, &info));
	assert_false(info.flags & CKF_TOKEN_INITIALIZED);
	IS(CKR_TOKEN_NOT_RECOGNIZED, p11->C_OpenSession(its, CKF_SERIAL_SESSION, NULL, NULL, &s));
	OK(p11->C_GetSlotInfo(its, &slot_info));
	assert_true(slot_info.flags & CKF_TOKEN_PRESENT);

	t = cards_open(bus, serial);
	OK(pciehsm_partition_init(t, "new", PO_PIN, strlen(PO_PIN), DOMAIN, strlen(DOMAIN), NULL));
	/* At the latest when that has been noticed */
	for (tries = 0; tries < 600; tries++) {
		rv = p11->C_OpenSession(its, CKF_SERIAL_SESSION, NULL, NULL, &s);
		if (rv != CKR_TOKEN_NOT_RECOGNIZED && rv != CKR_TOKEN_NOT_PRESENT &&
		    rv != CKR_DEVICE_REMOVED)
			break;
		usleep(50000);
	}
	OK(rv);
	IS(CKR_USER_PIN_NOT_INITIALIZED, p11->C_Login(s, CKU_USER, (CK_BYTE *)first,
						      strlen(first)));
	OK(pciehsm_login(t, PCIEHSM_ROLE_PO, PO_PIN, strlen(PO_PIN), NULL, NULL));
	OK(pciehsm_role_init(t, PCIEHSM_ROLE_CO, first, strlen(first)));
	for (tries = 0; tries < 20; tries++) {
		rv = p11->C_Login(s, CKU_USER, (CK_BYTE *)wrong, strlen(wrong));
		if (rv == CKR_PIN_LOCKED)
			break;
		IS(CKR_PIN_INCORRECT, rv);
	}
	IS(CKR_PIN_LOCKED, rv);
	assert_true(tries >= 3);
	IS(CKR_PIN_LOCKED, p11->C_Login(s, CKU_USER, (CK_BYTE *)first, strlen(first)));
	OK(p11->C_GetTokenInfo(its, &info));
	assert_true(info.flags & CKF_USER_PIN_LOCKED);
	t->ops->close(t);
	/* Its number is what follows that of the card. */
	OK(pciehsm_partition_delete(hsm, (uint32_t)strtoul(serial + strlen("154438"), NULL, 10)));
	hsm->ops->close(hsm);
	bus->ops->close(bus);
}

static void legacy_functions(void **state)
{
	CK_SESSION_HANDLE s = session();
	CK_BYTE byte = 0;
	CK_ULONG len = 1;

	(void)state;
	IS(CKR_FUNCTION_NOT_PARALLEL, p11->C_GetFunctionStatus(s));
	IS(CKR_FUNCTION_NOT_PARALLEL, p11->C_CancelFunction(0));
	IS(CKR_FUNCTION_NOT_SUPPORTED, p11->C_GetOperationState(s, NULL, &len));
	IS(CKR_OPERATION_NOT_INITIALIZED, p11->C_DigestEncryptUpdate(s, &byte, 1, &byte, &len));
	IS(CKR_SESSION_HANDLE_INVALID, p11->C_DigestEncryptUpdate(0, &byte, 1, &byte, &len));
	IS(CKR_FUNCTION_NOT_SUPPORTED, p11->C_InitToken(slot, (CK_BYTE *)"12345678", 8,
							(CK_BYTE *)"label"));
	IS(CKR_RANDOM_SEED_NOT_SUPPORTED, p11->C_SeedRandom(s, &byte, 1));
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

/* Drawn in advance or not: nothing is given twice, nor to two sessions. */
static void little_randomness(void **state)
{
	enum { PER_SESSION = 1000 };
	CK_SESSION_HANDLE s[2] = { session(), session() };
	CK_BYTE (*all)[16] = calloc(2 * PER_SESSION, 16), *zero = calloc(1, 16), some[256];
	uint64_t before = loopback_messages(lb, CARD_A) + loopback_messages(lb, CARD_B);
	unsigned int i;
	CK_ULONG len;

	(void)state;
	for (i = 0; i < 2 * PER_SESSION; i++) {
		/* All lengths between, so that what is left does not come out even */
		len = 16 + i % (sizeof(some) - 16 + 1);
		memset(some, 0, sizeof(some));
		OK(p11->C_GenerateRandom(s[i % 2], some, len));
		memcpy(all[i], some + len - 16, 16);
	}
	before = loopback_messages(lb, CARD_A) + loopback_messages(lb, CARD_B) - before;
	assert_in_range(before, 2, 200);
	qsort(all, 2 * PER_SESSION, 16, by_bytes);
	assert_memory_not_equal(all[0], zero, 16);
	for (i = 1; i < 2 * PER_SESSION; i++)
		assert_memory_not_equal(all[i - 1], all[i], 16);
	free(all);
	free(zero);
}

static void randomness(void **state)
{
	CK_SESSION_HANDLE s = session();
	CK_BYTE a[32] = { 0 }, b[32] = { 0 }, *big = calloc(1, 200000);

	(void)state;
	OK(p11->C_GenerateRandom(s, a, sizeof(a)));
	OK(p11->C_GenerateRandom(s, b, sizeof(b)));
	assert_memory_not_equal(a, b, sizeof(a));
	IS(CKR_ARGUMENTS_BAD, p11->C_GenerateRandom(s, NULL, 5));
	OK(p11->C_GenerateRandom(s, a, 0));
	/* longer than one message gives */
	OK(p11->C_GenerateRandom(s, big, 200000));
	memset(a, 0, sizeof(a));
	assert_memory_not_equal(big + 200000 - sizeof(a), a, sizeof(a));
	free(big);
}

#define IN_MODULE(f) cmocka_unit_test_setup_teardown(f, with_module, without_module)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(initialize_arguments),
		cmocka_unit_test(nothing_works_before_initialize),
		cmocka_unit_test(every_function_is_there),
		IN_MODULE(interfaces),
		IN_MODULE(info_and_slots),
		IN_MODULE(mechanisms),
		IN_MODULE(sessions),
		IN_MODULE(login_states),
		IN_MODULE(security_officer),
		IN_MODULE(set_pin),
		IN_MODULE(password_of_somebody_else),
		IN_MODULE(challenge_that_is_not_activated),
		IN_MODULE(a_partition_is_made_and_locked),
		IN_MODULE(legacy_functions),
		IN_MODULE(randomness),
		IN_MODULE(little_randomness),
	};

	return FIXTURE_RUN(tests, true, true);
}
