/* Many WebSocket clients in one thread, cheap enough not to be the limit of what serves them.

   Usage: fanout_client PORT PATH COUNT DEFLATE RCVBUF
   Connects COUNT clients (offering permessage-deflate if DEFLATE is 1), prints {"ready": COUNT}, then obeys lines on its
   input: "report" prints what came since the last one; "stall N" lets the first N stop reading; "resume" ends that. It
   checks the framing of all that comes, answers pings, and measures the age of each message that holds the msgpack
   pair "ts": float64, in seconds of CLOCK_MONOTONIC. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 1 << 20, BUCKETS = 2000000, CODES = 65536 }; /* a bucket is 10 us wide */

typedef struct {
    int fd;
    char *carry; /* the part of a frame that has come */
    size_t have;
} Client;

static Client *clients;
static int count, stalled, open_now, epoll_fd;
static uint64_t frames, bytes, deflated, faults, aged;
static uint32_t *ages;
static double oldest;
static uint32_t *closes;
static char *chunk;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "fanout_client: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void watch(Client *c, int on)
{
    struct epoll_event event = {.events = on ? EPOLLIN : 0, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event) < 0)
        fail("epoll_ctl");
}

static void end(Client *c)
{
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
        open_now--;
    }
}

/* A frame may hold several values: each pair "ts" is a message; what is deflated counts as one. */
static void ages_of(const unsigned char *data, size_t n, double at)
{
    const unsigned char *end_of = data + n, *found;
    while ((found = memmem(data, (size_t)(end_of - data), "\xa2ts\xcb", 4)) != NULL && end_of - found >= 12) {
        uint64_t raw = 0;
        for (int i = 0; i < 8; i++)
            raw = raw << 8 | found[4 + i];
        double sent;
        memcpy(&sent, &raw, 8);
        double age = at - sent;
        if (age > oldest)
            oldest = age;
        double bucket = age * 1e5;
        ages[bucket < 0 ? 0 : bucket >= BUCKETS ? BUCKETS - 1 : (int)bucket]++;
        aged++;
        data = found + 12;
    }
}

static void answer(Client *c, unsigned char opcode, const unsigned char *data, size_t n)
{
    unsigned char out[140] = {(unsigned char)(0x80 | opcode), (unsigned char)(0x80 | n), 0, 0, 0, 0};
    memcpy(out + 6, data, n); /* masked with zeros */
    if (send(c->fd, out, n + 6, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
        end(c);
}

/* Returns how many bytes of whole frames were taken. */
static size_t take(Client *c, const unsigned char *data, size_t n, double at)
{
    size_t pos = 0;
    while (c->fd >= 0 && n - pos >= 2) {
        const unsigned char *f = data + pos;
        size_t head = 2, len = f[1] & 0x7f;
        if (len == 126)
            head = 4;
        else if (len == 127)
            head = 10;
        if (n - pos < head)
            break;
        if (head > 2) {
            len = 0;
            for (size_t i = 2; i < head; i++)
                len = len << 8 | f[i];
        }
        if (n - pos - head < len)
            break;
        unsigned char opcode = f[0] & 15;
        if (f[1] & 0x80 || f[0] & 0x30)
            faults++;
        if (opcode == 8) {
            closes[len >= 2 ? f[head] << 8 | f[head + 1] : 1005]++;
            end(c);
        } else if (opcode == 9) {
            answer(c, 10, f + head, len);
        } else if (opcode <= 2) {
            frames++;
            if (f[0] & 0x40)
                deflated++;
            else
                ages_of(f + head, len, at);
        }
        pos += head + len;
    }
    return pos;
}

static void receive(Client *c)
{
    memcpy(chunk, c->carry, c->have);
    ssize_t got = recv(c->fd, chunk + c->have, CHUNK - c->have, 0);
    if (got <= 0) {
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        closes[1006]++;
        end(c);
        return;
    }
    bytes += (uint64_t)got;
    size_t n = c->have + (size_t)got, used = take(c, (unsigned char *)chunk, n, now());
    if (n - used > c->have || c->carry == NULL)
        c->carry = realloc(c->carry, n - used + 1);
    c->have = n - used;
    memcpy(c->carry, chunk + used, c->have);
}

static void start(Client *c, int port, const char *path, int deflate, int rcvbuf)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0)
        fail("socket");
    if (rcvbuf)
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0)
        fail("connect");
    char request[1024];
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
                     path, port, deflate ? "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" : "");
    if (send(c->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        fail("send");
    size_t have = 0;
    char *stop = NULL;
    while (stop == NULL) {
        ssize_t got = recv(c->fd, chunk + have, 65536 - have, 0);
        if (got <= 0)
            fail("handshake");
        have += (size_t)got;
        chunk[have] = 0;
        stop = strstr(chunk, "\r\n\r\n");
    }
    if (strncmp(chunk, "HTTP/1.1 101", 12) != 0) {
        fprintf(stderr, "fanout_client: expected 101, got %.200s\n", chunk);
        exit(1);
    }
    open_now++;
    size_t rest = have - (size_t)(stop + 4 - chunk), used;
    used = take(c, (unsigned char *)stop + 4, rest, now());
    c->have = rest - used;
    c->carry = malloc(c->have + 1);
    memcpy(c->carry, stop + 4 + used, c->have);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0)
        fail("epoll_ctl");
}

