package main

// toxiproxy is a program that makes proxies for the tests. Each broken connection would be
// told of in its log: they are what it is for.
func toxiproxy() extra {
	return extra{
		name: "toxiproxy", target: "toxiproxy",
		args: func(host, port, _, _ string) []string {
			return []string{"-host", host, "-port", port, "-proxy-metrics"}
		},
		env:   []string{"LOG_LEVEL=error"},
		ready: answersAt("/version"),
		tells: func(address string) []string { return []string{"STRONGROOM_TEST_TOXIPROXY=" + address} },
	}
}
