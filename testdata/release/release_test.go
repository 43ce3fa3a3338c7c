package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
)

const source = "../.."

// date is that of the files in the tests' releases.
var date = time.Unix(1795865480, 0).UTC()

// newRelease returns a release of this source, with a directory of its own.
func newRelease(t *testing.T, version string) *release {
	t.Helper()
	abs, err := filepath.Abs(source)
	if err != nil {
		t.Fatal(err)
	}
	return &release{root: abs, version: version, out: t.TempDir(), targets: []target{host()}, date: date}
}

// filesOf returns the files of a release with this program. The texts are those of the source, the pages and
// completions are short.
func filesOf(t *testing.T, r *release, program []byte) []file {
	t.Helper()
	files := []file{{"strongroom", 0o755, program}, {"NOTICES", 0o644, []byte("terms\n")}}
	for _, name := range []string{
		"man/strongroom.1", "man/strongroom-restore.1", "completions/strongroom.bash", "completions/_strongroom",
		"completions/strongroom.fish",
	} {
		files = append(files, file{name, 0o644, []byte("text of " + name + "\n")})
	}
	files, err := r.addTexts(files)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// packageOf writes a package of a program, and returns its path.
func packageOf(t *testing.T, format, version string, program []byte) string {
	t.Helper()
	r := newRelease(t, version)
	if err := r.writePackages(target{"linux", host().arch}, filesOf(t, r, program), t.TempDir(), format); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(r.out, "*."+format))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d files end in .%s: %v", len(found), format, err)
	}
	return found[0]
}

var builtProgram = sync.OnceValues(func() (content []byte, err error) {
	dir, err := os.MkdirTemp("", "strongroom-release-test-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &release{root: source, version: "v0.1.0"}
	if err := r.compile(context.Background(), host(), filepath.Join(dir, "strongroom"), ""); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "strongroom"))
})

// hostProgram returns the program for this host.
func hostProgram(t *testing.T) []byte {
	t.Helper()
	content, err := builtProgram()
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// A user can check that the packages come from the source: they depend on nothing of the host that built them.
func TestPackagesAreReproducible(t *testing.T) {
	t.Parallel()
	program := bytes.Repeat([]byte("program\n"), 100_000)
	for _, format := range []string{"deb", "rpm"} {
		first, second := packageOf(t, format, "v0.1.0", program), packageOf(t, format, "v0.1.0", program)
		a, err1 := os.ReadFile(first)
		b, err2 := os.ReadFile(second)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) || filepath.Base(first) != filepath.Base(second) {
			t.Errorf("%s and %s differ", first, second)
		}
	}
}

// An archive for a system without systemd has no unit. All else is below one directory, with the modes that it needs.
func TestArchives(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		target
		hasUnit bool
	}{{target{"linux", "arm64"}, true}, {target{"darwin", "arm64"}, false}, {target{"freebsd", "amd64"}, false}} {
		r := newRelease(t, "v0.1.0")
		files := filesOf(t, r, []byte("program"))
		if err := r.writeArchive(one.target, files); err != nil {
			t.Fatal(err)
		}
		dir := "strongroom_0.1.0_" + one.os + "_" + one.arch
		first, err := os.ReadFile(filepath.Join(r.out, dir+".tar.gz"))
		if err != nil {
			t.Fatal(err)
		}
		headers := headersOf(t, first)
		var names []string
		for _, h := range headers {
			names = append(names, strings.TrimPrefix(h.Name, dir+"/"))
			if !h.ModTime.Equal(date) || h.Uid != 0 || h.Uname != "root" || strings.HasPrefix(h.Name, "/") {
				t.Errorf("%s: the header %+v has something of the host", dir, h)
			}
			if executable := h.Mode&0o111 != 0; executable != (h.Name == dir+"/strongroom") {
				t.Errorf("%s has the mode %o", h.Name, h.Mode)
			}
		}
		for _, want := range []string{"strongroom", "LICENSE", "NOTICES", "man/strongroom.1", "completions/_strongroom", "strongroom.yaml"} {
			if !slices.Contains(names, want) {
				t.Errorf("%s has no %s: %q", dir, want, names)
			}
		}
		if has := slices.Contains(names, "systemd/strongroom.service"); has != one.hasUnit || !slices.IsSorted(names) {
			t.Errorf("%s has %q", dir, names)
		}
		slices.Reverse(files)
		again, err := compressedTar(dir, slices.DeleteFunc(files, func(f file) bool {
			return !slices.Contains(names, f.name)
		}), date)
		if err != nil || !bytes.Equal(first, again) {
			t.Errorf("%s depends on the order of the files: %v", dir, err)
		}
	}
}

func headersOf(t *testing.T, archive []byte) (all []*tar.Header) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, h)
	}
}

