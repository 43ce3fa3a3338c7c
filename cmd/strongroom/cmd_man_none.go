//go:build !man

package main

import "github.com/spf13/cobra"

// buildCommands returns no command: a release has only those for users.
func (*app) buildCommands() []*cobra.Command { return nil }
