// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "guess.h"
#include "machine.h"

#define PROCESSES_MAX	64

/* @pending: the last wrong password was counted on @card, and nobody heard. @told: but may know */
static struct {
	unsigned int	card;
	bool		pending, told;
} guesses[PROCESSES_MAX];

void guess_reset(void)
{
	memset(guesses, 0, sizeof(guesses));
}

void guess_killed(int process)
{
	memset(&guesses[process], 0, sizeof(guesses[process]));
}

void guess_told(int process, unsigned int card)
{
	if (guesses[process].pending && guesses[process].card == card)
		guesses[process].told = true;
}

bool guess_refused(int process, unsigned int card, bool lost)
{
	const bool untold = guesses[process].pending && !guesses[process].told;

	guesses[process].card = card;
	guesses[process].pending = lost;
	guesses[process].told = false;
	return untold;
}
