//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"filippo.io/age"
)

// A program is a measured program, with its command for each step; nil means that it lacks the step. Each program
// has its own bucket and scratch directory.
type program struct {
	name    string
	prepare func(at *place) []*exec.Cmd // not measured; may be nil
	backup  func(at *place) *exec.Cmd
	restore func(at *place, to string) *exec.Cmd
	verify  func(at *place) *exec.Cmd // reads all and compares with its hashes
	sample  func(at *place) *exec.Cmd // the same with a tenth
	list    func(at *place) *exec.Cmd // the newest 100 snapshots

	one func(at *place, name, to string) *exec.Cmd // restores one file
	cat func(at *place, name string) *exec.Cmd

	floor    bool
	unsynced bool // does not make durable what it restores

	start func(r *round, at *place) (*running, error) // instead of backup: see serviced
}

// place is a program's working environment.
type place struct {
	endpoint, bucket, dir, scratch string

	service *running // nil if none was started
	broken  bool     // a step failed, so later steps are skipped
}

func command(env []string, name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), env...)
	return c
}

func archiveURL(at *place) string {
	return "s3://" + at.bucket + "/archive?region=us-east-1&use_path_style=true&endpoint=" + at.endpoint
}

// ours is strongroom. The files count as closed after a second without a change.
func ours(binary string) program {
	return oursWith(binary, func(at *place) string { return filepath.Join(at.scratch, "state") })
}

// forgetful is strongroom on a host that has nothing of earlier runs.
func forgetful(binary string) program {
	runs := 0
	p := oursWith(binary, func(at *place) string {
		runs++
		return filepath.Join(at.scratch, fmt.Sprintf("state-%d", runs))
	})
	p.name, p.restore, p.verify, p.sample, p.list = "strongroom, without state", nil, nil, nil, nil
	return p
}

// oursWith is strongroom with a state directory for each command.
func oursWith(binary string, state func(at *place) string) program {
	url := archiveURL
	run := func(at *place, args ...string) *exec.Cmd {
		return command([]string{"STRONGROOM_STATE_DIR=" + state(at)}, binary, append(args, "--no-progress")...)
	}
	return program{
		name: "strongroom",
		backup: func(at *place) *exec.Cmd {
			return run(at, "backup", "--source", at.dir, "--layout", "files", "--pattern", `.*\.log`, "--quiet", "1s", url(at))
		},
		restore: func(at *place, to string) *exec.Cmd { return run(at, "restore", url(at), "--to", to) },
		verify:  func(at *place) *exec.Cmd { return run(at, "verify", "--read-data", "--no-proof", url(at)) },
		sample:  func(at *place) *exec.Cmd { return run(at, "verify", "--sample", "10%", "--no-proof", url(at)) },
		// Without versions=false, each command sends one request for the bucket's versioning.
		list: func(at *place) *exec.Cmd { return run(at, "list", "--last", "100", url(at)+"&versions=false") },
		one: func(at *place, name, to string) *exec.Cmd {
			return run(at, "restore", url(at), "--include", name, "--to", to)
		},
		cat: func(at *place, name string) *exec.Cmd { return run(at, "cat", url(at), name) },
	}
}

// compressing is strongroom with compression.
func compressing(binary string) program {
	p := ours(binary)
	backup := p.backup
	p.name, p.verify, p.sample, p.list = "strongroom, zstd", nil, nil, nil
	p.backup = func(at *place) *exec.Cmd { return with(backup(at), "--compression", "zstd") }
	return p
}

// encrypting is strongroom with compression and encryption. identity is a file with the key.
func encrypting(binary string, key *age.X25519Identity, identity string) program {
	p := compressing(binary)
	backup, restore := p.backup, p.restore
	p.name = "strongroom, zstd and age"
	p.backup = func(at *place) *exec.Cmd { return with(backup(at), "--recipient", key.Recipient().String()) }
	p.restore = func(at *place, to string) *exec.Cmd { return with(restore(at, to), "--identity", identity) }
	return p
}

// with adds arguments to a command.
func with(c *exec.Cmd, args ...string) *exec.Cmd {
	c.Args = append(c.Args, args...)
	return c
}

// floorPrograms returns the programs of floor.go: those that do nothing to the bytes, and with encoded also those that
// compress and encrypt.
func floorPrograms(self string, encoded bool) []program {
	run := func(name string) func(at *place) *exec.Cmd {
		return func(at *place) *exec.Cmd {
			return command([]string{"STRONGROOM_TEST_S3=" + at.endpoint}, self, "floor", name, at.dir, at.bucket)
		}
	}
	get := run("get")
	all := []program{
		{name: "floor put", floor: true, backup: run("put")},
		{
			name: "floor copy", floor: true, backup: run("copy"), verify: run("read"), sample: run("sample"),
			restore: func(at *place, to string) *exec.Cmd { return with(get(at), to) },
		},
	}
	if encoded {
		all = append(all,
			program{name: "floor zstd", floor: true, backup: run("zstd")},
			program{name: "floor zstd and seal", floor: true, backup: run("seal")})
	}
	return all
}

// participants returns the programs that run a workload. Each of them has a name of its own.
func (b *bench) participants(w *workload) []program {
	all := append(floorPrograms(b.self, w.half), ours(b.binary))
	if w.half {
		all = append(all, compressing(b.binary), encrypting(b.binary, b.key, b.identity))
	}
	if w.name == "L" {
		all = append(all, forgetful(b.binary))
	}
	if w.has("grow") {
		all = append(all, serviced(b.binary))
	}
	compression := "off"
	if w.half {
		compression = "auto"
	}
	for _, peer := range b.peers {
		all = append(all, peer.program(compression))
	}
	return slices.DeleteFunc(all, func(p program) bool { return !w.runs(p.name) })
}
