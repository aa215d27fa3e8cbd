/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whoever asks over HTTP.  One thread answers, one request after the other;
 * a slow reader does not hold up the next one.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "export.h"
#include "tool.h"

#define CONNECTIONS 64u
#define IDLE_SECONDS 30u

/* --- what is preferred ------------------------------------------------------ */

static size_t trimmed(const char **s, size_t n)
{
	while (n && isspace((unsigned char)**s)) {
		(*s)++;
		n--;
	}
	while (n && isspace((unsigned char)(*s)[n - 1]))
		n--;
	return n;
}

static int same(const char *s, size_t n, const char *word)
{
	return n == strlen(word) && strncasecmp(s, word, n) == 0;
}

/* "name=value", quoted or not; the value's length in *n. */
static const char *parameter(const char *s, const char *name, size_t *n)
{
	size_t length = strlen(name);

	if (*n <= length || strncasecmp(s, name, length) || s[length] != '=')
		return NULL;
	s += length + 1;
	*n = *n - length - 1;
	if (*n > 1 && *s == '"' && s[*n - 1] == '"') {
		s++;
		*n -= 2;
	}
	return s;
}

struct preference {
	double openmetrics, text;
};

/* One of the header's parts, up to a comma. */
static void prefer(struct preference *p, const char *part, size_t length)
{
	size_t n = strcspn(part, ";,"), type_length;
	const char *type = part, *value;
	double q = 1;
	int known = 1; /* a version that we speak */

	type_length = trimmed(&type, n < length ? n : length);
	for (; n < length; n += strcspn(part + n, ";,")) {
		const char *s = part + ++n;
		size_t m, whole = trimmed(&s, strcspn(s, ";,"));

		m = whole;
		value = parameter(s, "q", &m);
		if (value)
			q = strtod(value, NULL);
		m = whole;
		value = parameter(s, "version", &m);
		if (value)
			known = same(value, m, "1.0.0");
	}
	if (same(type, type_length, "application/openmetrics-text")) {
		if (known && q > p->openmetrics)
			p->openmetrics = q;
	} else if (same(type, type_length, "text/plain") ||
		   same(type, type_length, "text/*") || same(type, type_length, "*/*")) {
		if (q > p->text)
			p->text = q;
	}
}

enum export_format export_negotiate(const char *accept)
{
	struct preference p = { 0, 0 };

	while (accept && *accept) {
		size_t n = strcspn(accept, ",");

		prefer(&p, accept, n);
		accept += n + (accept[n] == ',');
	}
	return p.openmetrics > 0 && p.openmetrics >= p.text ? EXPORT_OPENMETRICS
							    : EXPORT_TEXT;
}