// A package's unit starts the package's program, not another one that an administrator installed once.
func TestPackagedUnit(t *testing.T) {
	t.Parallel()
	unit, err := os.ReadFile(filepath.Join(source, "deploy", "systemd", "strongroom.service"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := packagedUnit(unit)
	if err != nil || !bytes.Contains(got, []byte("\nExecStart=/usr/bin/strongroom run ")) || bytes.Contains(got, []byte("/usr/local/")) {
		t.Errorf("the unit of a package: %v\n%s", err, got)
	}
	for _, wrong := range [][]byte{nil, got, append(slices.Clone(unit), unit...)} {
		if unit, err := packagedUnit(wrong); err == nil {
			t.Errorf("without an error:\n%s", unit)
		}
	}
}

// A release has a changelog: a version without one is a mistake in its name.
func TestReleaseVersion(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"v0.1.0": true, "v0.1.0+7f8f99b": true, "v0.1.0-3-g7f8f99b-dirty": true,
		"": false, "0.1.0": false, "v0.1": false, "v0.0.9": false, "7f8f99b": false, "v0.1.0 x": false, "devel": false,
	} {
		if err := newRelease(t, version).checkVersion(); (err == nil) != want {
			t.Errorf("version %q: %v", version, err)
		}
	}
}

// A release comes from a commit: what is in none, no user can build again.
func TestReleaseIsCommitted(t *testing.T) {
	// Settings of a user that hide files from git status.
	home := t.TempDir()
	settings := "[status]\n\tshowUntrackedFiles = no\n[core]\n\texcludesFile = " + home + "/hidden\n"
	if err := writeTree(home, []file{{"gitconfig", 0o644, []byte(settings)}, {"hidden", 0o644, []byte("*.go\n")}}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(home, "gitconfig"))
	t.Setenv("SOURCE_DATE_EPOCH", "1") // sets the time alone
	dir := t.TempDir()
	runGit := func(args ...string) {
		t.Helper()
		all := append([]string{"-C", dir, "-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"}, args...)
		if out, err := exec.Command("git", all...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	write := func(f file) {
		t.Helper()
		if err := writeTree(dir, []file{f}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(version string) error { return (&release{root: dir, version: version}).checkCommitted(t.Context()) }
	refused := func(name string) {
		t.Helper()
		if err := check("v0.1.0"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("a release of %s, which is in no commit: %v", name, err)
		}
	}
	write(file{"go.mod", 0o644, []byte("module m\n")})
	if err := check("v0.1.0"); err != nil {
		t.Errorf("a source without git: %v", err)
	}
	runGit("init", "--quiet")
	refused("go.mod")
	if err := check("v0.1.0+trial"); err != nil {
		t.Errorf("a trial: %v", err)
	}
	runGit("add", "--all")
	runGit("commit", "--quiet", "--message", "m")
	if err := check("v0.1.0"); err != nil {
		t.Errorf("a release of a commit: %v", err)
	}
	write(file{"hidden/extra.go", 0o644, []byte("package hidden\n")})
	refused("hidden/extra.go")
	write(file{".git/info/exclude", 0o644, []byte("*.go\n")})
	refused("hidden/extra.go")
	write(file{".gitignore", 0o644, []byte("/hidden/\n")})
	runGit("add", ".gitignore")
	runGit("commit", "--quiet", "--message", "m")
	if err := check("v0.1.0"); err != nil {
		t.Errorf("a release beside files that the source itself excludes: %v", err)
	}
	write(file{"go.mod", 0o644, []byte("module other\n")})
	refused("go.mod")
	write(file{".git/HEAD", 0o644, []byte("nothing\n")})
	if err := check("v0.1.0"); err == nil || !strings.Contains(err.Error(), "not a git repository") {
		t.Errorf("a damaged repository: %v", err)
	}
}

// A scanner for vulnerabilities reads the bill of materials, so it has each module, with its version, and Go's own.
func TestBillOfMaterials(t *testing.T) {
	t.Parallel()
	info, ok := debug.ReadBuildInfo()
	if !ok || len(info.Deps) == 0 {
		t.Fatal("this test has no build information")
	}
	r := newRelease(t, "v0.1.0")
	if err := r.writeBill(target{"linux", "amd64"}, info, []byte("program")); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(r.out, "strongroom_0.1.0_linux_amd64.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	bill := &cyclonedx.BOM{}
	if err := cyclonedx.NewBOMDecoder(f, cyclonedx.BOMFileFormatJSON).Decode(bill); err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, c := range *bill.Components {
		have[c.PackageURL] = true
	}
	for _, m := range info.Deps {
		if !have["pkg:golang/"+m.Path+"@"+m.Version] {
			t.Errorf("the bill has no %s %s", m.Path, m.Version)
		}
	}
	if c := bill.Metadata.Component; len(have) != len(info.Deps)+1 || c.Version != "v0.1.0" || c.Hashes == nil || c.Licenses == nil || bill.SpecVersion != cyclonedx.SpecVersion1_6 {
		t.Errorf("%d components for %d modules and Go, in a bill of %+v", len(have), len(info.Deps), c)
	}
}

// The licenses of what is linked require that a copy of the program has them.
func TestNotices(t *testing.T) {
	t.Parallel()
	info, _ := debug.ReadBuildInfo()
	text, err := newRelease(t, "v0.1.0").notices(context.Background(), info)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"strongroom v0.1.0: LICENSE\n", "The Go standard library: LICENSE\n", "github.com/goreleaser/nfpm/v2 v", "github.com/CycloneDX/cyclonedx-go v",
	} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the notices do not have %q", want)
		}
	}
	if err := appendNotices(&bytes.Buffer{}, "a module", t.TempDir()); err == nil {
		t.Error("a module without a license is no error")
	}
}
