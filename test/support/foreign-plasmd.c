/*
 * A small static program that behaves as INTEROP.md says of the Rust `plasmd`, to be baked into images in place of ours
 * (test/vm/foreign.test.ts): `gcc -static -Os -o plasmd foreign-plasmd.c`. It shares nothing with ours. Its quirks are that one's:
 * a manifest.json of its own at each request with signatures that nobody can verify, no suffix ranges, no mDNS; an option that
 * it does not know ends it with code 2. One process for each connection, one request for each connection.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VERSION "0.1.0"
#define MAX_CHILDREN 64
#define MAX_HASHES 64
#define HEAD_BYTES 8192
#define BODY_BYTES 16384
#define IDLE_SECONDS 60
#define STOP_SECONDS 10

/* ---- SHA-256 (FIPS 180-4) ---- */

typedef struct { uint32_t state[8]; uint64_t bytes; uint8_t block[64]; } sha256;

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotated(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void sha256_block(sha256 *s, const uint8_t *data) {
  uint32_t w[64], v[8];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)data[4 * i] << 24 | (uint32_t)data[4 * i + 1] << 16 | (uint32_t)data[4 * i + 2] << 8 | data[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t a = rotated(w[i - 15], 7) ^ rotated(w[i - 15], 18) ^ w[i - 15] >> 3;
    uint32_t b = rotated(w[i - 2], 17) ^ rotated(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
  memcpy(v, s->state, sizeof v);
  for (int i = 0; i < 64; i++) {
    uint32_t e = v[4], a = v[0];
    uint32_t t1 = v[7] + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + ((e & v[5]) ^ (~e & v[6])) + K[i] + w[i];
    uint32_t t2 = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
    memmove(v + 1, v, 7 * sizeof *v);
    v[4] += t1;
    v[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) s->state[i] += v[i];
}

static void sha256_start(sha256 *s) {
  static const uint32_t H[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(s->state, H, sizeof H);
  s->bytes = 0;
}

static void sha256_add(sha256 *s, const uint8_t *data, size_t length) {
  while (length > 0) {
    size_t at = s->bytes % 64, part = 64 - at < length ? 64 - at : length;
    memcpy(s->block + at, data, part);
    s->bytes += part;
    data += part;
    length -= part;
    if (s->bytes % 64 == 0) sha256_block(s, s->block);
  }
}

static void sha256_hex(sha256 *s, char hex[65]) {
  uint64_t bits = s->bytes * 8;
  uint8_t length[8], pad = 0x80, zero = 0;
  for (int i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> (56 - 8 * i));
  sha256_add(s, &pad, 1);
  while (s->bytes % 64 != 56) sha256_add(s, &zero, 1);
  sha256_add(s, length, 8);
  for (int i = 0; i < 8; i++) sprintf(hex + 8 * i, "%08x", s->state[i]);
}

/* ---- what all processes share ---- */

typedef struct { int ready; dev_t dev; ino_t ino; off_t size; struct timespec mtime; char hex[65]; } hashed;

static struct shared { uint64_t requests, bytes; unsigned hashes; hashed hash[MAX_HASHES]; } *shared;

static const char *artifacts = "/var/lib/plasm/artifacts", *channel = "stable", *arch =
#ifdef __aarch64__
    "arm64";
#else
    "x86_64";
#endif
static time_t started_at;
static volatile sig_atomic_t stopping;

/** Hashed once for as long as it is the same file: who fetches must not wait for it every time. */
static int hash_of(int fd, char hex[65]) {
  static uint8_t buffer[1 << 16];
  struct stat st;
  if (fstat(fd, &st) != 0) return -1;
  unsigned known = __atomic_load_n(&shared->hashes, __ATOMIC_ACQUIRE);
  for (unsigned i = 0; i < known && i < MAX_HASHES; i++) {
    const hashed *h = &shared->hash[i];
    if (__atomic_load_n(&h->ready, __ATOMIC_ACQUIRE) && h->dev == st.st_dev && h->ino == st.st_ino &&
        h->size == st.st_size && h->mtime.tv_sec == st.st_mtim.tv_sec && h->mtime.tv_nsec == st.st_mtim.tv_nsec) {
      memcpy(hex, h->hex, 65);
      return 0;
    }
  }
  sha256 s;
  ssize_t got;
  sha256_start(&s);
  for (off_t at = 0; (got = pread(fd, buffer, sizeof buffer, at)) > 0; at += got) sha256_add(&s, buffer, (size_t)got);
  if (got < 0) return -1;
  sha256_hex(&s, hex);
  unsigned slot = __atomic_fetch_add(&shared->hashes, 1, __ATOMIC_ACQ_REL);
  if (slot < MAX_HASHES) {
    hashed *h = &shared->hash[slot];
    h->dev = st.st_dev;
    h->ino = st.st_ino;
    h->size = st.st_size;
    h->mtime = st.st_mtim;
    memcpy(h->hex, hex, 65);
    __atomic_store_n(&h->ready, 1, __ATOMIC_RELEASE);
  }
  return 0;
}

/* ---- answering ---- */

typedef struct { int socket, head_only; const char *range; } request;

static int send_all(int socket, const char *data, size_t length) {
  while (length > 0) {
    ssize_t sent = send(socket, data, length, 0);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return -1;
    data += sent;
    length -= (size_t)sent;
  }
  return 0;
}

static void respond(const request *r, const char *status, const char *headers, const char *body) {
  char head[1024];
  int length = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n", status,
                        strlen(body), headers);
  if (send_all(r->socket, head, (size_t)length) == 0 && !r->head_only) send_all(r->socket, body, strlen(body));
}

static void refuse(const request *r, const char *status) { respond(r, status, "", ""); }
static void json(const request *r, const char *body) { respond(r, "200 OK", "Content-Type: application/json\r\n", body); }

/** Text that grows up to BODY_BYTES; what does not fit makes it invalid. */
typedef struct { char text[BODY_BYTES]; size_t length; int full; } text;

__attribute__((format(printf, 2, 3))) static void add(text *t, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int length = vsnprintf(t->text + t->length, sizeof t->text - t->length, format, values);
  va_end(values);
  if (length < 0 || (size_t)length >= sizeof t->text - t->length) t->full = 1;
  else t->length += (size_t)length;
}

/** One path component that is neither hidden nor in need of an escape anywhere. */
static int is_plain(const char *name) {
  if (!isalnum((unsigned char)*name) && *name != '_') return 0;
  for (; *name; name++)
    if (!isalnum((unsigned char)*name) && !strchr("._+-", *name)) return 0;
  return 1;
}

static const char *role_of(const char *file) {
  if (!is_plain(file)) return NULL;
  if (!strcmp(file, "kernel") || !strcmp(file, "Image") || !strncmp(file, "vmlinuz", 7) || !strncmp(file, "bzImage", 7))
    return "kernel";
  if (!strncmp(file, "initramfs", 9) || !strncmp(file, "initrd", 6)) return "initramfs";
  if (!strncmp(file, "rootfs", 6)) return "rootfs";
  return strncmp(file, "dtb-", 4) ? NULL : file;
}

/** The directory of a channel and architecture, under whichever of its names: arm64 = aarch64, x86_64 = amd64. */
static DIR *open_set(const char *of_channel, const char *of_arch) {
  static const char *const NAMES[][2] = {{"x86_64", "amd64"}, {"arm64", "aarch64"}};
  if (!is_plain(of_channel)) return NULL;
  for (int i = 0; i < 2; i++) {
    if (strcmp(of_arch, NAMES[i][0]) && strcmp(of_arch, NAMES[i][1])) continue;
    for (int j = 0; j < 2; j++) {
      char path[PATH_MAX];
      if (snprintf(path, sizeof path, "%s/%s/%s", artifacts, of_channel, NAMES[i][j]) >= (int)sizeof path) return NULL;
      DIR *dir = opendir(path);
      if (dir) return dir;
    }
  }
  return NULL;
}

static int open_regular(DIR *dir, const char *file, struct stat *st) {
  int fd = openat(dirfd(dir), file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode)) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

static void send_file(const request *r, int fd, off_t size) {
  char hex[65], head[512];
  off_t first = 0, last = size - 1;
  int partial = r->range != NULL;
  if (partial) {
    char *end;
    const char *spec = strncmp(r->range, "bytes=", 6) ? "" : r->range + 6;
    int wrong = !isdigit((unsigned char)*spec);
    first = wrong ? 0 : strtoll(spec, &end, 10);
    wrong = wrong || *end != '-' || first >= size;
    if (!wrong && isdigit((unsigned char)end[1])) last = strtoll(end + 1, &end, 10);
    else if (!wrong) end++;
    if (wrong || *end != '\0' || last < first) {
      snprintf(head, sizeof head, "Content-Range: bytes */%lld\r\n", (long long)size);
      return respond(r, "416 Range Not Satisfiable", head, "");
    }
    if (last >= size) last = size - 1;
  }
  if (hash_of(fd, hex) != 0) return refuse(r, "500 Internal Server Error");
  int length = snprintf(head, sizeof head,
                        "HTTP/1.1 %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %lld\r\n"
                        "Accept-Ranges: bytes\r\nX-Artifact-Hash: sha256:%s\r\nConnection: close\r\n",
                        partial ? "206 Partial Content" : "200 OK", (long long)(last - first + 1), hex);
  if (partial)
    length += snprintf(head + length, sizeof head - (size_t)length, "Content-Range: bytes %lld-%lld/%lld\r\n",
                       (long long)first, (long long)last, (long long)size);
  length += snprintf(head + length, sizeof head - (size_t)length, "\r\n");
  if (send_all(r->socket, head, (size_t)length) != 0 || r->head_only) return;
  while (first <= last) {
    ssize_t sent = sendfile(r->socket, fd, &first, (size_t)(last - first + 1));
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return;
    __atomic_fetch_add(&shared->bytes, (uint64_t)sent, __ATOMIC_RELAXED);
  }
}

static void send_artifact(const request *r, const char *of_channel, const char *of_arch, const char *name) {
  DIR *dir = is_plain(name) ? open_set(of_channel, of_arch) : NULL;
  if (!dir) return refuse(r, "404 Not Found");
  struct stat st;
  int fd = open_regular(dir, name, &st);
  for (struct dirent *entry; fd < 0 && (entry = readdir(dir));) {
    const char *role = role_of(entry->d_name);
    if (role && !strcmp(role, name)) fd = open_regular(dir, entry->d_name, &st);
  }
  if (fd < 0) refuse(r, "404 Not Found");
  else send_file(r, fd, st.st_size);
}

static void send_blob(const request *r, const char *prefix, const char *name) {
  DIR *dir = strlen(prefix) == 2 && !strncmp(prefix, name, 2) ? open_set(channel, arch) : NULL;
  if (dir && strlen(name) == 68 && !strcmp(name + 64, ".bin")) {
    for (struct dirent *entry; (entry = readdir(dir));) {
      struct stat st;
      char hex[65];
      int fd = role_of(entry->d_name) ? open_regular(dir, entry->d_name, &st) : -1;
      if (fd < 0) continue;
      if (hash_of(fd, hex) == 0 && !strncmp(hex, name, 64)) return send_file(r, fd, st.st_size);
      close(fd);
    }
  }
  refuse(r, "404 Not Found");
}

/** Afresh at each request, compact, unsigned or as good as: the order of a signature's fields is another each time. */
static void send_manifest(const request *r, const char *of_channel, const char *of_arch) {
  DIR *dir = open_set(of_channel, of_arch);
  if (!dir) return refuse(r, "404 Not Found");
  static text t;
  char created[32], expires[32];
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  time_t later = now.tv_sec + 30 * 24 * 3600;
  struct tm at;
  strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now.tv_sec, &at));
  strftime(expires, sizeof expires, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&later, &at));
  add(&t, "{\"manifest_version\":1,\"version\":\"" VERSION "\",\"channel\":\"%s\",\"arch\":\"%s\",", of_channel, of_arch);
  add(&t, "\"created_at\":\"%s\",\"expires_at\":\"%s\",\"artifacts\":{", created, expires);
  const char *separator = "";
  for (struct dirent *entry; (entry = readdir(dir));) {
    struct stat st;
    char hex[65];
    const char *role = role_of(entry->d_name);
    int fd = role ? open_regular(dir, entry->d_name, &st) : -1;
    if (fd < 0) continue;
    if (hash_of(fd, hex) != 0) return refuse(r, "500 Internal Server Error");
    close(fd);
    add(&t, "%s\"%s\":{\"filename\":\"%s\",\"size_bytes\":%lld,\"hash\":\"sha256:%s\",", separator, role, entry->d_name,
        (long long)st.st_size, hex);
    add(&t, "\"download_url\":\"/%s/%s/%s\"}", of_channel, of_arch, entry->d_name);
    separator = ",";
  }
  static const char *const SIGNATURES[] = {"", "{\"keyid\":\"a\",\"sig\":\"AAAA\"}", "{\"sig\":\"AAAA\",\"keyid\":\"a\"}"};
  add(&t, "},\"signatures\":[%s]}", SIGNATURES[now.tv_nsec / 1000 % 3]);
  if (t.full) refuse(r, "500 Internal Server Error");
  else json(r, t.text);
}

