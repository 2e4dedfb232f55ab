// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The table of commands. Parsing, help and completion know nothing but this.
 *
 * Options that can be named -serial, -serialnumber and -se are one option; so are the other
 * short forms. Only what stands here is taken.
 */
#include "haadm.h"

#define END		{ .names = NULL }
#define FORCE(text)	{ .names = "force f", .type = OPT_FLAG, .help = text }
#define GROUP		{ .names = "group g", .arg = "<label>", .type = OPT_GROUP, .required = true, \
			  .help = "label of the group" }
#define MEMBER_SLOT	{ .names = "slot sl", .arg = "<slotnum>", .type = OPT_SLOT, .one_of = 1, \
			  .help = "slot of the member partition" }
#define MEMBER_SERIAL	{ .names = "serialnumber serial se", .arg = "<serialnum>", \
			  .type = OPT_SERIAL, .one_of = 1, \
			  .help = "serial number of the member partition" }
#define CO_PASSWORD	{ .names = "password p", .arg = "<password>", .type = OPT_SECRET, \
			  .help = "of the members' Crypto Officer; asked for if absent" }
#define THIS_SLOT	{ .names = "slot sl s", .arg = "<slotnum>", .type = OPT_SLOT, \
			  .one_of = 1 | ONE_OR_NONE, .help = "slot; default: the current one" }
#define THIS_SERIAL	{ .names = "serialnumber serial se", .arg = "<serialnum>", \
			  .type = OPT_SERIAL, .one_of = 1 | ONE_OR_NONE, \
			  .help = "serial number, instead of a slot" }
#define ROLE_NAME(list)	{ .names = "name n", .arg = "<role>", .type = OPT_CHOICE, \
			  .choices = list, .required = true, .help = "one of: " list }

const struct area areas[] = {
	{ "hagroup ha", "HA groups: their members, their settings, their state" },
	{ "slot s", "slots: what is there, and which one commands are about" },
	{ "hsm h", "whole HSMs: initialize, look at, reset" },
	{ "partition par", "partitions of an HSM" },
	{ "role ro", "roles: who may do what, logins and passwords" },
};

const size_t n_areas = sizeof(areas) / sizeof(areas[0]);

static const struct option none[] = { END };

static const struct option ha_creategroup[] = {
	{ .names = "label l", .arg = "<label>", .type = OPT_LABEL, .required = true,
	  .help = "label of the new group, 1 to 32 bytes" },
	MEMBER_SLOT, MEMBER_SERIAL, CO_PASSWORD,
	FORCE("do not ask about a partition that is not empty"), END
};

static const struct option ha_deletegroup[] = {
	{ .names = "label l", .arg = "<label>", .type = OPT_GROUP, .required = true,
	  .help = "label of the group" },
	FORCE("do not ask"), END
};

static const struct option ha_addmember[] = {
	GROUP, MEMBER_SLOT, MEMBER_SERIAL, CO_PASSWORD,
	FORCE("do not ask about a partition that is not empty"), END
};

static const struct option ha_removemember[] = {
	GROUP, MEMBER_SLOT, MEMBER_SERIAL,
	FORCE("remove it even if it holds what no other live member holds"), END
};

static const struct option ha_addstandby[] = {
	GROUP, MEMBER_SLOT, MEMBER_SERIAL,
	{ .names = "password p", .arg = "<password>", .type = OPT_SECRET,
	  .help = "of the members' Crypto Officer; tried if it is given" },
	END
};

static const struct option ha_member[] = { GROUP, MEMBER_SLOT, MEMBER_SERIAL, END };

static const struct option ha_weight[] = {
	GROUP, MEMBER_SLOT, MEMBER_SERIAL,
	{ .names = "weight w", .arg = "<n>", .type = OPT_NUMBER, .min = 1, .max = HA_WEIGHT_MAX,
	  .required = true, .help = "1 (as every member at first) to 100" },
	END
};

static const struct option ha_mincopies[] = {
	GROUP,
	{ .names = "copies c", .arg = "<n>", .type = OPT_NUMBER, .min = 1, .max = HA_MAX_MEMBERS,
	  .required = true, .help = "1 (at first) to the number of members" },
	END
};

static const struct option ha_group[] = { GROUP, END };

