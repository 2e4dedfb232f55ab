// SPDX-License-Identifier: GPL-2.0-or-later
/* Chapters on sessions, logins, objects and attributes: who may do what, and in which state. */
#include "conformance.h"

static CK_BYTE value[64] = "a value";
static CK_OBJECT_CLASS data_class = CKO_DATA, secret_class = CKO_SECRET_KEY;
static CK_KEY_TYPE generic = CKK_GENERIC_SECRET, aes = CKK_AES;

enum state { RO_PUBLIC, RW_PUBLIC, RO_USER, RW_USER, RW_SO, N_STATES };

static const struct {
	const char	*name;
	CK_STATE	state;
	bool		rw, user, so;
} states[N_STATES] = {
	{ "R/O public", CKS_RO_PUBLIC_SESSION, false, false, false },
	{ "R/W public", CKS_RW_PUBLIC_SESSION, true, false, false },
	{ "R/O user", CKS_RO_USER_FUNCTIONS, false, true, false },
	{ "R/W user", CKS_RW_USER_FUNCTIONS, true, true, false },
	{ "R/W SO", CKS_RW_SO_FUNCTIONS, true, false, true },
};

static CK_RV login_as(CK_SESSION_HANDLE s, CK_USER_TYPE user)
{
	const char *pin = user == CKU_SO ? so_pin : user_pin;

	return p11->C_Login(s, user, (CK_UTF8CHAR *)pin, strlen(pin));
}

static CK_RV create(CK_SESSION_HANDLE s, bool token, bool private, const char *label,
		    CK_OBJECT_HANDLE *object)
{
	CK_BBOOL on_token = token, is_private = private;
	CK_ATTRIBUTE t[] = {
		ATTR(CKA_CLASS, data_class), ATTR(CKA_TOKEN, on_token),
		ATTR(CKA_PRIVATE, is_private), ATTR(CKA_VALUE, value),
		{ CKA_LABEL, (void *)label, strlen(label) },
	};

	return p11->C_CreateObject(s, t, COUNT(t), object);
}

static CK_ULONG count(CK_SESSION_HANDLE s, const char *label)
{
	CK_ATTRIBUTE t[] = { { CKA_LABEL, (void *)label, strlen(label) } };
	CK_OBJECT_HANDLE found[64];
	CK_ULONG n = 0;

	if (p11->C_FindObjectsInit(s, t, 1) != CKR_OK)
		return ~0UL;
	p11->C_FindObjects(s, found, COUNT(found), &n);
	p11->C_FindObjectsFinal(s);
	return n;
}

static void destroy_all(CK_SESSION_HANDLE s, const char *label)
{
	CK_ATTRIBUTE t[] = { { CKA_LABEL, (void *)label, strlen(label) } };
	CK_OBJECT_HANDLE found[64];
	CK_ULONG n = 0, i;

	need(p11->C_FindObjectsInit(s, t, 1), "C_FindObjectsInit");
	p11->C_FindObjects(s, found, COUNT(found), &n);
	p11->C_FindObjectsFinal(s);
	for (i = 0; i < n; i++)
		p11->C_DestroyObject(s, found[i]);
}

