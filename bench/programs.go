//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A program is a measured program, with its command for each step; nil means that it lacks the step. Each program
// has its own bucket and scratch directory.
type program struct {
	name    string
	prepare func(at *place) []*exec.Cmd // not measured; may be nil
	backup  func(at *place) *exec.Cmd
	restore func(at *place, to string) *exec.Cmd
	verify  func(at *place) *exec.Cmd // reads all and compares with its hashes
	list    func(at *place) *exec.Cmd // the newest 100 snapshots
	floor   bool

	start func(at *place) (*running, error) // instead of backup: see serviced
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
	url := archiveURL
	run := func(at *place, args ...string) *exec.Cmd {
		return command([]string{"STRONGROOM_STATE_DIR=" + filepath.Join(at.scratch, "state")}, binary, append(args, "--no-progress")...)
	}
	return program{
		name: "strongroom",
		backup: func(at *place) *exec.Cmd {
			return run(at, "backup", "--source", at.dir, "--layout", "files", "--pattern", `.*\.log`, "--quiet", "1s", url(at))
		},
		restore: func(at *place, to string) *exec.Cmd { return run(at, "restore", url(at), "--to", to) },
		verify:  func(at *place) *exec.Cmd { return run(at, "verify", "--read-data", "--no-proof", url(at)) },
		// Without versions=false, each command sends one request for the bucket's versioning.
		list: func(at *place) *exec.Cmd { return run(at, "list", "--last", "100", url(at)+"&versions=false") },
	}
}

// compressing is strongroom with compression.
func compressing(binary string) program {
	p := ours(binary)
	backup := p.backup
	p.name, p.restore, p.verify, p.list = "strongroom, zstd", nil, nil, nil
	p.backup = func(at *place) *exec.Cmd {
		c := backup(at)
		c.Args = append(c.Args, "--compression", "zstd")
		return c
	}
	return p
}

// floorZstd is floor copy with compression by zstd -1 before the transfer.
func floorZstd(self string) program {
	return program{name: "floor zstd", floor: true, backup: func(at *place) *exec.Cmd {
		return command([]string{"STRONGROOM_TEST_S3=" + at.endpoint}, self, "floor", "zstd", at.dir, at.bucket)
	}}
}

// floorPrograms returns the programs of floor.go.
func floorPrograms(self string) []program {
	run := func(name string) func(at *place) *exec.Cmd {
		return func(at *place) *exec.Cmd {
			return command([]string{"STRONGROOM_TEST_S3=" + at.endpoint}, self, "floor", name, at.dir, at.bucket)
		}
	}
	put, copies, read := run("put"), run("copy"), run("read")
	return []program{
		{name: "floor put", floor: true, backup: put},
		{
			name: "floor copy", floor: true, backup: copies, verify: read,
			restore: func(at *place, to string) *exec.Cmd {
				c := run("get")(at)
				c.Args = append(c.Args, to)
				return c
			},
		},
	}
}

// rclone copies files to objects of the same names. It compares by MD5, which it computes for that.
func rclone(binary string) program {
	run := func(at *place, args ...string) *exec.Cmd {
		return command([]string{
			"RCLONE_CONFIG=/dev/null", "RCLONE_CONFIG_B_TYPE=s3", "RCLONE_CONFIG_B_PROVIDER=Minio", "RCLONE_CONFIG_B_ENV_AUTH=true",
			"RCLONE_CONFIG_B_ENDPOINT=" + at.endpoint, "RCLONE_CONFIG_B_REGION=us-east-1", "RCLONE_CONFIG_B_NO_CHECK_BUCKET=true",
		}, binary, append(args, "--transfers", fmt.Sprint(inFlight), "--checkers", fmt.Sprint(inFlight), "--quiet")...)
	}
	return program{
		name:    "rclone",
		backup:  func(at *place) *exec.Cmd { return run(at, "copy", at.dir, "b:"+at.bucket+"/files") },
		restore: func(at *place, to string) *exec.Cmd { return run(at, "copy", "b:"+at.bucket+"/files", to) },
		verify:  func(at *place) *exec.Cmd { return run(at, "check", "--download", at.dir, "b:"+at.bucket+"/files") },
	}
}

// restic makes snapshots of chunks in packs. The random files cannot be compressed, so its compression is off for
// them.
func restic(binary, compression string) program {
	run := func(at *place, args ...string) *exec.Cmd {
		return command([]string{
			"RESTIC_PASSWORD=bench", "RESTIC_REPOSITORY=s3:" + at.endpoint + "/" + at.bucket + "/restic", "RESTIC_CACHE_DIR=" + filepath.Join(at.scratch, "cache"),
		}, binary, append(args, "--quiet", "--option", "s3.bucket-lookup=path", "--option", fmt.Sprintf("s3.connections=%d", inFlight), "--compression", compression)...)
	}
	return program{
		name: "restic",
		prepare: func(at *place) []*exec.Cmd {
			return []*exec.Cmd{run(at, "init", "--repository-version", "2")}
		},
		backup: func(at *place) *exec.Cmd {
			c := run(at, "backup", ".")
			c.Dir = at.dir
			return c
		},
		restore: func(at *place, to string) *exec.Cmd { return run(at, "restore", "latest", "--target", to) },
		verify:  func(at *place) *exec.Cmd { return run(at, "check", "--read-data") },
	}
}

// peers returns the other programs that are installed.
func peers(compression string) []program {
	var all []program
	for _, name := range []string{"rclone", "restic"} {
		binary := os.Getenv("BENCH_" + strings.ToUpper(name))
		if binary == "" {
			var err error
			if binary, err = exec.LookPath(name); err != nil {
				continue
			}
		}
		if name == "rclone" {
			all = append(all, rclone(binary))
		} else {
			all = append(all, restic(binary, compression))
		}
	}
	return all
}