static const struct option ha_status[] = {
	GROUP,
	{ .names = "watch w", .type = OPT_FLAG,
	  .help = "go on: a screen that is written again; with --json a line for each look" },
	{ .names = "interval i", .arg = "<seconds>", .type = OPT_NUMBER, .min = 1, .max = 3600,
	  .help = "between the looks of -watch; default 1" },
	{ .names = "count c", .arg = "<n>", .type = OPT_NUMBER, .min = 1, .max = 1000000,
	  .help = "end -watch after so many looks; default: with q or Ctrl-C" },
	END
};

static const struct option ha_monitor[] = {
	{ .names = "group g", .arg = "<label>", .type = OPT_GROUP,
	  .help = "only this group; default: all, which have to have one password then" },
	{ .names = "once o", .type = OPT_FLAG,
	  .help = "bring the members up to date, say how they are, and end" },
	CO_PASSWORD, END
};

static const struct option ha_check[] = { GROUP, CO_PASSWORD, END };

static const struct option ha_verify[] = {
	GROUP,
	{ .names = "key k", .arg = "<label>", .type = OPT_TEXT, .required = true,
	  .help = "label of a key pair that may sign and verify" },
	CO_PASSWORD, END
};

static const struct option ha_listgroups[] = {
	{ .names = "group g", .arg = "<label>", .type = OPT_GROUP,
	  .help = "only this group; default: all" },
	CO_PASSWORD, END
};

static const struct option ha_synchronize[] = {
	GROUP, CO_PASSWORD,
	{ .names = "verbose v", .type = OPT_FLAG, .help = "say what was done even if it is nothing" },
	{ .names = "enable e", .type = OPT_FLAG, .one_of = 2 | ONE_OR_NONE,
	  .help = "replicate automatically from now on (the default)" },
	{ .names = "disable d", .type = OPT_FLAG, .one_of = 2 | ONE_OR_NONE,
	  .help = "do not replicate automatically" },
	END
};

static const struct option ha_replace[] = {
	GROUP,
	{ .names = "old o", .arg = "<serialnum>", .type = OPT_SERIAL, .required = true,
	  .help = "serial number of the member that is replaced" },
	{ .names = "slot sl", .arg = "<slotnum>", .type = OPT_SLOT, .one_of = 1,
	  .help = "slot of the new member, a partition that is ready" },
	{ .names = "serialnumber serial se", .arg = "<serialnum>", .type = OPT_SERIAL, .one_of = 1,
	  .help = "its serial number" },
	{ .names = "hsm h", .arg = "<slotnum>", .type = OPT_SLOT, .one_of = 1,
	  .help = "slot of the HSM on which a new partition is to be made for it" },
	{ .names = "label l", .arg = "<label>", .type = OPT_LABEL,
	  .help = "with -hsm: label of the new partition" },
	{ .names = "dryrun dry n", .type = OPT_FLAG,
	  .help = "say what would be done; with -password, the password is tried, too" },
	CO_PASSWORD,
	{ .names = "sopassword so", .arg = "<password>", .type = OPT_SECRET,
	  .help = "with -hsm: of the HSM SO, if they are not logged in" },
	{ .names = "popassword po", .arg = "<password>", .type = OPT_SECRET,
	  .help = "with -hsm: new password of the Partition SO" },
	{ .names = "domain d", .arg = "<domain>", .type = OPT_SECRET,
	  .help = "with -hsm: cloning domain of the group" },
	FORCE("do not ask about a partition that is not empty"), END
};

static const struct option ha_recoverymode[] = {
	{ .names = "mode m", .arg = "<mode>", .type = OPT_CHOICE,
	  .choices = "activeBasic activeEnhanced", .required = true,
	  .help = "activeBasic: members come back, sessions of an application that lost all of "
		  "them do not. activeEnhanced: they do, too" },
	END
};

static const struct option ha_retry[] = {
	{ .names = "count c", .arg = "<n>", .type = OPT_NUMBER, .min = -1, .max = 500,
	  .required = true, .help = "-1: for ever, 0: no automatic recovery, or up to 500" },
	END
};

static const struct option ha_interval[] = {
	{ .names = "interval i", .arg = "<seconds>", .type = OPT_NUMBER, .min = 60, .max = 1200,
	  .required = true, .help = "60 to 1200" },
	END
};

