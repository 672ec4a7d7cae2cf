/*
 * SRTP and SRTCP of the load generator and of the reference relay, over OpenSSL EVP with contexts that
 * are keyed once. Profiles as in the call table: 1 AES_CM_128_HMAC_SHA1_80, 2 the same with a short tag,
 * 3 AEAD_AES_128_GCM, 4 AEAD_AES_256_GCM. No MKI, key derivation rate 0.
 */
#ifndef PORTZERO_SRTP_H
#define PORTZERO_SRTP_H
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

enum { NO_SRTP, CM_80, CM_32, GCM_128, GCM_256 };

/* Session keys of one of the two protocols. */
struct session {
  EVP_CIPHER_CTX *cipher;
  SHA_CTX inner, outer;
  uint8_t salt[16];
};
/* One direction of one leg. */
struct srtp {
  int profile, tag_length;
  struct session rtp, rtcp;
  uint32_t rtcp_index; /* of a sender: the next one; of a receiver: one above the highest */
  uint32_t rollover;
  int highest; /* sequence number, -1 before the first packet */
  uint64_t window[2]; /* bit n: highest - n was seen */
};

static int is_gcm(int profile) { return profile >= GCM_128; }
static int key_length(int profile) { return profile == GCM_256 ? 32 : 16; }

static void derive(int length, const uint8_t *key, const uint8_t *salt, int label, uint8_t *out,
                   int wanted) {
  uint8_t iv[16] = {0}, zeros[32] = {0};
  memcpy(iv, salt, 14);
  iv[7] ^= label;
  EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
  int n;
  EVP_EncryptInit_ex(c, length == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr(), NULL, key, iv);
  EVP_EncryptUpdate(c, out, &n, zeros, wanted);
  EVP_CIPHER_CTX_free(c);
}

static void session_set_up(struct session *s, int profile, const uint8_t *material, int first_label) {
  int length = key_length(profile), salt_length = is_gcm(profile) ? 12 : 14;
  uint8_t master_salt[14] = {0}, key[32], authentication[20], block[64];
  memcpy(master_salt, material + length, salt_length);
  derive(length, material, master_salt, first_label, key, length);
  derive(length, material, master_salt, first_label + 2, s->salt, salt_length);
  const EVP_CIPHER *kind = profile == GCM_256 ? EVP_aes_256_gcm()
                           : profile == GCM_128 ? EVP_aes_128_gcm()
                                                : EVP_aes_128_ctr();
  s->cipher = EVP_CIPHER_CTX_new();
  EVP_EncryptInit_ex(s->cipher, kind, NULL, key, NULL);
  if (is_gcm(profile)) return;
  derive(length, material, master_salt, first_label + 1, authentication, 20);
  for (int pass = 0; pass < 2; pass++) {
    memset(block, pass ? 0x5c : 0x36, sizeof block);
    for (int i = 0; i < 20; i++) block[i] ^= authentication[i];
    SHA_CTX *state = pass ? &s->outer : &s->inner;
    SHA1_Init(state);
    SHA1_Update(state, block, sizeof block);
  }
}

/* `material` is the master key and behind it the salt. */
static void srtp_set_up(struct srtp *s, int profile, const uint8_t *material) {
  memset(s, 0, sizeof *s);
  s->profile = profile;
  s->highest = -1;
  if (profile == NO_SRTP) return;
  s->tag_length = profile == CM_80 ? 10 : profile == CM_32 ? 4 : 16;
  session_set_up(&s->rtp, profile, material, 0);
  session_set_up(&s->rtcp, profile, material, 3);
}

static int rtp_header_length(const uint8_t *p, int length) {
  if (length < 12) return -1;
  int header = 12 + 4 * (p[0] & 15);
  if (p[0] & 16) {
    if (header + 4 > length) return -1;
    header += 4 + 4 * (p[header + 2] << 8 | p[header + 3]);
  }
  return header <= length ? header : -1;
}

