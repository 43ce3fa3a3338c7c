//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// usage is the resource usage of a client process, without the server.
type usage struct {
	Wall, CPU time.Duration
	Peak      int64 // the largest resident size, in bytes
}

// measure runs a command to its end, below a separate process: Linux includes in a process's peak that of the
// process that started it.
func measure(c *exec.Cmd) (usage, error) {
	self, err := os.Executable()
	if err != nil {
		return usage{}, err
	}
	var out, errs bytes.Buffer
	below := exec.Command(self, append([]string{"measure"}, c.Args...)...)
	below.Env, below.Dir, below.Stdout, below.Stderr = c.Env, c.Dir, &out, &errs
	below.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := below.Run(); err != nil {
		return usage{}, fmt.Errorf("%q: %w: %s", c.Args, err, bytes.TrimSpace(errs.Bytes()))
	}
	var u usage
	return u, json.Unmarshal(out.Bytes(), &u)
}

// measureHere runs a command and prints its usage.
func measureHere(args []string) error {
	c := exec.Command(args[0], args[1:]...)
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	start := time.Now()
	if err := c.Run(); err != nil {
		return err
	}
	u := usage{Wall: time.Since(start), CPU: c.ProcessState.UserTime() + c.ProcessState.SystemTime()}
	u.Peak = c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	return json.NewEncoder(os.Stdout).Encode(u)
}

// counter is a proxy in front of the server that counts requests, and the bytes in their bodies and in the
// responses'. It costs time, so timed runs do not use it.
type counter struct {
	requests, sent, received atomic.Int64

	address string
	server  *http.Server
}

// traffic is a step's traffic with the server.
type traffic struct{ requests, sent, received int64 }

// reset sets the counts to 0.
func (c *counter) reset() {
	c.requests.Store(0)
	c.sent.Store(0)
	c.received.Store(0)
}

func (c *counter) traffic() traffic {
	return traffic{c.requests.Load(), c.sent.Load(), c.received.Load()}
}

// counted counts the bytes read from a body.
type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.n.Add(int64(n))
	return n, err
}

func newCounter(endpoint string) (*counter, error) {
	to, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &counter{address: "http://" + l.Addr().String()}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // the signature covers it
	}, ModifyResponse: func(r *http.Response) error {
		r.Body = counted{r.Body, &c.received}
		return nil
	}}
	c.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		if r.ContentLength != 0 { // a missing body differs from an empty one
			r.Body = counted{r.Body, &c.sent}
		}
		proxy.ServeHTTP(w, r)
	})}
	go c.server.Serve(l)
	return c, nil
}

// median returns the median of f over all.
func median[T any](all []T, f func(T) float64) float64 {
	values := make([]float64, len(all))
	for i, one := range all {
		values[i] = f(one)
	}
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

// makeFiles fills a directory with files of random bytes, all different, also in their parts. With half, every
// other 4 KiB are zeros, so that the files are half compressible.
func makeFiles(dir string, n int, size int64, half bool) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i := range n {
		if err := makeFile(fmt.Sprintf("%s/%08d.log", dir, i), i, size, half); err != nil {
			return err
		}
	}
	return nil
}

func makeFile(name string, seed int, size int64, half bool) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	_, err = io.CopyN(w, &noise{random: seeded(seed), half: half}, size)
	if err := errors.Join(err, w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

func seeded(i int) *rand.ChaCha8 {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(i))
	return rand.NewChaCha8(seed)
}

// noise is a stream of random bytes, or with half of random and zero blocks in turn.
type noise struct {
	random *rand.ChaCha8
	half   bool
	done   int
}

// Read implements io.Reader.
func (n *noise) Read(b []byte) (int, error) {
	const block = 4096
	left := block - n.done%block
	b = b[:min(len(b), left)]
	if n.half && n.done/block%2 == 1 {
		clear(b)
	} else {
		n.random.Read(b)
	}
	n.done += len(b)
	return len(b), nil
}
