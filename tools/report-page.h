/* SPDX-License-Identifier: BSD-2-Clause */
/* The page: what was recorded, in a template that is built into the tool. */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include <json-c/json.h>

#include "report-series.h"

/* report-data.c: what tools/page/ draws; `spoiled`: places passed over. */
json_object *report_data(const struct series *s, const char *file, size_t spoiled);

/* 0 or an errno. */
int report_page_write(int fd, json_object *data);

#endif /* REPORT_PAGE_H */