static const struct option ha_haonly[] = {
	{ .names = "enable e", .type = OPT_FLAG, .one_of = 1,
	  .help = "applications see groups alone" },
	{ .names = "disable d", .type = OPT_FLAG, .one_of = 1,
	  .help = "applications see members, too" },
	{ .names = "show s", .type = OPT_FLAG, .one_of = 1, .help = "show what is set" },
	END
};

static const struct option ha_halog[] = {
	{ .names = "enable e", .type = OPT_FLAG, .one_of = 1, .help = "write the log" },
	{ .names = "disable d", .type = OPT_FLAG, .one_of = 1, .help = "do not" },
	{ .names = "path pa", .arg = "<directory>", .type = OPT_TEXT, .one_of = 1,
	  .help = "where the file haErrorLog.txt is written" },
	{ .names = "maxlength m", .arg = "<bytes>", .type = OPT_NUMBER, .min = 1024,
	  .max = 0x10000000000L, .one_of = 1,
	  .help = "length at which a new file is begun, from 1024 on; default 262144" },
	{ .names = "show s", .type = OPT_FLAG, .one_of = 1, .help = "show what is set" },
	END
};

static const struct option slot_set[] = {
	{ .names = "slot sl s", .arg = "<slotnum>", .type = OPT_SLOT, .one_of = 1,
	  .help = "number of the slot" },
	{ .names = "serialnumber serial se", .arg = "<serialnum>", .type = OPT_SERIAL, .one_of = 1,
	  .help = "serial number of what is in the slot" },
	END
};

#define APPLY_TEMPLATE	{ .names = "applytemplate at", .arg = "<file>", .type = OPT_TEXT, \
			  .help = "set its policies as in this file, which showpolicies " \
				  "-exporttemplate has written" }
#define LOG_IN(who)	{ .names = "auth a", .type = OPT_FLAG, \
			  .help = "log the " who " in afterwards; at the prompt, that lasts" }

static const struct option this_one[] = { THIS_SLOT, THIS_SERIAL, END };

static const struct option hsm_init[] = {
	{ .names = "label l", .arg = "<label>", .type = OPT_LABEL, .required = true,
	  .help = "new label of the HSM, 1 to 32 bytes" },
	THIS_SLOT, THIS_SERIAL,
	{ .names = "password p", .arg = "<password>", .type = OPT_SECRET,
	  .help = "of the HSM SO: the existing one, or the new one of a blank HSM" },
	{ .names = "initwithpwd iwp", .type = OPT_FLAG, .one_of = 4 | ONE_OR_NONE,
	  .help = "the SO has a password (as always with this HSM)" },
	{ .names = "iped", .type = OPT_FLAG, .one_of = 4 | ONE_OR_NONE,
	  .help = "the SO has a PED key; refused, this HSM has no PIN entry device" },
	{ .names = "domain d", .arg = "<domain>", .type = OPT_SECRET,
	  .help = "refused: each partition has its own (partition init)" },
	APPLY_TEMPLATE, LOG_IN("HSM SO"), FORCE("do not ask"), END
};

static const struct option hsm_factoryreset[] = {
	THIS_SLOT, THIS_SERIAL, FORCE("do not ask"), END
};

#define POLICIES_ALL	{ .names = "verbose v", .type = OPT_FLAG, \
			  .help = "those that can not be changed, too" }
#define POLICY_SET	{ .names = "policy po", .arg = "<n>", .type = OPT_NUMBER, .min = 0, \
			  .max = 255, .required = true, .help = "number of the policy" }, \
			{ .names = "value v", .arg = "<n>", .type = OPT_NUMBER, .min = 0, \
			  .max = 255, .required = true, .help = "0: off, 1: on, or a number" }

static const struct option showpolicies[] = {
	THIS_SLOT, THIS_SERIAL, POLICIES_ALL,
	{ .names = "exporttemplate et", .arg = "<file>", .type = OPT_TEXT,
	  .help = "write those that can be changed to a new file, for init -applytemplate" },
	END
};

static const struct option hsm_changepolicy[] = {
	THIS_SLOT, THIS_SERIAL, POLICY_SET,
	{ .names = "password p", .arg = "<password>", .type = OPT_SECRET,
	  .help = "of the HSM SO, if they are not logged in" },
	FORCE("do not ask"), END
};

