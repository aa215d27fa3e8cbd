/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PLACES_H
#define PLACES_H

#ifdef __cplusplus
extern "C" {
#endif

void place(const char *name);
void last_place(const char *name) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

/* Else the compiler would jump where it should call. */
#define PLACE(name) do { place(name); __asm__ volatile(""); } while (0)

#endif /* PLACES_H */
