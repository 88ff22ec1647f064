/* SPDX-License-Identifier: Apache-2.0 */
/* A check that says where it failed, and ends the program. */
#ifndef CHECK_H_
#define CHECK_H_

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

#define CHECK_INT(is, should)                                                                      \
	do {                                                                                       \
		long long is_ = (long long)(is);                                                   \
		long long should_ = (long long)(should);                                           \
		if (is_ != should_) {                                                              \
			fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #is,  \
				is_, should_);                                                     \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

#define CHECK_TEXT(is, should)                                                                     \
	do {                                                                                       \
		const char *is_ = (is);                                                            \
		const char *should_ = (should);                                                    \
		if (strcmp(is_, should_) != 0) {                                                   \
			fprintf(stderr, "%s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__,   \
				#is, is_, should_);                                                \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

#endif