static const struct option partition_changepolicy[] = {
	THIS_SLOT, THIS_SERIAL, POLICY_SET,
	{ .names = "password p", .arg = "<password>", .type = OPT_SECRET,
	  .help = "of the Partition SO, if they are not logged in" },
	FORCE("do not ask"), END
};

static const struct option hsm_audit[] = {
	THIS_SLOT, THIS_SERIAL,
	{ .names = "show", .type = OPT_FLAG, .one_of = 3 | ONE_OR_NONE,
	  .help = "show what is logged and how much there is (the default)" },
	{ .names = "export e", .arg = "<file>", .type = OPT_TEXT, .one_of = 3 | ONE_OR_NONE,
	  .help = "write the log to a new file, as the card has signed it" },
	{ .names = "verify v", .arg = "<file>", .type = OPT_TEXT, .one_of = 3 | ONE_OR_NONE,
	  .help = "check such a file and show its entries; needs no card" },
	{ .names = "truncate t", .arg = "<n>", .type = OPT_NUMBER, .min = 1,
	  .max = 0x7fffffffffffffffL, .one_of = 3 | ONE_OR_NONE,
	  .help = "destroy the entries up to this number" },
	{ .names = "log l", .arg = "<list>", .type = OPT_TEXT, .one_of = 3 | ONE_OR_NONE,
	  .help = "log this from now on: all, none, or of login,roles,hsm,partition,objects,use,"
		  "cloning,failed" },
	{ .names = "full", .arg = "<what>", .type = OPT_CHOICE, .choices = "drop halt",
	  .help = "when the log is full: drop the oldest entries, or halt what has to be logged" },
	{ .names = "root", .arg = "<file>", .type = OPT_TEXT,
	  .help = "with -verify: certificate of the card's maker (PEM)" },
	{ .names = "password p", .arg = "<password>", .type = OPT_SECRET,
	  .help = "of the Auditor, if they are not logged in" },
	FORCE("do not ask"), END
};

static const struct option partition_clone[] = {
	{ .names = "objects o", .arg = "<list>", .type = OPT_TEXT, .required = true,
	  .help = "OUIDs with commas between them, or 0 for all" },
	MEMBER_SLOT, MEMBER_SERIAL,
	{ .names = "from fr", .arg = "<slotnum>", .type = OPT_SLOT,
	  .help = "slot of the source; default: the current one" },
	{ .names = "password p", .arg = "<password>", .type = OPT_SECRET,
	  .help = "of the source's Crypto Officer, and the target's" },
	{ .names = "targetpassword tp", .arg = "<password>", .type = OPT_SECRET,
	  .help = "of the target's Crypto Officer, if it is another one" },
	FORCE("do not ask"), END
};

static const struct option partition_resize[] = {
	THIS_SLOT, THIS_SERIAL,
	{ .names = "size si", .arg = "<bytes>", .type = OPT_NUMBER, .min = 1, .one_of = 2,
	  .max = 0x7fffffffffffffffL, .help = "room for objects, 65536 or more" },
	{ .names = "all a", .type = OPT_FLAG, .one_of = 2,
	  .help = "what it has and all that is free on the HSM" },
	{ .names = "password p", .arg = "<password>", .type = OPT_SECRET,
	  .help = "of the HSM SO, if they are not logged in" },
	END
};

static const struct option partition_clear[] = {
	THIS_SLOT, THIS_SERIAL,
	{ .names = "password p", .arg = "<password>", .type = OPT_SECRET,
	  .help = "of the Crypto Officer, if they are not logged in" },
	FORCE("do not ask"), END
};

static const struct option partition_create[] = {
	THIS_SLOT, THIS_SERIAL,
	{ .names = "size si", .arg = "<bytes>", .type = OPT_NUMBER, .min = 1,
	  .max = 0x7fffffffffffffffL, .help = "room for objects, 65536 or more; default: the card's" },
	{ .names = "version ver", .arg = "<n>", .type = OPT_NUMBER, .min = 0, .max = 1,
	  .help = "of the partition: 0; 1 is refused" },
	{ .names = "password p", .arg = "<password>", .type = OPT_SECRET,
	  .help = "of the HSM SO, if they are not logged in" },
	FORCE("nothing is asked here; for scripts that give it"), END
};

