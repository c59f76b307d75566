// SPDX-License-Identifier: MIT

// Echo measures a loopback TCP echo server with one goroutine per connection,
// under load from a single-threaded epoll client. The server is a child process,
// so that its processor time per request can be told apart. With -connect the
// client loads a server that already runs, written in any language, instead.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"tracebench/harness"
)

func main() {
	conns := flag.String("conns", "64,1000", "connection counts")
	size := flag.Int("size", 64, "message size in bytes")
	span := flag.Duration("time", time.Second, "length of one sample")
	connect := flag.String("connect", "", "load the server at this address")
	serverMode := flag.Bool("server", false, "internal: be the server")
	c := harness.Flags("off,discard,file,flight")
	if *serverMode {
		runtime.GOMAXPROCS(c.Procs[0])
		serve(c, *size)
		return
	}
	runtime.GOMAXPROCS(1)
	for _, s := range strings.Split(*conns, ",") {
		count, err := strconv.Atoi(s)
		harness.Check(err)
		if *connect != "" {
			external(c, *connect, count, *size, *span)
			continue
		}
		for _, p := range c.Procs {
			compare(c, p, count, *size, *span)
		}
	}
}

func external(c *harness.Config, addr string, count, size int, span time.Duration) {
	cl := dial(addr, count, size)
	defer cl.close()
	cl.load(span / 4)
	var rates []float64
	for range c.Rounds {
		rates = append(rates, cl.load(span))
	}
	harness.Print(fmt.Sprintf("external/echo%d/rate", count), harness.Median(rates), "1/s")
}

func compare(c *harness.Config, procs, count, size int, span time.Duration) {
	srv := spawn(c, procs, size)
	defer srv.close()
	cl := dial(srv.addr, count, size)
	defer cl.close()
	name := fmt.Sprintf("p%d/echo%d", procs, count)
	rates := make([][]float64, len(c.Modes))
	cpus := make([][]float64, len(c.Modes))
	for round := -1; round < c.Rounds; round++ {
		for m, mode := range c.Modes {
			srv.command("start " + mode + " " + name)
			rate := cl.load(span)
			cpu, err := strconv.ParseFloat(srv.command("stop"), 64)
			harness.Check(err)
			if round < 0 {
				continue
			}
			rates[m] = append(rates[m], rate)
			cpus[m] = append(cpus[m], cpu/(rate*span.Seconds()))
		}
	}
	c.Report(name+"/rate", "1/s", rates)
	c.Report(name+"/server_cpu", "ns", cpus)
}

// A server is the child process, steered by lines on its standard input.
type server struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	addr string
}

func spawn(c *harness.Config, procs, size int) *server {
	self, err := os.Executable()
	harness.Check(err)
	s := &server{cmd: exec.Command(self, "-server", "-procs", strconv.Itoa(procs),
		"-size", strconv.Itoa(size), "-dir", c.Dir, "-keep", c.Keep)}
	s.cmd.Stderr = os.Stderr
	s.in, err = s.cmd.StdinPipe()
	harness.Check(err)
	out, err := s.cmd.StdoutPipe()
	harness.Check(err)
	harness.Check(s.cmd.Start())
	s.out = bufio.NewScanner(out)
	s.addr = s.reply()
	return s
}

func (s *server) command(line string) string {
	_, err := fmt.Fprintln(s.in, line)
	harness.Check(err)
	return s.reply()
}

func (s *server) reply() string {
	if !s.out.Scan() {
		harness.Check(fmt.Errorf("the server ended: %v", s.out.Err()))
	}
	return s.out.Text()
}

func (s *server) close() {
	s.in.Close()
	harness.Check(s.cmd.Wait())
}

// serve prints the address, then obeys "start MODE NAME" and "stop"; the reply
// to stop is the processor time since start in ns.
func serve(c *harness.Config, size int) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	harness.Check(err)
	go func() {
		for {
			conn, err := ln.Accept()
			harness.Check(err)
			go echo(conn, size)
		}
	}()
	fmt.Println(ln.Addr())
	var stop func()
	var cpu time.Duration
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		words := strings.Fields(in.Text())
		switch words[0] {
		case "start":
			stop = c.Start(words[1], words[2])
			cpu = harness.CPU()
			fmt.Println("ok")
		case "stop":
			cpu = harness.CPU() - cpu
			stop()
			fmt.Println(cpu.Nanoseconds())
		}
	}
}

func echo(conn net.Conn, size int) {
	defer conn.Close()
	buf := make([]byte, size)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		if _, err := conn.Write(buf[:n]); err != nil {
			return
		}
	}
}
