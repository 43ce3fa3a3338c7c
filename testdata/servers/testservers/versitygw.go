package main

import "path/filepath"

// versityGW returns an S3 server that keeps objects as files, and versions in a directory of their own.
func versityGW(user, secret string) extra {
	const health = "/health-of-the-server" // no test makes a bucket of this name
	return extra{
		name: "VersityGW", target: "versitygw",
		dirs: []string{"data", "versions"},
		args: func(p place) []string {
			return []string{
				"--port", p.host + ":" + p.port, "--health", health, "--quiet",
				"posix", "--versioning-dir", filepath.Join(p.home, "versions"), filepath.Join(p.home, "data"),
			}
		},
		env:   []string{"ROOT_ACCESS_KEY_ID=" + user, "ROOT_SECRET_ACCESS_KEY=" + secret},
		ready: answersAt(health),
		environ: func(address string) []string {
			return []string{"STRONGROOM_TEST_VERSITYGW=http://" + address}
		},
	}
}