static const struct option partition_init[] = {
	{ .names = "label l", .arg = "<label>", .type = OPT_LABEL, .required = true,
	  .help = "new label of the partition, 1 to 32 bytes" },
	THIS_SLOT, THIS_SERIAL,
	{ .names = "password p", .arg = "<password>", .type = OPT_SECRET,
	  .help = "of the Partition SO: a new one, or the existing one" },
	{ .names = "domain d", .arg = "<domain>", .type = OPT_SECRET,
	  .help = "cloning domain, 1 to 128 bytes: keys are cloned within one domain only" },
	{ .names = "defaultdomain def", .type = OPT_FLAG,
	  .help = "refused: one that all the world knows protects nothing" },
	APPLY_TEMPLATE, LOG_IN("Partition SO"), FORCE("do not ask"), END
};

static const struct option partition_delete[] = {
	THIS_SLOT, THIS_SERIAL,
	{ .names = "password p", .arg = "<password>", .type = OPT_SECRET,
	  .help = "of the HSM SO, if they are not logged in" },
	FORCE("do not ask"), END
};

static const struct option partition_contents[] = {
	THIS_SLOT, THIS_SERIAL,
	{ .names = "name n", .arg = "<role>", .type = OPT_CHOICE, .choices = "co lco cu",
	  .help = "who logs in if nobody is logged in; default: co" },
	{ .names = "password p", .arg = "<password>", .type = OPT_SECRET, .help = "of that role" },
	END
};

static const struct option role_show[] = {
	ROLE_NAME("so po co lco cu au"), THIS_SLOT, THIS_SERIAL, END
};

static const struct option role_give[] = {
	ROLE_NAME("co lco cu au"), THIS_SLOT, THIS_SERIAL,
	{ .names = "password p", .arg = "<password>", .type = OPT_SECRET,
	  .help = "initial password of the role, 8 to 255 characters" },
	{ .names = "loginpw", .arg = "<password>", .type = OPT_SECRET,
	  .help = "of the role above (PO for co; CO for lco and cu; SO for au), if it is not "
		  "logged in" },
	END
};

static const struct option role_login[] = {
	ROLE_NAME("so po co lco cu au"), THIS_SLOT, THIS_SERIAL,
	{ .names = "password p", .arg = "<password>", .type = OPT_SECRET, .help = "of the role" },
	FORCE("do not ask before the last attempt of an SO, which can destroy everything"), END
};

static const struct option role_createchallenge[] = {
	ROLE_NAME("co lco cu"), THIS_SLOT, THIS_SERIAL,
	{ .names = "password p", .arg = "<password>", .type = OPT_SECRET, .help = "of the role" },
	{ .names = "challenge c challengesecret", .arg = "<challenge>", .type = OPT_SECRET,
	  .help = "new challenge, 8 to 255 characters" },
	END
};

static const struct option role_deactivate[] = {
	ROLE_NAME("co lco cu"), THIS_SLOT, THIS_SERIAL,
	{ .names = "loginpw", .arg = "<password>", .type = OPT_SECRET,
	  .help = "of the role above (PO for co; CO for lco and cu), if neither it nor the role "
		  "itself is logged in" },
	END
};

static const struct option role_changepw[] = {
	ROLE_NAME("so po co lco cu au"), THIS_SLOT, THIS_SERIAL,
	{ .names = "oldpw old", .arg = "<password>", .type = OPT_SECRET,
	  .help = "existing password" },
	{ .names = "newpw new", .arg = "<password>", .type = OPT_SECRET,
	  .help = "new password, 8 to 255 characters" },
	{ .names = "prompt p", .type = OPT_FLAG,
	  .help = "ask for both, wherever else they could come from" },
	FORCE("do not ask before the last attempt of an SO, which can destroy everything"), END
};

