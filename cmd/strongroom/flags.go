package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/source"
)

// durationFlag is a duration in the configuration's format.
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

// quietFlag is the quiet time of a layout. It differs from a duration in that 0 is a value of its
// own, and not the default.
type quietFlag struct{ o *source.LayoutOptions }

// Set implements pflag.Value.
func (f quietFlag) Set(s string) error {
	d, err := config.ParseDuration(s)
	f.o.Quiet, f.o.NoQuiet = d, err == nil && d == 0
	return err
}

// String implements pflag.Value.
func (f quietFlag) String() string {
	switch {
	case f.o == nil:
		return ""
	case f.o.NoQuiet:
		return "0s"
	}
	return durationFlag{&f.o.Quiet}.String()
}

// Type implements pflag.Value.
func (quietFlag) Type() string { return "duration" }

// snapshotFlag selects a snapshot. It rejects an empty value: that comes from an unset shell
// variable, and must not select the newest snapshot.
type snapshotFlag struct{ s *string }

// Set implements pflag.Value.
func (f snapshotFlag) Set(s string) error {
	if s == "" {
		return errors.New("it is empty; write the number of a snapshot, latest or a time")
	}
	*f.s = s
	return nil
}

// String implements pflag.Value.
func (f snapshotFlag) String() string {
	if f.s == nil {
		return ""
	}
	return *f.s
}

// Type implements pflag.Value.
func (snapshotFlag) Type() string { return "string" }

// pathFlag is the path of a file or directory.
type pathFlag struct{ s *string }

// Set implements pflag.Value.
func (f pathFlag) Set(s string) error {
	if s == "" {
		return errors.New("the path is empty; is a shell variable not set?")
	}
	*f.s = s
	return checkHome(s)
}

// String implements pflag.Value.
func (f pathFlag) String() string {
	if f.s == nil {
		return ""
	}
	return *f.s
}

// Type implements pflag.Value.
func (pathFlag) Type() string { return "string" }

// checkHome returns an error for a path that begins with ~. A shell replaces that by the home directory only at the
// beginning of a word without quotes. Otherwise the path would name a directory below the current one.
func checkHome(path string) error {
	if !strings.HasPrefix(path, "~") {
		return nil
	}
	return fmt.Errorf("the shell has not replaced the ~; write the home directory in full, or ./%s for a name "+
		"that begins with ~", path)
}

// checkEmpty returns an error for an empty argument. No command takes one, and an unset variable of a shell gives one.
func checkEmpty(command string, args []string) error {
	for i, arg := range args {
		if arg == "" {
			return usage("argument %d of %s is empty; is a shell variable not set?", i+1, command)
		}
	}
	return nil
}
