/* What tells RTCP from RTP. */
#ifndef PORTZERO_RTCP_H
#define PORTZERO_RTCP_H
#include <stdint.h>

enum { SENDER_REPORT = 200, RECEIVER_REPORT, SOURCE_DESCRIPTION, TRANSPORT_FEEDBACK = 205, PAYLOAD_FEEDBACK };

/* RFC 5761 4: what would be payload types 64 to 95 with the marker. */
static int is_rtcp(const uint8_t *p, int length) { return length >= 8 && p[1] >= 192 && p[1] < 224; }
#endif
