package main

import (
	"context"
	"path/filepath"
)

// rclone returns an S3 server that keeps objects as files. It has no versions.
func rclone(user, secret string) extra {
	return extra{
		name: "rclone", target: "rclone",
		dirs: []string{"data"},
		args: func(p place) []string {
			return []string{"serve", "s3", "--config", "", "--addr", p.host + ":" + p.port, filepath.Join(p.home, "data")}
		},
		env:   []string{`RCLONE_AUTH_KEY="` + user + "," + secret + `"`}, // a line of CSV
		ready: func(ctx context.Context, r *server) error { return r.answers(ctx, "AmazonS3") },
		environ: func(address string) []string {
			return []string{"STRONGROOM_TEST_RCLONE=http://" + address}
		},
	}
}
