package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// scriptsHost is a directory with commands that record how the scripts of a package call them.
func scriptsHost(t *testing.T, commands ...string) (bin string) {
	t.Helper()
	bin = t.TempDir()
	for _, name := range commands {
		text := "#!/bin/sh\necho \"" + name + " $*\" >>" + filepath.Join(bin, "calls") + "\n"
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	grep, err := exec.LookPath("grep")
	if err == nil {
		err = os.Symlink(grep, filepath.Join(bin, "grep"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// The user is made with what the host has, and once. dpkg and rpm call the scripts with other arguments.
func TestScripts(t *testing.T) {
	t.Parallel()
	const useradd = "useradd --prefix ROOT --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin strongroom"
	for _, one := range []struct {
		script   string
		args     []string
		users    string // in /etc/passwd
		commands []string
		want     []string
	}{
		{"postinst.sh", []string{"configure", ""}, "", []string{"systemd-sysusers", "useradd"}, []string{"systemd-sysusers --root=ROOT strongroom.conf"}},
		{"postinst.sh", []string{"1"}, "", []string{"systemd-sysusers"}, []string{"systemd-sysusers --root=ROOT strongroom.conf"}},
		{"postinst.sh", []string{"configure", ""}, "root:x:0:\n", []string{"useradd"}, []string{useradd}},
		{"postinst.sh", []string{"2"}, "strongroom2:x:9:\n", []string{"useradd"}, []string{useradd}},
		{"postinst.sh", []string{"configure", "0.0.9"}, "strongroom:x:9:\n", []string{"useradd"}, nil},
		{"prerm.sh", []string{"remove"}, "", []string{"systemctl"}, nil}, // not of the host, for another root
		{"prerm.sh", []string{"upgrade", "0.2.0"}, "", []string{"systemctl"}, nil},
		{"prerm.sh", []string{"1"}, "", []string{"systemctl"}, nil},
		{"postrm.sh", []string{"purge"}, "", []string{"systemctl", "userdel", "rm"}, nil},
		{"postrm.sh", []string{"0"}, "", []string{"systemctl", "userdel", "rm"}, nil},
	} {
		bin, dir := scriptsHost(t, one.commands...), t.TempDir()
		if err := writeTree(dir, []file{{"etc/passwd", 0o644, []byte(one.users)}}); err != nil {
			t.Fatal(err)
		}
		c := exec.Command("/bin/sh", append([]string{filepath.Join("package", one.script)}, one.args...)...)
		c.Env = []string{"PATH=" + bin, "DPKG_ROOT=" + dir}
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("%s %q: %v\n%s", one.script, one.args, err, out)
		}
		calls, _ := os.ReadFile(filepath.Join(bin, "calls")) // absent without a call
		got := strings.FieldsFunc(strings.ReplaceAll(string(calls), dir, "ROOT"), func(r rune) bool { return r == '\n' })
		if !slices.Equal(got, one.want) {
			t.Errorf("%s %q called %q, want %q", one.script, one.args, got, one.want)
		}
	}
}

// The scripts run on hosts with other shells than bash, and no script deletes anything: a state directory may hold an
// archive.
func TestScriptsDeleteNothing(t *testing.T) {
	t.Parallel()
	all, err := filepath.Glob(filepath.Join("package", "*.sh"))
	if err != nil || len(all) != 3 {
		t.Fatalf("%q: %v", all, err)
	}
	for _, name := range all {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(b), "#!/bin/sh\n") || !strings.Contains(string(b), "\nset -e\n") {
			t.Errorf("%s is no script of sh that ends at the first error", name)
		}
		for _, command := range []string{"rm ", "rmdir", "unlink", "userdel", "deluser", "find ", "shred"} {
			for line := range strings.Lines(string(b)) {
				if !strings.HasPrefix(line, "#") && strings.Contains(line, command) {
					t.Errorf("%s deletes: %s", name, line)
				}
			}
		}
	}
}
