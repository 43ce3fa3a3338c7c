package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// extra is a server in addition to MinIO: one process on one port. Its data, if any, is deleted with its directory.
type extra struct {
	name, target string // its name in messages, and the make target that builds it
	args         func(p place) []string
	dirs         []string          // directories below home that it needs
	files        map[string][]byte // files in home that it needs
	ports        int               // ports that it needs in addition
	env          []string
	ready        func(ctx context.Context, r *server) error
	environ      func(address string) []string // the command's environment
}

// place is where a server runs.
type place struct {
	host, port, url string
	more            []string // further ports
	home            string   // its directory
}

// startExtras starts the servers beside MinIO that have a program.
func (s *servers) startExtras(ctx context.Context, p programs) error {
	for _, start := range []struct {
		path   string
		server extra
	}{
		{p.azurite, emulatedAzure()},
		{p.gcs, fakeGCS()},
		{p.toxiproxy, toxiproxy()},
		{p.versityGW, versityGW(s.user, s.secret)},
		{p.rclone, rclone(s.user, s.secret)},
		{p.seaweedFS, seaweedFS(s.user, s.secret)},
	} {
		if err := s.startExtra(ctx, start.path, start.server); err != nil {
			return err
		}
	}
	return nil
}

// startExtra starts a server and returns when it is ready. It does nothing if path is empty.
func (s *servers) startExtra(ctx context.Context, path string, e extra) error {
	if path == "" {
		return nil
	}
	binary, err := exec.LookPath(path)
	if err != nil {
		return fmt.Errorf("there is no %s: %w; make %s builds it", e.name, err, e.target)
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	for try := 1; ; try++ {
		err = s.tryExtra(ctx, binary, &e)
		if try == 3 || !errors.Is(err, errEnded) { // another process may have taken the port
			return err
		}
	}
}

func (s *servers) tryExtra(ctx context.Context, binary string, e *extra) error {
	addresses, err := freeAddresses(1 + e.ports)
	if err != nil {
		return fmt.Errorf("finding a free port: %w", err)
	}
	host, port, _ := strings.Cut(addresses[0], ":")
	home, err := os.MkdirTemp(s.dir, e.target+"-")
	if err != nil {
		return err
	}
	for _, dir := range e.dirs {
		if err := os.Mkdir(filepath.Join(home, dir), 0o700); err != nil {
			return err
		}
	}
	for name, content := range e.files {
		if err := os.WriteFile(filepath.Join(home, name), content, 0o600); err != nil {
			return err
		}
	}
	at := place{host: host, port: port, url: "http://" + addresses[0], home: home}
	for _, a := range addresses[1:] {
		_, port, _ := strings.Cut(a, ":")
		at.more = append(at.more, port)
	}
	r := &server{name: e.name, url: at.url, log: filepath.Join(home, "log"), done: make(chan struct{})}
	log, err := os.Create(r.log)
	if err != nil {
		return err
	}
	defer log.Close()
	r.process = exec.Command(binary, e.args(at)...)
	r.process.Dir = home
	r.process.Env = append([]string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + home, "GOGC=" + os.Getenv("GOGC")}, e.env...)
	r.process.Stdout, r.process.Stderr = log, log
	r.process.SysProcAttr = ownGroup()
	if err := r.process.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", e.name, err)
	}
	go func() {
		_ = r.process.Wait()
		close(r.done)
	}()
	s.extra = append(s.extra, r) // so that it is stopped also after an error
	if err := e.ready(ctx, r); err != nil {
		if errors.Is(err, errEnded) {
			s.extra = s.extra[:len(s.extra)-1]
		}
		return err
	}
	s.extraEnv = append(s.extraEnv, e.environ(addresses[0])...)
	return nil
}

// answersAt returns a function that waits until a path is served.
func answersAt(path string) func(ctx context.Context, r *server) error {
	return func(ctx context.Context, r *server) error { return r.ready(ctx, path, nil) }
}
