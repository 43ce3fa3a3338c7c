package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
)

// guardFlags are the flags of backup that accept what a guard finds, for one run. A prune by
// hand is not limited and needs none.
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

// confirmFlag adds --confirm.
func confirmFlag(f *pflag.FlagSet, to *archive.Acceptance) {
	const usage = "accept once what a guard found: a `CONFIRMATION` from its message, such as rollback:41-0a1b2c3d (repeatable)"
	f.Func("confirm", usage, func(value string) error {
		c, err := archive.ParseConfirmation(value)
		if err == nil {
			to.Confirmed = append(to.Confirmed, c)
		}
		return err
	})
}

// A refusedError is a guard's refusal of an archive, with what accepts it.
type refusedError struct {
	error
	advice string
}

// Error implements error.
func (r refusedError) Error() string { return r.error.Error() + r.advice }

// Unwrap returns the error without the advice.
func (r refusedError) Unwrap() error { return r.error }

// advise adds to the error of one archive what accepts a guard's refusal, if it is one.
func advise(name string, err error) error {
	if advice := acceptAdvice(name, err); advice != "" {
		return refusedError{err, advice}
	}
	return err
}

// acceptAdvice names what accepts a refusal; empty if err is none. Only an archive of the
// configuration, and not a URL, can be one of a service's.
func acceptAdvice(name string, err error) string {
	r, ok := errors.AsType[*archive.Refusal](err)
	if !ok {
		return ""
	}
	advice := "; to go on, run again with "
	if flag := guardFlags[r.Guard]; flag != "" {
		advice += "--" + flag + ", or accept exactly this once with "
	}
	advice += fmt.Sprintf("--confirm %s", r.Confirmation)
	if !isURL(name) {
		advice += fmt.Sprintf(", or where the service runs with: strongroom confirm %s %s", name, r.Confirmation)
	}
	return advice
}

// confirmationOf is what accepts a refusal once; empty if err is none.
func confirmationOf(err error) string {
	if r, ok := errors.AsType[*archive.Refusal](err); ok {
		return r.Confirmation.String()
	}
	return ""
}