const struct command commands[] = {
	{ .area = "hagroup", .name = "addmember am", .run = cmd_ha_addmember,
	  .options = ha_addmember, .summary = "Add a partition to a group",
	  .text = "The partition must be initialized, be of the same cloning domain as the members, "
		  "and have the same Crypto Officer password. It gets every object of the group at "
		  "once; applications need not be paused and use it as soon as it is complete." },
	{ .area = "hagroup", .name = "addstandby as", .run = cmd_ha_addstandby,
	  .options = ha_addstandby, .summary = "Make a member standby",
	  .text = "A standby member holds all objects and does no work until no active member is "
		  "left. The partition must be a member already." },
	{ .area = "hagroup", .name = "check ck", .run = cmd_ha_check,
	  .options = ha_check, .summary = "Show which objects differ between members",
	  .text = "For each: which member has which version, and which one wins when they are "
		  "brought together. A deletion wins over everything, else the greater version. "
		  "Nothing is changed. Exit status 1 if objects differ." },
	{ .area = "hagroup", .name = "creategroup cg", .run = cmd_ha_creategroup,
	  .options = ha_creategroup, .summary = "Create a group with a first member",
	  .text = "The group's number is \"1\" followed by the serial number of this member. Label, "
		  "number and slot stay when members come and go." },
	{ .area = "hagroup", .name = "deletegroup dg", .run = cmd_ha_deletegroup,
	  .options = ha_deletegroup, .summary = "Delete a group",
	  .text = "Deletes it from the configuration; the members keep their objects." },
	{ .area = "hagroup", .name = "drain dr", .run = cmd_ha_drain, .options = ha_member,
	  .summary = "Take work away from a member without removing it",
	  .text = "It gets no new work while another member can do it, but still all objects. For "
		  "maintenance: wait until it has nothing to do, and take it out." },
	{ .area = "hagroup", .name = "halog hl", .run = cmd_ha_halog, .options = ha_halog,
	  .summary = "Set whether and where events of groups are logged" },
	{ .area = "hagroup", .name = "haonly ho", .run = cmd_ha_haonly, .options = ha_haonly,
	  .summary = "Show applications groups alone, or members, too" },
	{ .area = "hagroup", .name = "interval i", .run = cmd_ha_interval, .options = ha_interval,
	  .summary = "Set the time between attempts to recover a member",
	  .text = "It bounds what no event announces; the return of a device is noticed at once." },
	{ .area = "hagroup", .name = "listgroups l", .run = cmd_ha_listgroups,
	  .own_end = true, .options = ha_listgroups, .summary = "Show groups and their members",
	  .text = "The password is tried on one live member. Without it (press Enter), the list is "
		  "shown all the same." },
	{ .area = "hagroup", .name = "mincopies mc", .run = cmd_ha_mincopies,
	  .options = ha_mincopies, .summary = "Set how many members a new object needs",
	  .text = "With fewer members there, making an object fails and leaves nothing behind." },
	{ .area = "hagroup", .name = "monitor mon", .run = cmd_ha_monitor, .own_end = true,
	  .options = ha_monitor, .summary = "Look after groups while no application does",
	  .text = "A service that brings members up to date when they come back, writes metrics and "
		  "the HA log as applications do, and tells the journal of events. Applications do "
		  "all that for themselves: nothing depends on it. \"haadm monitor\" is the same." },
	{ .area = "hagroup", .name = "recover rec", .run = cmd_ha_recover, .options = ha_group,
	  .summary = "Have lost members looked for now",
	  .text = "Running applications look at once for members that they have lost, with all "
		  "their attempts (hagroup retry) unspent." },
	{ .area = "hagroup", .name = "recoverymode rm", .run = cmd_ha_recoverymode,
	  .options = ha_recoverymode, .summary = "Set what is recovered" },
	{ .area = "hagroup", .name = "removemember rmm", .run = cmd_ha_removemember,
	  .options = ha_removemember, .summary = "Remove a member from a group",
	  .text = "Its objects stay in the partition. A member that is down is named by its serial "
		  "number. A live member that holds what no other live member holds is not removed." },
	{ .area = "hagroup", .name = "removestandby rs", .run = cmd_ha_removestandby,
	  .options = ha_member, .summary = "Make a standby member active again" },
	{ .area = "hagroup", .name = "replace rep", .run = cmd_ha_replace, .options = ha_replace,
	  .summary = "Replace a member of a group, all steps in one",
	  .text = "Adds the new member in the old one's place, brings all objects to it, compares, "
		  "and takes the old one out last. With -hsm, makes and initializes the partition "
		  "first. Says each step. If it is interrupted, the same command goes on where it "
		  "ended; what is done is not done again. Applications need not be paused." },
	{ .area = "hagroup", .name = "retry rt", .run = cmd_ha_retry, .options = ha_retry,
	  .summary = "Set how often recovery of a member is tried" },
	{ .area = "hagroup", .name = "status st", .run = cmd_ha_status,
	  .options = ha_status, .summary = "Show how the members of a group are, right now",
	  .text = "State, role, weight, copies (objects that it holds), and, for all programs that use "
		  "it, sessions, commands outstanding and operations per second; latency." },
	{ .area = "hagroup", .name = "synchronize sync", .run = cmd_ha_synchronize,
	  .options = ha_synchronize, .summary = "Bring all members to the same contents",
	  .text = "Safe while applications work: versions of objects decide, the same way on every "
		  "member. -enable and -disable set whether a running application replicates by "
		  "itself." },
	{ .area = "hagroup", .name = "undrain ud", .run = cmd_ha_undrain, .options = ha_member,
	  .summary = "Give a drained member work again" },
	{ .area = "hagroup", .name = "verify v", .run = cmd_ha_verify,
	  .options = ha_verify, .summary = "Let each member sign, and check it on the next",
	  .text = "Shows that each of them has the key and can use it. The password is tried on one "
		  "member first." },
	{ .area = "hagroup", .name = "weight w", .run = cmd_ha_weight, .options = ha_weight,
	  .summary = "Set a member's share of the work",
	  .text = "A member of weight 3 gets three times as much as one of weight 1." },

	{ .area = "slot", .name = "list l", .run = cmd_slot_list, .options = none,
	  .summary = "Show partitions, groups and HSMs with their slots" },
	{ .area = "slot", .name = "partitionlist pl", .run = cmd_slot_partitionlist,
	  .options = this_one, .summary = "Show the partitions of an HSM" },
	{ .area = "slot", .name = "set s", .run = cmd_slot_set, .options = slot_set,
	  .summary = "Choose the slot that commands are about" },

	{ .area = "hsm", .name = "audit a", .run = cmd_hsm_audit, .options = hsm_audit,
	  .summary = "Show, export, check or set the audit log of an HSM",
	  .text = "The card writes down who did what, and signs it. The Auditor says what is logged, "
		  "exports and truncates; the log survives everything, a factory reset too." },
	{ .area = "hsm", .name = "changepolicy changehsmpolicy chp", .run = cmd_hsm_changepolicy,
	  .options = hsm_changepolicy, .summary = "Change a policy of an HSM",
	  .text = "By the HSM SO. Where hsm showpolicies says so, this destroys all partitions." },
	{ .area = "hsm", .name = "factoryreset fr", .run = cmd_hsm_factoryreset,
	  .options = hsm_factoryreset, .summary = "Destroy everything on an HSM",
	  .text = "Partitions, roles and policies. Needs no password: who has the card, has it." },
	{ .area = "hsm", .name = "init i", .run = cmd_hsm_init, .options = hsm_init,
	  .summary = "Initialize an HSM",
	  .text = "On a blank HSM this makes the HSM SO. On one that is initialized the SO's password "
		  "is needed and stays; all partitions are destroyed." },
	{ .area = "hsm", .name = "show showinfo", .run = cmd_hsm_show, .options = this_one,
	  .summary = "Show an HSM" },
	{ .area = "hsm", .name = "showpolicies shp", .run = cmd_hsm_showpolicies,
	  .options = showpolicies, .summary = "Show the policies of an HSM" },
	{ .area = "hsm", .name = "tamper t", .run = cmd_hsm_tamper, .options = this_one,
	  .summary = "Show whether an HSM was tampered with",
	  .text = "Exit status 7 if it was. Then its keys are gone, and hsm factoryreset is the only "
		  "way back." },
	{ .area = "hsm", .name = "zeroize z", .run = cmd_hsm_zeroize, .options = hsm_factoryreset,
	  .summary = "Destroy the SO and all partitions of an HSM; its policies stay",
	  .text = "Needs no password: who has the card, has it." },

	{ .area = "partition", .name = "changepolicy chp", .run = cmd_partition_changepolicy,
	  .options = partition_changepolicy, .summary = "Change a policy of a partition",
	  .text = "By the Partition SO. Where partition showpolicies says so, this destroys all "
		  "objects." },
	{ .area = "partition", .name = "clear clr", .run = cmd_partition_clear,
	  .options = partition_clear, .summary = "Delete all objects in a partition",
	  .text = "By the Crypto Officer. In a group, the deletions are carried to the others." },
	{ .area = "partition", .name = "clone cl", .run = cmd_partition_clone,
	  .options = partition_clone, .summary = "Clone objects to another partition",
	  .text = "Of the same cloning domain. The host carries ciphertext only. An object that the "
		  "target has is brought to the greater version." },
	{ .area = "partition", .name = "contents con", .run = cmd_partition_contents,
	  .options = partition_contents, .summary = "List the objects in a partition" },
	{ .area = "partition", .name = "create c", .run = cmd_partition_create,
	  .options = partition_create, .summary = "Create a partition on an HSM",
	  .text = "By the HSM SO, in the slot of the HSM. The new partition gets the next serial "
		  "number, which is never used again." },
	{ .area = "partition", .name = "delete d", .run = cmd_partition_delete,
	  .options = partition_delete, .summary = "Delete a partition and all it holds",
	  .text = "By the HSM SO." },
	{ .area = "partition", .name = "init i", .run = cmd_partition_init,
	  .options = partition_init, .summary = "Initialize a partition",
	  .text = "Makes the Partition SO and sets label and cloning domain. Initializing again needs "
		  "the Partition SO's password and destroys all objects." },
	{ .area = "partition", .name = "resize r", .run = cmd_partition_resize,
	  .options = partition_resize, .summary = "Change the room of a partition",
	  .text = "By the HSM SO. Not below what its objects need." },
	{ .area = "partition", .name = "showpolicies shp", .run = cmd_partition_showpolicies,
	  .options = showpolicies, .summary = "Show the policies of a partition" },
	{ .area = "partition", .name = "show showinfo", .run = cmd_partition_show,
	  .options = this_one, .summary = "Show a partition and what it has done" },

	{ .area = "role", .name = "changepw cp", .run = cmd_role_changepw, .options = role_changepw,
	  .summary = "Change a role's password",
	  .text = "By the role itself. A password that another role has set must be changed before it "
		  "can be used for anything else." },
	{ .area = "role", .name = "createchallenge cc", .run = cmd_role_createchallenge,
	  .options = role_createchallenge, .summary = "Give a role a challenge, for applications",
	  .text = "Where partition policy 22 is on, an application can log in with the challenge in "
		  "place of the password, once the role is activated: by a login with the password "
		  "(role login). Activation lasts until role deactivate, a new password or challenge, "
		  "or the loss of power; with policy 23 on, it survives that." },
	{ .area = "role", .name = "deactivate de", .run = cmd_role_deactivate,
	  .options = role_deactivate, .summary = "Have a role's challenge be good for nothing",
	  .text = "By the role itself or the one that makes it. The role's other logins end, too. "
		  "Until the next role login with the password." },
	{ .area = "role", .name = "init i", .run = cmd_role_init, .options = role_give,
	  .summary = "Make a role with an initial password",
	  .text = "The Partition SO makes the Crypto Officer, the Crypto Officer makes lco and cu, "
		  "the HSM SO makes the Auditor." },
	{ .area = "role", .name = "list l", .run = cmd_role_list, .options = this_one,
	  .summary = "List the roles and their state" },
	{ .area = "role", .name = "login", .run = cmd_role_login, .options = role_login,
	  .summary = "Log in", .text = "The login lasts until role logout or the end of haadm." },
	{ .area = "role", .name = "logout", .run = cmd_role_logout, .options = this_one,
	  .summary = "Log out" },
	{ .area = "role", .name = "resetpw rp", .run = cmd_role_resetpw, .options = role_give,
	  .summary = "Give a role a new initial password, and unlock it",
	  .text = "By the role that makes it; see role init." },
	{ .area = "role", .name = "show", .run = cmd_role_show, .options = role_show,
	  .summary = "Show the state of one role" },
};

const size_t n_commands = sizeof(commands) / sizeof(commands[0]);