/* PKCS#11 2.40, 5.6: what each state of a session allows. Four objects are there already. */
static void in_state(enum state state)
{
	bool rw = states[state].rw, user = states[state].user;
	CK_OBJECT_HANDLE object;
	CK_SESSION_HANDLE s, other = 0;
	CK_SESSION_INFO info;
	unsigned int kind;

	s = open_session(rw);
	if (!rw)
		other = open_session(true);
	if (user)
		need(login_as(s, CKU_USER), "C_Login");
	if (states[state].so)
		need(login_as(s, CKU_SO), "C_Login SO");
	OK(p11->C_GetSessionInfo(s, &info), "C_GetSessionInfo");
	holds(info.state == states[state].state, "state of %s", states[state].name);
	holds(info.slotID == slot, "slot of %s", states[state].name);
	holds(info.flags == (CKF_SERIAL_SESSION | (rw ? CKF_RW_SESSION : 0UL)), "flags of %s",
	      states[state].name);
	holds(count(s, "standing public") == 1, "public token object seen by %s",
	      states[state].name);
	holds(count(s, "standing private") == (user ? 1 : 0), "private token object seen by %s",
	      states[state].name);
	for (kind = 0; kind < 4; kind++) {
		bool token = kind & 1, private = kind & 2;
		CK_RV rv = create(s, token, private, "in state", &object), wanted = CKR_OK;
		const char *what = token ? private ? "private token" : "public token" :
				   private ? "private session" : "public session";

		if (private && !user)
			wanted = CKR_USER_NOT_LOGGED_IN;
		else if (token && !rw)
			wanted = CKR_SESSION_READ_ONLY;
		/* Where both stand against it either may be told. */
		if (private && !user && token && !rw)
			result(rv, ALLOW(CKR_USER_NOT_LOGGED_IN, CKR_SESSION_READ_ONLY),
			       "create %s object by %s", what, states[state].name);
		else
			result(rv, &wanted, 1, "create %s object by %s", what,
			       states[state].name);
		if (rv != CKR_OK)
			continue;
		holds(count(s, "in state") == 1, "find %s object by %s", what,
		      states[state].name);
		result(p11->C_DestroyObject(s, object), ALLOW(CKR_OK), "destroy %s object by %s",
		       what, states[state].name);
		holds(!count(s, "in state"), "gone %s object by %s", what, states[state].name);
		result(p11->C_DestroyObject(s, object), ALLOW(CKR_OBJECT_HANDLE_INVALID),
		       "destroy %s object twice by %s", what, states[state].name);
	}
	if (!rw) {
		CK_ATTRIBUTE label = { CKA_LABEL, "standing public", 15 };
		CK_ULONG n = 0;

		p11->C_FindObjectsInit(s, &label, 1);
		p11->C_FindObjects(s, &object, 1, &n);
		p11->C_FindObjectsFinal(s);
		result(p11->C_DestroyObject(s, object), ALLOW(CKR_SESSION_READ_ONLY),
		       "destroy token object by %s", states[state].name);
		result(p11->C_SetAttributeValue(s, object, &label, 1),
		       ALLOW(CKR_SESSION_READ_ONLY), "change token object by %s",
		       states[state].name);
		result(p11->C_CopyObject(s, object, NULL, 0, &object),
		       ALLOW(CKR_SESSION_READ_ONLY), "copy token object by %s",
		       states[state].name);
		result(p11->C_SetPIN(s, (CK_BYTE *)user_pin, strlen(user_pin),
				     (CK_BYTE *)user_pin, strlen(user_pin)),
		       ALLOW(CKR_SESSION_READ_ONLY), "C_SetPIN by %s", states[state].name);
	}
	result(p11->C_InitPIN(s, (CK_BYTE *)user_pin, strlen(user_pin)),
	       ALLOW(states[state].so ? CKR_OK : CKR_USER_NOT_LOGGED_IN,
		     states[state].so ? CKR_FUNCTION_NOT_SUPPORTED : CKR_SESSION_READ_ONLY),
	       "C_InitPIN by %s", states[state].name);
	if (user || states[state].so)
		result(p11->C_Logout(s), ALLOW(CKR_OK), "C_Logout by %s", states[state].name);
	result(p11->C_Logout(s), ALLOW(CKR_USER_NOT_LOGGED_IN), "C_Logout twice by %s",
	       states[state].name);
	OK(p11->C_CloseAllSessions(slot), "C_CloseAllSessions");
	(void)other;
}

