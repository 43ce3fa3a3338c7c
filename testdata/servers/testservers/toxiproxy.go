package main

// toxiproxy returns a server that creates proxies for the tests. It logs only errors: broken connections are its
// purpose.
func toxiproxy() extra {
	return extra{
		name: "toxiproxy", target: "toxiproxy",
		args: func(p place) []string {
			return []string{"-host", p.host, "-port", p.port, "-proxy-metrics"}
		},
		env:     []string{"LOG_LEVEL=error"},
		ready:   answersAt("/version"),
		environ: func(address string) []string { return []string{"STRONGROOM_TEST_TOXIPROXY=" + address} },
	}
}
