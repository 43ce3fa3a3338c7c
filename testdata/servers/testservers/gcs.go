package main

// fakeGCS is an emulator of Google Cloud Storage, with the data in its memory.
func fakeGCS() extra {
	return extra{
		name: "fake-gcs-server", target: "gcs",
		args: func(host, port, url, home string) []string {
			// It does not find objects under another name than its public host's. Without a
			// port there, it answers on a proxy's as well.
			return []string{
				"-backend", "memory", "-scheme", "http", "-host", host, "-port", port,
				"-public-host", host, "-external-url", url, "-data", home, "-log-level", "warn",
			}
		},
		ready: answersAt("/_internal/healthcheck"),
		tells: func(address string) []string { return []string{"STRONGROOM_TEST_GCS=" + address} },
	}
}