static void about(text *t) {
  add(t, "{\"name\":\"plasmd-provider\",\"version\":\"" VERSION "\",\"channel\":\"%s\",\"arch\":\"%s\",\"uptime_seconds\":%lld",
      channel, arch, (long long)(time(NULL) - started_at));
}

#define CHECKS "\"artifacts_readable\":true,\"disk_space_ok\":true"

static void route(const request *r, char *path) {
  static text t;
  char *part[4] = {"", "", "", ""};
  int parts = 0;
  path[strcspn(path, "?")] = '\0';
  for (char *next = path + 1; next && parts < 4;) part[parts++] = strsep(&next, "/");
  if (parts == 3 && !strcmp(part[0], "blobs")) return send_blob(r, part[1], part[2]);
  if (parts == 3 && !strcmp(part[2], "manifest.json")) return send_manifest(r, part[0], part[1]);
  if (parts == 3) return send_artifact(r, part[0], part[1], part[2]);
  if (parts != 1) return refuse(r, "404 Not Found");
  if (!strcmp(part[0], "manifest.json")) return send_manifest(r, channel, arch);
  if (!strcmp(part[0], "health")) return json(r, "{\"status\":\"healthy\",\"checks\":{" CHECKS "}}");
  if (*part[0] != '\0' && strcmp(part[0], "status")) return refuse(r, "404 Not Found");
  about(&t);
  if (*part[0] != '\0')
    add(&t, ",\"health\":{\"status\":\"healthy\"," CHECKS "},\"metrics\":{\"requests_total\":%llu,\"bytes_served_total\":%llu}",
        (unsigned long long)shared->requests, (unsigned long long)shared->bytes);
  add(&t, "}");
  json(r, t.text);
}

