package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
)

// guardFlags are the flags of backup that accept a guard's finding for one run. A manual prune
// has no limit and needs no flag.
var guardFlags = map[manifest.Guard]string{
	manifest.GuardRollback: "accept-rollback",
	manifest.GuardTakeOver: "take-over",
	manifest.GuardMissing:  "accept-missing",
	manifest.GuardFork:     "accept-fork",
	manifest.GuardNested:   "accept-nested",
}

// acceptFlag adds the flag that accepts the findings of one guard.
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
	const usage = "accept a guard's finding once: the `CONFIRMATION` from its message, " +
		"such as rollback:41-0a1b2c3d (repeatable)"
	f.Func("confirm", usage, func(value string) error {
		c, err := archive.ParseConfirmation(value)
		if err == nil {
			to.Confirmed = append(to.Confirmed, c)
		}
		return err
	})
}

// A refusedError is a guard's refusal with the flags and commands that accept it.
type refusedError struct {
	error
	advice string
}

// Error implements error.
func (r refusedError) Error() string { return r.error.Error() + r.advice }

// Unwrap returns the error without the advice.
func (r refusedError) Unwrap() error { return r.error }

// advise adds to a guard's refusal the flags and commands that accept it. It returns any other
// error unchanged.
func advise(name string, err error) error {
	if advice := acceptAdvice(name, err); advice != "" {
		return refusedError{err, advice}
	}
	return err
}

// acceptAdvice names the flags and commands that accept a refusal; "" if err is no refusal. A
// service only runs archives of the configuration, so strongroom confirm accepts no URL.
func acceptAdvice(name string, err error) string {
	r, ok := errors.AsType[*archive.Refusal](err)
	if !ok {
		return ""
	}
	advice := "; to accept this, run again with "
	if flag := guardFlags[r.Guard]; flag != "" {
		advice += "--" + flag + ", or accept only this finding with "
	}
	advice += fmt.Sprintf("--confirm %s", r.Confirmation)
	if !isURL(name) {
		advice += fmt.Sprintf(", or, if the service runs, with: strongroom confirm %s %s", name, r.Confirmation)
	}
	return advice
}

// confirmationOf returns the confirmation that accepts a refusal once; "" if err is no refusal.
func confirmationOf(err error) string {
	if r, ok := errors.AsType[*archive.Refusal](err); ok {
		return r.Confirmation.String()
	}
	return ""
}
