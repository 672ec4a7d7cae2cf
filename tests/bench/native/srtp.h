/*
 * SRTP of the load generator and of the reference relay: RTP alone, over OpenSSL EVP with contexts that
 * are keyed once. Profiles as in the call table: 1 AES_CM_128_HMAC_SHA1_80, 2 the same with a short tag,
 * 3 AEAD_AES_128_GCM, 4 AEAD_AES_256_GCM. No MKI, key derivation rate 0.
 */
#ifndef PORTZERO_SRTP_H
#define PORTZERO_SRTP_H
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <string.h>

enum { NO_SRTP, CM_80, CM_32, GCM_128, GCM_256 };

/* One direction of one leg. */
struct srtp {
  int profile, tag_length;
  EVP_CIPHER_CTX *cipher;
  SHA_CTX inner, outer;
  uint8_t salt[16];
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

/* `material` is the master key and behind it the salt. */
static void srtp_set_up(struct srtp *s, int profile, const uint8_t *material) {
  memset(s, 0, sizeof *s);
  s->profile = profile;
  s->highest = -1;
  if (profile == NO_SRTP) return;
  int length = key_length(profile), salt_length = is_gcm(profile) ? 12 : 14;
  uint8_t master_salt[14] = {0}, key[32], authentication[20], block[64];
  memcpy(master_salt, material + length, salt_length);
  s->tag_length = profile == CM_80 ? 10 : profile == CM_32 ? 4 : 16;
  derive(length, material, master_salt, 0, key, length);
  derive(length, material, master_salt, 2, s->salt, salt_length);
  const EVP_CIPHER *kind = profile == GCM_256 ? EVP_aes_256_gcm()
                           : profile == GCM_128 ? EVP_aes_128_gcm()
                                                : EVP_aes_128_ctr();
  s->cipher = EVP_CIPHER_CTX_new();
  EVP_EncryptInit_ex(s->cipher, kind, NULL, key, NULL);
  if (is_gcm(profile)) return;
  derive(length, material, master_salt, 1, authentication, 20);
  for (int pass = 0; pass < 2; pass++) {
    memset(block, pass ? 0x5c : 0x36, sizeof block);
    for (int i = 0; i < 20; i++) block[i] ^= authentication[i];
    SHA_CTX *state = pass ? &s->outer : &s->inner;
    SHA1_Init(state);
    SHA1_Update(state, block, sizeof block);
  }
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

static void set_iv(const struct srtp *s, const uint8_t *p, uint32_t roc, uint8_t *iv) {
  memset(iv, 0, 16);
  int ssrc = is_gcm(s->profile) ? 2 : 4, index = is_gcm(s->profile) ? 6 : 8;
  memcpy(iv + ssrc, p + 8, 4);
  iv[index] = roc >> 24;
  iv[index + 1] = roc >> 16;
  iv[index + 2] = roc >> 8;
  iv[index + 3] = roc;
  iv[index + 4] = p[2];
  iv[index + 5] = p[3];
  for (int i = 0; i < (is_gcm(s->profile) ? 12 : 14); i++) iv[i] ^= s->salt[i];
}

static void authenticate(struct srtp *s, const uint8_t *p, int length, uint32_t roc, uint8_t *tag) {
  uint8_t suffix[4] = {roc >> 24, roc >> 16, roc >> 8, roc};
  SHA_CTX hash = s->inner;
  SHA1_Update(&hash, p, length);
  SHA1_Update(&hash, suffix, 4);
  SHA1_Final(tag, &hash);
  hash = s->outer;
  SHA1_Update(&hash, tag, 20);
  SHA1_Final(tag, &hash);
}

/* In place; gives the new length, or -1. */
static int srtp_protect(struct srtp *s, uint8_t *p, int length) {
  if (s->profile == NO_SRTP) return length;
  int header = rtp_header_length(p, length), n, sequence = p[2] << 8 | p[3];
  if (header < 0) return -1;
  if (s->highest > 0xc000 && sequence < 0x4000) s->rollover++;
  s->highest = sequence;
  uint8_t iv[16], digest[20];
  set_iv(s, p, s->rollover, iv);
  EVP_EncryptInit_ex(s->cipher, NULL, NULL, NULL, iv);
  if (is_gcm(s->profile)) {
    EVP_EncryptUpdate(s->cipher, NULL, &n, p, header);
    EVP_EncryptUpdate(s->cipher, p + header, &n, p + header, length - header);
    EVP_EncryptFinal_ex(s->cipher, digest, &n);
    EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_AEAD_GET_TAG, 16, p + length);
  } else {
    EVP_EncryptUpdate(s->cipher, p + header, &n, p + header, length - header);
    authenticate(s, p, length, s->rollover, digest);
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
  uint8_t iv[16], digest[20];
  set_iv(s, p, roc, iv);
  if (is_gcm(s->profile)) {
    EVP_DecryptInit_ex(s->cipher, NULL, NULL, NULL, iv);
    EVP_DecryptUpdate(s->cipher, NULL, &n, p, header);
    EVP_DecryptUpdate(s->cipher, p + header, &n, p + header, plain - header);
    EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_AEAD_SET_TAG, 16, p + plain);
    if (EVP_DecryptFinal_ex(s->cipher, digest, &n) <= 0) return -1;
  } else {
    authenticate(s, p, plain, roc, digest);
    uint8_t difference = 0;
    for (int i = 0; i < s->tag_length; i++) difference |= p[plain + i] ^ digest[i];
    if (difference) return -1;
    EVP_EncryptInit_ex(s->cipher, NULL, NULL, NULL, iv);
    EVP_EncryptUpdate(s->cipher, p + header, &n, p + header, plain - header);
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
#endif