static void handle(int socket) {
  static char head[HEAD_BYTES + 1];
  size_t length = 0;
  struct timeval patience = {IDLE_SECONDS, 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  while (!strstr(head, "\r\n\r\n")) {
    ssize_t got = recv(socket, head + length, HEAD_BYTES - length, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    length += (size_t)got;
    head[length] = '\0';
  }
  __atomic_fetch_add(&shared->requests, 1, __ATOMIC_RELAXED);
  char *next = head, *line = strsep(&next, "\r"), *method = strsep(&line, " "), *path = line ? strsep(&line, " ") : NULL;
  request r = {socket, !strcmp(method, "HEAD"), NULL};
  if (!r.head_only && strcmp(method, "GET")) return refuse(&r, "405 Method Not Allowed");
  if (!path || *path != '/') return refuse(&r, "400 Bad Request");
  while (next && *next == '\n') {
    char *field = strsep(&next, "\r") + 1;
    if (!strncasecmp(field, "range:", 6)) r.range = field + 6 + strspn(field + 6, " \t");
  }
  route(&r, path);
}

/* ---- the program ---- */

static void stop(int signal) {
  (void)signal;
  stopping = 1;
}

static int usage(void) {
  fputs("Usage: plasmd serve [-a DIR] [-c CHANNEL] [-A ARCH] [-p PORT] [-b ADDRESS] [--no-dht] [--no-mdns]\n"
        "       plasmd provider status|list [--json] [--addr URL]\n       plasmd version\n", stderr);
  return 2;
}

static int serve(int argc, char **argv) {
  static const struct option OPTIONS[] = {
      {"artifacts", 1, 0, 'a'}, {"channel", 1, 0, 'c'}, {"arch", 1, 0, 'A'}, {"port", 1, 0, 'p'},
      {"bind", 1, 0, 'b'},      {"no-dht", 0, 0, 'n'},  {"no-mdns", 0, 0, 'n'}, {0, 0, 0, 0}};
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(8080), .sin_addr.s_addr = INADDR_ANY};
  for (int option; (option = getopt_long(argc, argv, "a:c:A:p:b:", OPTIONS, NULL)) != -1;) {
    if (option == 'a') artifacts = optarg;
    else if (option == 'c') channel = optarg;
    else if (option == 'A') arch = optarg;
    else if (option == 'p') at.sin_port = htons((uint16_t)atoi(optarg));
    else if (option == 'b' && inet_pton(AF_INET, optarg, &at.sin_addr) == 1) continue;
    else if (option != 'n') return usage();
  }
  if (optind != argc || !is_plain(channel) || !is_plain(arch)) return usage();
  started_at = time(NULL);
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (shared == MAP_FAILED || bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 64) != 0) {
    perror("plasmd");
    return 1;
  }
  printf("listening on port %d\n", ntohs(at.sin_port));
  fflush(stdout);
  pid_t parent = getpid();
  int children = 0;
  while (!stopping) {
    struct pollfd wait = {listener, POLLIN, 0};
    poll(&wait, children < MAX_CHILDREN, 1000);
    while (children > 0 && waitpid(-1, NULL, WNOHANG) > 0) children--;
    int socket = children < MAX_CHILDREN ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (socket < 0) continue;
    pid_t child = fork();
    if (child == 0) {
      signal(SIGTERM, SIG_DFL);
      /* None outlives a parent that is killed: it would hold on to what it serves. */
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(1);
      close(listener);
      handle(socket);
      shutdown(socket, SHUT_WR);
      _exit(0);
    }
    if (child > 0) children++;
    close(socket);
  }
  close(listener);
  alarm(STOP_SECONDS);
  signal(SIGALRM, SIG_DFL);
  while (children > 0 && (waitpid(-1, NULL, 0) > 0 || errno == EINTR)) children--;
  return 0;
}

