/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the injecting program and the Go code around it agree on. */
#ifndef FWD6_INJECT_H
#define FWD6_INJECT_H

#define MAX_TAIL 16384 /* bytes of a frame behind those of the test run */

/* Words of skb->cb. */
#define CB_IFINDEX 0 /* link on which the frame is to arrive */
#define CB_LEN 1     /* bytes of the whole frame */
#define CB_MARK 2    /* not 0: the source MAC becomes INJECTED_MAC */

struct tail {
	__u8 bytes[MAX_TAIL];
};

#endif
