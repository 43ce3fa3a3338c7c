package main

import (
	"errors"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
)

// guardFlags are the flags that accept what a guard finds, for one run.
var guardFlags = map[manifest.Guard]string{
	manifest.GuardRollback: "accept-rollback",
	manifest.GuardTakeOver: "take-over",
	manifest.GuardMissing:  "accept-missing",
}

// acceptFlag adds the flag of a guard.
func acceptFlag(f *pflag.FlagSet, to *archive.Acceptance, g manifest.Guard, usage string) {
	f.BoolFunc(guardFlags[g], usage, func(value string) error {
		on, err := strconv.ParseBool(value)
		if err == nil && on {
			to.Accept = append(to.Accept, g)
		}
		return err
	})
}

// acceptAdvice names what accepts a refusal; empty if err is none.
func acceptAdvice(err error) string {
	var r *archive.Refusal
	if !errors.As(err, &r) || guardFlags[r.Guard] == "" {
		return ""
	}
	return " (--" + guardFlags[r.Guard] + ")"
}