static void logins(void)
{
	CK_SESSION_HANDLE ro = open_session(false), s = open_session(true), more;
	CK_OBJECT_HANDLE object;
	CK_SESSION_INFO info;
	CK_TOKEN_INFO token;

	IS(login_as(s, CKU_SO), "SO login with an R/O session", CKR_SESSION_READ_ONLY_EXISTS);
	IS(p11->C_Login(s, 77, (CK_BYTE *)user_pin, strlen(user_pin)), "C_Login user 77",
	   CKR_USER_TYPE_INVALID);
	IS(p11->C_Login(s, CKU_CONTEXT_SPECIFIC, (CK_BYTE *)user_pin, strlen(user_pin)),
	   "C_Login context without operation", CKR_OPERATION_NOT_INITIALIZED);
	IS(p11->C_Login(s, CKU_USER, NULL, 5), "C_Login no PIN", CKR_ARGUMENTS_BAD);
	IS(p11->C_Login(s, CKU_USER, (CK_BYTE *)"wrong-pin", 9), "C_Login wrong PIN",
	   CKR_PIN_INCORRECT);
	IS(p11->C_Login(s, CKU_USER, (CK_BYTE *)"", 0), "C_Login empty PIN", CKR_PIN_INCORRECT,
	   CKR_PIN_LEN_RANGE);
	OK(login_as(s, CKU_USER), "C_Login after wrong PINs");
	IS(login_as(s, CKU_USER), "C_Login twice", CKR_USER_ALREADY_LOGGED_IN);
	IS(login_as(ro, CKU_USER), "C_Login twice R/O", CKR_USER_ALREADY_LOGGED_IN);
	IS(login_as(s, CKU_SO), "SO login during user's", CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
	OK(p11->C_GetSessionInfo(ro, &info), "C_GetSessionInfo R/O");
	holds(info.state == CKS_RO_USER_FUNCTIONS, "a login is all sessions'");
	OK(p11->C_GetTokenInfo(slot, &token), "C_GetTokenInfo");
	holds(token.ulSessionCount == 2 || token.ulSessionCount == CK_UNAVAILABLE_INFORMATION,
	      "sessions are counted");
	holds(token.ulRwSessionCount == 1 || token.ulRwSessionCount == CK_UNAVAILABLE_INFORMATION,
	      "R/W sessions are counted");
	/* A logout ends private objects of sessions, and handles of private ones (5.6). */
	OK(create(s, false, true, "of login", &object), "create private session object");
	OK(p11->C_Logout(ro), "C_Logout on another session");
	IS(p11->C_GetObjectSize(s, object, &(CK_ULONG){ 0 }), "private object after logout",
	   CKR_OBJECT_HANDLE_INVALID);
	OK(p11->C_GetSessionInfo(s, &info), "C_GetSessionInfo after logout");
	holds(info.state == CKS_RW_PUBLIC_SESSION, "a logout is all sessions'");
	OK(p11->C_CloseSession(ro), "C_CloseSession");
	OK(login_as(s, CKU_SO), "SO login");
	IS(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &more),
	   "R/O session during SO's", CKR_SESSION_READ_WRITE_SO_EXISTS);
	IS(login_as(s, CKU_USER), "user login during SO's", CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
	IS(login_as(s, CKU_SO), "SO login twice", CKR_USER_ALREADY_LOGGED_IN);
	OK(p11->C_CloseSession(s), "C_CloseSession of the last");
	s = open_session(true);
	OK(p11->C_GetSessionInfo(s, &info), "C_GetSessionInfo after the last");
	holds(info.state == CKS_RW_PUBLIC_SESSION, "the last session ends the login");
	OK(login_as(s, CKU_USER), "login again");
	OK(p11->C_CloseAllSessions(slot), "C_CloseAllSessions");
	/* Other session objects than one's own are seen, and end with their session. */
	s = log_in();
	more = open_session(true);
	OK(create(more, false, false, "of session", &object), "create session object");
	holds(count(s, "of session") == 1, "session objects are seen by all sessions");
	OK(p11->C_CloseSession(more), "C_CloseSession");
	holds(!count(s, "of session"), "session objects end with their session");
	IS(p11->C_GetObjectSize(s, object, &(CK_ULONG){ 0 }), "handle of an ended session's object",
	   CKR_OBJECT_HANDLE_INVALID);
	IS(p11->C_SetPIN(s, (CK_BYTE *)"wrong-pin", 9, (CK_BYTE *)user_pin, strlen(user_pin)),
	   "C_SetPIN wrong", CKR_PIN_INCORRECT);
	IS(p11->C_SetPIN(s, (CK_BYTE *)user_pin, strlen(user_pin), (CK_BYTE *)"a", 1),
	   "C_SetPIN too short", CKR_PIN_LEN_RANGE, CKR_PIN_INVALID);
	OK(p11->C_SetPIN(s, (CK_BYTE *)user_pin, strlen(user_pin), (CK_BYTE *)user_pin,
			 strlen(user_pin)), "C_SetPIN");
	log_out(s);
}

void chapter_sessions(void)
{
	CK_SESSION_HANDLE s = log_in();
	CK_OBJECT_HANDLE object;
	enum state state;

	destroy_all(s, "standing public");
	destroy_all(s, "standing private");
	OK(create(s, true, false, "standing public", &object), "create public token object");
	OK(create(s, true, true, "standing private", &object), "create private token object");
	log_out(s);
	for (state = 0; state < N_STATES; state++)
		in_state(state);
	logins();
	s = log_in();
	destroy_all(s, "standing public");
	destroy_all(s, "standing private");
	log_out(s);
}

/* ---- objects ---- */

static void templates(CK_SESSION_HANDLE s)
{
	CK_OBJECT_HANDLE object;
	CK_ULONG bad_class = 0x7777, short_len = 3;
	CK_BBOOL odd = 7;
	CK_ATTRIBUTE base[] = {
		ATTR(CKA_CLASS, secret_class), ATTR(CKA_KEY_TYPE, generic), ATTR(CKA_VALUE, value),
		{ 0, NULL, 0 },
	};
	static const CK_ATTRIBUTE_TYPE readonly[] = {
		CKA_LOCAL, CKA_KEY_GEN_MECHANISM, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE,
	};
	static const CK_ATTRIBUTE_TYPE booleans[] = {
		CKA_TOKEN, CKA_PRIVATE, CKA_MODIFIABLE, CKA_SENSITIVE, CKA_EXTRACTABLE,
		CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE,
	};
	size_t i;

	IS(p11->C_CreateObject(s, base, 0, &object), "create of nothing",
	   CKR_TEMPLATE_INCOMPLETE);
	IS(p11->C_CreateObject(s, base, 1, &object), "create of a class", CKR_TEMPLATE_INCOMPLETE);
	IS(p11->C_CreateObject(s, base, 2, &object), "create without value",
	   CKR_TEMPLATE_INCOMPLETE);
	IS(p11->C_CreateObject(s, base + 1, 2, &object), "create without class",
	   CKR_TEMPLATE_INCOMPLETE);
	base[3] = (CK_ATTRIBUTE)ATTR(CKA_MODULUS, value);
	IS(p11->C_CreateObject(s, base, 4, &object), "create with another class's attribute",
	   CKR_ATTRIBUTE_TYPE_INVALID, CKR_TEMPLATE_INCONSISTENT);
	base[3] = (CK_ATTRIBUTE){ 0x7fffff00, value, 4 };
	IS(p11->C_CreateObject(s, base, 4, &object), "create with an unknown attribute",
	   CKR_ATTRIBUTE_TYPE_INVALID, CKR_TEMPLATE_INCONSISTENT);
	base[3] = (CK_ATTRIBUTE){ CKA_LABEL, NULL, 4 };
	IS(p11->C_CreateObject(s, base, 4, &object), "create with a label that is not there",
	   CKR_ATTRIBUTE_VALUE_INVALID, CKR_ARGUMENTS_BAD);
	for (i = 0; i < COUNT(readonly); i++) {
		base[3] = (CK_ATTRIBUTE){ readonly[i], &yes, 1 };
		if (readonly[i] == CKA_KEY_GEN_MECHANISM)
			base[3] = (CK_ATTRIBUTE)ATTR(CKA_KEY_GEN_MECHANISM, bad_class);
		result(p11->C_CreateObject(s, base, 4, &object),
		       ALLOW(CKR_ATTRIBUTE_READ_ONLY, CKR_TEMPLATE_INCONSISTENT),
		       "create with 0x%lx", readonly[i]);
	}
	for (i = 0; i < COUNT(booleans); i++) {
		base[3] = (CK_ATTRIBUTE){ booleans[i], value, 2 };
		result(p11->C_CreateObject(s, base, 4, &object),
		       ALLOW(CKR_ATTRIBUTE_VALUE_INVALID), "create with long boolean 0x%lx",
		       booleans[i]);
		base[3] = (CK_ATTRIBUTE){ booleans[i], value, 0 };
		result(p11->C_CreateObject(s, base, 4, &object),
		       ALLOW(CKR_ATTRIBUTE_VALUE_INVALID), "create with empty boolean 0x%lx",
		       booleans[i]);
		base[3] = (CK_ATTRIBUTE){ booleans[i], &odd, 1 };
		result(p11->C_CreateObject(s, base, 4, &object),
		       ALLOW(CKR_ATTRIBUTE_VALUE_INVALID), "create with odd boolean 0x%lx",
		       booleans[i]);
	}
	base[0] = (CK_ATTRIBUTE)ATTR(CKA_CLASS, bad_class);
	IS(p11->C_CreateObject(s, base, 3, &object), "create of no class",
	   CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCONSISTENT);
	base[0] = (CK_ATTRIBUTE){ CKA_CLASS, &secret_class, short_len };
	IS(p11->C_CreateObject(s, base, 3, &object), "create of a short class",
	   CKR_ATTRIBUTE_VALUE_INVALID);
	base[0] = (CK_ATTRIBUTE)ATTR(CKA_CLASS, secret_class);
	base[1] = (CK_ATTRIBUTE)ATTR(CKA_KEY_TYPE, bad_class);
	IS(p11->C_CreateObject(s, base, 3, &object), "create of no key type",
	   CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCONSISTENT);
	base[1] = (CK_ATTRIBUTE)ATTR(CKA_KEY_TYPE, aes);
	for (i = 0; i < 40; i++) {
		CK_RV wanted = i == 16 || i == 24 || i == 32 ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;

		base[2].ulValueLen = i;
		result(p11->C_CreateObject(s, base, 3, &object), &wanted, 1,
		       "create an AES key of %zu bytes", i);
	}
}

static void copies(CK_SESSION_HANDLE s)
{
	CK_ATTRIBUTE secret[] = {
		ATTR(CKA_CLASS, secret_class), ATTR(CKA_KEY_TYPE, generic), ATTR(CKA_VALUE, value),
		ATTR(CKA_SENSITIVE, yes), ATTR(CKA_EXTRACTABLE, no), ATTR(CKA_MODIFIABLE, no),
		ATTR(CKA_COPYABLE, no),
	};
	CK_OBJECT_HANDLE object, copy, fixed;
	CK_BBOOL sensitive;
	CK_ATTRIBUTE t, get = ATTR(CKA_SENSITIVE, sensitive);
	CK_ULONG size = 0;

	OK(p11->C_CreateObject(s, secret, 5, &object), "create a sensitive key");
	OK(p11->C_CopyObject(s, object, NULL, 0, &copy), "C_CopyObject");
	holds(copy != object, "a copy has a handle of its own");
	OK(p11->C_GetAttributeValue(s, copy, &get, 1), "C_GetAttributeValue of a copy");
	holds(sensitive, "a copy stays sensitive");
	t = (CK_ATTRIBUTE)ATTR(CKA_SENSITIVE, no);
	IS(p11->C_CopyObject(s, object, &t, 1, &copy), "copy to be less sensitive",
	   CKR_ATTRIBUTE_READ_ONLY, CKR_TEMPLATE_INCONSISTENT);
	t = (CK_ATTRIBUTE)ATTR(CKA_EXTRACTABLE, yes);
	IS(p11->C_CopyObject(s, object, &t, 1, &copy), "copy to be extractable",
	   CKR_ATTRIBUTE_READ_ONLY, CKR_TEMPLATE_INCONSISTENT);
	t = (CK_ATTRIBUTE)ATTR(CKA_CLASS, data_class);
	IS(p11->C_CopyObject(s, object, &t, 1, &copy), "copy to another class",
	   CKR_ATTRIBUTE_READ_ONLY, CKR_TEMPLATE_INCONSISTENT);
	t = (CK_ATTRIBUTE)ATTR(CKA_VALUE, value);
	IS(p11->C_CopyObject(s, object, &t, 1, &copy), "copy to another value",
	   CKR_ATTRIBUTE_READ_ONLY, CKR_TEMPLATE_INCONSISTENT);
	IS(p11->C_CopyObject(s, 0, NULL, 0, &copy), "copy nothing", CKR_OBJECT_HANDLE_INVALID);
	IS(p11->C_CopyObject(s, ~0UL, NULL, 0, &copy), "copy handle ~0",
	   CKR_OBJECT_HANDLE_INVALID);
	IS(p11->C_GetObjectSize(s, ~0UL, &size), "C_GetObjectSize of nothing",
	   CKR_OBJECT_HANDLE_INVALID);
	OK(p11->C_GetObjectSize(s, object, &size), "C_GetObjectSize");
	holds(size > 0, "an object has a size");
	OK(p11->C_CreateObject(s, secret, 7, &fixed), "create an unmodifiable key");
	IS(p11->C_CopyObject(s, fixed, NULL, 0, &copy), "copy what is not copyable",
	   CKR_ACTION_PROHIBITED);
	t = (CK_ATTRIBUTE){ CKA_LABEL, "x", 1 };
	IS(p11->C_SetAttributeValue(s, fixed, &t, 1), "change what is not modifiable",
	   CKR_ACTION_PROHIBITED);
	secret[5] = (CK_ATTRIBUTE)ATTR(CKA_DESTROYABLE, no);
	OK(p11->C_CreateObject(s, secret, 6, &fixed), "create an indestructible key");
	IS(p11->C_DestroyObject(s, fixed), "destroy what is not destroyable",
	   CKR_ACTION_PROHIBITED);
	IS(p11->C_DestroyObject(s, 0), "destroy nothing", CKR_OBJECT_HANDLE_INVALID);
	IS(p11->C_DestroyObject(s, ~0UL), "destroy handle ~0", CKR_OBJECT_HANDLE_INVALID);
}

static void searches(CK_SESSION_HANDLE s)
{
	CK_ATTRIBUTE t[] = { ATTR(CKA_CLASS, data_class), { CKA_LABEL, "searched", 8 } };
	CK_ATTRIBUTE none[] = { { CKA_LABEL, "not there", 9 } };
	CK_OBJECT_HANDLE objects[5], found[8];
	CK_ULONG n, i, total = 0;

	for (i = 0; i < 5; i++)
		OK(create(s, false, i & 1, "searched", &objects[i]), "create to be found");
	OK(p11->C_FindObjectsInit(s, t, 2), "C_FindObjectsInit");
	IS(p11->C_FindObjectsInit(s, t, 2), "C_FindObjectsInit twice", CKR_OPERATION_ACTIVE);
	OK(p11->C_FindObjects(s, found, 0, &n), "C_FindObjects none");
	holds(!n, "C_FindObjects of none gives none");
	do {
		OK(p11->C_FindObjects(s, found, 2, &n), "C_FindObjects two");
		holds(n <= 2, "C_FindObjects gives no more than asked");
		total += n;
	} while (n);
	holds(total == 5, "all are found");
	OK(p11->C_FindObjects(s, found, 2, &n), "C_FindObjects after the end");
	holds(!n, "C_FindObjects after the end gives none");
	OK(p11->C_FindObjectsFinal(s), "C_FindObjectsFinal");
	IS(p11->C_FindObjects(s, found, 2, &n), "C_FindObjects after final",
	   CKR_OPERATION_NOT_INITIALIZED);
	IS(p11->C_FindObjectsFinal(s), "C_FindObjectsFinal twice", CKR_OPERATION_NOT_INITIALIZED);
	OK(p11->C_FindObjectsInit(s, none, 1), "C_FindObjectsInit of none");
	OK(p11->C_FindObjects(s, found, 8, &n), "C_FindObjects of none");
	holds(!n, "nothing is found");
	OK(p11->C_FindObjectsFinal(s), "C_FindObjectsFinal of none");
	/* Other functions go on during a search. */
	OK(p11->C_FindObjectsInit(s, t, 2), "C_FindObjectsInit again");
	OK(p11->C_FindObjects(s, found, 1, &n), "C_FindObjects one");
	OK(p11->C_DestroyObject(s, found[0]), "C_DestroyObject during a search");
	OK(p11->C_FindObjectsFinal(s), "C_FindObjectsFinal early");
	holds(count(s, "searched") == 4, "what was destroyed is not found");
	IS(p11->C_GetObjectSize(s, found[0], &n), "handle of what was destroyed",
	   CKR_OBJECT_HANDLE_INVALID);
}

void chapter_objects(void)
{
	CK_SESSION_HANDLE s = log_in();

	templates(s);
	copies(s);
	searches(s);
	log_out(s);
}

/* ---- attributes ---- */

static const CK_ATTRIBUTE_TYPE common[] = {
	CKA_CLASS, CKA_TOKEN, CKA_PRIVATE, CKA_MODIFIABLE, CKA_LABEL,
};
static const CK_ATTRIBUTE_TYPE of_keys[] = {
	CKA_KEY_TYPE, CKA_ID, CKA_START_DATE, CKA_END_DATE, CKA_DERIVE, CKA_LOCAL,
	CKA_KEY_GEN_MECHANISM,
};
static const CK_ATTRIBUTE_TYPE of_public[] = {
	CKA_SUBJECT, CKA_ENCRYPT, CKA_VERIFY, CKA_VERIFY_RECOVER, CKA_WRAP, CKA_TRUSTED,
};
static const CK_ATTRIBUTE_TYPE of_private[] = {
	CKA_SUBJECT, CKA_SENSITIVE, CKA_DECRYPT, CKA_SIGN, CKA_SIGN_RECOVER, CKA_UNWRAP,
	CKA_EXTRACTABLE, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_WRAP_WITH_TRUSTED,
	CKA_ALWAYS_AUTHENTICATE,
};
static const CK_ATTRIBUTE_TYPE of_secret[] = {
	CKA_SENSITIVE, CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP,
	CKA_EXTRACTABLE, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_WRAP_WITH_TRUSTED,
	CKA_TRUSTED, CKA_VALUE_LEN,
};

/* An attribute that an object must have: its length, its value, room that is too little. */
static void has(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, const char *name,
		CK_ATTRIBUTE_TYPE type)
{
	CK_BYTE room[1024];
	CK_ATTRIBUTE a = { type, NULL, 77 };
	CK_ULONG len;

	if (!result(p11->C_GetAttributeValue(s, key, &a, 1), ALLOW(CKR_OK),
		    "length of 0x%lx of %s", type, name))
		return;
	len = a.ulValueLen;
	holds(len < sizeof(room), "sane length of 0x%lx of %s", type, name);
	a.pValue = room;
	a.ulValueLen = sizeof(room);
	result(p11->C_GetAttributeValue(s, key, &a, 1), ALLOW(CKR_OK), "value of 0x%lx of %s",
	       type, name);
	holds(a.ulValueLen == len, "same length of 0x%lx of %s", type, name);
	if (!len)
		return;
	a.ulValueLen = len - 1;
	memset(room, 0x5a, sizeof(room));
	result(p11->C_GetAttributeValue(s, key, &a, 1), ALLOW(CKR_BUFFER_TOO_SMALL),
	       "little room for 0x%lx of %s", type, name);
	holds(a.ulValueLen == CK_UNAVAILABLE_INFORMATION, "no length for 0x%lx of %s", type, name);
	holds(room[len - 1] == 0x5a, "nothing beyond the room for 0x%lx of %s", type, name);
}

static void has_not(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, const char *name,
		    CK_ATTRIBUTE_TYPE type, CK_RV wanted)
{
	CK_BYTE room[64];
	CK_BBOOL token = 77;
	CK_ATTRIBUTE a[] = { { type, NULL, 5 }, ATTR(CKA_TOKEN, token) };

	result(p11->C_GetAttributeValue(s, key, a, 2), &wanted, 1, "no length of 0x%lx of %s",
	       type, name);
	holds(a[0].ulValueLen == CK_UNAVAILABLE_INFORMATION, "length of missing 0x%lx of %s", type,
	      name);
	/* The others of the template are given all the same. */
	holds(token == CK_FALSE && a[1].ulValueLen == 1, "the next after 0x%lx of %s", type, name);
	a[0] = (CK_ATTRIBUTE){ type, room, sizeof(room) };
	result(p11->C_GetAttributeValue(s, key, a, 2), &wanted, 1, "no value of 0x%lx of %s",
	       type, name);
	holds(a[0].ulValueLen == CK_UNAVAILABLE_INFORMATION, "value of missing 0x%lx of %s", type,
	      name);
}

static void all_of(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, const char *name,
		   const CK_ATTRIBUTE_TYPE *list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		has(s, key, name, list[i]);
}

/* What can not be changed once an object is there */
static void fixed(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, const char *name)
{
	static const CK_ATTRIBUTE_TYPE list[] = {
		CKA_CLASS, CKA_KEY_TYPE, CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE,
		CKA_KEY_GEN_MECHANISM, CKA_TOKEN, CKA_PRIVATE, CKA_MODIFIABLE,
	};
	CK_BYTE room[64];
	CK_ATTRIBUTE a;
	size_t i;

	for (i = 0; i < COUNT(list); i++) {
		a = (CK_ATTRIBUTE){ list[i], room, sizeof(room) };
		if (p11->C_GetAttributeValue(s, key, &a, 1) != CKR_OK)
			continue;
		room[0] ^= 1;
		result(p11->C_SetAttributeValue(s, key, &a, 1),
		       ALLOW(CKR_ATTRIBUTE_READ_ONLY, CKR_ACTION_PROHIBITED),
		       "change 0x%lx of %s", list[i], name);
	}
	a = (CK_ATTRIBUTE){ CKA_LABEL, "a new label", 11 };
	result(p11->C_SetAttributeValue(s, key, &a, 1), ALLOW(CKR_OK), "change the label of %s",
	       name);
	a = (CK_ATTRIBUTE){ CKA_LABEL, room, sizeof(room) };
	result(p11->C_GetAttributeValue(s, key, &a, 1), ALLOW(CKR_OK), "get the label of %s", name);
	holds(a.ulValueLen == 11 && !memcmp(room, "a new label", 11), "the label of %s is changed",
	      name);
	a = (CK_ATTRIBUTE){ 0x7fffff00, room, 1 };
	result(p11->C_SetAttributeValue(s, key, &a, 1),
	       ALLOW(CKR_ATTRIBUTE_TYPE_INVALID, CKR_TEMPLATE_INCONSISTENT),
	       "change an unknown attribute of %s", name);
}

void chapter_attributes(void)
{
	static const struct {
		enum key		key;
		const CK_ATTRIBUTE_TYPE	*list;
		size_t			n;
	} lists[] = {
		{ KEY_RSA_PUBLIC, of_public, COUNT(of_public) },
		{ KEY_RSA_PRIVATE, of_private, COUNT(of_private) },
		{ KEY_EC_PUBLIC, of_public, COUNT(of_public) },
		{ KEY_EC_PRIVATE, of_private, COUNT(of_private) },
		{ KEY_AES, of_secret, COUNT(of_secret) },
		{ KEY_GENERIC, of_secret, COUNT(of_secret) },
	};
	CK_SESSION_HANDLE s = log_in();
	CK_OBJECT_HANDLE keys[N_KEYS];
	CK_BBOOL is;
	CK_ATTRIBUTE a;
	size_t i;

	make_keys(s, keys);
	for (i = 0; i < N_KEYS; i++) {
		all_of(s, keys[i], key_names[i], common, COUNT(common));
		if (i != KEY_DATA)
			all_of(s, keys[i], key_names[i], of_keys, COUNT(of_keys));
		has_not(s, keys[i], key_names[i], 0x7fffff00, CKR_ATTRIBUTE_TYPE_INVALID);
		has_not(s, keys[i], key_names[i], CKA_PRIME_1, i == KEY_RSA_PRIVATE ?
			CKR_ATTRIBUTE_SENSITIVE : CKR_ATTRIBUTE_TYPE_INVALID);
		fixed(s, keys[i], key_names[i]);
	}
	for (i = 0; i < COUNT(lists); i++)
		all_of(s, keys[lists[i].key], key_names[lists[i].key], lists[i].list, lists[i].n);
	has(s, keys[KEY_RSA_PUBLIC], "rsa-public", CKA_MODULUS);
	has(s, keys[KEY_RSA_PUBLIC], "rsa-public", CKA_MODULUS_BITS);
	has(s, keys[KEY_RSA_PUBLIC], "rsa-public", CKA_PUBLIC_EXPONENT);
	has(s, keys[KEY_RSA_PRIVATE], "rsa-private", CKA_MODULUS);
	has(s, keys[KEY_RSA_PRIVATE], "rsa-private", CKA_PUBLIC_EXPONENT);
	has(s, keys[KEY_EC_PUBLIC], "ec-public", CKA_EC_PARAMS);
	has(s, keys[KEY_EC_PUBLIC], "ec-public", CKA_EC_POINT);
	has(s, keys[KEY_EC_PRIVATE], "ec-private", CKA_EC_PARAMS);
	has(s, keys[KEY_GENERIC], "generic", CKA_VALUE);
	has(s, keys[KEY_DATA], "data", CKA_VALUE);
	has_not(s, keys[KEY_EC_PRIVATE], "ec-private", CKA_VALUE, CKR_ATTRIBUTE_SENSITIVE);
	has_not(s, keys[KEY_RSA_PRIVATE], "rsa-private", CKA_PRIVATE_EXPONENT,
		CKR_ATTRIBUTE_SENSITIVE);
	/* One way: sensitive stays so, extractable may only end (PKCS#11 2.40, 4.9). */
	a = (CK_ATTRIBUTE)ATTR(CKA_SENSITIVE, yes);
	OK(p11->C_SetAttributeValue(s, keys[KEY_GENERIC], &a, 1), "make sensitive");
	a = (CK_ATTRIBUTE)ATTR(CKA_SENSITIVE, no);
	IS(p11->C_SetAttributeValue(s, keys[KEY_GENERIC], &a, 1), "make insensitive",
	   CKR_ATTRIBUTE_READ_ONLY);
	has_not(s, keys[KEY_GENERIC], "sensitive generic", CKA_VALUE, CKR_ATTRIBUTE_SENSITIVE);
	a = (CK_ATTRIBUTE)ATTR(CKA_EXTRACTABLE, no);
	OK(p11->C_SetAttributeValue(s, keys[KEY_GENERIC], &a, 1), "make unextractable");
	a = (CK_ATTRIBUTE)ATTR(CKA_EXTRACTABLE, yes);
	IS(p11->C_SetAttributeValue(s, keys[KEY_GENERIC], &a, 1), "make extractable",
	   CKR_ATTRIBUTE_READ_ONLY);
	a = (CK_ATTRIBUTE)ATTR(CKA_ALWAYS_SENSITIVE, is);
	OK(p11->C_GetAttributeValue(s, keys[KEY_GENERIC], &a, 1), "was always sensitive?");
	holds(!is, "what was made sensitive was not always");
	a = (CK_ATTRIBUTE)ATTR(CKA_NEVER_EXTRACTABLE, is);
	OK(p11->C_GetAttributeValue(s, keys[KEY_GENERIC], &a, 1), "was never extractable?");
	holds(!is, "what was made unextractable was so once");
	a = (CK_ATTRIBUTE)ATTR(CKA_LOCAL, is);
	OK(p11->C_GetAttributeValue(s, keys[KEY_GENERIC], &a, 1), "was made here?");
	holds(!is, "what was brought is not local");
	OK(p11->C_GetAttributeValue(s, keys[KEY_AES], &a, 1), "was generated here?");
	holds(is, "what was generated is local");
	IS(p11->C_GetAttributeValue(s, 0, &a, 1), "C_GetAttributeValue of nothing",
	   CKR_OBJECT_HANDLE_INVALID);
	IS(p11->C_SetAttributeValue(s, 0, &a, 1), "C_SetAttributeValue of nothing",
	   CKR_OBJECT_HANDLE_INVALID);
	log_out(s);
}
