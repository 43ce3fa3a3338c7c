package main

import (
	"time"

	"github.com/strongroom-dev/strongroom/config"
)

// durationFlag takes a duration as the configuration does.
type durationFlag struct{ d *time.Duration }

// Set implements pflag.Value.
func (f durationFlag) Set(s string) (err error) {
	*f.d, err = config.ParseDuration(s)
	return err
}

// String implements pflag.Value.
func (f durationFlag) String() string {
	if f.d == nil || *f.d == 0 {
		return ""
	}
	return f.d.String()
}

// Type implements pflag.Value.
func (durationFlag) Type() string { return "duration" }