static double quantile(double q)
{
    uint64_t want = (uint64_t)(q * (double)aged), seen = 0;
    for (int i = 0; i < BUCKETS; i++)
        if ((seen += ages[i]) > want)
            return (i + 0.5) * 1e-5;
    return oldest;
}

static void report(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                 1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    printf("{\"open\": %d, \"frames\": %llu, \"messages\": %llu, \"deflated\": %llu, \"bytes\": %llu, \"faults\": %llu, \"cpu\": %.6f, "
           "\"aged\": %llu, \"p50\": %.6f, \"p99\": %.6f, \"max\": %.6f, \"closes\": {",
           open_now, (unsigned long long)frames, (unsigned long long)(aged + deflated), (unsigned long long)deflated, (unsigned long long)bytes,
           (unsigned long long)faults, cpu, (unsigned long long)aged, aged ? quantile(0.5) : 0, aged ? quantile(0.99) : 0,
           oldest);
    const char *between = "";
    for (int i = 0; i < CODES; i++)
        if (closes[i]) {
            printf("%s\"%d\": %u", between, i, closes[i]);
            between = ", ";
        }
    printf("}}\n");
    fflush(stdout);
    frames = deflated = bytes = aged = 0;
    oldest = 0;
    memset(ages, 0, BUCKETS * sizeof *ages);
}

static void obey(const char *line)
{
    int n = 0;
    if (strncmp(line, "report", 6) == 0) {
        report();
    } else if (sscanf(line, "stall %d", &n) == 1) {
        for (stalled = 0; stalled < n && stalled < count; stalled++)
            watch(&clients[stalled], 0);
    } else if (strncmp(line, "resume", 6) == 0) {
        while (stalled > 0)
            if (clients[--stalled].fd >= 0)
                watch(&clients[stalled], 1);
    }
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: fanout_client PORT PATH COUNT DEFLATE RCVBUF\n");
        return 2;
    }
    count = atoi(argv[3]);
    clients = calloc((size_t)count, sizeof *clients);
    ages = calloc(BUCKETS, sizeof *ages);
    closes = calloc(CODES, sizeof *closes);
    chunk = malloc(CHUNK + 1);
    epoll_fd = epoll_create1(0);
    struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &input) < 0)
        fail("epoll_ctl");
    for (int i = 0; i < count; i++)
        start(&clients[i], atoi(argv[1]), argv[2], atoi(argv[4]), atoi(argv[5]));
    printf("{\"ready\": %d}\n", count);
    fflush(stdout);
    struct epoll_event events[256];
    char line[256];
    size_t have = 0;
    for (;;) {
        int n = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < n; i++) {
            Client *c = events[i].data.ptr;
            if (c != NULL) {
                if (c->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                    receive(c);
                continue;
            }
            ssize_t got = read(0, line + have, sizeof line - 1 - have);
            if (got <= 0)
                return 0;
            have += (size_t)got;
            line[have] = 0;
            for (char *stop; (stop = memchr(line, '\n', have)) != NULL;) {
                *stop = 0;
                obey(line);
                have -= (size_t)(stop + 1 - line);
                memmove(line, stop + 1, have);
            }
        }
    }
}
