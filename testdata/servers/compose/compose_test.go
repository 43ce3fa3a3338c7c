// Package compose checks docker-compose.yml with Compose's own loader, where no containers can run.
// TestCompose in cmd/strongroom runs that configuration.
package compose

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
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
	want := []string{"azure-container", "azurite", "gcs", "minio", "s3-bucket", "sample", "strongroom"}
	if got := p.ServiceNames(); !slices.Equal(got, want) {
		t.Errorf("services %q, want %q", got, want)
	}
	for _, s := range p.Services {
		checkService(t, &s)
	}
	checkOrder(t, p)
	if s := p.Services["strongroom"]; !s.ReadOnly || !slices.Contains(s.Tmpfs, "/tmp") || s.User != "" {
		t.Error("strongroom: its root is writable, it has no /tmp, or it is another user than the image's")
	}
	if content := p.Configs["strongroom"].Content; strings.Count(content, `'segment-(\d+)\.log'`) != 3 {
		t.Errorf("Compose has changed the configuration:\n%s", content)
	}
	if script := strings.Join(p.Services["sample"].Command, " "); !strings.Contains(script, "$(date)") {
		t.Errorf("Compose has changed the script:\n%s", script)
	}
}

// checkService checks what holds for all services. Images have tags, ports are open to this host
// alone, and no service has more rights than it needs.
func checkService(t *testing.T, s *types.ServiceConfig) {
	if s.Build == nil {
		base := s.Image[strings.LastIndex(s.Image, "/")+1:]
		if _, tag, _ := strings.Cut(base, ":"); !strings.ContainsAny(tag, "0123456789") {
			t.Errorf("%s: image %s is not pinned by a tag", s.Name, s.Image)
		}
	} else if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
		t.Errorf("%s: %v", s.Name, err)
	}
	for _, port := range s.Ports {
		if port.HostIP != "127.0.0.1" {
			t.Errorf("%s: port %s is open to the network", s.Name, port.Published)
		}
	}
	if s.Privileged || !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.CapAdd) > 0 ||
		!slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
		t.Errorf("%s: it has rights that it does not need", s.Name)
	}
}

// checkOrder checks that no service begins before the services that it needs.
func checkOrder(t *testing.T, p *types.Project) {
	const healthy, done, started = types.ServiceConditionHealthy, types.ServiceConditionCompletedSuccessfully, types.ServiceConditionStarted
	for name, want := range map[string]map[string]string{
		"s3-bucket":       {"minio": healthy},
		"azure-container": {"azurite": healthy},
		"strongroom":      {"s3-bucket": done, "azure-container": done, "gcs": healthy, "sample": started},
	} {
		got := map[string]string{}
		for other, d := range p.Services[name].DependsOn {
			got[other] = d.Condition
			if d.Condition == healthy && p.Services[other].HealthCheck == nil {
				t.Errorf("%s waits for the health of %s, which has no health check", name, other)
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s depends on %v, want %v", name, got, want)
		}
	}
}
