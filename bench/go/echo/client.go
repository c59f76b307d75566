// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"net/netip"
	"syscall"
	"time"

	"tracebench/harness"
)

// A client keeps one message in flight on each of its connections.
type client struct {
	epfd int
	fds  []int
	got  map[int]int // bytes of the current message that have come back
	buf  []byte
}

func dial(addr string, count, size int) *client {
	ap, err := netip.ParseAddrPort(addr)
	harness.Check(err)
	sa := &syscall.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}
	epfd, err := syscall.EpollCreate1(0)
	harness.Check(err)
	c := &client{epfd: epfd, got: make(map[int]int), buf: make([]byte, size)}
	for range count {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		harness.Check(err)
		harness.Check(syscall.Connect(fd, sa))
		harness.Check(syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1))
		harness.Check(syscall.SetNonblock(fd, true))
		ev := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
		harness.Check(syscall.EpollCtl(epfd, syscall.EPOLL_CTL_ADD, fd, &ev))
		c.fds = append(c.fds, fd)
		c.send(fd)
	}
	return c
}

func (c *client) close() {
	for _, fd := range append(c.fds, c.epfd) {
		syscall.Close(fd)
	}
}

func (c *client) send(fd int) {
	n, err := syscall.Write(fd, c.buf)
	harness.Check(err)
	if n != len(c.buf) {
		harness.Check(errors.New("short write"))
	}
}

// load exchanges messages for d and returns the requests per second.
func (c *client) load(d time.Duration) float64 {
	done := 0
	events := make([]syscall.EpollEvent, 256)
	t0 := time.Now()
	for time.Since(t0) < d {
		n, err := syscall.EpollWait(c.epfd, events, 100)
		if err == syscall.EINTR {
			continue
		}
		harness.Check(err)
		for _, ev := range events[:n] {
			done += c.receive(int(ev.Fd))
		}
	}
	return float64(done) / time.Since(t0).Seconds()
}

// receive reads what has come back on fd, answers a whole message with the
// next one, and returns the number of whole messages.
func (c *client) receive(fd int) int {
	n, err := syscall.Read(fd, c.buf[c.got[fd]:])
	harness.Check(err)
	if n == 0 {
		harness.Check(errors.New("the server closed a connection"))
	}
	c.got[fd] += n
	if c.got[fd] < len(c.buf) {
		return 0
	}
	c.got[fd] = 0
	c.send(fd)
	return 1
}
