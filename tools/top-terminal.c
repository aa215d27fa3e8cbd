/* SPDX-License-Identifier: BSD-2-Clause */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "top-terminal.h"

#include <curses.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "tool.h"

#define ESCAPE_MS 100 /* the rest of a key's sequence, over a slow line */

static volatile sig_atomic_t caught;
static pid_t self;
static sigset_t outside; /* the mask that we were started with */
static SCREEN *screen;

/* For a crash: what gives the terminal back, without any call but write(). */
static struct termios cooked;
static char restore[256];
static size_t restore_size;

static void on_end(int n)
{
	caught = n;
}

static void on_crash(int n)
{
	/* A child that crashes has no terminal to give back. */
	if (getpid() == self && write(STDOUT_FILENO, restore, restore_size) >= 0)
		tcsetattr(STDOUT_FILENO, TCSADRAIN, &cooked);
	/* SA_RESETHAND: this time it is fatal. */
	raise(n);
}

static int keep(int c)
{
	if (restore_size < sizeof(restore))
		restore[restore_size++] = (char)c;
	return c;
}

static void keep_string(const char *capability)
{
	const char *s = tigetstr(capability);

	if (s && s != (const char *)-1)
		tputs(s, 1, keep);
}

static void catch(int n, void (*handler)(int), int flags)
{
	struct sigaction a = { .sa_handler = handler, .sa_flags = flags };
	struct sigaction was;

	/* What nohup and the like ignore stays ignored. */
	if (sigaction(n, NULL, &was) == 0 && was.sa_handler != SIG_IGN)
		sigaction(n, &a, NULL);
}

/*
 * Signals that end us, and the one that tells of a new size, arrive only while
 * terminal_wait() waits: none is missed between a look and the wait.
 */
static void catch_signals(void)
{
	static const int ends[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	static const int crashes[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	sigset_t block;
	size_t i;

	self = getpid();
	sigemptyset(&block);
	sigaddset(&block, SIGWINCH);
	for (i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		sigaddset(&block, ends[i]);
		catch(ends[i], on_end, 0);
	}
	for (i = 0; i < sizeof(crashes) / sizeof(*crashes); i++)
		catch(crashes[i], on_crash, (int)SA_RESETHAND);
	sigprocmask(SIG_BLOCK, &block, &outside);
}

static void start_colours(struct terminal *t)
{
	const char *no_color = getenv("NO_COLOR");

	t->colours = has_colors() && !(no_color && *no_color) && start_color() == OK;
	if (!t->colours)
		return;
	use_default_colors();
	init_pair(COLOUR_GROWN, COLOR_YELLOW, -1);
	init_pair(COLOUR_SHRUNK, COLOR_GREEN, -1);
	init_pair(COLOUR_ALARM, COLOR_RED, -1);
	init_pair(COLOUR_QUIET, COLOR_CYAN, -1);
}

/* The console's font has no such blocks, and a VT100 has no Unicode at all. */
static int can_show_blocks(const char *term)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0 &&
	       strncmp(term, "linux", 5) && strncmp(term, "vt", 2);
}

static int check_terminal(const char *term)
{
	const char *move_cursor;
	int error;

	if (!term || !*term) {
		complain("TERM is not set: which terminal is this? (TERM=xterm)");
		return -1;
	}
	if (setupterm(NULL, STDOUT_FILENO, &error) != OK) {
		complain("the terminal '%s' is not known here (TERM=xterm is often near"
			 " enough)", term);
		return -1;
	}
	move_cursor = tigetstr("cup");
	del_curterm(cur_term);
	if (!move_cursor || move_cursor == (char *)-1) {
		complain("the terminal '%s' cannot move its cursor: use memhook stat",
			 term);
		return -1;
	}
	return 0;
}

int terminal_start(struct terminal *t)
{
	const char *term = getenv("TERM");

	memset(t, 0, sizeof(*t));
	if (check_terminal(term))
		return -1;
	tcgetattr(STDOUT_FILENO, &cooked);
	catch_signals();
	screen = newterm(NULL, stdout, stdin);
	if (!screen) {
		sigprocmask(SIG_SETMASK, &outside, NULL);
		complain("the terminal '%s' cannot be used", term);
		return -1;
	}
	keep('\n');
	keep('\r');
	keep_string("sgr0");
	keep_string("cnorm");
	keep_string("rmkx");
	keep_string("rmcup");
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(ESCAPE_MS);
	curs_set(0);
	start_colours(t);
	t->unicode = can_show_blocks(term);
	return 0;
}

void terminal_stop(void)
{
	if (!screen)
		return;
	/* Where there is no screen to return to, what follows has a clean line. */
	move(LINES - 1, 0);
	clrtoeol();
	refresh();
	endwin();
	delscreen(screen);
	screen = NULL;
	sigprocmask(SIG_SETMASK, &outside, NULL);
}

/* Readable and yet empty: the other end is closed. */
static int at_end(const struct pollfd *p)
{
	int n = 1;

	if (p->revents & (POLLHUP | POLLERR | POLLNVAL))
		return 1;
	return p->revents & POLLIN && ioctl(p->fd, FIONREAD, &n) == 0 && n == 0;
}

int terminal_wait(uint64_t ms)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	struct timespec t = { .tv_sec = (time_t)(ms / 1000),
			      .tv_nsec = (long)(ms % 1000) * 1000000 };

	if (ppoll(&p, 1, &t, &outside) > 0 && at_end(&p))
		return -1;
	return caught ? -1 : 0;
}

void terminal_die(void)
{
	if (!caught)
		return;
	signal(caught, SIG_DFL);
	raise(caught);
}

int terminal_colour(const struct terminal *t, int pair)
{
	return t->colours ? COLOR_PAIR(pair) : 0;
}
