// Package deploy checks what is shipped for running strongroom: nothing here can start
// systemd or build an image, so the files are read.
package deploy

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// read gives the lines of a file that are neither empty nor a comment.
func read(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

// The unit has the properties that docs/install.md promises: a service that can be killed or
// broken into without harm to the host.
func TestUnit(t *testing.T) {
	t.Parallel()
	lines := read(t, "systemd/strongroom.service")
	for _, want := range []string{
		"ExecStart=/usr/local/bin/strongroom run --config /etc/strongroom/strongroom.yaml",
		"ExecReload=/bin/kill -HUP $MAINPID", "StateDirectory=strongroom", "StateDirectoryMode=0700",
		"User=strongroom", "CapabilityBoundingSet=", "AmbientCapabilities=", "NoNewPrivileges=yes", "UMask=0077",
		"ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes", "PrivateUsers=yes",
		"ProtectKernelTunables=yes", "ProtectKernelModules=yes", "ProtectKernelLogs=yes", "ProtectControlGroups=yes",
		"ProtectClock=yes", "ProtectHostname=yes", "ProtectProc=invisible",
		"RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "RestrictNamespaces=yes", "RestrictRealtime=yes", "RestrictSUIDSGID=yes",
		"LockPersonality=yes", "MemoryDenyWriteExecute=yes", "SystemCallArchitectures=native",
		"SystemCallFilter=@system-service", "SystemCallFilter=~@privileged @resources",
		"Type=notify", "Restart=on-failure", "TimeoutStopSec=15", "KillMode=mixed", "Nice=10",
		"Wants=network-online.target", "After=network-online.target", "WantedBy=multi-user.target",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("the unit does not have %s", want)
		}
	}
	// A later line would undo an earlier one.
	seen := map[string]bool{}
	for _, line := range lines {
		name, _, ok := strings.Cut(line, "=")
		if !ok && line[0] != '[' {
			t.Errorf("%q is neither a section nor a setting", line)
		}
		if ok && seen[name] && name != "SystemCallFilter" { // the second SystemCallFilter subtracts from the first
			t.Errorf("%s= is there twice", name)
		}
		seen[name] = true
	}
	for _, never := range []string{"ReadWritePaths", "MemoryMax", "DynamicUser"} {
		if seen[never] {
			t.Errorf("the unit has %s=", never)
		}
	}
}

// The image: a static binary in an empty root, a user that is not root, bases with tags.
func TestImage(t *testing.T) {
	t.Parallel()
	lines := read(t, "../Dockerfile")
	pinned := regexp.MustCompile(`^FROM (scratch|[a-z0-9./-]+:[0-9][a-z0-9.-]+ AS [a-z]+)$`)
	var bases []string
	for _, line := range lines {
		if strings.HasPrefix(line, "FROM ") {
			bases = append(bases, line)
			if !pinned.MatchString(line) {
				t.Errorf("%s: the base is not pinned by a tag", line)
			}
		}
	}
	if len(bases) != 2 || bases[1] != "FROM scratch" {
		t.Errorf("the image is built from %q, want FROM scratch at last", bases)
	}
	end := lines[slices.Index(lines, "FROM scratch")+1:]
	want := []string{
		"COPY --from=build /out/ /", "USER 65532:65532", "ENV STRONGROOM_STATE_DIR=/var/lib/strongroom",
		"VOLUME /var/lib/strongroom", `ENTRYPOINT ["/usr/bin/strongroom"]`, `CMD ["run"]`,
	}
	if !slices.Equal(end, want) {
		t.Errorf("the image is made of\n%q, want\n%q", end, want)
	}
	if !strings.Contains(strings.Join(lines, "\n"), "\nRUN CGO_ENABLED=0 go build ") {
		t.Error("the binary is not static: it is built without CGO_ENABLED=0")
	}
}

// The image's build context: every file that is not named is left out, and every named file exists.
func TestDockerignore(t *testing.T) {
	t.Parallel()
	lines := read(t, "../.dockerignore")
	if lines[0] != "*" {
		t.Fatalf(".dockerignore begins with %q, want *", lines[0])
	}
	for _, line := range lines[1:] {
		path, kept := strings.CutPrefix(line, "!")
		if !kept {
			continue
		}
		if _, err := os.Stat("../" + path); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if slices.Contains([]string{".git", ".cache", "bin"}, path) {
			t.Errorf("%s: that belongs in no image", line)
		}
	}
}

// The image's build context has every directory with a package that the program imports: without one, the image
// cannot be built.
func TestDockerignoreKeepsWhatIsCompiled(t *testing.T) {
	t.Parallel()
	const module = "github.com/strongroom-dev/strongroom/"
	c := exec.Command("go", "list", "-deps", "./cmd/strongroom")
	c.Dir = ".."
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines, own := read(t, "../.dockerignore"), 0
	for _, path := range strings.Fields(string(out)) {
		rest, isOurs := strings.CutPrefix(path, module)
		if !isOurs {
			continue
		}
		own++
		top, _, _ := strings.Cut(rest, "/")
		if !slices.Contains(lines, "!"+top) {
			t.Errorf("the program imports %s, and .dockerignore has no line !%s", path, top)
		}
	}
	if own == 0 {
		t.Error("go list names no package of this module")
	}
}
