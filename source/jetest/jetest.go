// Package jetest runs a real Berkeley DB Java Edition for tests. It writes log directories, runs a
// cleaner in them, and checks whether JE opens a copy of the log with the expected records.
// testdata/je/Workload.java does the work, with the JE of the Debian package libdb-je-java (or the
// jar that STRONGROOM_JE_JAR names).
//
// All functions skip the test under -short, and fail it if Java or JE is missing: an important
// test must not be skipped silently.
package jetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// commandTimeout ends a command that does not end. All commands are much faster.
const commandTimeout = 15 * time.Minute

// Digest identifies all records of all databases in an environment: two environments with equal
// Digests have the same records.
type Digest struct {
	Records int
	SHA256  string // hex; over the names of the databases, the keys and the values
}

// Write adds records to the environment in dir, which it creates if necessary. The transactions
// include updates and deletions. The cleaner is off, so that JE deletes no log file. Write
// checkpoints and closes the environment, and returns its digest. About 6,000 records fill a log
// file of 1 MB.
func Write(t testing.TB, dir string, records int, seed int64) Digest {
	t.Helper()
	return digest(t, run(t, "write", dir, strconv.Itoa(records), strconv.FormatInt(seed, 10)))
}

// Crash is Write by a process that exits after its last commit without closing the environment.
func Crash(t testing.TB, dir string, records int, seed int64) Digest {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	args := []string{"crash", dir, strconv.Itoa(records), strconv.FormatInt(seed, 10)}
	out, err := command(ctx, t, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("JE workload %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return digest(t, string(out))
}

// Count opens the environment in dir, which runs recovery, and reads all records. Like a database
// that starts, it appends to the log. A log that does not open fails the test.
func Count(t testing.TB, dir string) Digest {
	t.Helper()
	return digest(t, run(t, "count", dir))
}

// Open is Count, but returns JE's error if JE cannot open the log.
func Open(t testing.TB, dir string) (Digest, error) {
	t.Helper()
	out, err := try(t, "count", dir)
	if err != nil {
		return Digest{}, err
	}
	return digest(t, out), nil
}

// Check opens the environment of a Churn with the same seed in dir, or a copy of its log. It
// returns the number of operations in the log, and compares every record with its expected value
// after that many operations. A record that is lost or out of date fails the test.
func Check(t testing.TB, dir string, seed int64) int64 {
	t.Helper()
	out := run(t, "check", dir, strconv.FormatInt(seed, 10))
	n, err := strconv.ParseInt(field(out, "operations="), 10, 64)
	if err != nil {
		t.Fatalf("the JE workload printed %q", out)
	}
	return n
}

// run runs one command and returns its output.
func run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := try(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// command returns a command that runs the workload. It compiles the workload if necessary.
func command(ctx context.Context, t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	if testing.Short() {
		t.Skip("runs a real JE; not with -short")
	}
	const advice = "; install the Debian packages openjdk-17-jdk-headless and libdb-je-java " +
		"and run \"make test\", or test with -short"
	java, err := exec.LookPath("java")
	if err != nil {
		t.Fatalf("no java: %v%s", err, advice)
	}
	jar := os.Getenv("STRONGROOM_JE_JAR")
	if jar == "" {
		jar = "/usr/share/java/db-je.jar"
	}
	if _, err := os.Stat(jar); err != nil {
		t.Fatalf("no JE: %v%s, or set STRONGROOM_JE_JAR", err, advice)
	}
	classes, err := compiled(ctx, java, jar)
	if err != nil {
		t.Fatalf("compiling the JE workload: %v%s", err, advice)
	}
	all := []string{
		"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m",
		"-cp", jar + string(os.PathListSeparator) + classes, "Workload",
	}
	return exec.CommandContext(ctx, java, append(all, args...)...)
}

// compiled returns the directory of the workload's classes. It is in the user's cache, under the
// hash of the source, so that only the first test process compiles each version.
func compiled(ctx context.Context, java, jar string) (string, error) {
	source, err := workloadSource()
	if err != nil {
		return "", err
	}
	code, err := os.ReadFile(source)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "strongroom-jetest")
	classes := filepath.Join(cache, fmt.Sprintf("%x", sha256.Sum256(code))[:16])
	if _, err := os.Stat(classes); err == nil {
		return classes, nil
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	scratch, err := os.MkdirTemp(cache, "compiling-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	// The compiler as a module: a javac in the PATH may be of another version.
	out, err := exec.CommandContext(ctx, java, "-m", "jdk.compiler/com.sun.tools.javac.Main", "-cp", jar, "-d", scratch, source).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	if err := os.Rename(scratch, classes); err != nil && !errors.Is(err, fs.ErrExist) { // another process was faster
		return "", err
	}
	return classes, nil
}

// workloadSource returns the path of testdata/je/Workload.java. It starts at this file or, if the
// build has trimmed paths, at the test's directory.
func workloadSource() (string, error) {
	name := filepath.Join("testdata", "je", "Workload.java")
	if _, here, _, ok := runtime.Caller(0); ok && filepath.IsAbs(here) {
		path := filepath.Join(filepath.Dir(here), "..", "..", name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	dir, err := os.Getwd()
	for ; err == nil && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return filepath.Join(dir, name), nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// field returns the word after the last key in the workload's output.
func field(out, key string) string {
	i := strings.LastIndex(out, key)
	if i < 0 {
		return ""
	}
	words := strings.Fields(out[i+len(key):])
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

func digest(t testing.TB, out string) Digest {
	t.Helper()
	n, err := strconv.Atoi(field(out, "records="))
	d := Digest{Records: n, SHA256: field(out, "sha256=")}
	if err != nil || len(d.SHA256) != 64 {
		t.Fatalf("the JE workload printed %q", out)
	}
	return d
}