/** Prints what a provider says of itself. */
static int provider(int argc, char **argv) {
  static const struct option OPTIONS[] = {{"json", 0, 0, 'j'}, {"addr", 1, 0, 'u'}, {0, 0, 0, 0}};
  char host[64] = "127.0.0.1", buffer[4096];
  int port = 8080;
  for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
    if (option == 'u' ? sscanf(optarg, "http://%63[0-9.]:%d", host, &port) < 1 : option != 'j') return usage();
  }
  if (optind != argc - 1 || (strcmp(argv[optind], "status") && strcmp(argv[optind], "list"))) return usage();
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  const char *ask = "GET /status HTTP/1.0\r\n\r\n";
  if (inet_pton(AF_INET, host, &at.sin_addr) != 1 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0 ||
      send_all(fd, ask, strlen(ask)) != 0) {
    perror("plasmd");
    return 1;
  }
  size_t length = 0;
  for (ssize_t got; length < sizeof buffer - 1 && (got = recv(fd, buffer + length, sizeof buffer - 1 - length, 0)) > 0;)
    length += (size_t)got;
  buffer[length] = '\0';
  const char *body = strstr(buffer, "\r\n\r\n");
  puts(body ? body + 4 : "");
  return body && strstr(body, "\"status\":\"healthy\"") ? 0 : 1;
}

int main(int argc, char **argv) {
  const char *command = argc > 1 ? argv[1] : "";
  if (!strcmp(command, "serve")) return serve(argc - 1, argv + 1);
  if (!strcmp(command, "provider")) return provider(argc - 1, argv + 1);
  if (strcmp(command, "version")) return usage();
  puts("plasmd " VERSION);
  return 0;
}
