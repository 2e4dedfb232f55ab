/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files of haadm monitor: what it tells the service manager and the journal. */
#ifndef HAADM_MONITOR_H
#define HAADM_MONITOR_H

#include <stdint.h>

/* Priorities of syslog(3), as the journal has them */
enum monitor_priority {
	MONITOR_ERROR	= 3,
	MONITOR_WARNING	= 4,
	MONITOR_NOTICE	= 5,
	MONITOR_INFO	= 6,
};

/**
 * manager_tell() - a message to the service manager, as sd_notify(3) sends it
 * @state:	"READY=1", or several assignments on a line each
 *
 * Nothing where no service manager has asked for it (NOTIFY_SOCKET), and nobody's work fails
 * because it does not listen.
 */
void manager_tell(const char *state);

/** manager_reloading() - "a new configuration is being read", with the time that systemd wants */
void manager_reloading(void);

/**
 * manager_watchdog() - how often the service manager wants to hear from this process
 *
 * Return: ms, 0: it does not
 */
int64_t manager_watchdog(void);

/**
 * journal_print() - a line for the journal, or for a person who runs this in a terminal
 *
 * On standard error, with the priority in front where that is the journal; see
 * sd-daemon(3). @text is one line without its end.
 */
void journal_print(enum monitor_priority priority, const char *text);

#endif /* HAADM_MONITOR_H */