/* `index` is the packet's: rollover counter and sequence number, or the SRTCP index. */
static void set_iv(const struct session *s, int profile, const uint8_t *ssrc, uint64_t index, uint8_t *iv) {
  int at = is_gcm(profile) ? 2 : 4, end = is_gcm(profile) ? 12 : 14;
  memset(iv, 0, 16);
  memcpy(iv + at, ssrc, 4);
  for (int i = 1; i <= 6; i++, index >>= 8) iv[end - i] = index;
  for (int i = 0; i < end; i++) iv[i] ^= s->salt[i];
}

static void authenticate(struct session *s, const uint8_t *p, int length, const uint8_t *roc, uint8_t *tag) {
  SHA_CTX hash = s->inner;
  SHA1_Update(&hash, p, length);
  if (roc) SHA1_Update(&hash, roc, 4);
  SHA1_Final(tag, &hash);
  hash = s->outer;
  SHA1_Update(&hash, tag, 20);
  SHA1_Final(tag, &hash);
}

static int differ(const uint8_t *a, const uint8_t *b, int length) {
  uint8_t difference = 0;
  for (int i = 0; i < length; i++) difference |= a[i] ^ b[i];
  return difference;
}

static void put_word(uint8_t *at, uint32_t word) {
  word = htonl(word);
  memcpy(at, &word, 4);
}

/* In place; gives the new length, or -1. */
static int srtp_protect(struct srtp *s, uint8_t *p, int length) {
  if (s->profile == NO_SRTP) return length;
  int header = rtp_header_length(p, length), n, sequence = p[2] << 8 | p[3];
  if (header < 0) return -1;
  if (s->highest > 0xc000 && sequence < 0x4000) s->rollover++;
  s->highest = sequence;
  uint8_t iv[16], digest[20], counter[4];
  struct session *k = &s->rtp;
  set_iv(k, s->profile, p + 8, (uint64_t)s->rollover << 16 | sequence, iv);
  EVP_EncryptInit_ex(k->cipher, NULL, NULL, NULL, iv);
  if (is_gcm(s->profile)) {
    EVP_EncryptUpdate(k->cipher, NULL, &n, p, header);
    EVP_EncryptUpdate(k->cipher, p + header, &n, p + header, length - header);
    EVP_EncryptFinal_ex(k->cipher, digest, &n);
    EVP_CIPHER_CTX_ctrl(k->cipher, EVP_CTRL_AEAD_GET_TAG, 16, p + length);
  } else {
    EVP_EncryptUpdate(k->cipher, p + header, &n, p + header, length - header);
    put_word(counter, s->rollover);
    authenticate(k, p, length, counter, digest);
    memcpy(p + length, digest, s->tag_length);
  }
  return length + s->tag_length;
}

/* In place; gives the length without the tag, or -1: forged, or seen before. */
static int srtp_unprotect(struct srtp *s, uint8_t *p, int length) {
  if (s->profile == NO_SRTP) return length;
  int plain = length - s->tag_length, header = rtp_header_length(p, plain), n;
  if (header < 0) return -1;
  int sequence = p[2] << 8 | p[3], highest = s->highest < 0 ? sequence : s->highest;
  uint32_t roc = s->rollover;
  if (highest < 0x8000) {
    if (sequence - highest > 0x8000) roc--;
  } else if (highest - 0x8000 > sequence) roc++;
  int64_t ahead = (int64_t)(int32_t)(roc - s->rollover) * 65536 + sequence - highest;
  if (s->highest >= 0 && ahead <= 0) {
    if (ahead < -127 || s->window[-ahead >> 6] >> (-ahead & 63) & 1) return -1;
  }
  uint8_t iv[16], digest[20], counter[4];
  struct session *k = &s->rtp;
  set_iv(k, s->profile, p + 8, (uint64_t)roc << 16 | sequence, iv);
  if (is_gcm(s->profile)) {
    EVP_DecryptInit_ex(k->cipher, NULL, NULL, NULL, iv);
    EVP_DecryptUpdate(k->cipher, NULL, &n, p, header);
    EVP_DecryptUpdate(k->cipher, p + header, &n, p + header, plain - header);
    EVP_CIPHER_CTX_ctrl(k->cipher, EVP_CTRL_AEAD_SET_TAG, 16, p + plain);
    if (EVP_DecryptFinal_ex(k->cipher, digest, &n) <= 0) return -1;
  } else {
    put_word(counter, roc);
    authenticate(k, p, plain, counter, digest);
    if (differ(p + plain, digest, s->tag_length)) return -1;
    EVP_EncryptInit_ex(k->cipher, NULL, NULL, NULL, iv);
    EVP_EncryptUpdate(k->cipher, p + header, &n, p + header, plain - header);
  }
  if (s->highest < 0) ahead = 128;
  if (ahead > 0) {
    if (ahead >= 128) s->window[0] = s->window[1] = 0;
    else if (ahead >= 64) {
      s->window[1] = s->window[0] << (ahead - 64);
      s->window[0] = 0;
    } else {
      s->window[1] = s->window[1] << ahead | s->window[0] >> (64 - ahead);
      s->window[0] <<= ahead;
    }
    s->window[0] |= 1;
    s->highest = sequence;
    s->rollover = roc;
  } else s->window[-ahead >> 6] |= 1ull << (-ahead & 63);
  return plain;
}

