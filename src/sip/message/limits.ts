/** Largest head (start line and header fields) that is read, bytes. */
export const MAX_HEAD_BYTES = 64 * 1024;
/** Largest body that is read, bytes. */
export const MAX_BODY_BYTES = 1024 * 1024;
/** Most header fields (lines) of a message. */
export const MAX_HEADER_FIELDS = 256;
