//go:build linux

package main

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A peer is another program that does the same work.
type peer struct {
	name    string // with the version
	program func(compression string) program
}

// findPeers returns the other programs that exist and are wanted: all, or those that BENCH_PEERS lists. BENCH_RCLONE,
// BENCH_RESTIC and BENCH_KOPIA have binaries. A restic in the path, such as Debian's, takes part too.
func findPeers(wanted string) ([]peer, error) {
	kinds := []struct {
		name string
		of   func(binary, compression string) program
	}{{"rclone", rclone}, {"restic", restic}, {"kopia", kopia}}
	var all []peer
	for _, kind := range kinds {
		if wanted != "" && !slices.Contains(strings.Split(wanted, ","), kind.name) {
			continue
		}
		var binaries []string
		if binary := os.Getenv("BENCH_" + strings.ToUpper(kind.name)); binary != "" {
			binaries = append(binaries, binary)
		}
		if binary, err := exec.LookPath(kind.name); err == nil {
			binaries = append(binaries, binary)
		}
		for _, binary := range binaries {
			version, err := versionOf(kind.name, binary)
			if err != nil {
				return nil, err
			}
			name := kind.name + " " + version
			if slices.ContainsFunc(all, func(p peer) bool { return p.name == name }) {
				continue
			}
			all = append(all, peer{name, func(compression string) program {
				p := kind.of(binary, compression)
				p.name, p.unsynced = name, true
				return p
			}})
		}
	}
	return all, nil
}

var (
	versionNumber = regexp.MustCompile(`\d+\.\d+(\.\d+)?`)
	modules       = map[string]string{
		"rclone": "github.com/rclone/rclone", "restic": "github.com/restic/restic", "kopia": "github.com/kopia/kopia",
	}
)

// versionOf returns a program's version: that of its module, or the one that it prints.
func versionOf(name, binary string) (string, error) {
	if out, err := exec.Command("go", "version", "-m", binary).Output(); err == nil {
		line := regexp.MustCompile(`(?m)^\t(?:mod|dep)\t` + regexp.QuoteMeta(modules[name]) + `\tv(\d+\.\d+\.\d+)`)
		if m := line.FindSubmatch(out); m != nil {
			return string(m[1]), nil
		}
	}
	arg := "version"
	if name == "kopia" {
		arg = "--version"
	}
	out, err := exec.Command(binary, arg).Output()
	if err != nil {
		return "", fmt.Errorf("asking %s for its version: %w", binary, err)
	}
	return versionNumber.FindString(string(out)), nil
}

// rclone copies files to objects of the same names. It compares by MD5, which it computes for that.
func rclone(binary, _ string) program {
	run := func(at *place, args ...string) *exec.Cmd {
		return command([]string{
			"RCLONE_CONFIG=/dev/null", "RCLONE_CONFIG_B_TYPE=s3", "RCLONE_CONFIG_B_PROVIDER=Minio",
			"RCLONE_CONFIG_B_ENV_AUTH=true", "RCLONE_CONFIG_B_ENDPOINT=" + at.endpoint,
			"RCLONE_CONFIG_B_REGION=us-east-1", "RCLONE_CONFIG_B_NO_CHECK_BUCKET=true",
		}, binary, append(args, "--transfers", fmt.Sprint(inFlight), "--checkers", fmt.Sprint(inFlight), "--quiet")...)
	}
	return program{
		backup:  func(at *place) *exec.Cmd { return run(at, "copy", at.dir, "b:"+at.bucket+"/files") },
		restore: func(at *place, to string) *exec.Cmd { return run(at, "copy", "b:"+at.bucket+"/files", to) },
		verify:  func(at *place) *exec.Cmd { return run(at, "check", "--download", at.dir, "b:"+at.bucket+"/files") },
	}
}

// restic makes snapshots of chunks in packs. compression is off for files that cannot be compressed.
func restic(binary, compression string) program {
	run := func(at *place, args ...string) *exec.Cmd {
		return command([]string{
			"RESTIC_PASSWORD=bench", "RESTIC_REPOSITORY=s3:" + at.endpoint + "/" + at.bucket + "/restic",
			"RESTIC_CACHE_DIR=" + filepath.Join(at.scratch, "cache"),
		}, binary, append(args, "--quiet", "--option", "s3.bucket-lookup=path",
			"--option", fmt.Sprintf("s3.connections=%d", inFlight), "--compression", compression)...)
	}
	return program{
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
		sample:  func(at *place) *exec.Cmd { return run(at, "check", "--read-data-subset=10%") },
	}
}

// kopia makes snapshots of chunks in packs, like restic. Its verify reads what its cache has from there.
func kopia(binary, compression string) program {
	run := func(at *place, args ...string) *exec.Cmd {
		return command([]string{
			"KOPIA_PASSWORD=bench", "KOPIA_CHECK_FOR_UPDATES=false", "HOME=" + at.scratch,
			"KOPIA_CONFIG_PATH=" + filepath.Join(at.scratch, "kopia.config"),
			"KOPIA_CACHE_DIRECTORY=" + filepath.Join(at.scratch, "cache"), "KOPIA_LOG_DIR=" + filepath.Join(at.scratch, "log"),
		}, binary, append(args, "--no-progress", "--log-level=error", "--no-auto-maintenance")...)
	}
	return program{
		prepare: func(at *place) []*exec.Cmd {
			host := at.endpoint
			if u, err := url.Parse(at.endpoint); err == nil {
				host = u.Host
			}
			// It reads the keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
			all := []*exec.Cmd{run(at, "repository", "create", "s3", "--bucket="+at.bucket, "--prefix=kopia/",
				"--endpoint="+host, "--region=us-east-1", "--disable-tls")}
			if compression != "off" {
				all = append(all, run(at, "policy", "set", "--global", "--compression=zstd-fastest"))
			}
			return all
		},
		backup: func(at *place) *exec.Cmd {
			return run(at, "snapshot", "create", at.dir, fmt.Sprintf("--parallel=%d", inFlight))
		},
		restore: func(at *place, to string) *exec.Cmd {
			return run(at, "restore", at.dir, to, "--snapshot-time=latest", fmt.Sprintf("--parallel=%d", inFlight))
		},
	}
}
