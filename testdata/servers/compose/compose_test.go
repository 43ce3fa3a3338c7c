// Package compose checks docker-compose.yml with Compose's own loader, where no
// containers can run.
package compose

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
)

func TestFile(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	o, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")})
	if err != nil {
		t.Fatal(err)
	}
	// Checks against the schema, resolves variables, anchors, volumes, configs and
	// dependencies, and refuses what does not fit together.
	p, err := o.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.ServiceNames(), []string{"bucket", "minio", "sample", "strongroom"}; !slices.Equal(got, want) {
		t.Errorf("services %q, want %q", got, want)
	}
	for name, s := range p.Services {
		if s.Build == nil {
			base := s.Image[strings.LastIndex(s.Image, "/")+1:]
			if _, tag, _ := strings.Cut(base, ":"); tag == "" || tag == "latest" {
				t.Errorf("%s: image %s is not pinned by a tag", name, s.Image)
			}
			continue
		}
		if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !s.ReadOnly {
			t.Errorf("%s: its root is writable", name)
		}
	}
	if content := p.Configs["strongroom"].Content; !strings.Contains(content, `'segment-(\d+)\.log'`) {
		t.Errorf("Compose has changed the configuration:\n%s", content)
	}
	if script := strings.Join(p.Services["sample"].Command, " "); !strings.Contains(script, "$(date)") {
		t.Errorf("Compose has changed the script:\n%s", script)
	}
	for _, port := range p.Services["minio"].Ports {
		if port.HostIP != "127.0.0.1" {
			t.Errorf("MinIO's port %s is open to the network", port.Published)
		}
	}
}
