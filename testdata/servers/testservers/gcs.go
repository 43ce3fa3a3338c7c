package main

// fakeGCS returns an emulator of Google Cloud Storage, with its data in memory.
func fakeGCS() extra {
	return extra{
		name: "fake-gcs-server", target: "gcs",
		args: func(p place) []string {
			// It serves objects only under its public host. Without a port in the public host, it also serves them
			// on a proxy's port.
			return []string{
				"-backend", "memory", "-scheme", "http", "-host", p.host, "-port", p.port,
				"-public-host", p.host, "-external-url", p.url, "-data", p.home, "-log-level", "warn",
			}
		},
		ready:   answersAt("/_internal/healthcheck"),
		environ: func(address string) []string { return []string{"STRONGROOM_TEST_GCS=" + address} },
	}
}
