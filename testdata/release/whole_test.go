package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

var whole = flag.Bool("release", false, "also builds whole releases and installs the module, as make release-test does")

func needWhole(t *testing.T) {
	t.Helper()
	if !*whole {
		t.Skip("takes minutes: make release-test runs it")
	}
}

// copySource copies the files of this source that are not ignored.
func copySource(t *testing.T, to string) {
	t.Helper()
	c := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	c.Dir = source
	out, err := c.Output()
	if err != nil {
		t.Fatalf("listing the files of the source: %v", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(source, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted and not committed
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := writeTree(to, []file{{name, 0o644, content}}); err != nil {
			t.Fatal(err)
		}
	}
}

// A user can build a release again and compare the checksums, whatever the directory is. lintian finds no error in it.
func TestWholeRelease(t *testing.T) {
	needWhole(t)
	var sums []string
	var out string
	for _, dir := range []string{"a", "a/longer/path"} {
		root := filepath.Join(t.TempDir(), dir)
		copySource(t, root)
		out = filepath.Join(t.TempDir(), "dist")
		t.Setenv("SOURCE_DATE_EPOCH", "1795865480")
		r := &release{root: root, version: "v0.1.0", out: out}
		if err := r.prepare(t.Context(), host().os+"/"+host().arch); err != nil {
			t.Fatal(err)
		}
		if err := r.build(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, string(list))
	}
	if sums[0] != sums[1] || strings.Count(sums[0], "\n") < 2 {
		t.Errorf("two builds have the checksums\n%s\nand\n%s", sums[0], sums[1])
	}
	stem := "strongroom_0.1.0_" + host().os + "_" + host().arch
	archive, err := os.ReadFile(filepath.Join(out, stem+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	files := extract(t, archive)
	if n := strings.Count(strings.Join(files.names(), "\n"), "/man/strongroom"); n < 20 {
		t.Errorf("the archive has %d manual pages", n)
	}
	if text := files[stem+"/completions/strongroom.bash"]; !bytes.Contains(text, []byte("__complete")) {
		t.Error("the archive has no completion for bash")
	}
	bin := filepath.Join(t.TempDir(), "strongroom")
	if err := os.WriteFile(bin, files[stem+"/strongroom"], 0o755); err != nil {
		t.Fatal(err)
	}
	showsVersion(t, bin)
	debs, err := filepath.Glob(filepath.Join(out, "*.deb"))
	if err != nil || len(debs) == 0 {
		t.Fatalf("%q: %v", debs, err)
	}
	if out, err := exec.Command("lintian", append([]string{"--fail-on", "error"}, debs...)...).CombinedOutput(); err != nil {
		t.Errorf("Debian's rules for packages: %v\n%s", err, out)
	}
	if bytes.Contains(files[stem+"/strongroom"], []byte("md2man")) {
		t.Error("the program has the code that writes the manual pages")
	}
}

// contents are files by their names.
type contents map[string][]byte

func (c contents) names() []string {
	var all []string
	for name := range c {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func extract(t *testing.T, archive []byte) contents {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	r, files := tar.NewReader(z), contents{}
	for range headersOf(t, archive) {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		files[h.Name] = b.Bytes()
	}
	return files
}

func showsVersion(t *testing.T, program string) {
	t.Helper()
	for args, want := range map[string]string{
		"version": "strongroom v0.1.0\n", "--version": "strongroom v0.1.0\n", "version --json": `"version": "v0.1.0"`,
	} {
		out, err := exec.Command(program, strings.Fields(args)...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s prints %q, want %q: %v", args, out, want, err)
		}
	}
}

// go install refuses a module with replace directives, and a zip leaves out the modules below testdata. The version is
// that of the module.
func TestGoInstall(t *testing.T) {
	needWhole(t)
	root, proxy := t.TempDir(), t.TempDir()
	copySource(t, root)
	version := module.Version{Path: mainModule, Version: "v0.1.0"}
	var content bytes.Buffer
	if err := zip.CreateFromDir(&content, version, root); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	err = writeTree(filepath.Join(proxy, mainModule, "@v"), []file{
		{"list", 0o644, []byte("v0.1.0\n")},
		{"v0.1.0.info", 0o644, []byte(`{"Version":"v0.1.0","Time":"2026-11-28T00:00:00Z"}`)},
		{"v0.1.0.mod", 0o644, mod},
		{"v0.1.0.zip", 0o644, content.Bytes()},
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "env", "GOMODCACHE", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	cache, others, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	bin := t.TempDir()
	c := exec.CommandContext(t.Context(), "go", "install", mainModule+"/cmd/strongroom@latest")
	c.Dir = bin
	c.Env = append(os.Environ(), "GOBIN="+bin, "GOMODCACHE="+t.TempDir(), "GOSUMDB=off", "CGO_ENABLED=0", "GOWORK=off",
		"GOFLAGS=-modcacherw -trimpath -tags=disable_grpc_modules", // the same packages as in other tests
		"GOPROXY=file://"+proxy+",file://"+cache+"/cache/download,"+others)
	if err := runTool(c); err != nil {
		t.Fatal(err)
	}
	showsVersion(t, filepath.Join(bin, "strongroom"))
}

// rpm accepts the package, and its removal keeps the configuration.
func TestRPM(t *testing.T) {
	needWhole(t)
	rpm := packageOf(t, "rpm", "v0.1.0", []byte("program"))
	r := newRoot(t)
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("rpm", append([]string{"--root=" + r.dir}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("rpm %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run("--initdb")
	// The scripts need a shell below the root; TestScripts runs them.
	run("--install", "--nodeps", "--noscripts", "--ignorearch", rpm)
	list := run("--query", "--list", "strongroom")
	for _, want := range []string{"/usr/bin/strongroom", "/usr/share/man/man1/strongroom.1.gz", "/usr/share/zsh/site-functions/_strongroom", "/usr/share/licenses/strongroom/NOTICES", "/etc/strongroom"} {
		if !strings.Contains(list, want+"\n") || !r.has(want) {
			t.Errorf("the package has no %s:\n%s", want, list)
		}
	}
	scripts := run("--query", "--scripts", "strongroom")
	for _, want := range []string{"postinstall", "preuninstall", "postuninstall", "systemd-sysusers"} {
		if !strings.Contains(scripts, want) {
			t.Errorf("the package's scripts have no %s:\n%s", want, scripts)
		}
	}
	if got := run("--query", "strongroom"); !strings.HasPrefix(got, "strongroom-0.1.0-1.") {
		t.Errorf("rpm installed %s", got)
	}
	r.write("etc/strongroom/strongroom.yaml", "archives: []\n", 0o644)
	run("--erase", "--noscripts", "strongroom")
	if r.has("usr/bin/strongroom") || !r.has("etc/strongroom/strongroom.yaml") {
		t.Error("the removal has kept the program, or deleted the configuration")
	}
	for _, name := range []string{"usr/share/doc/strongroom", "usr/share/licenses/strongroom"} {
		if r.has(name) {
			t.Errorf("the removal has left %s", name)
		}
	}
}
