/* SPDX-License-Identifier: MIT */
/* What the server does for a path. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include "session.h"

/* Carries out s->request, which has been read whole, and replies. */
void route(struct session *s);

/* GET and HEAD of /files/…: route_file.c. */
void route_file(struct session *s);

/* Frees what clients have left. */
void route_fini(void);

#endif