/* RFC 3711 3.4, RFC 7714 9: in place; gives the new length. */
static int srtcp_protect(struct srtp *s, uint8_t *p, int length) {
  if (s->profile == NO_SRTP) return length;
  struct session *k = &s->rtcp;
  uint8_t iv[16], digest[20], word[4];
  uint32_t index = s->rtcp_index++ & 0x7fffffff;
  int n;
  put_word(word, index | 0x80000000u);
  set_iv(k, s->profile, p + 4, index, iv);
  EVP_EncryptInit_ex(k->cipher, NULL, NULL, NULL, iv);
  if (is_gcm(s->profile)) {
    EVP_EncryptUpdate(k->cipher, NULL, &n, p, 8);
    EVP_EncryptUpdate(k->cipher, NULL, &n, word, 4);
    EVP_EncryptUpdate(k->cipher, p + 8, &n, p + 8, length - 8);
    EVP_EncryptFinal_ex(k->cipher, digest, &n);
    EVP_CIPHER_CTX_ctrl(k->cipher, EVP_CTRL_AEAD_GET_TAG, 16, p + length);
    memcpy(p + length + 16, word, 4);
    return length + 20;
  }
  EVP_EncryptUpdate(k->cipher, p + 8, &n, p + 8, length - 8);
  memcpy(p + length, word, 4);
  authenticate(k, p, length + 4, NULL, digest);
  memcpy(p + length + 4, digest, 10);
  return length + 14;
}

/* In place; gives the length without the trailer, or -1: forged, or not newer than the last one. */
static int srtcp_unprotect(struct srtp *s, uint8_t *p, int length) {
  if (s->profile == NO_SRTP) return length;
  struct session *k = &s->rtcp;
  uint8_t iv[16], digest[20], word[4];
  int plain = length - (is_gcm(s->profile) ? 20 : 14), n;
  if (plain < 8) return -1;
  memcpy(word, p + (is_gcm(s->profile) ? length - 4 : plain), 4);
  uint32_t index;
  memcpy(&index, word, 4);
  index = ntohl(index);
  if (!(index >> 31)) return -1;
  index &= 0x7fffffff;
  if (index < s->rtcp_index) return -1;
  set_iv(k, s->profile, p + 4, index, iv);
  if (is_gcm(s->profile)) {
    EVP_DecryptInit_ex(k->cipher, NULL, NULL, NULL, iv);
    EVP_DecryptUpdate(k->cipher, NULL, &n, p, 8);
    EVP_DecryptUpdate(k->cipher, NULL, &n, word, 4);
    EVP_DecryptUpdate(k->cipher, p + 8, &n, p + 8, plain - 8);
    EVP_CIPHER_CTX_ctrl(k->cipher, EVP_CTRL_AEAD_SET_TAG, 16, p + plain);
    if (EVP_DecryptFinal_ex(k->cipher, digest, &n) <= 0) return -1;
  } else {
    authenticate(k, p, plain + 4, NULL, digest);
    if (differ(p + plain + 4, digest, 10)) return -1;
    EVP_EncryptInit_ex(k->cipher, NULL, NULL, NULL, iv);
    EVP_EncryptUpdate(k->cipher, p + 8, &n, p + 8, plain - 8);
  }
  s->rtcp_index = index + 1;
  return plain;
}
#endif
