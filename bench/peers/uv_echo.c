/* SPDX-License-Identifier: MIT */
/* uv_echo FD: bench/echo's server on libuv: writes its port to the descriptor, then answers. */
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

enum { BUFFER = 4096 };

struct connection {
    uv_tcp_t tcp;
    uv_write_t write;
    char data[BUFFER];
};

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_written(uv_write_t *write, int status)
{
    if (status < 0)
        uv_close((uv_handle_t *)write->handle, on_closed);
}

static void give_buffer(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    struct connection *c = (struct connection *)handle;
    (void)wanted;
    *buffer = uv_buf_init(c->data, BUFFER);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct connection *c = (struct connection *)stream;
    uv_buf_t answer = uv_buf_init(buffer->base, n > 0 ? (unsigned)n : 0);
    if (n < 0)
        uv_close((uv_handle_t *)stream, on_closed);
    else if (n > 0 && uv_try_write(stream, &answer, 1) != n) /* a message is small: it fits */
        uv_write(&c->write, stream, &answer, 1, on_written);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct connection *c = status == 0 ? malloc(sizeof *c) : NULL;
    if (!c || uv_tcp_init(listener->loop, &c->tcp) != 0 ||
        uv_accept(listener, (uv_stream_t *)&c->tcp) != 0)
        exit(1);
    uv_tcp_nodelay(&c->tcp, 1);
    uv_read_start((uv_stream_t *)&c->tcp, give_buffer, on_read);
}

int main(int argc, char **argv)
{
    uv_tcp_t listener;
    struct sockaddr_in address;
    int size = sizeof address;
    uv_loop_t *loop = uv_default_loop();
    if (argc != 2 || uv_ip4_addr("127.0.0.1", 0, &address) != 0 ||
        uv_tcp_init(loop, &listener) != 0 ||
        uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) != 0 ||
        uv_listen((uv_stream_t *)&listener, 4096, on_connection) != 0 ||
        uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &size) != 0)
        return 1;
    int port = ntohs(address.sin_port);
    if (write(atoi(argv[1]), &port, sizeof port) != sizeof port)
        return 1;
    return uv_run(loop, UV_RUN_DEFAULT);
}
