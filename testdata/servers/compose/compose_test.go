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
	p := load(t)
	want := []string{"azure-container", "azurite", "gcs", "minio", "s3-bucket", "sample", "strongroom"}
	if got := p.ServiceNames(); !slices.Equal(got, want) {
		t.Errorf("services %q, want %q", got, want)
	}
	checkPins(t, p)
	for _, s := range p.Services {
		checkService(t, &s)
	}
	checkOrder(t, p)
	if p.Services["s3-bucket"].DependsOn["versitygw"].Required {
		t.Error("without the profile, the bucket waits for a server that does not start")
	}
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

// load loads the file with variables such as "NAME=value". It checks the file against the schema, resolves variables,
// anchors, volumes, configs and dependencies, and refuses what does not fit together.
func load(t *testing.T, env ...string) *types.Project {
	t.Helper()
	file, err := filepath.Abs("../../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	o, err := cli.NewProjectOptions([]string{file}, cli.WithEnv(env), cli.WithDefaultProfiles())
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// With the profile, the bucket and the archive are on VersityGW, and it runs before the bucket is made.
func TestProfile(t *testing.T) {
	const server = "http://versitygw:7070"
	p := load(t, "COMPOSE_PROFILES=versitygw", "TRIAL_S3=versitygw:7070")
	s, there := p.Services["versitygw"]
	if !there || !strings.Contains(strings.Join(s.Command, " "), "--port :7070") {
		t.Fatalf("services %q, and VersityGW starts with %q", p.ServiceNames(), s.Command)
	}
	for _, service := range p.Services {
		checkService(t, &service)
	}
	checkPins(t, p)
	if _, waits := p.Services["s3-bucket"].DependsOn["versitygw"]; !waits {
		t.Error("the bucket does not wait for VersityGW")
	}
	if script := strings.Join(p.Services["s3-bucket"].Entrypoint, " "); !strings.Contains(script, server+"/backups") {
		t.Errorf("the bucket is made elsewhere:\n%s", script)
	}
	if content := p.Configs["strongroom"].Content; strings.Count(content, "endpoint="+server+"&") != 1 {
		t.Errorf("the archive is elsewhere:\n%s", content)
	}
}

// checkPins checks that each server that is built has the version that the tests run. Its go.mod pins the version, and
// names the program as a tool. The image for the build must have a Go that this go.mod permits.
func checkPins(t *testing.T, p *types.Project) {
	t.Helper()
	for _, s := range p.Services {
		if s.Build == nil || s.Name == "strongroom" {
			continue
		}
		if filepath.Base(s.Build.Context) != "servers" || s.Build.Args["DIR"] == nil || s.Build.Args["PACKAGE"] == nil {
			t.Errorf("%s is built in %s with %v", s.Name, s.Build.Context, s.Build.Args)
			continue
		}
		dir := filepath.Join(s.Build.Context, *s.Build.Args["DIR"])
		pins, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
			continue
		}
		if !strings.Contains(string(pins), "\ntool "+*s.Build.Args["PACKAGE"]+"\n") {
			t.Errorf("%s: %s does not pin the program %s", s.Name, dir, *s.Build.Args["PACKAGE"])
		}
		if !strings.Contains(string(pins), "\ngo 1.26.0\n") {
			t.Errorf("%s: the Go of golang:1.26 may be older than %s needs", s.Name, dir)
		}
		checkImages(t, filepath.Join(s.Build.Context, "Dockerfile"))
	}
}

// checkImages checks that a build needs no image but Go's, since images of servers go from their registries.
func checkImages(t *testing.T, dockerfile string) {
	t.Helper()
	b, err := os.ReadFile(dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	var images []string
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "FROM" {
			images = append(images, f[1])
		}
	}
	if !slices.Equal(images, []string{"golang:1.26-bookworm", "scratch"}) {
		t.Errorf("%s needs the images %q", dockerfile, images)
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
		"s3-bucket":       {"minio": started, "versitygw": started}, // it tries again until the server responds
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
