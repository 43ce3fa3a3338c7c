package main

import (
	"context"
	"encoding/json"
	"path/filepath"
)

// seaweedFS returns an S3 server that keeps objects in volumes, and their names in directories. Its processes in one
// use several ports.
func seaweedFS(user, secret string) extra {
	return extra{
		name: "SeaweedFS", target: "seaweedfs",
		dirs: []string{"data"}, ports: 7,
		files: map[string][]byte{"s3.json": seaweedUsers(user, secret)},
		args: func(p place) []string {
			return []string{
				"-logtostderr=true", "server", "-ip", p.host, "-ip.bind", p.host, "-dir", filepath.Join(p.home, "data"),
				"-master.telemetry=false", "-master.volumeSizeLimitMB", "64", "-volume.max", "100",
				"-master.port", p.more[0], "-master.port.grpc", p.more[1], "-volume.port", p.more[2], "-volume.port.grpc", p.more[3],
				"-filer", "-filer.port", p.more[4], "-filer.port.grpc", p.more[5], "-filer.localSocket", filepath.Join(p.home, "filer.sock"),
				"-s3", "-s3.port", p.port, "-s3.port.grpc", p.more[6], "-s3.port.iceberg", "0", "-s3.port.lance", "0",
				"-s3.localSocket", filepath.Join(p.home, "s3.sock"), "-s3.config", filepath.Join(p.home, "s3.json"),
			}
		},
		ready: func(ctx context.Context, r *server) error { return r.ready(ctx, "/healthz", nil) },
		environ: func(address string) []string {
			return []string{"STRONGROOM_TEST_SEAWEEDFS=http://" + address}
		},
	}
}

// seaweedUsers returns the file with the user that may do everything.
func seaweedUsers(user, secret string) []byte {
	type credential struct {
		AccessKey string `json:"accessKey"`
		SecretKey string `json:"secretKey"`
	}
	type identity struct {
		Name        string       `json:"name"`
		Credentials []credential `json:"credentials"`
		Actions     []string     `json:"actions"`
	}
	b, _ := json.Marshal(map[string][]identity{"identities": {{ // never fails
		"test", []credential{{user, secret}}, []string{"Admin", "Read", "Write", "List", "Tagging"},
	}}})
	return b
}