/* --- answers ---------------------------------------------------------------- */

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status, const char *type,
			     struct MHD_Response *r)
{
	enum MHD_Result rc;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(r, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result say(struct MHD_Connection *c, unsigned status, const char *type,
			   const char *text)
{
	return reply(c, status, type,
		     MHD_create_response_from_buffer(strlen(text), (void *)text,
						     MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result metrics(struct MHD_Connection *c, const struct export_scope *scope)
{
	const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_ACCEPT);
	enum export_format format = export_negotiate(accept);
	struct MHD_Response *r;
	struct export_buffer b;

	export_scrape(&b, scope, format);
	r = MHD_create_response_from_buffer(b.used, b.data, MHD_RESPMEM_MUST_FREE);
	if (!r)
		free(b.data);
	return reply(c, MHD_HTTP_OK, export_content_type(format), r);
}

static enum MHD_Result answer(void *scope, struct MHD_Connection *c, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, void **seen)
{
	static int mark;

	(void)version;
	(void)upload;
	/* Called first with the headers alone; a body, if there is one, is dropped. */
	if (*seen != &mark) {
		*seen = &mark;
		return MHD_YES;
	}
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return say(c, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8",
			   "Only GET and HEAD.\n");
	if (strcmp(url, "/metrics") == 0)
		return metrics(c, scope);
	if (strcmp(url, "/") == 0)
		return say(c, MHD_HTTP_OK, "text/html; charset=utf-8",
			   "<!doctype html><title>memhook</title>"
			   "<h1>memhook</h1><p><a href=\"metrics\">metrics</a></p>\n");
	return say(c, MHD_HTTP_NOT_FOUND, "text/plain; charset=utf-8",
		   "Nothing here. The metrics are at /metrics.\n");
}

/* --- where ------------------------------------------------------------------ */

/* "ADDR:PORT" or "[ADDR]:PORT" in two: 0, or -1. */
static int split(const char *text, char host[64], char port[8])
{
	const char *colon = strrchr(text, ':'), *end = colon, *digit;

	if (!colon || colon == text || strlen(colon + 1) > 5 || !colon[1])
		return -1;
	for (digit = colon + 1; *digit; digit++)
		if (!isdigit((unsigned char)*digit))
			return -1;
	if (*text == '[') {
		text++;
		if (*--end != ']')
			return -1;
	} else if (memchr(text, ':', (size_t)(colon - text))) {
		return -1; /* which of the colons is it? */
	}
	if (end <= text || end - text >= 64 || atoi(colon + 1) > 65535)
		return -1;
	memcpy(host, text, (size_t)(end - text));
	host[end - text] = '\0';
	strcpy(port, colon + 1);
	return 0;
}

int export_parse_address(const char *text, struct export_address *a)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	char host[64], port[8];
	struct in_addr four;

	hints.ai_family = *text == '[' ? AF_INET6 : AF_INET;
	/* getaddrinfo() would take "1" for 0.0.0.1. */
	if (split(text, host, port) ||
	    (*text != '[' && inet_pton(AF_INET, host, &four) != 1) ||
	    getaddrinfo(host, port, &hints, &found)) {
		complain("--listen=%s: it is an address in numbers and a port, as"
			 " 127.0.0.1:9797, 0.0.0.0:9797 or [::1]:9797", text);
		return -1;
	}
	a->size = found->ai_addrlen;
	memcpy(a->bytes, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

static void print_address(char *to, size_t size, const struct sockaddr *a, socklen_t n)
{
	char host[64], port[8];

	if (getnameinfo(a, n, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(to, size, "?");
	else
		snprintf(to, size, a->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
			 port);
}

/* A socket that listens, or -1 after a complaint. */
static int open_socket(const struct export_address *address)
{
	const struct sockaddr *a = (const struct sockaddr *)address->bytes;
	int fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int yes = 1, no = 0;
	char where[80];

	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
		/* [::] is for everybody, of IPv4 as well. */
		if (a->sa_family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
		if (bind(fd, a, address->size) == 0 && listen(fd, SOMAXCONN) == 0)
			return fd;
	}
	print_address(where, sizeof(where), a, address->size);
	complain("cannot listen on %s: %s%s", where, strerror(errno),
		 errno == EADDRINUSE ? " (another exporter? --listen=ADDR:PORT says where"
				       " else)" : "");
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Where it really is: the kernel chose the port, if that was 0. */
static void announce(int fd)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);
	char where[80];

	if (getsockname(fd, (struct sockaddr *)&a, &n))
		return;
	print_address(where, sizeof(where), (struct sockaddr *)&a, n);
	complain("http://%s/metrics", where);
}

int export_serve(const struct export_address *a, const struct export_scope *scope)
{
	struct MHD_Daemon *daemon;
	int fd, signal_number;
	sigset_t end;

	fd = open_socket(a);
	if (fd < 0)
		return 1;
	/* Before there is another thread, which would get them otherwise. */
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGINT);
	sigprocmask(SIG_BLOCK, &end, NULL);
	signal(SIGPIPE, SIG_IGN);
	daemon = MHD_start_daemon(MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL,
				  NULL, answer, (void *)scope, MHD_OPTION_LISTEN_SOCKET,
				  fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
				  MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
				  MHD_OPTION_END);
	if (!daemon) {
		complain("the HTTP server did not start: %s", strerror(errno));
		close(fd);
		return 1;
	}
	announce(fd);
	sigwait(&end, &signal_number);
	MHD_stop_daemon(daemon); /* closes fd */
	return 0;
}
